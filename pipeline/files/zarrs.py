"""Zarr arrays in windows: only the chunks that a window touches are read and decoded.

    array = open_zarr(path)
    values = array.read(Window(0, 0, 512, 512))

Zarr 2 and 3, shards, and the base level of OME-Zarr, by any codec that the package zarr has. Chunks
that the folder leaves out are filled by the array's fill value. The package is an extra: it is
imported here alone, once it is needed.
"""

import base64
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DamagedImage, UnsupportedImage
from pipeline.files.failures import failed_decoding
from pipeline.files.objects import Place
from pipeline.files.openfiles import shown
from pipeline.files.pieces import LARGEST_PIECE
from pipeline.files.windows import Window, overlap
from pipeline.files.zarrmeta import Axes, axes_of, base_of
from pipeline.files.zarrstores import checked_store

_AT_ONCE = 8 << 20  # bytes of chunks that are read by one call, if there are more than one
_COPIES = 3  # of a chunk: as stored, decoded, in order
_LIBRARY_BYTES = 64 << 20
_NOT_KNOWN = re.compile(r"unknown (codec|chunk)|no zarr data type|extra fields", re.IGNORECASE)
_NODATA = ("_FillValue", "missing_value")


@dataclass(frozen=True)
class Form:
    """What a Zarr array holds, and in what pieces; see `rasters.RasterLayout`.

    Attributes
    ----------
    height, width, bands : int
        In pixels, and numbers a pixel.
    dtype : str
        numpy's name of the numbers' type in the machine's byte order; "uint8" for truth values.
    truths : bool
        Whether they are truth values.
    unit : tuple of 2 int
        Rows and columns of a chunk, or of a shard unless it is too large to be held.
    decoder_bytes : int
        Memory that decoding takes besides the numbers that are handed out, about.
    nodata : float or None
        The number for no data, when attributes tell one; the fill value is none.
    notes : tuple of str
        What was chosen of several images, levels or planes, in words.
    """

    height: int
    width: int
    bands: int
    dtype: str
    truths: bool
    unit: tuple[int, int]
    decoder_bytes: int
    nodata: float | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.height} × {self.width} × {self.bands} {self.dtype} in pieces of {self.unit}"


class ZarrArray:
    """An array that is open; for one thread. From `open_zarr`.

    Parameters
    ----------
    array : zarr's Array
        The array.
    axes : Axes
        Its axes.
    attributes : dict
        What is told of it besides.
    name : str
        The folder's name, for messages.
    """

    def __init__(self, array: Any, axes: Axes, attributes: dict[str, Any], name: str) -> None:
        self._array = array
        self._axes = axes
        self._name = name
        shape = array.shape
        dtype = _number_type(array.dtype, name)
        chunk, self._piece_bytes = _piece(array, name)
        self._channels = 1 if axes.c is None else chunk[axes.c]
        self.form = Form(
            height=shape[axes.y],
            width=shape[axes.x],
            bands=1 if axes.c is None else shape[axes.c],
            dtype=dtype,
            truths=array.dtype.kind == "b",
            unit=(chunk[axes.y], chunk[axes.x]),
            decoder_bytes=_COPIES * max(self._piece_bytes, _AT_ONCE) + _LIBRARY_BYTES,
            nodata=_nodata(attributes),
            notes=axes.notes,
        )

    def read(self, window: Window) -> NDArray[Any]:
        """Read a window that lies within the array.

        Returns
        -------
        (height, width, bands) array of the form's dtype
            C-contiguous, in the machine's byte order.

        Raises
        ------
        ImageError
            When a chunk that it touches cannot be read or decoded; the message tells the place.
        ValueError
            When the window does not lie within the array.
        """
        form = self.form
        window.require_within(form.height, form.width)
        values = np.empty((window.height, window.width, form.bands), form.dtype)
        for block in self._blocks(window):
            rows = slice(block.row - window.row, block.bottom - window.row)
            cols = slice(block.col - window.col, block.right - window.col)
            for band in range(0, form.bands, self._channels):
                bands = slice(band, min(band + self._channels, form.bands))
                values[rows, cols, bands] = self._read(block, bands)
        return values

    def _blocks(self, window: Window) -> Iterator[Window]:
        """A window in parts of few enough chunks to be decoded at once."""
        rows, cols = self.form.unit
        across = cols * max(1, _AT_ONCE // self._piece_bytes)
        for row in range(window.row - window.row % rows, window.bottom, rows):
            for col in range(window.col - window.col % cols, window.right, across):
                yield overlap(window, Window(row, col, rows, across))

    def _read(self, block: Window, bands: slice) -> NDArray[Any]:
        y, x, c, _ = self._axes
        wanted: list[int | slice] = [0] * len(self._array.shape)
        wanted[y], wanted[x] = slice(block.row, block.bottom), slice(block.col, block.right)
        kept = [y, x]
        if c is not None:
            wanted[c] = bands
            kept.append(c)
        try:
            found = np.asarray(self._array[tuple(wanted)])
        except Exception as error:  # a codec's, whichever it is
            raise failed_decoding(error, f"{self._name}, {block}", "zarr") from error
        found = found.transpose([sorted(kept).index(axis) for axis in kept])
        return found if c is not None else found[..., np.newaxis]


def open_zarr(path: Place) -> ZarrArray:
    """Open the array of a Zarr folder that is its picture; no chunk is read.

    Raises
    ------
    UnsupportedImage
        When the package zarr is missing, or the array cannot be read as numbers, or not in parts.
    ImageError
        When its metadata are missing or broken.
    """
    name = shown(path)
    zarr = _package(name)
    base = base_of(path, name)
    try:
        store = checked_store(zarr, path / base.path, base.blosc)
        array = zarr.open_array(store=store, mode="r", zarr_format=base.version)
        attributes = array.attrs.asdict()
    except Exception as error:
        found = NotImplementedError(str(error)) if _NOT_KNOWN.search(str(error)) else error
        raise failed_decoding(found, name, "zarr") from error
    return ZarrArray(array, axes_of(base, array.shape, name), attributes, name)


def _package(name: str) -> Any:
    """The package zarr, 3 or later."""
    try:
        import zarr

        zarr.storage.WrapperStore  # noqa: B018 -- not in zarr 2
    except (ImportError, AttributeError) as error:
        raise UnsupportedImage(
            f"{name}: expected the package zarr, 3 or later, to read it, found none; "
            "pip install 'segpipe[zarr]'"
        ) from error
    return zarr


def _number_type(dtype: Any, name: str) -> str:
    """The type in which an array's numbers are handed out."""
    if isinstance(dtype, np.dtype) and dtype.kind in "uif":
        return dtype.name
    if isinstance(dtype, np.dtype) and dtype.kind == "b":
        return "uint8"
    kinds = {"O": "objects", "c": "complex numbers", "V": "records", "M": "times", "m": "times"}
    raise UnsupportedImage(
        f"{name}: expected an array of whole numbers or floats, found {kinds.get(dtype.kind, 'texts')} "
        f"({dtype}); save it anew as numbers, or exclude it"
    )


def _piece(array: Any, name: str) -> tuple[tuple[int, ...], int]:
    """The sizes along all axes of what is decoded as one, within the array, and its bytes."""
    stored = array.chunks if array.shards is None else array.shards
    for chunk in (stored, array.chunks):
        size = prod(chunk) * array.dtype.itemsize
        if 0 < size <= LARGEST_PIECE:
            pairs = zip(chunk, array.shape, strict=True)
            return tuple(min(length, whole) for length, whole in pairs), size
    if min(stored) < 1:
        raise DamagedImage(
            f"{name}: expected chunks of at least one pixel, found {stored}; restore it from its source"
        )
    raise UnsupportedImage(
        f"{name}: expected an array that can be read in parts, found chunks of "
        f"{' × '.join(map(str, array.chunks))}, {size >> 20} MiB each (at most {LARGEST_PIECE >> 20} can be "
        "held); save it anew in smaller chunks"
    )


def _nodata(attributes: dict[str, Any]) -> float | None:
    """The number for no data that attributes tell; None when there is none, or no number."""
    for key in _NODATA:
        told = attributes.get(key)
        if isinstance(told, list) and len(told) == 1:
            told = told[0]
        if isinstance(told, bool) or not isinstance(told, int | float | str):
            continue
        try:
            return float(told)
        except (ValueError, OverflowError):
            if isinstance(told, str) and (number := _packed(told)) is not None:
                return number
    return None


def _packed(text: str) -> float | None:
    """A float as xarray writes it into attributes: 8 bytes, least first, in base 64."""
    try:
        return float(struct.unpack("<d", base64.b64decode(text, validate=True))[0])
    except (ValueError, struct.error):
        return None
