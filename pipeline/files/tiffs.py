"""TIFF files in windows: only the strips or tiles that a window touches are read and decoded."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import tifffile

from pipeline.files.failures import failed_decoding
from pipeline.files.patches import Look, Patch, blank, in_bands
from pipeline.files.piecereader import PieceReader, inside
from pipeline.files.pieces import pieces_of
from pipeline.files.windows import Window, overlap

# What tifffile logs is told by errors already; without a handler Python would print it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@contextmanager
def first_page(file: IO[bytes], name: str) -> Iterator[Any]:
    """Open a TIFF's first page, as tifffile's TiffPage; decodes nothing, opens no other file.

    Raises
    ------
    DamagedImage, TruncatedImage, UnsupportedImage
        When there is none, or its directory is broken; what is done within the `with` too.
    """
    try:
        file.seek(0)
        with tifffile.TiffFile(file, name=name, _multifile=False) as tiff:
            if not tiff.pages:
                raise EOFError("it has no page")
            yield tiff.pages.first
    except Exception as error:
        raise failed_decoding(error, name, "tiff") from error


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
        self._look = look
        self._reader = PieceReader(file, page, f"u{pieces_of(page).depth}", name)

    def read(self, window: Window) -> Patch:
        """Read a window.

        Raises
        ------
        ImageError
            When a piece that it touches lies beyond the file's end or cannot be decoded.
        """
        patch = blank(window, self._look.alpha)
        for piece, samples in self._reader.touched(window):
            shared = overlap(window, piece)
            source = samples[inside(shared, piece)]
            target = inside(shared, window)
            alpha = None if patch.alpha is None else patch.alpha[target]
            self._look.paint(source, patch.pixels[target], alpha)
        return patch

    def bands(self, rows: int) -> Iterator[Patch]:
        """Read all from top to bottom, so many rows at a time; every piece is decoded once.

        Raises
        ------
        ImageError
            As `read` does.
        """
        pieces = self._reader.pieces
        unit = 1 if pieces.plain else pieces.rows
        return in_bands(self.read, (pieces.height, pieces.width), unit, rows)
