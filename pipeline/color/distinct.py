"""The distinct pixels of a raster, as far as there are few of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.points import add_distinct
from pipeline.color.surveys import planes

_BLOCK = 65_536  # pixels that are met at a time


class Distinct:
    """The first distinct pixels that are met, up to `most` and one more."""

    def __init__(self, most: int, bands: int) -> None:
        self._rows = np.empty((most + 1, bands))
        self._table = np.full(1 << (2 * most + 1).bit_length(), -1)
        self._found = 0

    def add(self, values: NDArray[np.float64]) -> None:
        """Meet points (bands, n)."""
        if self._found < len(self._rows):
            self._found = add_distinct(values, self._found, self._rows, self._table)

    def add_pixels(self, pixels: NDArray[Any]) -> None:
        """Meet pixels (n, bands), a block at a time."""
        for start in range(0, len(pixels), _BLOCK):
            if self._found == len(self._rows):
                return
            self.add(planes(pixels[start : start + _BLOCK]))

    @property
    def rows(self) -> NDArray[np.float64]:
        """The distinct pixels (n, bands); if more than `most`, there are more than these."""
        return self._rows[: self._found]
