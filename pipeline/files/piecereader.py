"""The samples of a TIFF's page in windows: of the strips or tiles that one touches, one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.files.failures import failed_decoding
from pipeline.files.pieces import left_out, pieces_of
from pipeline.files.unpacking import unpacked
from pipeline.files.windows import Window, cover, overlap

_READ_BYTES = 4 << 20


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
                    if self._fill is not None and left_out(self._page, number):
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
