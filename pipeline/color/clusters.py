"""What is inside each cluster: centroid, median, nearest real colour, spread, swatches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import ColorCounts
from pipeline.color.kernels import kernel

SWATCHES = 5


@dataclass(frozen=True, eq=False)
class Clusters:
    """One row a palette entry, all in sRGB levels (0 to 255).

    centroids : (k, 3) float64, the means. medians : (k, 3) uint8, the lower median of each channel
    by itself. nearest : (k, 3) uint8, the colour of the cluster nearest to its centroid.
    spreads : (k,) float64, root mean square distance of the cluster's pixels to the centroid.
    swatches, swatch_counts : (k, SWATCHES, 3) uint8 and (k, SWATCHES) int64, the cluster's most
    frequent colours; a count of 0 marks that there are no more.
    """

    centroids: NDArray[np.float64]
    medians: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    spreads: NDArray[np.float64]
    swatches: NDArray[np.uint8]
    swatch_counts: NDArray[np.int64]


def describe_clusters(counts: ColorCounts, labels: NDArray[np.int32], k: int) -> Clusters:
    """Look into the k clusters that `labels` (n,) makes of n distinct colours; empty ones are all 0."""
    clusters = Clusters(
        centroids=np.zeros((k, 3)),
        medians=np.zeros((k, 3), np.uint8),
        nearest=np.zeros((k, 3), np.uint8),
        spreads=np.zeros(k),
        swatches=np.zeros((k, SWATCHES, 3), np.uint8),
        swatch_counts=np.zeros((k, SWATCHES), np.int64),
    )
    order = np.argsort(labels.astype(np.uint16), kind="stable")  # 16 bits are sorted by radix
    ends = np.cumsum(np.bincount(labels, minlength=k))
    _describe(
        np.ascontiguousarray(counts.planes.T[order]),
        counts.counts[order],
        ends,
        (clusters.centroids, clusters.medians, clusters.nearest, clusters.spreads),
        (clusters.swatches, clusters.swatch_counts),
    )
    return clusters


@kernel
def _describe(
    colors: NDArray[np.uint8],
    counts: NDArray[np.int64],
    ends: NDArray[np.int64],
    centres: tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]],
    most_frequent: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> None:
    """Fill the rows, cluster by cluster; `colors` (n, 3) and `counts` (n,) are sorted by cluster."""
    centroids, medians, nearest, spreads = centres
    swatches, swatch_counts = most_frequent
    levels = np.empty((3, 256), np.int64)
    first = 0
    for j in range(len(ends)):
        if first == ends[j]:
            continue
        levels[:] = 0
        total = np.int64(0)
        sums = np.zeros(3)
        for i in range(first, ends[j]):
            total += counts[i]
            for c in range(3):
                levels[c, colors[i, c]] += counts[i]
            if counts[i] > swatch_counts[j, SWATCHES - 1]:
                _note_swatch(colors[i], counts[i], swatches[j], swatch_counts[j])
        for c in range(3):
            passed = np.int64(0)
            found = False
            for level in range(256):
                sums[c] += np.float64(level * levels[c, level])
                passed += levels[c, level]
                if not found and 2 * passed >= total:
                    medians[j, c] = level
                    found = True
            centroids[j, c] = sums[c] / total
        least = np.inf
        nearest_one = first
        squares = 0.0
        for i in range(first, ends[j]):
            distance = 0.0
            for c in range(3):
                off = colors[i, c] - centroids[j, c]
                distance += off * off
            squares += distance * counts[i]
            if distance < least:
                least = distance
                nearest_one = i
        nearest[j] = colors[nearest_one]
        spreads[j] = np.sqrt(squares / total)
        first = ends[j]


@kernel
def _note_swatch(
    color: NDArray[np.uint8], count: int, swatches: NDArray[np.uint8], swatch_counts: NDArray[np.int64]
) -> None:
    """Insert a colour that is more frequent than the last of the cluster's list."""
    place = len(swatch_counts) - 1
    while place > 0 and swatch_counts[place - 1] < count:
        swatch_counts[place] = swatch_counts[place - 1]
        swatches[place] = swatches[place - 1]
        place -= 1
    swatch_counts[place] = count
    swatches[place] = color
