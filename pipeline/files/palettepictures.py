"""Pictures that stand for palettes.

An indexed picture gives the entries of its palette that its pixels have, in the palette's order; any
other its distinct colours in the order in which its rows, read like a text, show them first. So the
pictures of palette collections, at any scale, and those of quantizers give the order that they show.

Fully transparent pixels are left out, ICC profiles converted to sRGB; of an animation the first
frame counts. Kinds that may change colours when they store them (JPEG, WebP, …) are not read.
"""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import ImageError, TooManyPixels
from pipeline.files.decoder import opened
from pipeline.files.modes import channels_of, raw_mode
from pipeline.files.profiles import to_srgb

_FORMATS = ("png", "gif", "bmp")
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
_MOST_PIXELS = 16_000_000
_MOST_COLORS = 4096  # of a palette that somebody has drawn; a photograph has ten times as many


def is_picture(data: bytes) -> bool:
    """Tell whether a file begins like a PNG, GIF or BMP."""
    return data.startswith(_SIGNATURES) or (data.startswith(b"BM") and data[6:10] == bytes(4))


def picture_colors(data: bytes) -> Iterator[list[int]]:
    """Yield the distinct colours of a picture, [red, green, blue], sRGB, 0..255, in its order.

    Raises
    ------
    ValueError
        When it is damaged or has more than 16 million pixels or 4096 colours.
    """
    try:
        colors = _visible(data)
    except TooManyPixels as error:
        raise ValueError(
            f"expected a picture of a palette, of at most {_MOST_PIXELS / 1e6:g} megapixels, "
            "found a larger one; give a picture that shows the palette alone"
        ) from error
    except ImageError as error:
        raise ValueError(str(error)) from error
    places = _first_places(colors)
    if len(places) > _MOST_COLORS:
        raise ValueError(
            f"expected a picture of a palette, of at most {_MOST_COLORS} colours, found {len(places)}; "
            "give a picture that shows the palette alone"
        )
    for place in places:
        yield colors[place].tolist()


def _first_places(colors: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Where each distinct colour of (n, 3) stands first, in order: by a table, 8 times as fast as a sort."""
    red, green, blue = colors.T.astype(np.int32)
    codes = red << 16 | green << 8 | blue
    first = np.full(1 << 24, -1, np.int32)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1, dtype=np.int32)  # of equal codes the last stays
    return np.sort(first[first >= 0])


def _visible(data: bytes) -> NDArray[np.uint8]:
    """Decode a picture: the colours that are not fully transparent, (n, 3), in its order."""
    with opened(BytesIO(data), "its picture", _FORMATS, _MOST_PIXELS) as (image, _):
        stored = raw_mode(image.tile[0].args) if image.tile else ""
        image.load()
        shown = _entries(image) if image.mode == "P" else image
        channels = channels_of(shown, stored)
        color, _ = to_srgb(channels.color, image.info.get("icc_profile"))
        colors = np.asarray(color).reshape(-1, 3)
        if channels.alpha is None:
            return colors
        return colors[np.asarray(channels.alpha).ravel() > 0]


def _entries(image: Image.Image) -> Image.Image:
    """Lay the palette entries that an indexed picture's pixels have out in a row, in order."""
    used = np.flatnonzero(image.histogram())
    row = image.crop((0, 0, len(used), 1))
    row.frombytes(used.astype(np.uint8).tobytes())
    return row
