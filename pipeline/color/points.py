"""Points of any number of channels: the nearest centre of each, sums.

Points are planes, (channels, n) float64: one channel at a time, so that SIMD takes several points at
once. Every sum runs in the order of the points, and nothing is fused or reordered, so the same
points give the same bits on any machine.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.chance import GOLDEN, mix
from pipeline.color.kernels import kernel

STRETCH = 256  # pixels of a label map that are looked through for the one of a rank
_CHUNK = 1024  # points whose distances stay in the first-level cache


@kernel
def find_nearest(
    points: NDArray[np.float64],
    centers: NDArray[np.float64],
    labels: NDArray[np.int64],
    distances: NDArray[np.float64],
) -> None:
    """Write to each point (channels, n) its nearest centre (k, channels), and its squared distance.

    Ties go to the lowest index.
    """
    channels, n = points.shape
    far = np.empty(_CHUNK)
    least = np.empty(_CHUNK)
    nearest = np.empty(_CHUNK, np.int64)
    for first in range(0, n, _CHUNK):
        size = min(_CHUNK, n - first)
        least[:] = np.inf
        nearest[:] = 0
        for j in range(len(centers)):
            for c in range(channels):
                center = centers[j, c]
                plane = points[c, first : first + size]
                for i in range(size):
                    off = plane[i] - center
                    far[i] = off * off if c == 0 else far[i] + off * off
            for i in range(size):
                closer = far[i] < least[i]
                least[i] = far[i] if closer else least[i]
                nearest[i] = j if closer else nearest[i]
        labels[first : first + size] = nearest[:size]
        distances[first : first + size] = least[:size]


def nearest(
    points: NDArray[np.float64], centers: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Label and squared distance of each point (channels, n); see `find_nearest`."""
    labels = np.empty(points.shape[1], np.int64)
    distances = np.empty(points.shape[1])
    find_nearest(points, centers, labels, distances)
    return labels, distances


@kernel
def add_points(
    points: NDArray[np.float64], labels: NDArray[np.int64], sums: NDArray[np.float64], seen: NDArray[np.int64]
) -> None:
    """Add points (channels, n) to the sums (k, channels) and numbers (k,) of their clusters."""
    channels, n = points.shape
    for i in range(n):
        j = labels[i]
        seen[j] += 1
        for c in range(channels):
            sums[j, c] += points[c, i]


@kernel
def keep_farthest(
    points: NDArray[np.float64],
    labels: NDArray[np.int64],
    distances: NDArray[np.float64],
    worst: NDArray[np.float64],
    places: NDArray[np.float64],
) -> None:
    """Keep in `places` (k, channels) each cluster's farthest point so far, and in `worst` (k,) how far."""
    for i in range(len(labels)):
        j = labels[i]
        if distances[i] > worst[j]:
            worst[j] = distances[i]
            for c in range(len(points)):
                places[j, c] = points[c, i]


@kernel
def total_of(values: NDArray[np.float64]) -> float:
    """Add up in order, which numpy does not promise."""
    total = 0.0
    for i in range(len(values)):
        total += values[i]
    return total


@kernel
def add_distinct(
    points: NDArray[np.float64], found: int, rows: NDArray[np.float64], table: NDArray[np.int64]
) -> int:
    """Add the points (channels, n) that are new to `rows` (room, channels) until it is full.

    `table` holds the place in `rows` by hash, -1 where there is none; its length is a power of two of
    at least twice the room. Takes and returns the number of rows found.
    """
    channels, n = points.shape
    row = np.empty(channels)
    bits = row.view(np.uint64)
    for i in range(n):
        state = np.uint64(0)
        for c in range(channels):
            row[c] = points[c, i] + 0.0  # -0.0 becomes 0.0
            state = mix(state + bits[c] + GOLDEN)
        cell = np.int64(state & np.uint64(len(table) - 1))
        while table[cell] >= 0 and not _same(rows[table[cell]], row):
            cell = (cell + 1) & (len(table) - 1)
        if table[cell] < 0:
            rows[found] = row
            table[cell] = found
            found += 1
            if found == len(rows):
                break
    return found


@kernel
def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    same = True
    for c in range(len(one)):
        same = same and one[c] == other[c]
    return same


@kernel
def count_ranked(labels: NDArray[Any], clear: int, before: NDArray[np.int64]) -> None:
    """Write how many of the labels before each stretch of `STRETCH`, and at last of all, are not `clear`."""
    found = 0
    for i in range(len(labels)):
        if i % STRETCH == 0:
            before[i // STRETCH] = found
        if labels[i] != clear:
            found += 1
    before[len(before) - 1] = found


@kernel
def find_ranked(
    labels: NDArray[Any], clear: int, before: NDArray[np.int64], ranks: NDArray[np.int64]
) -> None:
    """Replace each rank by the index of the label of that rank among those not `clear`.

    before : what `count_ranked` found.
    """
    for r in range(len(ranks)):
        stretch = np.searchsorted(before, ranks[r], side="right") - 1
        left = ranks[r] - before[stretch]
        i = stretch * STRETCH
        while left > 0 or labels[i] == clear:
            if labels[i] != clear:
                left -= 1
            i += 1
        ranks[r] = i


@kernel
def survey_points(points: NDArray[np.float64], statistics: NDArray[np.float64]) -> None:
    """Merge points (channels, n) into `statistics` (channels, 5): number, mean, Σ(x - mean)², least, most.

    Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    channels, n = points.shape
    for c in range(channels):
        total = 0.0
        for i in range(n):
            total += points[c, i]
            statistics[c, 3] = min(statistics[c, 3], points[c, i])
            statistics[c, 4] = max(statistics[c, 4], points[c, i])
        mean = total / n
        squares = 0.0
        for i in range(n):
            squares += (points[c, i] - mean) * (points[c, i] - mean)
        seen = statistics[c, 0]
        off = mean - statistics[c, 1]
        statistics[c, 0] = seen + n
        statistics[c, 1] += off * n / (seen + n)
        statistics[c, 2] += squares + off * off * seen * n / (seen + n)
