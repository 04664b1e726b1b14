"""Where k-means starts: centroids, and how many starts there are to choose the best from."""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.assign import assign, unassigned
from pipeline.color.chance import draw, seed_of
from pipeline.color.grid import fill_empty
from pipeline.color.lloyd import explained, refine, squares_of
from pipeline.color.moves import improve
from pipeline.color.seeding import seed_by_chance, seed_by_cuts
from pipeline.color.spaces import Space
from pipeline.color.tree import Tree, condense

_SETTLING_STEPS = 8  # enough for a start to be moved about; exactness comes later
_SETTLING_TOL = 1e-3
_BIN_STEPS = 50
_BIN_TOL = 1e-4
_FEW = 32  # colours; clusters so wide that bins of 16 levels a side tell them apart
_THUMBNAIL = 8192  # distinct colours, of an image of about 90 × 90
_BINS_PER_COLOR = 8  # fewer, and seeds fall on bins that want several: 4 to 10 % worse at k = 512 to 1024
_MOVE_ROUNDS = 30
_MOST_MOVED = 4096  # beyond, a round of moves (k² distances) takes seconds; up to it, 13 to 34 % are gained

Centroids = NDArray[np.int32]


def best_start(tree: Tree, k: int, init: str, seed: int, attempt: int) -> Centroids:
    """Centroids (k, 3): of several starts that of least inertia on coarse bins, after moves.

    init : "auto", "wu" or "kmeans++". attempt : from 0; each has starts of its own, the first Wu's.
    """
    bins = _bins(tree, k)
    squares = squares_of(bins)
    best, least = np.empty((0, 3), np.int32), np.inf
    for stream in _streams(k, init, seed, attempt, len(tree.counts)):
        centroids = _start(tree, bins, k, stream)
        inertia_left = _move(bins, squares, centroids)
        if inertia_left < least:
            best, least = centroids, inertia_left
    return best


def move(tree: Tree, centroids: Centroids) -> None:
    """Better centroids (k, 3) in place by Lloyd's steps and moves on coarse bins."""
    bins = _bins(tree, len(centroids))
    _move(bins, squares_of(bins), centroids)


def _move(bins: Tree, squares: float, centroids: Centroids) -> float:
    """Settle, move and settle centroids on bins; returns the inertia that is left."""
    k = len(centroids)
    clusters = unassigned(bins, k)
    refine(bins, squares, centroids, clusters, (_SETTLING_TOL, 0.0, _SETTLING_STEPS))
    if k <= _MOST_MOVED:
        improve(bins, squares, centroids, clusters, _MOVE_ROUNDS)
        refine(bins, squares, centroids, clusters, (_BIN_TOL, 0.0, _BIN_STEPS))
    assign(bins, centroids, clusters)
    return float(squares - explained(centroids, clusters.totals))


def random_pixels(tree: Tree, k: int, seed: int) -> Centroids:
    """The colours of k random pixels, each colour once: fewer if a few colours have nearly all pixels."""
    last = np.cumsum(tree.counts)
    numbers = draw(seed, 16 * k)
    picked = np.searchsorted(last, (numbers * last[-1]).astype(np.int64), side="right")
    _, first = np.unique(picked, return_index=True)
    chosen = picked[np.sort(first)[:k]]
    return np.ascontiguousarray(tree.points[:, chosen].T, np.int32)


def random_colors(space: Space, k: int, seed: int) -> Centroids:
    """K random 8-bit sRGB colours, used by the image or not."""
    levels = (draw(seed, 3 * k) * 256).astype(np.uint8)
    return space.points(levels.reshape(k, 3))


def complete(tree: Tree, k: int, centroids: Centroids) -> Centroids:
    """K centroids, each with pixels: those given, where they have some, and where the error is largest."""
    extra = np.repeat(centroids[:1], k - len(centroids), axis=0)  # empty, so put elsewhere
    return fill_empty(tree, np.concatenate([centroids, extra]), unassigned(tree, k))


def _streams(k: int, init: str, seed: int, attempt: int, distinct: int) -> list[int | None]:
    """Seeds of the starts; None stands for Wu's cuts, of which there is one.

    The fewer the colours, the likelier a start leads to a poor optimum that moves cannot leave.
    The few distinct colours of a thumbnail leave less to choose: on images of 64 × 64 half the
    starts cost 0.1 % of the inertia, and save a third of the fit.
    """
    number = 8 if k <= 8 else 4 if k <= 128 else 1
    number = max(1, number // 2) if distinct < _THUMBNAIL else number
    if init == "wu":
        return [None]
    seeds: list[int | None] = [seed_of(seed, attempt * number + i) for i in range(number)]
    return seeds if init == "kmeans++" or attempt else [None, *seeds[:-1]]


def _bins(tree: Tree, k: int) -> Tree:
    """What to start on: coarse bins of 16 levels a side for few colours, else of 8; else the colours."""
    levels = np.diff(tree.start)
    if k <= _FEW and len(levels) > 2 and levels[1] > 8 * k:
        return condense(tree, 1)
    return condense(tree, 0) if levels[0] >= _BINS_PER_COLOR * k and len(levels) > 1 else tree


def _start(tree: Tree, bins: Tree, k: int, seed: int | None) -> Centroids:
    if k >= len(bins.counts):
        centroids = np.ascontiguousarray(bins.points.T, np.int32)
    elif seed is None:
        centroids = seed_by_cuts(bins, k)
    else:
        centroids = seed_by_chance(bins, k, seed)
    return complete(tree, k, centroids) if len(centroids) < k else centroids
