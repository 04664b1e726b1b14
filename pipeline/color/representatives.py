"""Which colour stands for a set of colours: its mean, median, nearest real colour, or core's mean.

A set is a range of rows of points (n, 4), working coordinates and weight, and of `order` (n,), the
places of the rows' colours in `colors` (n, 3).
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.distances import squared_redmean
from pipeline.color.kernels import kernel
from pipeline.color.spaces import SPACES


def levels_of(centroids: NDArray[np.float64], space: str) -> NDArray[np.uint8]:
    """The 8-bit sRGB colours (k, 3) nearest to points (k, 3) of a working space."""
    if space == "srgb":  # by way of the grid it would be rounded twice
        return np.asarray(np.floor(centroids + 0.5), np.uint8)
    grid = (centroids - np.array(SPACES[space].low)) * SPACES[space].unit
    return SPACES[space].levels(np.floor(grid + 0.5).astype(np.int32))


@kernel
def nearest_to(
    points: NDArray[np.float64], order: NDArray[np.int64], rows: tuple[int, int], place: NDArray[np.float64]
) -> int:
    """The row nearest to a place (3,) of the working space; of equally near ones that of the first colour."""
    found, least = rows[0], np.inf
    for i in range(rows[0], rows[1]):
        dx, dy, dz = points[i, 0] - place[0], points[i, 1] - place[1], points[i, 2] - place[2]
        distance = dx * dx + dy * dy + dz * dz
        if distance < least or (distance == least and order[i] < order[found]):
            found, least = i, distance
    return found


@kernel
def median_of(
    points: NDArray[np.float64],
    order: NDArray[np.int64],
    rows: tuple[int, int],
    colors: NDArray[np.uint8],
    median: NDArray[np.uint8],
) -> None:
    """Write the weighted lower median of each channel by itself to `median` (3,)."""
    levels = np.zeros((3, 256))
    total = 0.0
    for i in range(rows[0], rows[1]):
        total += points[i, 3]
        for c in range(3):
            levels[c, colors[order[i], c]] += points[i, 3]
    for c in range(3):
        passed = 0.0
        for level in range(256):
            passed += levels[c, level]
            if 2.0 * passed >= total:
                median[c] = level
                break


@kernel
def mean_of_core(
    points: NDArray[np.float64],
    order: NDArray[np.int64],
    rows: tuple[int, int],
    colors: NDArray[np.uint8],
    percentile: float,
    centroid: NDArray[np.float64],
) -> None:
    """Write the weighted mean of the colours about as far from white as the median to `centroid` (3,).

    They are the `percentile` in 100 of the distinct colours, one or more, whose redmean distance from
    white is nearest to its weighted lower median; of equally near ones those nearer white, and those
    of lower place in `colors`.
    """
    first, last = rows
    n = last - first
    keys = np.empty(n, np.int64)  # squared distance, then place: all different
    total = 0.0
    for i in range(n):
        row = order[first + i]
        r, g, b = np.float64(colors[row, 0]), np.float64(colors[row, 1]), np.float64(colors[row, 2])
        keys[i] = (np.int64(squared_redmean(r, g, b, 255.0, 255.0, 255.0)) << 32) | row
        total += points[first + i, 3]
    ranked = np.argsort(keys)
    middle, passed = -1, 0.0
    while 2.0 * passed < total:
        middle += 1
        passed += points[first + ranked[middle], 3]
    median = np.sqrt(np.float64(keys[ranked[middle]] >> 32))
    while middle > 0 and keys[ranked[middle - 1]] >> 32 == keys[ranked[middle]] >> 32:
        middle -= 1
    low, high = middle, middle  # the core is ranked[low:high]
    weight, x, y, z = 0.0, 0.0, 0.0, 0.0
    for _ in range(max(1, int(np.ceil(percentile * n / 100.0)))):
        under = median - np.sqrt(np.float64(keys[ranked[low - 1]] >> 32)) if low > 0 else np.inf
        above = np.sqrt(np.float64(keys[ranked[high]] >> 32)) - median if high < n else np.inf
        if above == 0.0 or above < under:
            i = first + ranked[high]
            high += 1
        else:
            low -= 1
            i = first + ranked[low]
        w = points[i, 3]
        weight += w
        x += w * points[i, 0]
        y += w * points[i, 1]
        z += w * points[i, 2]
    centroid[0], centroid[1], centroid[2] = x / weight, y / weight, z / weight
