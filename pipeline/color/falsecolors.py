"""Colours for labels that have none of their own."""

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0.6180339887498949  # of a turn: successive hues lie apart, however many there are


def false_colors(k: int) -> NDArray[np.uint8]:
    """So many colours (k, 3) uint8 that are told apart by eye, as far as there are such."""
    number = np.arange(k)
    sixths = 6 * (0.6 + number * _GOLDEN - np.floor(0.6 + number * _GOLDEN))
    red, green, blue = np.abs(sixths - 3) - 1, 2 - np.abs(sixths - 2), 2 - np.abs(sixths - 4)
    hues = np.clip(np.stack([red, green, blue], axis=1), 0, 1)
    darkest = np.array([90, 40, 150, 20])[number % 4, None]
    brightest = np.array([235, 170, 245, 120])[number % 4, None]
    colors: NDArray[np.uint8] = np.floor(darkest + (brightest - darkest) * hues + 0.5).astype(np.uint8)
    return colors
