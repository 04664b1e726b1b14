"""Small copies of large pictures: means of squares of pixels, summed up from windows in any order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 256


def shrink_factor(height: int, width: int, side: int) -> int:
    """The side of the squares whose means make a copy of at most `side` pixels in height and width."""
    return -(-max(height, width) // side)


class Shrinking:
    """A copy of some rows of a picture, each of its pixels the mean of a square of factor × factor.

    Parameters
    ----------
    row, height, width : the picture's rows from `row` on, whole
    factor : see `shrink_factor`

    sums : (rows, columns, 4) int64: Σ alpha · channel, and Σ alpha, over each square that the rows touch;
    `first` is the number of its uppermost row of squares.
    """

    def __init__(self, row: int, height: int, width: int, factor: int) -> None:
        self.factor = factor
        self.first = row // factor
        rows = -(-(row + height) // factor) - self.first
        self.sums = np.zeros((rows, -(-width // factor), 4), np.int64)

    def add(self, row: int, column: int, pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> None:
        """Take in a window (height, width, 3) whose first pixel is at `row` and `column` of the picture."""
        for top in range(0, len(pixels), _ROWS_AT_ONCE):
            part = slice(top, top + _ROWS_AT_ONCE)
            self._add(row + top, column, pixels[part], None if alpha is None else alpha[part])

    def _add(self, row: int, column: int, pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> None:
        factor = self.factor
        height, width = pixels.shape[:2]
        down, across = _starts(row, height, factor), _starts(column, width, factor)
        place = (
            slice(row // factor - self.first, row // factor - self.first + len(down)),
            slice(column // factor, column // factor + len(across)),
        )
        if alpha is None:
            squares = _squares(pixels, down, across)
            ends = np.outer(np.diff([*down, height]), np.diff([*across, width]))
            self.sums[place][..., :3] += 255 * squares
            self.sums[place][..., 3] += 255 * ends
        else:
            weighted = pixels * alpha[..., None].astype(np.uint16)
            self.sums[place][..., :3] += _squares(weighted, down, across)
            self.sums[place][..., 3] += _squares(alpha, down, across)


def join_shrunk(parts: list[tuple[int, NDArray[np.int64]]], height: int, width: int, factor: int) -> Any:
    """The small copy (rows, columns, 3 or, if anything is transparent, 4) uint8 of a whole picture.

    parts : `first` and `sums` of each `Shrinking`. Fully transparent pixels are 0.
    """
    sums = np.zeros((-(-height // factor), -(-width // factor), 4), np.int64)
    for first, part in parts:
        sums[first : first + len(part)] += part
    rows = np.minimum(factor, height - factor * np.arange(sums.shape[0]))
    columns = np.minimum(factor, width - factor * np.arange(sums.shape[1]))
    pixels = np.outer(rows, columns)
    weight = sums[..., 3:]
    image = (2 * sums[..., :3] + weight) // np.maximum(2 * weight, 1)
    alpha = (2 * weight + pixels[..., None]) // (2 * pixels[..., None])
    whole = image if (weight[..., 0] == 255 * pixels).all() else np.concatenate([image, alpha], axis=2)
    return whole.astype(np.uint8)


def middles(length: int, factor: int) -> NDArray[np.int64]:
    """Of squares along `length` pixels, the pixel in the middle of each: there is no mean of labels."""
    return np.minimum(np.arange(factor // 2, length + factor // 2, factor), length - 1)


def _starts(place: int, length: int, factor: int) -> NDArray[np.int64]:
    """Where squares begin within `length` pixels from `place` on; the first may have begun before."""
    return np.concatenate([[0], np.arange(-place % factor or factor, length, factor)])


def _squares(values: NDArray[Any], down: NDArray[np.int64], across: NDArray[np.int64]) -> NDArray[np.int64]:
    sums = np.add.reduceat(values, down, axis=0, dtype=np.int64)
    return np.add.reduceat(sums, across, axis=1)
