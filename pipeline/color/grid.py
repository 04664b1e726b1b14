"""The 8-bit colours, where palettes live: from centroids to k distinct colours, none unused."""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.assign import Clusters, assign, unassigned
from pipeline.color.lloyd import explained, recentre, weighted_errors
from pipeline.color.spaces import Space
from pipeline.color.tree import Tree

_STEPS = 20


def settle(
    tree: Tree, space: Space, squares: float, centroids: NDArray[np.int32], tol: float
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Go on with Lloyd's steps among 8-bit colours, each with k clusters none of them empty.

    squares : `squares_of` the tree. Returns distinct colours (k, 3) and labels (n,).
    """
    clusters = unassigned(tree, len(centroids))
    best = fill_empty(tree, _rounded(space, centroids), clusters)
    labels = clusters.labels.copy()
    least = squares - explained(best, clusters.totals)
    for _ in range(_STEPS):
        trial = best.copy()
        recentre(trial, clusters.totals)
        trial = fill_empty(tree, _rounded(space, trial), clusters)
        fall = least - (squares - explained(trial, clusters.totals))
        if fall > 0:
            best, labels = trial, clusters.labels.copy()
            least -= fall
        if fall <= tol * least:
            break
    return space.levels(best), labels


def fill_empty(tree: Tree, centroids: NDArray[np.int32], clusters: Clusters) -> NDArray[np.int32]:
    """Assign; put each centroid left without pixels on the colour of largest weighted error; repeat.

    Returns the centroids (k, 3); `clusters` is theirs. It ends: a centroid put on a colour keeps that
    colour, for no other is as near, and each round puts at least one more there. Needs at least k
    distinct colours, none the mean of an empty set.
    """
    centroids = centroids.copy()
    while True:
        assign(tree, centroids, clusters)
        empty = np.flatnonzero(clusters.totals[:, 0] == 0)
        if len(empty) == 0:
            return centroids
        error = weighted_errors(tree, centroids, clusters.labels)
        worst = np.argsort(-error, kind="stable")[: len(empty)]
        worst = worst[error[worst] > 0]
        centroids[empty[: len(worst)]] = tree.points[:, worst].T


def _rounded(space: Space, centroids: NDArray[np.int32]) -> NDArray[np.int32]:
    """The points of the 8-bit colours nearest to centroids."""
    return space.points(space.levels(centroids))
