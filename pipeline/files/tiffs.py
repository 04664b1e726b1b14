"""TIFF files in windows: only the strips or tiles that a window touches are read and decoded."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.files.failures import failed_decoding
from pipeline.files.patches import Look, Patch, blank, rebanded
from pipeline.files.windows import Window, cover, overlap

# What tifffile logs is told by errors already; without a handler Python would print it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_READ_BYTES = 4 << 20


@dataclass(frozen=True)
class Pieces:
    """The strips or tiles of a TIFF's first page.

    Attributes
    ----------
    height, width : int
        Of the picture.
    rows, cols : int
        Of a piece.
    channels, depth : int
        Samples a pixel, and bytes a sample: 1 or 2.
    plain : bool
        Whether they are strips without compression, of which any row can be read alone.
    """

    height: int
    width: int
    rows: int
    cols: int
    channels: int
    depth: int
    plain: bool

    @property
    def bytes(self) -> int:
        """Of a decoded piece."""
        return self.rows * self.cols * self.channels * self.depth

    @property
    def count(self) -> int:
        """How many there are."""
        return -(-self.height // self.rows) * -(-self.width // self.cols)


@contextmanager
def first_page(file: IO[bytes], name: str) -> Iterator[Any]:
    """Open a TIFF's first page, as tifffile's TiffPage; decodes nothing.

    Raises
    ------
    DamagedImage, TruncatedImage, UnsupportedImage
        When there is none, or its directory is broken; what is done within the `with` too.
    """
    try:
        file.seek(0)
        with tifffile.TiffFile(file, name=name) as tiff:
            if not tiff.pages:
                raise EOFError("it has no page")
            yield tiff.pages.first
    except Exception as error:
        raise failed_decoding(error, name, "tiff") from error


def pieces_of(page: Any) -> Pieces:
    """Tell in what pieces a page is stored."""
    height, width = int(page.imagelength), int(page.imagewidth)
    rows, cols = (
        (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    )
    plain = page.compression == 1 and not page.is_tiled
    depth = int(page.bitspersample) // 8
    return Pieces(height, width, int(rows), int(cols), int(page.samplesperpixel), depth, plain)


class TiffReader:
    """Reads windows of a TIFF that is open; for one thread.

    Parameters
    ----------
    file : binary file
        The file.
    page : tifffile page
        From `first_page`, of the same file.
    look : Look
        How its pixels are to be read.
    name : str
        The file's name, for messages.
    """

    def __init__(self, file: IO[bytes], page: Any, look: Look, name: str) -> None:
        self._file = file
        self._page = page
        self._look = look
        self._name = name
        self._pieces = pieces_of(page)

    def read(self, window: Window) -> Patch:
        """Read a window.

        Raises
        ------
        ImageError
            When a piece that it touches lies beyond the file's end or cannot be decoded.
        """
        patch = blank(window, self._look.alpha)
        for piece, samples in self._touched(window):
            shared = overlap(window, piece)
            source = samples[_inside(shared, piece)]
            target = _inside(shared, window)
            alpha = None if patch.alpha is None else patch.alpha[target]
            self._look.paint(source, patch.pixels[target], alpha)
        return patch

    def bands(self, rows: int) -> Iterator[Patch]:
        """Read all from top to bottom, so many rows at a time; every piece is decoded once.

        When they are no multiple of a piece's rows, a row of pieces is held besides.

        Raises
        ------
        ImageError
            As `read` does.
        """
        height, width = self._pieces.height, self._pieces.width
        even = self._pieces.plain or rows % self._pieces.rows == 0
        step = rows if even else self._pieces.rows
        bands = (self.read(window) for window in cover(height, width, step, width))
        return bands if even else rebanded(bands, height, rows)

    def _touched(self, window: Window) -> Iterator[tuple[Window, NDArray[Any]]]:
        """Give the pieces that a window touches; of plain strips, a few of the rows at a time."""
        pieces = self._pieces
        across = -(-pieces.width // pieces.cols)
        for down in range(window.row // pieces.rows, -(-window.bottom // pieces.rows)):
            for over in range(window.col // pieces.cols, -(-window.right // pieces.cols)):
                piece = Window(down * pieces.rows, over * pieces.cols, pieces.rows, pieces.cols)
                with self._told(overlap(window, piece)):
                    if pieces.plain:
                        yield from self._rows(down, overlap(window, piece))
                    else:
                        yield piece, self._decoded(down * across + over, piece)

    def _rows(self, strip: int, window: Window) -> Iterator[tuple[Window, NDArray[Any]]]:
        """Read the rows of a window from a strip without compression."""
        pieces = self._pieces
        row_bytes = pieces.width * pieces.channels * pieces.depth
        step = max(_READ_BYTES // row_bytes, 1)
        for part in cover(window.height, pieces.width, step, pieces.width):
            run = Window(window.row + part.row, 0, part.height, pieces.width)
            start = self._page.dataoffsets[strip] + (run.row - strip * pieces.rows) * row_bytes
            data = self._bytes(start, run.height * row_bytes)
            order = self._page.parent.byteorder
            samples = np.frombuffer(data, f"{order}u{pieces.depth}").astype(f"=u{pieces.depth}", copy=False)
            yield run, samples.reshape(run.height, run.width, pieces.channels)

    def _decoded(self, index: int, piece: Window) -> NDArray[Any]:
        """Decode a piece, at least as far as it lies within the picture."""
        pieces = self._pieces
        if index >= len(self._page.dataoffsets):
            raise EOFError(f"it lists {len(self._page.dataoffsets)} of {pieces.count} pieces")
        data = self._bytes(self._page.dataoffsets[index], self._page.databytecounts[index])
        samples = self._page.decode(data, index, jpegtables=self._page.jpegtables)[0]
        height = min(piece.height, pieces.height - piece.row)
        width = min(piece.width, pieces.width - piece.col)
        expected = (1, height, width, pieces.channels)
        whole = (
            samples is not None
            and samples.ndim == 4
            and samples.dtype == np.dtype(f"u{pieces.depth}")
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


def _inside(shared: Window, whole: Window) -> tuple[slice, slice]:
    """The slices of `shared` in an array of the pixels of `whole`."""
    row, col = shared.row - whole.row, shared.col - whole.col
    return slice(row, row + shared.height), slice(col, col + shared.width)
