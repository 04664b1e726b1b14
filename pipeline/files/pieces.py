"""The strips or tiles of a TIFF's page: where they lie, and the samples of those that a window touches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import add
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.errors import TruncatedImage
from pipeline.files.failures import failed_decoding
from pipeline.files.unpacking import unpacked
from pipeline.files.windows import Window, cover, overlap

LARGEST_PIECE = 256 << 20
"""The most bytes that a piece may have once it is decoded, but for plain ones."""

_READ_BYTES = 4 << 20


@dataclass(frozen=True)
class Pieces:
    """The strips or tiles of a TIFF's page.

    Attributes
    ----------
    height, width : int
        Of the picture.
    rows, cols : int
        Of a piece.
    channels, depth : int
        Samples a pixel in a piece, and bytes a sample.
    planes : int
        In how many planes the channels are stored, one after the other: 1 when they are interleaved.
    plain : bool
        Whether they are strips without compression, of which any row can be read alone.
    """

    height: int
    width: int
    rows: int
    cols: int
    channels: int
    depth: int
    planes: int
    plain: bool

    @property
    def bytes(self) -> int:
        """Of a decoded piece."""
        return self.rows * self.cols * self.channels * self.depth

    @property
    def across(self) -> int:
        """How many lie side by side."""
        return -(-self.width // self.cols)

    @property
    def in_plane(self) -> int:
        """How many a plane has."""
        return -(-self.height // self.rows) * self.across

    @property
    def count(self) -> int:
        """How many there are in all planes."""
        return self.in_plane * self.planes


def pieces_of(page: Any) -> Pieces:
    """Tell in what pieces a page is stored."""
    height, width = int(page.imagelength), int(page.imagewidth)
    rows, cols = (
        (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    )
    samples = int(page.samplesperpixel)
    channels, planes = (1, samples) if page.planarconfig == 2 else (samples, 1)
    # Bits in reversed order have to be turned before they are numbers.
    plain = page.compression == 1 and not page.is_tiled and page.fillorder == 1
    depth = int(page.bitspersample) // 8
    return Pieces(height, width, int(rows), int(cols), channels, depth, planes, plain)


def check_pieces(page: Any, pieces: Pieces, size: int, name: str, sparse: bool = False) -> None:
    """Check that all pieces are listed and lie within the file.

    Parameters
    ----------
    page : tifffile page
        Of a file of `size` bytes.
    pieces : Pieces
        Its own.
    size : int
        The file's.
    name : str
        The file's name, for messages.
    sparse : bool
        Whether pieces may be left out: of no bytes, at the place 0.

    Raises
    ------
    TruncatedImage
        When one is not listed, or ends behind the file's end.
    """
    listed = min(len(page.dataoffsets), len(page.databytecounts))
    if listed < pieces.count:
        raise TruncatedImage(
            f"{name}: expected {pieces.count} strips or tiles, found {listed} listed; "
            "restore it from its source"
        )
    if (end := max(_ends(page, pieces, sparse))) > size:
        raise TruncatedImage(
            f"{name}: expected strips or tiles up to byte {end}, found a file of {size} bytes; "
            "restore it from its source"
        )


def _ends(page: Any, pieces: Pieces, sparse: bool) -> Iterator[int]:
    """Where the pieces end in the file."""
    if not pieces.plain:
        yield from map(add, page.dataoffsets, page.databytecounts)
        return
    row = pieces.width * pieces.channels * pieces.depth
    for number in range(pieces.count):
        if sparse and _left_out(page, number):
            yield 0
        else:
            above = number % pieces.in_plane * pieces.rows
            yield page.dataoffsets[number] + min(pieces.rows, pieces.height - above) * row


def _left_out(page: Any, number: int) -> bool:
    """Tell whether a piece was never written."""
    return bool(page.dataoffsets[number] == 0 and page.databytecounts[number] == 0)


class PieceReader:
    """Reads and decodes the pieces of a page, one at a time; for one thread.

    Parameters
    ----------
    file : binary file
        The file.
    page : tifffile page
        Of the same file.
    dtype : dtype
        Of the page's samples, in the machine's byte order.
    name : str
        The file's name, for messages.
    fill : number or None
        What pieces hold that were left out; None when none may be.
    """

    def __init__(self, file: IO[bytes], page: Any, dtype: DTypeLike, name: str, fill: Any = None) -> None:
        self._file = file
        self._page = page
        self._dtype = np.dtype(dtype)
        self._name = name
        self._fill = fill
        self._order = page.parent.byteorder
        self.pieces = pieces_of(page)

    def touched(self, window: Window, plane: int = 0) -> Iterator[tuple[Window, NDArray[Any]]]:
        """Give the pieces of a plane that a window touches; of plain strips, a few of the rows at a time.

        Yields
        ------
        tuple of Window and (height, width, channels) array of the dtype
            Where a piece lies, and its samples. At the picture's lower and right edge they may be
            fewer or more than those within it, never less.

        Raises
        ------
        ImageError
            When a piece lies beyond the file's end or cannot be decoded; the message tells its place.
        """
        pieces = self.pieces
        for down in range(window.row // pieces.rows, -(-window.bottom // pieces.rows)):
            for over in range(window.col // pieces.cols, -(-window.right // pieces.cols)):
                piece = Window(down * pieces.rows, over * pieces.cols, pieces.rows, pieces.cols)
                shared = overlap(window, piece)
                number = plane * pieces.in_plane + down * pieces.across + over
                with self._told(shared):
                    self._check_listed(number)
                    if self._fill is not None and _left_out(self._page, number):
                        yield shared, self._filled(shared)
                    elif pieces.plain:
                        yield from self._rows(number, piece.row, shared)
                    else:
                        yield piece, self._decoded(number, piece)

    def _check_listed(self, number: int) -> None:
        listed = min(len(self._page.dataoffsets), len(self._page.databytecounts))
        if number >= listed:
            raise EOFError(f"it lists {listed} of {self.pieces.count} pieces")

    def _filled(self, window: Window) -> NDArray[Any]:
        shape = (window.height, window.width, self.pieces.channels)
        return np.broadcast_to(np.asarray(self._fill, self._dtype), shape)

    def _rows(self, number: int, top: int, window: Window) -> Iterator[tuple[Window, NDArray[Any]]]:
        """Read the rows of a window from a strip without compression that begins in the row `top`."""
        pieces = self.pieces
        row_bytes = pieces.width * pieces.channels * pieces.depth
        step = max(_READ_BYTES // row_bytes, 1)
        for part in cover(window.height, pieces.width, step, pieces.width):
            run = Window(window.row + part.row, 0, part.height, pieces.width)
            start = self._page.dataoffsets[number] + (run.row - top) * row_bytes
            data = self._bytes(start, run.height * row_bytes)
            samples = np.frombuffer(data, self._dtype.newbyteorder(self._order))
            samples = samples.astype(self._dtype, copy=False)
            yield run, samples.reshape(run.height, run.width, pieces.channels)

    def _decoded(self, number: int, piece: Window) -> NDArray[Any]:
        """Decode a piece, at least as far as it lies within the picture."""
        pieces, page = self.pieces, self._page
        data = self._bytes(page.dataoffsets[number], page.databytecounts[number])
        samples = unpacked(page, data, number)
        height = min(piece.height, pieces.height - piece.row)
        width = min(piece.width, pieces.width - piece.col)
        expected = (1, height, width, pieces.channels)
        whole = (
            samples is not None
            and samples.ndim == 4
            and samples.dtype == self._dtype
            and samples.shape[3] == pieces.channels
            and all(found >= needed for found, needed in zip(samples.shape, expected, strict=True))
        )
        if not whole:
            found = "nothing" if samples is None else f"{samples.shape} of {samples.dtype}"
            raise ValueError(f"a piece of {expected} decodes to {found}")
        decoded: NDArray[Any] = samples[0]
        return decoded

    def _bytes(self, offset: int, size: int) -> bytes:
        """Read bytes of the file, all of them and at least one."""
        if size < 1:
            raise ValueError(f"a piece of {size} bytes")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError(f"{size} bytes from {offset} on are asked for, {len(data)} are there")
        return data

    @contextmanager
    def _told(self, window: Window) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise failed_decoding(error, f"{self._name}, {window}", "tiff") from error


def inside(shared: Window, whole: Window) -> tuple[slice, slice]:
    """The slices of `shared` in an array of the pixels of `whole`."""
    row, col = shared.row - whole.row, shared.col - whole.col
    return slice(row, row + shared.height), slice(col, col + shared.width)
