"""The only reader of images: a file's bytes, its header, its pixels.

    source = read_source(path)                       the bytes, read once, and their SHA-256
    header = identify(source, formats, max_pixels)   from the header alone
    raster = decode(source, formats, max_pixels, alpha, background)

Each step raises an `ImageError` of its own, and what the earlier steps found out stays in the
caller's hand: a file that cannot be decoded still has its digest. `read_image` is all in one;
`read_header` looks at a file without reading the rest of it.

One written policy for each way in which a picture can be more or other than 8-bit sRGB; each
application is told in `Raster.notes`:

    EXIF orientation       applied, for every format that carries it
    ICC profile            converted to sRGB (see `profiles`)
    modes, 16 bits, float  see `modes`
    alpha "preserve"       handed on as it is
    alpha "flatten"        pixels with alpha 1..254 are laid over the background:
                           (a·color + (255 - a)·background) / 255, rounded to the nearest
                           (there are no ties), alpha then 255; alpha 0 stays transparent
    animation, pages       the first frame; an icon file: the largest picture
    damage                 an error, never part of a picture
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BufferedReader, BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from pipeline.files.decoder import opened
from pipeline.files.folders import is_image_folder
from pipeline.files.headers import Header, header_of, orientation_of
from pipeline.files.modes import channels_of, raw_mode
from pipeline.files.objects import Place
from pipeline.files.openfiles import open_regular, shown
from pipeline.files.profiles import to_srgb
from pipeline.files.sources import FileStat, Source, read_source
from pipeline.files.zarrpictures import zarr_header

__all__ = [
    "FileStat",
    "Raster",
    "Source",
    "decode",
    "flatten",
    "identify",
    "read_header",
    "read_image",
    "read_source",
]

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BAND_ROWS = 64


@dataclass(frozen=True, slots=True)
class Raster:
    """A decoded image.

    Attributes
    ----------
    pixels : (height, width, 3) uint8 array
        sRGB, C-contiguous, writable.
    alpha : (height, width) uint8 array or None
        None when opaque throughout.
    sha256, stat
        Of the file, as in `Source`.
    header : Header
        The file's header.
    notes : tuple of str
        The policies that were applied and what Pillow warned of, in words.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    sha256: str
    stat: FileStat
    header: Header
    notes: tuple[str, ...]


def read_header(path: Place, formats: Sequence[str], max_pixels: int) -> Header:
    """Read a file's header without decoding its picture.

    Parameters
    ----------
    path : Path or ObjectPath
        The file.
    formats : sequence of str
        The formats that may be read (of `pipeline.files.formats.NAMES`).
    max_pixels : int
        The largest width × height that is admitted.

    Raises
    ------
    ImageError
        One of the kinds told in `pipeline.files.failures`.
    """
    if is_image_folder(path):
        return zarr_header(path, formats, max_pixels)
    with (
        open_regular(path) as (file, found),
        BufferedReader(file) as stream,
        opened(stream, shown(path), formats, max_pixels) as (image, _),
    ):
        return header_of(image, found.st_size)


def identify(source: Source, formats: Sequence[str], max_pixels: int) -> Header:
    """Read the header of bytes that are at hand; parameters and errors as in `read_header`."""
    with opened(BytesIO(source.data), source.name, formats, max_pixels) as (image, _):
        return header_of(image, len(source.data))


def decode(
    source: Source,
    formats: Sequence[str],
    max_pixels: int,
    alpha: Literal["preserve", "flatten"] = "preserve",
    background: tuple[int, int, int] = (255, 255, 255),
) -> Raster:
    """Decode an image by the policies told above.

    Parameters
    ----------
    source : Source
        From `read_source`.
    formats, max_pixels
        As in `read_header`.
    alpha : {"preserve", "flatten"}
        What happens to half-transparent pixels.
    background : tuple of 3 int in 0..255
        The sRGB colour that "flatten" lays them over.

    Raises
    ------
    ImageError
        One of the kinds told in `pipeline.files.failures`.
    """
    with opened(BytesIO(source.data), source.name, formats, max_pixels) as (image, warned):
        header = header_of(image, len(source.data))
        color, cover, header, notes = _decoded(image, header)
        pixels, opacity = array_of(color), None if cover is None else np.array(cover)
        notes += tuple(f"Pillow: {text}" for text in dict.fromkeys(warned))
    if opacity is not None and alpha == "flatten":
        if flatten(pixels, opacity, background):
            notes += (laid_over(background),)
        opacity = None if opacity.min() == 255 else opacity
    return Raster(pixels, opacity, source.sha256, source.stat, header, notes)


def read_image(
    path: Place,
    formats: Sequence[str],
    max_pixels: int,
    alpha: Literal["preserve", "flatten"] = "preserve",
    background: tuple[int, int, int] = (255, 255, 255),
) -> Raster:
    """Read and decode an image in one step; parameters and errors as in `read_source` and `decode`."""
    return decode(read_source(path), formats, max_pixels, alpha, background)


def laid_over(background: tuple[int, int, int]) -> str:
    """The note of an image in which `flatten` found something to do."""
    return f"half-transparent pixels laid over {background}"


def flatten(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], background: tuple[int, int, int]) -> bool:
    """Lay half-transparent pixels over a background, in place.

    Parameters
    ----------
    pixels : (height, width, 3) uint8 array
    alpha : (height, width) uint8 array
        Afterwards only 0 and 255.
    background : tuple of 3 int in 0..255

    Returns
    -------
    bool
        Whether there were any.
    """
    half = (alpha > 0) & (alpha < 255)
    if not half.any():
        return False
    share = alpha[half].astype(np.uint16)[:, np.newaxis]
    # At most 255 · 255 + 127 < 2^16. Adding 127 rounds to the nearest: 255 is odd, so there are no ties.
    laid = pixels[half] * share + (255 - share) * np.array(background, np.uint16) + 127
    pixels[half] = (laid // 255).astype(np.uint8)
    alpha[half] = 255
    return True


def _decoded(
    image: ImageFile.ImageFile, header: Header
) -> tuple[Image.Image, Image.Image | None, Header, tuple[str, ...]]:
    """Decode and apply the policies up to sRGB; give the header as the decoded file has it."""
    stored = raw_mode(image.tile[0].args) if image.tile else ""
    notes = _frame_note(image, header)
    image.load()
    if header.format != "tiff" and (turn := orientation_of(image)) != header.orientation:
        # The EXIF data of a PNG stood behind its pixels.
        size = (header.height, header.width) if turn >= 5 else (header.width, header.height)
        header = replace(header, orientation=turn, width=size[0], height=size[1])
    channels = channels_of(image, stored)
    color, converted = to_srgb(channels.color, image.info.get("icc_profile"))
    notes += channels.notes + converted
    cover = channels.alpha
    if header.orientation > 1:
        notes += (f"EXIF orientation {header.orientation} applied",)
        if header.format != "tiff":  # Pillow turned a TIFF while decoding it
            color = color.transpose(_TURNS[header.orientation])
            cover = cover.transpose(_TURNS[header.orientation]) if cover else None
    return color, cover, header, notes


def pages_note(header: Header) -> tuple[str, ...]:
    """The note of a file of several pictures, of which the first is read."""
    if header.frames > 1:
        return (f"frame 1 of {'several' if header.format in ('gif', 'tiff') else header.frames}",)
    return ()


def _frame_note(image: ImageFile.ImageFile, header: Header) -> tuple[str, ...]:
    """Say which of several pictures is read."""
    if header.format == "ico" and len(sizes := image.info.get("sizes", ())) > 1:
        return (f"the largest of {len(sizes)} pictures",)
    return pages_note(header)


def array_of(image: Image.Image) -> NDArray[np.uint8]:
    """Copy an RGB picture into a (height, width, 3) array, by bands.

    `np.asarray(image)` would hold every pixel twice while it joins its pieces.
    """
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return pixels
