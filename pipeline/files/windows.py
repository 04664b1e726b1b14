"""Windows: the rectangles in which a picture larger than memory is read and written."""

from collections.abc import Iterator
from typing import NamedTuple


class Window(NamedTuple):
    """A rectangle of a picture, in pixels from its top left corner."""

    row: int
    col: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.row + self.height

    @property
    def right(self) -> int:
        """The first column to the right of it."""
        return self.col + self.width

    def require_within(self, height: int, width: int) -> None:
        """Raise ValueError unless it lies within a picture of that size."""
        if min(self) < 0 or self.bottom > height or self.right > width:
            raise ValueError(f"{self}: not within {height} rows and {width} columns")

    def __str__(self) -> str:
        return f"rows {self.row} to {self.bottom - 1}, columns {self.col} to {self.right - 1}"


def cover(height: int, width: int, rows: int, cols: int) -> Iterator[Window]:
    """Cut a picture into windows, row by row: every pixel lies in exactly one.

    Parameters
    ----------
    height, width : int
        Of the picture.
    rows, cols : int
        Of a window, at least 1; those at the lower and right edge may be smaller.
    """
    for row in range(0, height, rows):
        for col in range(0, width, cols):
            yield Window(row, col, min(rows, height - row), min(cols, width - col))


def overlap(one: Window, other: Window) -> Window:
    """What two windows share; of no rows or no columns when they share nothing."""
    row, col = max(one.row, other.row), max(one.col, other.col)
    height = max(min(one.bottom, other.bottom) - row, 0)
    width = max(min(one.right, other.right) - col, 0)
    return Window(row, col, height, width)
