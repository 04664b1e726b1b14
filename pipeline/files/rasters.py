"""Rasters larger than memory: their numbers in windows, of any depth and any number of bands.

    layout = raster_layout(path)
    with open_raster(path, layout) as reader:
        values = reader.read(Window(0, 0, 512, 512))

TIFF: classic and BigTIFF, strips or tiles, bands interleaved or in planes. The numbers are those of the
file: no orientation, no inversion and no mask is applied. Only YCbCr of a JPEG becomes RGB.
Zarr: see `pipeline.files.zarrs`.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ChangedWhileReading
from pipeline.files.folders import is_image_folder
from pipeline.files.objects import Place
from pipeline.files.openfiles import open_regular, shown
from pipeline.files.piecereader import PieceReader, inside
from pipeline.files.pieces import check_pieces, pieces_of
from pipeline.files.rasterpages import Base, base_of, check_beginning
from pipeline.files.sources import state_of, unchanged
from pipeline.files.tiffs import first_page
from pipeline.files.unpacking import most_copies
from pipeline.files.windows import Window, overlap
from pipeline.files.zarrs import Form, ZarrArray, open_zarr

_NODATA = 42113
_LISTED_BYTES = 2 * 40  # a piece's place and size, as Python's numbers in a tuple
_PLAIN_BYTES = 8 << 20
_LIBRARY_BYTES = 40 << 20  # buffers of the decoders, whatever the raster's size


@dataclass(frozen=True)
class RasterLayout:
    """What a raster's file holds, and in what pieces.

    Attributes
    ----------
    height, width, bands : int
        In pixels, and numbers a pixel.
    dtype : str
        numpy's name of the numbers' type in the machine's byte order: "uint16", "float32", …
    unit : tuple of 2 int
        Rows and columns that the file stores as one piece. Aligned windows of multiples of it
        decode nothing twice.
    decoder_bytes : int
        Memory that decoding takes besides the numbers that are handed out, at most.
    nodata : float or None
        The number that stands for no data, as GDAL's tag or Zarr's attributes tell it, whether or not
        the dtype can hold it; may be NaN. None when there is none.
    bytes : int
        The file's size; of a folder as in `sources.FileStat`.
    notes : tuple of str
        What was chosen of several pages, planes or levels, in words; empty when there was no choice.
    format : {"tiff", "zarr"}
        The file's.
    """

    height: int
    width: int
    bands: int
    dtype: str
    unit: tuple[int, int]
    decoder_bytes: int
    nodata: float | None
    bytes: int
    notes: tuple[str, ...]
    format: str = "tiff"

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel's numbers."""
        return self.bands * np.dtype(self.dtype).itemsize


class RasterReader:
    """Reads windows of a raster that is open; for one thread. From `open_raster`.

    Parameters
    ----------
    readers : list of PieceReader
        One a page, in the order of the bands.
    layout : RasterLayout
        The raster's.
    """

    def __init__(self, readers: list[PieceReader], layout: RasterLayout) -> None:
        self._readers = readers
        self._layout = layout

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window that lies within the raster; one piece at a time is decoded.

        Returns
        -------
        (height, width, bands) array of the layout's dtype
            C-contiguous, in the machine's byte order. Pieces that the file leaves out are filled
            with the number for no data, or 0 when there is none.

        Raises
        ------
        ImageError
            When a piece that it touches lies beyond the file's end or cannot be decoded; the message
            tells the place.
        ValueError
            When the window does not lie within the raster.
        """
        layout = self._layout
        window.require_within(layout.height, layout.width)
        values = np.empty((window.height, window.width, layout.bands), layout.dtype)
        band = 0
        for reader in self._readers:
            for plane in range(reader.pieces.planes):
                bands = slice(band, band + reader.pieces.channels)
                for piece, samples in reader.touched(window, plane):
                    shared = overlap(window, piece)
                    values[(*inside(shared, window), bands)] = samples[inside(shared, piece)]
                band = bands.stop
        return values


def raster_layout(path: Place) -> RasterLayout:
    """Tell what a raster's file holds, from its headers alone; nothing is decoded.

    Raises
    ------
    UnsupportedImage
        When it is no TIFF or Zarr, or one whose numbers cannot be read in parts; the message says why.
    TruncatedImage
        When the file is too short for the raster that it claims to hold.
    ImageError
        When its headers cannot be read.
    """
    if is_image_folder(path):
        return _of_zarr(open_zarr(path).form, state_of(path).bytes)
    with open_regular(path) as (raw, found), BufferedReader(raw) as file:
        return _described(file, found.st_size, shown(path))[1]


@contextmanager
def open_raster(path: Place, layout: RasterLayout) -> Iterator[RasterReader | ZarrArray]:
    """Open a raster to be read in windows.

    Parameters
    ----------
    path : Path or ObjectPath
        The file.
    layout : RasterLayout
        Its layout, from `raster_layout`.

    Raises
    ------
    ChangedWhileReading
        When the file's size, or what it holds, is no longer what its layout says.
    ImageError
        When it cannot be opened again.
    """
    name = shown(path)
    if layout.format == "zarr":
        array = open_zarr(path)
        _same_form(_of_zarr(array.form, layout.bytes), layout, name)
        yield array
        return
    with open_regular(path) as (raw, found), BufferedReader(raw) as file:
        unchanged(found, layout.bytes, name)
        base, again = _described(file, layout.bytes, name)
        _same_form(again, layout, name)
        fill = _filling(layout)
        # The pages outlive the tifffile object: their places are read, and `file` is ours.
        yield RasterReader([PieceReader(file, page, layout.dtype, name, fill) for page in base.pages], layout)


def _described(file: IO[bytes], size: int, name: str) -> tuple[Base, RasterLayout]:
    """Choose the pages of an open file of `size` bytes, and tell what they hold."""
    check_beginning(file, size, name)
    with first_page(file, name) as first:
        base = base_of(first, name)
        for page in base.pages:
            check_pieces(page, pieces_of(page), size, name, sparse=True)
        nodata = _nodata(base.pages[0])
    pieces = pieces_of(base.pages[0])
    if pieces.plain:
        decoder = _PLAIN_BYTES + 2 * pieces.width * pieces.channels * pieces.depth
    else:
        decoder = max(max(page.databytecounts) for page in base.pages)
        decoder += max(map(most_copies, base.pages)) * pieces.bytes
    listed = sum(len(page.dataoffsets) for page in base.pages) * _LISTED_BYTES
    layout = RasterLayout(
        height=pieces.height,
        width=pieces.width,
        bands=len(base.pages) * pieces.planes * pieces.channels,
        dtype=base.pages[0].dtype.name,
        unit=(1, pieces.width) if pieces.plain else (pieces.rows, pieces.cols),
        decoder_bytes=decoder + listed + _LIBRARY_BYTES,
        nodata=nodata,
        bytes=size,
        notes=base.notes,
    )
    return base, layout


def _of_zarr(form: Form, size: int) -> RasterLayout:
    """Take an array's form over; `size` is its folder's, in bytes."""
    return RasterLayout(
        height=form.height,
        width=form.width,
        bands=form.bands,
        dtype=form.dtype,
        unit=form.unit,
        decoder_bytes=form.decoder_bytes,
        nodata=form.nodata,
        bytes=size,
        notes=form.notes,
        format="zarr",
    )


def _same_form(again: RasterLayout, layout: RasterLayout, name: str) -> None:
    if _form(again) != _form(layout):
        raise ChangedWhileReading(
            f"{name}: expected {_form(layout)} as when its header was read, found {_form(again)}; "
            "run again once nothing writes to it"
        )


def _form(layout: RasterLayout) -> str:
    """What two layouts of the same raster share, in words."""
    return f"{layout.height} × {layout.width} × {layout.bands} {layout.dtype} in pieces of {layout.unit}"


def _nodata(page: Any) -> float | None:
    """The number for no data of GDAL's tag; None when it is absent or no number."""
    text = page.tags.valueof(_NODATA)
    try:
        return float(str(text).strip("\0 ").replace(",", "."))
    except ValueError:
        return None


def _filling(layout: RasterLayout) -> Any:
    """The number in pieces that are left out: the nearest to `nodata` that there is, as in GDAL."""
    nodata, dtype = layout.nodata or 0.0, np.dtype(layout.dtype)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(nodata)
    limits = np.iinfo(dtype)
    if not math.isfinite(nodata):
        return 0 if math.isnan(nodata) else int(limits.max if nodata > 0 else limits.min)
    return min(max(math.floor(nodata + 0.5), int(limits.min)), int(limits.max))
