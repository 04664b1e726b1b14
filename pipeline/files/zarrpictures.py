"""Pictures in Zarr folders: uint8 arrays of 1, 3 or 4 channels as grey, RGB and RGBA.

Their pixels are those of a PNG of the same numbers; what is asked of a picture's file beside them is
told here in the terms of `headers`, `patches` and `readers`.
"""

from collections.abc import Iterator, Sequence

from pipeline.errors import TooManyPixels, UnlistedFormat, UnsupportedImage
from pipeline.files.failures import too_many_pixels
from pipeline.files.formats import listed
from pipeline.files.headers import Header
from pipeline.files.objects import Place
from pipeline.files.openfiles import shown
from pipeline.files.patches import Look, Patch, blank, in_bands
from pipeline.files.sources import state_of
from pipeline.files.windows import Window
from pipeline.files.zarrs import Form, ZarrArray, open_zarr

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_PIXEL_BYTES = 24  # of a block of chunks that is painted: its samples, as an image, and in colour


def zarr_header(path: Place, formats: Sequence[str], max_pixels: int) -> Header:
    """Describe a folder's picture; parameters as in `images.read_header`.

    Raises
    ------
    UnlistedFormat, TooManyPixels
        As for any other picture.
    UnsupportedImage
        When its numbers are no picture's.
    ImageError
        As `open_zarr` does.
    """
    name = shown(path)
    if "zarr" not in formats:
        raise UnlistedFormat(
            f"{name}: expected {listed(formats)}, found zarr; add zarr to input.formats to read it"
        )
    size = state_of(path).bytes
    form = open_zarr(path).form
    pixels = form.width * form.height
    if pixels > max_pixels:
        raise TooManyPixels(too_many_pixels(name, (form.width, form.height), max_pixels))
    return Header("zarr", form.width, form.height, mode_of(form, name), 1, 1, size, form.decoder_bytes)


def mode_of(form: Form, name: str) -> str:
    """Pillow's mode of an array's pictures; UnsupportedImage when there is none."""
    dtype = "bool" if form.truths else form.dtype
    if dtype != "uint8" or form.bands not in _MODES:
        raise UnsupportedImage(
            f"{name}: expected uint8 of 1, 3 or 4 channels as a picture, found {dtype} of {form.bands}; "
            "use quantize.method: segment, which reads any numbers"
        )
    return _MODES[form.bands]


def zarr_look(mode: str) -> Look:
    """How the samples of an array are to be painted."""
    return Look(mode, mode, mode, None, None, None, mode == "RGBA")


def painting_bytes(form: Form) -> int:
    """Memory that painting takes besides the pixels that are handed out: of a chunk's rows at most."""
    return _PIXEL_BYTES * form.unit[0] * form.unit[1]


class ZarrReader:
    """Reads windows of a picture in an array; for one thread.

    Parameters
    ----------
    array : ZarrArray
        The array.
    look : Look
        From `zarr_look`.
    """

    def __init__(self, array: ZarrArray, look: Look) -> None:
        self._array = array
        self._look = look

    def read(self, window: Window) -> Patch:
        """Read a window; errors as `ZarrArray.read`."""
        patch = blank(window, self._look.alpha)
        self._look.paint(self._array.read(window), patch.pixels, patch.alpha)
        return patch

    def bands(self, rows: int) -> Iterator[Patch]:
        """Read all from top to bottom, so many rows at a time; every chunk is decoded once."""
        form = self._array.form
        return in_bands(self.read, (form.height, form.width), form.unit[0], rows)
