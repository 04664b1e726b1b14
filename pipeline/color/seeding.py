"""First centroids, from coarse bins of the colours: the nodes of one level of the tree.

- `seed_by_cuts`: Wu's variance cuts ("Color quantization by dynamic programming and principal
  analysis", ACM ToG 11(4), 1992; the greedy orthogonal bipartition of Graphics Gems II). It always
  gives the same answer and a fair one.
- `seed_by_chance`: greedy k-means++ (Arthur & Vassilvitskii 2007): better starts at small k when the
  best of several is taken. Its chance is a seeded SplitMix64 stream: the same on every machine.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.chance import next_random
from pipeline.color.kernels import kernel
from pipeline.color.tree import Tree

_CELLS = 32  # a side of the cube that is cut: of 8 levels, in sRGB
TRIALS = 3  # candidates a greedy k-means++ step chooses from


@kernel
def seed_by_chance(tree: Tree, k: int, seed: int) -> NDArray[np.int32]:
    """Pick k of the bins, each with a chance by its squared distance to those already picked.

    Returns centroids (k, 3); fewer distinct ones if there are fewer bins.
    """
    points, weight = tree.points, tree.counts
    bins = len(weight)
    state = np.array([seed], np.uint64)
    distance = weight.astype(np.float64)  # the first is drawn by weight alone
    remaining = distance.sum()
    trial = np.empty(bins)
    best = np.empty(bins)
    centroids = np.empty((k, 3), np.int32)
    for j in range(k):
        least = np.inf
        for _ in range(TRIALS if j > 0 else 1):
            target = next_random(state) * remaining
            pick = 0
            passed = distance[0]
            while passed <= target and pick < bins - 1:
                pick += 1
                passed += distance[pick]
            r, g, b = np.int32(points[0, pick]), np.int32(points[1, pick]), np.int32(points[2, pick])
            total = 0.0
            for i in range(bins):
                dr, dg, db = points[0, i] - r, points[1, i] - g, points[2, i] - b
                d = np.float64(dr * dr + dg * dg + db * db) * weight[i]
                d = min(d, distance[i]) if j > 0 else d
                trial[i] = d
                total += d
            if total < least:
                least = total
                best, trial = trial, best
                centroids[j] = points[:, pick]
        distance, best = best, distance
        remaining = least
    return centroids


@kernel
def seed_by_cuts(tree: Tree, k: int) -> NDArray[np.int32]:
    """Cut the colour cube k - 1 times, each time the box of most variance where it helps most.

    Returns centroids (n, 3); n < k if no box can be cut any more.
    """
    moments = _moments(tree)
    last = moments.shape[1] - 1
    boxes = np.empty((k, 6), np.int64)
    boxes[0] = np.array([0, 0, 0, last, last, last])
    spread = np.empty(k)
    spread[0] = _spread(moments, boxes[0])
    n = 1
    while n < k:
        widest = np.argmax(spread[:n])
        if spread[widest] <= 0.0:
            break
        axis, place = _best_cut(moments, boxes[widest])
        if axis < 0:
            spread[widest] = 0.0
            continue
        boxes[n] = boxes[widest]
        boxes[widest, 3 + axis] = place
        boxes[n, axis] = place
        spread[widest] = _spread(moments, boxes[widest])
        spread[n] = _spread(moments, boxes[n])
        n += 1
    centroids = np.empty((n, 3), np.int32)
    for j in range(n):
        weight = _volume(moments, boxes[j], 0)
        for c in range(3):
            centroids[j, c] = np.int64(_volume(moments, boxes[j], 1 + c) / weight + 0.5)
    return centroids


@kernel
def _moments(tree: Tree) -> NDArray[np.float64]:
    """Cumulative weight, sums and sum of squares over a cube of cells, (5, 33, 33, 33)."""
    n = _CELLS + 1
    side = tree.extent // _CELLS
    moments = np.zeros((5, n, n, n))
    for i in range(len(tree.counts)):
        weight = np.float64(tree.counts[i])
        r, g, b = np.int64(tree.points[0, i]), np.int64(tree.points[1, i]), np.int64(tree.points[2, i])
        at = (r // side + 1, g // side + 1, b // side + 1)
        moments[0][at] += weight
        moments[1][at] += weight * r
        moments[2][at] += weight * g
        moments[3][at] += weight * b
        moments[4][at] += weight * (r * r + g * g + b * b)
    for m in range(5):
        for i in range(1, n):
            for j in range(1, n):
                line = 0.0
                for c in range(1, n):
                    line += moments[m, i, j, c]
                    moments[m, i, j, c] = line + moments[m, i, j - 1, c]
            for j in range(1, n):
                for c in range(1, n):
                    moments[m, i, j, c] += moments[m, i - 1, j, c]
    return moments


@kernel
def _volume(moments: NDArray[np.float64], box: NDArray[np.int64], m: int) -> float:
    """Sum of moment m over a box (low exclusive, high inclusive)."""
    r0, g0, b0, r1, g1, b1 = box
    return float(
        moments[m, r1, g1, b1]
        - moments[m, r1, g1, b0]
        - moments[m, r1, g0, b1]
        + moments[m, r1, g0, b0]
        - moments[m, r0, g1, b1]
        + moments[m, r0, g1, b0]
        + moments[m, r0, g0, b1]
        - moments[m, r0, g0, b0]
    )


@kernel
def _spread(moments: NDArray[np.float64], box: NDArray[np.int64]) -> float:
    """Squared distance of a box's pixels to their mean, summed; 0 for a single bin."""
    if (box[3] - box[0]) * (box[4] - box[1]) * (box[5] - box[2]) <= 1:
        return 0.0
    weight = _volume(moments, box, 0)
    if weight <= 0.0:
        return 0.0
    r, g, b = _volume(moments, box, 1), _volume(moments, box, 2), _volume(moments, box, 3)
    return float(_volume(moments, box, 4) - (r * r + g * g + b * b) / weight)


@kernel
def _best_cut(moments: NDArray[np.float64], box: NDArray[np.int64]) -> tuple[int, int]:
    """Axis and place of the cut that leaves the least variance; axis -1 if none parts the pixels."""
    whole = np.array([_volume(moments, box, m) for m in range(4)])
    half = np.empty(4)
    part = box.copy()
    best, best_axis, best_place = -1.0, -1, 0
    for axis in range(3):
        for place in range(box[axis] + 1, box[3 + axis]):
            part[3 + axis] = place
            for m in range(4):
                half[m] = _volume(moments, part, m)
            rest = whole - half
            if half[0] <= 0.0 or rest[0] <= 0.0:
                continue
            gain = (half[1] ** 2 + half[2] ** 2 + half[3] ** 2) / half[0]
            gain += (rest[1] ** 2 + rest[2] ** 2 + rest[3] ** 2) / rest[0]
            if gain > best:
                best, best_axis, best_place = gain, axis, place
        part[3 + axis] = box[3 + axis]
    return best_axis, best_place
