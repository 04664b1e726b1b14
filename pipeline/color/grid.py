"""The 8-bit colours, where palettes live: from centroids to k distinct colours, none unused."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.assign import Clusters, assign, unassigned
from pipeline.color.lloyd import explained, recentre, squares_of, weighted_errors
from pipeline.color.palette import palette_order, pixels_of
from pipeline.color.spaces import Space
from pipeline.color.tree import Tree

_STEPS = 20
_ORDERINGS = 8


class Settled(NamedTuple):
    """Distinct colours (k, 3) in palette order, labels (n,), and the Lloyd steps that it took."""

    colors: NDArray[np.uint8]
    labels: NDArray[np.int32]
    steps: int


def settle(
    tree: Tree, space: Space, centroids: NDArray[np.int32], stop: tuple[float, int], pixels: NDArray[np.int64]
) -> Settled:
    """Go on with Lloyd's steps among 8-bit colours, each with k clusters none of them empty.

    stop : tol, see `lloyd.refine`, and the most steps. pixels : (n,), of each colour, whatever it weighs.
    """
    tol, most = stop
    squares = squares_of(tree)
    clusters = unassigned(tree, len(centroids))
    best = fill_empty(tree, _rounded(space, centroids), clusters)
    its = _copied(clusters)
    least = squares - explained(best, its.totals)
    steps = 0
    while steps < min(most, _STEPS):
        steps += 1
        trial = best.copy()
        recentre(trial, clusters.totals)
        trial = fill_empty(tree, _rounded(space, trial), clusters)
        fall = least - (squares - explained(trial, clusters.totals))
        if fall > 0:
            best, its = trial, _copied(clusters)
            least -= fall
        if fall <= tol * least:
            break
    best, labels = _in_order(tree, space, best, its, pixels)
    return Settled(space.levels(best), labels, steps)


def _copied(clusters: Clusters) -> Clusters:
    return Clusters(clusters.labels.copy(), clusters.totals.copy())


def _in_order(
    tree: Tree, space: Space, centroids: NDArray[np.int32], clusters: Clusters, pixels: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Put the centroids in palette order, and give colours between two of them to the first.

    So a palette gives the same labels when it is used again. Each new order may move such colours
    and, with them, the order; if it goes on and on, or would leave a centroid without colours, the last
    order stays.
    """
    k = len(centroids)
    labels, totals = clusters
    for _ in range(_ORDERINGS):
        sizes = totals[:, 0] if pixels is tree.counts else pixels_of(labels, pixels, k)
        order = palette_order(space.levels(centroids), sizes)
        rank = np.empty(k, np.int32)
        rank[order] = np.arange(k, dtype=np.int32)
        centroids, labels = np.ascontiguousarray(centroids[order]), rank[labels]
        moved = Clusters(labels.copy(), np.ascontiguousarray(totals[order]))
        assign(tree, centroids, moved)
        if not moved.totals[:, 0].all() or (moved.labels == labels).all():
            break
        labels, totals = moved
    return centroids, labels


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
