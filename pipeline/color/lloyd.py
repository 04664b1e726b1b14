"""Lloyd's steps: assign, recentre, until the inertia hardly falls."""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kernels import kernel
from pipeline.color.tree import SCALE, Tree, assign

OVERSTEP = 0.8  # how far beyond its cluster's mean a centroid goes, as a share of the step to it
_BRIGHTEST = 255.0 * SCALE


@kernel
def recentre(centroids: NDArray[np.int32], totals: NDArray[np.int64]) -> None:
    """Put each centroid (k, 3) at the mean of its cluster, to the nearest unit; empty ones stay."""
    for j in range(len(centroids)):
        count = totals[j, 0]
        if count > 0:
            for c in range(3):
                centroids[j, c] = (totals[j, 1 + c] * SCALE + count // 2) // count


@kernel
def explained(centroids: NDArray[np.int32], totals: NDArray[np.int64]) -> float:
    """What is to be taken from Σ|colour|² to get the inertia, in squared levels: 2 Σ c·s - Σ n·|c|²."""
    total = 0.0
    for j in range(len(centroids)):
        for c in range(3):
            level = centroids[j, c] / SCALE
            total += level * (2.0 * totals[j, 1 + c] - level * totals[j, 0])
    return total


@kernel
def weighted_errors(
    tree: Tree, centroids: NDArray[np.int32], labels: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Each colour's share of the inertia, (n,), in squared units."""
    errors = np.empty(len(labels))
    for i in range(len(labels)):
        distance = 0.0
        for c in range(3):
            off = np.float64(np.int32(tree.planes[c, i]) * SCALE - centroids[labels[i], c])
            distance += off * off
        errors[i] = distance * tree.counts[i]
    return errors


@kernel
def squares_of_bins(tree: Tree, depth: int) -> float:
    """Σ|colour|² of the pixels if all of a bin, a node of that level, were at its mean."""
    total = 0.0
    for i in range(tree.start[depth], tree.start[depth + 1]):
        for c in range(3):
            total += np.float64(tree.sums[i, c]) * tree.sums[i, c] / tree.weight[i]
    return total


@kernel
def refine(
    tree: Tree, depth: int, squares: float, centroids: NDArray[np.int32], tol: float, max_iter: int
) -> tuple[int, bool]:
    """Improve `centroids` (k, 3) in place until a step takes less than `tol` of the inertia off.

    Each step goes beyond the means, which saves a quarter of the steps; one that made the inertia
    rise is taken back and followed by a plain one, so that what is kept never rises. (The inertia
    of a step is that of its own clusters about their means.)

    depth, squares : see `assign`; Σ|colour|² at that depth.
    Returns the steps made and whether they ended by `tol`.
    """
    totals = np.empty((len(centroids), 4), np.int64)
    labels = np.empty(0, np.int32)
    best = centroids.copy()
    least = np.inf
    overstep = OVERSTEP
    for step in range(1, max_iter + 1):
        before = centroids.copy()
        assign(tree, depth, centroids, totals, labels)
        recentre(centroids, totals)
        inertia = squares - explained(centroids, totals)
        # The second term is what the difference of two sums cannot tell from nothing.
        settled = abs(least - inertia) <= max(tol * inertia, 1e-15 * squares)
        if inertia <= least:
            least = inertia
            best[:] = centroids
        else:
            centroids[:] = best
        if settled and (overstep == 0.0 or inertia <= least):
            centroids[:] = best
            return step, True
        overstep = OVERSTEP if inertia <= least else 0.0
        if overstep > 0.0:
            for j in range(len(centroids)):
                for c in range(3):
                    beyond = centroids[j, c] + overstep * (centroids[j, c] - before[j, c])
                    centroids[j, c] = int(min(max(np.floor(beyond + 0.5), 0.0), _BRIGHTEST))
    centroids[:] = best
    return max_iter, False
