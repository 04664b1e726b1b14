"""Lloyd's steps: assign, recentre, until the inertia hardly falls."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.assign import Clusters, assign
from pipeline.color.kernels import kernel
from pipeline.color.tree import Tree

OVERSTEP = 0.8  # how far beyond its cluster's mean a centroid goes, as a share of the step to it


@kernel
def recentre(centroids: NDArray[np.int32], totals: NDArray[np.int64]) -> None:
    """Put each centroid (k, 3) at the mean of its cluster, to the nearest unit; empty ones stay."""
    for j in range(len(centroids)):
        count = totals[j, 0]
        if count > 0:
            for c in range(3):
                centroids[j, c] = (totals[j, 1 + c] + count // 2) // count


@kernel
def explained(centroids: NDArray[np.int32], totals: NDArray[np.int64]) -> float:
    """What is to be taken from Σ|point|² to get the inertia: 2 Σ c·s - Σ n·|c|²."""
    total = 0.0
    for j in range(len(centroids)):
        for c in range(3):
            place = np.float64(centroids[j, c])
            total += place * (2.0 * totals[j, 1 + c] - place * totals[j, 0])
    return total


@kernel
def weighted_errors(
    tree: Tree, centroids: NDArray[np.int32], labels: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Each colour's share of the inertia, (n,)."""
    errors = np.empty(len(labels))
    for i in range(len(labels)):
        distance = 0.0
        for c in range(3):
            off = np.float64(tree.points[c, i] - centroids[labels[i], c])
            distance += off * off
        errors[i] = distance * tree.counts[i]
    return errors


@kernel
def squares_of(tree: Tree) -> float:
    """Σ|point|² of the pixels."""
    total = 0.0
    for i in range(len(tree.counts)):
        square = np.int64(0)
        for c in range(3):
            square += np.int64(tree.points[c, i]) * tree.points[c, i]
        total += np.float64(square) * tree.counts[i]
    return total


@kernel
def _farthest(before: NDArray[np.int32], after: NDArray[np.int32]) -> float:
    """The longest way that a centroid has gone."""
    longest = 0.0
    for j in range(len(after)):
        square = 0.0
        for c in range(3):
            square += np.float64(after[j, c] - before[j, c]) ** 2
        longest = max(longest, square)
    return float(np.sqrt(longest))


@kernel
def sum_errors(
    points: NDArray[Any], counts: NDArray[np.int64], labels: NDArray[np.int32], centroids: NDArray[Any]
) -> float:
    """Σ squared distance of points (3, n), each so many times, to the centroids (k, 3) they have.

    Added one by one in floats, which hold whole numbers up to 2⁵³ exactly.
    """
    total = 0.0
    for i in range(len(labels)):
        square = np.int64(0)
        for c in range(3):
            off = np.int64(points[c, i]) - np.int64(centroids[labels[i], c])
            square += off * off
        total += np.float64(square) * counts[i]
    return total


@kernel
def refine(
    tree: Tree,
    squares: float,
    centroids: NDArray[np.int32],
    clusters: Clusters,
    stop: tuple[float, float, int],
) -> tuple[int, bool]:
    """Improve `centroids` (k, 3) in place until a step takes less than `tol` of the inertia off.

    Or until one puts no centroid farther than `eps` from where it was.

    Each step goes beyond the means, which saves a quarter of the steps; one that made the inertia
    rise is taken back and followed by a plain one, so that what is kept never rises. (The inertia
    of a step is that of its own clusters about their means.) With `eps` all steps are plain ones, whose
    shift it is that textbooks speak of.

    squares : `squares_of` the tree. clusters : see `assign`; OUT those of the last step. stop : tol,
    eps, and the most steps.
    Returns the steps made and whether they ended by `tol` or `eps`.
    """
    tol, eps, max_iter = stop
    totals = clusters.totals
    best = centroids.copy()
    least = np.inf
    overstep = OVERSTEP if eps == 0.0 else 0.0
    box = tree.box[len(tree.box) - 1]  # of all colours: no centroid has business outside
    for step in range(1, max_iter + 1):
        before = centroids.copy()
        assign(tree, centroids, clusters)
        recentre(centroids, totals)
        inertia = squares - explained(centroids, totals)
        # The second term is what the difference of two sums cannot tell from nothing.
        settled = abs(least - inertia) <= max(tol * inertia, 1e-15 * squares)
        settled = settled or (eps > 0.0 and _farthest(before, centroids) <= eps)
        if inertia <= least:
            least = inertia
            best[:] = centroids
        else:
            centroids[:] = best
        if settled and (overstep == 0.0 or inertia <= least):
            centroids[:] = best
            return step, True
        overstep = OVERSTEP if inertia <= least and eps == 0.0 else 0.0
        if overstep > 0.0:
            for j in range(len(centroids)):
                for c in range(3):
                    beyond = centroids[j, c] + overstep * (centroids[j, c] - before[j, c])
                    centroids[j, c] = int(
                        min(max(np.floor(beyond + 0.5), np.float64(box[c])), np.float64(box[3 + c]))
                    )
    centroids[:] = best
    return max_iter, False
