"""The pixels of windows: samples of a file, by the same policies as a whole picture.

A patch is made a Pillow image of the mode that the whole picture would have had, and goes through
`modes` and `profiles` like it: what they do to 8- and 16-bit samples is done pixel by pixel.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImagePalette

from pipeline.files.modes import channels_of, raw_mode
from pipeline.files.profiles import to_srgb
from pipeline.files.windows import Window, cover

PER_PIXEL = frozenset({"1", "L", "LA", "La", "P", "RGB", "RGBA", "RGBa", "I;16", "I;16B"})
"""Pillow's modes of which each pixel becomes what it becomes whatever the others are."""

_KEYED = ("1", "L", "RGB", "I;16", "I;16B")
_BAND_ROWS = 64


class Patch(NamedTuple):
    """The pixels of a window.

    Attributes
    ----------
    window : Window
        Where they lie.
    pixels : (height, width, 3) uint8 array
        sRGB, C-contiguous.
    alpha : (height, width) uint8 array or None
        None only when the file has no alpha: an opaque window of a file that has is all 255.
    """

    window: Window
    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Look:
    """How Pillow would have held the whole picture, from its header.

    Attributes
    ----------
    mode, stored : str
        Its mode, and the raw mode of the file's samples.
    packed : str
        The raw mode in which samples are handed to `paint`.
    key : int, tuple, bytes or None
        The transparent colour, as Pillow tells it.
    profile : bytes or None
        The ICC profile.
    palette : Pillow palette or None
        Of mode P.
    alpha : bool
        Whether there is an alpha channel or a transparent colour.
    """

    mode: str
    stored: str
    packed: str
    key: Any
    profile: bytes | None
    palette: ImagePalette.ImagePalette | None
    alpha: bool

    def paint(
        self, samples: NDArray[Any], pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
    ) -> None:
        """Turn samples into pixels, a few rows at a time.

        Parameters
        ----------
        samples : (height, width, channels) array of uint8 or uint16
            Laid out as `packed` says, in the machine's byte order.
        pixels : (height, width, 3) uint8 array
            Is filled.
        alpha : (height, width) uint8 array or None
            Is filled; None when the file has none.
        """
        if self._plain:
            pixels[:] = samples[..., :3]
            if alpha is not None:
                alpha[:] = samples[..., 3]
            return
        for top in range(0, len(samples), _BAND_ROWS):
            rows = slice(top, top + _BAND_ROWS)
            channels = channels_of(self._image(samples[rows]), self.stored)
            pixels[rows] = np.asarray(to_srgb(channels.color, self.profile)[0])
            if alpha is not None:
                alpha[rows] = 255 if channels.alpha is None else np.asarray(channels.alpha)

    @property
    def _plain(self) -> bool:
        """Whether samples are pixels as they are, so that Pillow would only copy them."""
        eight_bits = self.mode == self.packed and self.mode in ("L", "RGB", "RGBA")
        return eight_bits and self.key is None and self.profile is None

    def notes(self) -> tuple[str, ...]:
        """The policies that are applied to every pixel, in words."""
        depth = (
            np.uint16
            if self.packed.endswith(("16N", "16B", "16L")) or self.mode.startswith("I")
            else np.uint8
        )
        channels = channels_of(self._image(np.zeros((1, 1, 4), depth)), self.stored)
        return channels.notes + to_srgb(channels.color, self.profile)[1]

    def _image(self, samples: NDArray[Any]) -> Image.Image:
        """Make the image that Pillow would have given for these rows."""
        if self.mode.startswith("I;16"):
            return self._keyed(Image.fromarray(np.ascontiguousarray(samples[..., 0], np.uint16)))
        size = (samples.shape[1], samples.shape[0])
        if self.mode == "1":
            grey = Image.frombytes("L", size, samples.tobytes())
            return self._keyed(grey.convert("1", dither=Image.Dither.NONE))
        image = Image.frombytes(self.mode, size, samples.tobytes(), "raw", self.packed)
        if self.palette is not None:
            image.palette = self.palette.copy()
            image.palette.dirty = 1
        self._keyed(image).load()
        return image

    def _keyed(self, image: Image.Image) -> Image.Image:
        if self.key is not None:
            image.info["transparency"] = self.key
        return image


def look_of(image: ImageFile.ImageFile) -> Look:
    """Tell how Pillow would hold an image that was opened but not decoded."""
    stored = raw_mode(image.tile[0].args) if image.tile else ""
    key = image.info.get("transparency")
    alpha = image.mode in ("LA", "La", "RGBA", "RGBa") or (
        image.has_transparency_data
        if image.mode == "P"
        else image.mode in _KEYED and isinstance(key, int | tuple)
    )
    palette = image.palette if image.mode == "P" else None
    return Look(image.mode, stored, stored, key, image.info.get("icc_profile"), palette, alpha)


def blank(window: Window, alpha: bool) -> Patch:
    """Make a patch whose pixels are still to be filled in."""
    shape = (window.height, window.width)
    return Patch(window, np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8) if alpha else None)


def in_bands(read: Callable[[Window], Patch], size: tuple[int, int], unit: int, rows: int) -> Iterator[Patch]:
    """Read a picture from top to bottom in bands of so many rows; the last may be lower.

    Parameters
    ----------
    read : function
        Reads a window.
    size : tuple of 2 int
        Rows and columns of the picture.
    unit : int
        Rows that are decoded together: all of them once. If `rows` is no multiple, so many are held besides.
    rows : int
        Of the bands that are given, at least 1.
    """
    even = rows % unit == 0
    bands = map(read, cover(*size, rows if even else unit, size[1]))
    return bands if even else rebanded(bands, size[0], rows)


def rebanded(patches: Iterable[Patch], height: int, rows: int) -> Iterator[Patch]:
    """Cut bands of any heights into bands of so many rows; the last may be lower.

    Parameters
    ----------
    patches : iterable of Patch
        Of the picture's full width, from top to bottom without a gap.
    height : int
        Of the picture.
    rows : int
        Of the bands that are given, at least 1.
    """
    band: Patch | None = None
    for patch in patches:
        window = patch.window
        row = window.row
        while row < window.bottom:
            if band is None:
                band = blank(Window(row, 0, min(rows, height - row), window.width), patch.alpha is not None)
            end = min(window.bottom, band.window.bottom)
            into = slice(row - band.window.row, end - band.window.row)
            taken = slice(row - window.row, end - window.row)
            band.pixels[into] = patch.pixels[taken]
            if band.alpha is not None and patch.alpha is not None:
                band.alpha[into] = patch.alpha[taken]
            row = end
            if row == band.window.bottom:
                yield band
                band = None
