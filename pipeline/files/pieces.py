"""The strips or tiles of a TIFF's page: their size and number, and where they lie in the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import add
from typing import Any

from pipeline.errors import TruncatedImage

LARGEST_PIECE = 256 << 20
"""The most bytes that a piece may have once it is decoded, but for plain ones."""


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
        if sparse and left_out(page, number):
            yield 0
        else:
            above = number % pieces.in_plane * pieces.rows
            yield page.dataoffsets[number] + min(pieces.rows, pieces.height - above) * row


def left_out(page: Any, number: int) -> bool:
    """Tell whether a piece, by its number through all planes, was never written."""
    return bool(page.dataoffsets[number] == 0 and page.databytecounts[number] == 0)
