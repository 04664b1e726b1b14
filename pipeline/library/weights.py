"""Points that count for more or less than one: as counts of colours, or as so many equal points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color import kernels
from pipeline.color.counts import ColorCounts, count_colors

_EXACT = 1 << 40  # the most that the weights of colours add up to: sums of coordinates stay below 2⁶³
_FINE = 1 << 20  # the sum of weights that are no whole numbers, at least
_MANY = 4  # as many times the points is the most that weights add up to


def whole(weights: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Weights (n,) as whole numbers in the same ratios, without a common divisor.

    Those that are no whole numbers, or add up to more than `most`, are rounded, none above 0 to 0.
    """
    total = float(weights.sum())
    if not (weights == np.floor(weights)).all() or total > most:
        scaled = np.rint(weights / total * most)
        weights = np.where(weights > 0, np.maximum(scaled, 1), 0)
    found = weights.astype(np.int64)
    return np.asarray(found // np.gcd.reduce(found), np.int64)


def weighted_colors(colors: NDArray[np.uint8], weights: NDArray[np.float64] | None) -> ColorCounts:
    """Count colours (n, 3), each by its weight (n,); those of weight 0 are not there."""
    if weights is None:
        return count_colors(colors)
    times = whole(weights, _EXACT)
    codes = np.empty(len(colors), np.uint32)
    kernels.pack_pixels(np.ascontiguousarray(colors), np.empty(0, np.uint8), codes)
    order = np.argsort(codes[times > 0], kind="stable")
    codes, times = codes[times > 0][order], times[times > 0][order]
    first = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    return ColorCounts(codes[first], np.add.reduceat(times, first))


def repeated(points: NDArray[Any], weights: NDArray[np.float64] | None) -> NDArray[Any]:
    """Points (n, features) in an order that does not depend on theirs, each as often as it weighs."""
    order = np.lexsort(points.T)
    if weights is None:
        return points[order]
    times = whole(weights, max(_FINE, _MANY * len(points)))
    return np.repeat(points[order], times[order], axis=0)
