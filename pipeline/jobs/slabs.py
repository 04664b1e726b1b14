"""Slabs: the full-width parts of a large image that tasks work on, from top to bottom."""

from typing import NamedTuple

SLAB_PIXELS = 1 << 24  # of a slab, about: tens of them in a gigapixel, each a second of work
PATTERN_ROWS = 8  # of ordered dithering; slabs that are dithered are multiples of it


class Slab(NamedTuple):
    """Whole rows of an image, numbered from the top."""

    number: int
    row: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """How many it has."""
        return self.height * self.width


def slabs_of(height: int, width: int, unit: int, pixels: int = SLAB_PIXELS) -> list[Slab]:
    """Cover the rows of an image with slabs of about so many pixels.

    unit : rows that belong together, as the file stores them or as outputs are compressed: all slabs
    but the last are whole units, and at least one.
    """
    rows = unit * max(1, pixels // (width * unit))
    return [
        Slab(number, row, min(rows, height - row), width) for number, row in enumerate(range(0, height, rows))
    ]
