"""Split-and-merge moves: the way out of a poor optimum that Lloyd's steps cannot find.

Where two centroids share what one could serve and one serves what two should share, no small step
helps. A move takes a centroid whose removal costs little and uses it to split a cluster of large
inertia along its principal axis. Several moves that do not touch one another are tried at once,
a few Lloyd steps settle them, and the lot is kept if the inertia fell, else fewer are tried.
The idea is that of Fritzke's breathing k-means (2020) and of Kaukoranta et al.'s iterative split
and merge (1998); it works on the coarse bins, where a Lloyd step costs a fraction of a millisecond.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.assign import Clusters, assign
from pipeline.color.kernels import kernel
from pipeline.color.lloyd import explained, recentre
from pipeline.color.tree import Tree

SLACK = 4.0  # a move is tried if its gain, which later steps enlarge, is at least its cost over this
SETTLING = 3  # Lloyd steps after a lot of moves, before it is judged
_AXIS_STEPS = 12  # of the power iteration; the axis needs a direction, not digits


@kernel
def improve(tree: Tree, squares: float, centroids: NDArray[np.int32], clusters: Clusters, rounds: int) -> int:
    """Try up to `rounds` lots of moves; `centroids` (k, 3) is improved in place.

    squares : `squares_of` the tree. clusters : see `assign`.
    Returns the number of lots that were kept.
    """
    k = len(centroids)
    lot = max(1, k // 8)
    kept = 0
    trial = np.empty_like(centroids)
    for _ in range(rounds):
        assign(tree, centroids, clusters)
        inertia = squares - explained(centroids, clusters.totals)
        trial[:] = centroids
        made = _make_moves(tree, clusters, trial, lot)
        if made == 0:
            break
        for _ in range(SETTLING):
            assign(tree, trial, clusters)
            recentre(trial, clusters.totals)
        after = squares - explained(trial, clusters.totals)
        if after < inertia * (1.0 - 1e-6):
            centroids[:] = trial
            kept += 1
        elif made == 1:
            break
        else:
            lot = min(lot, made) // 2
    return kept


@kernel
def _make_moves(tree: Tree, clusters: Clusters, centroids: NDArray[np.int32], lot: int) -> int:
    """Make the `lot` most promising moves that do not touch one another; returns how many."""
    k = len(centroids)
    gains, sides = _splits(tree, clusters)
    costs, heirs = _removals(centroids, clusters.totals)
    to_remove = np.argsort(costs, kind="mergesort")
    to_split = np.argsort(-gains, kind="mergesort")
    touched = np.zeros(k, np.bool_)
    made = 0
    nth = 0
    for removed in to_remove:
        if made == lot:
            break
        if touched[removed] or touched[heirs[removed]]:
            continue
        while nth < k and touched[to_split[nth]]:
            nth += 1
        if nth == k:
            break
        split = to_split[nth]
        if split == removed or split == heirs[removed]:
            continue
        if gains[split] * SLACK <= costs[removed]:
            break
        touched[removed] = touched[split] = touched[heirs[removed]] = True
        centroids[split] = sides[split, 0]
        centroids[removed] = sides[split, 1]
        made += 1
    return made


@kernel
def _removals(
    centroids: NDArray[np.int32], totals: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What merging each cluster into the best other one adds to the inertia (Ward), and which that is."""
    k = len(centroids)
    costs = np.full(k, np.inf)
    heirs = np.arange(k)  # an empty cluster leaves nothing to anyone
    for i in range(k):
        n = np.float64(totals[i, 0])
        if n == 0.0:
            costs[i] = 0.0
            continue
        for j in range(k):
            if i != j and totals[j, 0] > 0:
                dr = centroids[i, 0] - centroids[j, 0]
                dg = centroids[i, 1] - centroids[j, 1]
                db = centroids[i, 2] - centroids[j, 2]
                m = np.float64(totals[j, 0])
                cost = np.float64(dr * dr + dg * dg + db * db) * n * m / (n + m)
                if cost < costs[i]:
                    costs[i] = cost
                    heirs[i] = j
    return costs, heirs


@kernel
def _splits(tree: Tree, clusters: Clusters) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What halving each cluster at its mean across its principal axis takes off the inertia.

    Returns gains (k,) and the halves' means (k, 2, 3).
    """
    points, counts, labels, totals = tree.points, tree.counts, clusters.labels, clusters.totals
    k = len(totals)
    means = np.zeros((k, 3))
    for j in range(k):
        for c in range(3):
            means[j, c] = totals[j, 1 + c] / max(1, totals[j, 0])
    axes = _principal_axes(points, counts, labels, means)
    upper = np.zeros((k, 4))
    for i in range(len(labels)):
        j = labels[i]
        dr, dg, db = (
            points[0, i] - means[j, 0],
            points[1, i] - means[j, 1],
            points[2, i] - means[j, 2],
        )
        if dr * axes[j, 0] + dg * axes[j, 1] + db * axes[j, 2] > 0.0:
            weight = np.float64(counts[i])
            upper[j, 0] += weight
            upper[j, 1] += weight * dr
            upper[j, 2] += weight * dg
            upper[j, 3] += weight * db
    gains = np.zeros(k)
    sides = np.zeros((k, 2, 3))
    for j in range(k):
        n, m = upper[j, 0], totals[j, 0] - upper[j, 0]
        if n > 0.0 and m > 0.0:
            gains[j] = (upper[j, 1] ** 2 + upper[j, 2] ** 2 + upper[j, 3] ** 2) * (1.0 / n + 1.0 / m)
            for c in range(3):
                sides[j, 0, c] = means[j, c] + upper[j, 1 + c] / n + 0.5
                sides[j, 1, c] = means[j, c] - upper[j, 1 + c] / m + 0.5
    return gains, sides


@kernel
def _principal_axes(
    points: NDArray[np.int16],
    counts: NDArray[np.int64],
    labels: NDArray[np.int32],
    means: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Direction of largest variance of each cluster (k, 3), of any length."""
    k = len(means)
    moments = np.zeros((k, 3, 3))
    for i in range(len(labels)):
        j = labels[i]
        weight = np.float64(counts[i])
        for a in range(3):
            da = weight * (points[a, i] - means[j, a])
            for b in range(a, 3):
                moments[j, a, b] += da * (points[b, i] - means[j, b])
    axes = np.empty((k, 3))
    for j in range(k):
        m = moments[j]
        m[1, 0], m[2, 0], m[2, 1] = m[0, 1], m[0, 2], m[1, 2]
        start = 0  # the row of the largest variance cannot be orthogonal to the axis
        for a in range(1, 3):
            if m[a, a] > m[start, start]:
                start = a
        x, y, z = m[start, 0], m[start, 1], m[start, 2]
        for _ in range(_AXIS_STEPS):
            largest = max(abs(x), abs(y), abs(z))
            if largest == 0.0:
                break
            x, y, z = x / largest, y / largest, z / largest
            x, y, z = (
                m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
                m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
                m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
            )
        axes[j, 0], axes[j, 1], axes[j, 2] = x, y, z
    return axes
