"""k-means on color counts: exactly k distinct 8-bit colours, none of them unused.

Starts and split-and-merge moves work on coarse bins; the best start is refined on the exact distinct
colours, then on the grid of 8-bit colours, where the palette lives. All sums are integers and all
chance is seeded, so the same counts give the same palette on any machine.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.color import kernels
from pipeline.color.counts import ColorCounts
from pipeline.color.lloyd import explained, recentre, refine, squares_of_bins, weighted_errors
from pipeline.color.moves import improve
from pipeline.color.seeding import seed_by_chance, seed_by_cuts
from pipeline.color.tree import COLORS, SCALE, Tree, assign, build_tree

MAX_COLORS = 65_536
_NO_LABELS = np.empty(0, np.int32)
_SEEDING_STEPS = 8  # enough for a start to be moved about; exactness comes later
_SEEDING_TOL = 1e-3
_BIN_STEPS = 50
_BIN_TOL = 1e-4
_FEW = 32  # colours; clusters so wide that bins of 16 levels a side tell them apart
_THUMBNAIL = 8192  # distinct colours, of an image of about 90 × 90
_MOVE_ROUNDS = 30
_MOST_MOVED = 1024  # beyond, a round of moves (k² distances) costs more than it gains
_GRID_STEPS = 20


@dataclass(frozen=True)
class KMeans:
    """Settings of a fit. The defaults are the job spec's.

    colors : 1 to 65,536. init : "auto", "wu" or "kmeans++". attempts : the best of so many times
    the starts is taken. max_iter, tol : steps on exact colours, and the relative fall of the
    inertia that ends them. seed : of the k-means++ starts.
    """

    colors: int = 16
    init: str = "auto"
    attempts: int = 1
    max_iter: int = 100
    tol: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("colors", 1, MAX_COLORS),
            ("attempts", 1, 100),
            ("max_iter", 1, 10_000),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or not least <= value <= most:
                raise ValueError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
        if self.init not in ("auto", "wu", "kmeans++"):
            raise ValueError(f"init must be 'auto', 'wu' or 'kmeans++', not {self.init!r}")
        if not 0 <= self.tol < math.inf:
            raise ValueError(f"tol must be a number of at least 0, not {self.tol!r}")


@dataclass(frozen=True, eq=False)
class Codebook:
    """What a fit found, in no particular order.

    colors : (k, 3) uint8, all distinct. labels : (n,) int32, the nearest of them to each distinct
    colour, ties to the lowest index. totals : (k, 4) int64, pixels and sums of colours per cluster.
    """

    colors: NDArray[np.uint8]
    labels: NDArray[np.int32]
    totals: NDArray[np.int64]
    iterations: int
    converged: bool


def fit(counts: ColorCounts, settings: KMeans) -> Codebook:
    """Find `settings.colors` colours, or all there are if the counts have no more.

    Raises ValueError if nothing was counted.
    """
    n = len(counts)
    if n == 0:
        raise ValueError("there are no pixels to fit: all are fully transparent, or the image is empty")
    planes = counts.planes
    if n <= settings.colors:
        totals = np.column_stack([counts.counts, (planes * counts.counts).T])
        return Codebook(np.ascontiguousarray(planes.T), np.arange(n, dtype=np.int32), totals, 0, True)
    tree = build_tree(counts.codes, planes, counts.counts)
    centroids = _best_start(tree, settings)
    squares = float(kernels.sum_squares(counts.codes, counts.counts))
    iterations, converged = refine(tree, COLORS, squares, centroids, float(settings.tol), settings.max_iter)
    grid, labels, totals = _settle_on_grid(tree, squares, centroids, settings.tol)
    return Codebook(_levels(grid), labels, totals, iterations, converged)


def inertia(colors: NDArray[np.uint8], totals: NDArray[np.int64], counts: ColorCounts) -> int:
    """Σ squared distance of the pixels to their cluster's colour (k, 3), exactly; totals as above."""
    levels = colors.astype(np.int64)
    saved = (2 * levels * totals[:, 1:]).sum() - (totals[:, :1] * levels**2).sum()
    return int(kernels.sum_squares(counts.codes, counts.counts)) - int(saved)


def _starts(settings: KMeans, distinct: int) -> list[int | None]:
    """Seeds of the starts; None stands for Wu's cuts, of which there is one.

    The fewer the colours, the likelier a start leads to a poor optimum that moves cannot leave.
    The few distinct colours of a thumbnail leave less to choose: on images of 64 × 64 half the
    starts cost 0.1 % of the inertia, and save a third of the fit.
    """
    number = next(n for most, n in ((8, 8), (32, 4), (128, 2), (MAX_COLORS, 1)) if settings.colors <= most)
    number = max(1, number // 2) if distinct < _THUMBNAIL else number
    number = 1 if settings.init == "wu" else number * settings.attempts
    first: list[int | None] = [] if settings.init == "kmeans++" else [None]
    # Streams of neighbouring seeds must not meet: 2³² draws lie between two starts of a seed.
    return first + [(settings.seed + (i << 32)) % 2**63 for i in range(number - len(first))]


def _best_start(tree: Tree, settings: KMeans) -> NDArray[np.int32]:
    """Centroids (k, 3), scaled: the start of least inertia on the bins after moves."""
    depth = _bin_depth(tree, settings.colors)
    squares = squares_of_bins(tree, depth)
    best, least = np.empty((0, 3), np.int32), np.inf
    for seed in _starts(settings, len(tree.counts)):
        centroids = _start(tree, depth, settings.colors, seed)
        totals = np.empty((len(centroids), 4), np.int64)
        refine(tree, depth, squares, centroids, _SEEDING_TOL, _SEEDING_STEPS)
        if settings.colors <= _MOST_MOVED:
            improve(tree, depth, squares, centroids, _MOVE_ROUNDS)
            refine(tree, depth, squares, centroids, _BIN_TOL, _BIN_STEPS)
        assign(tree, depth, centroids, totals, _NO_LABELS)
        inertia_left = squares - explained(centroids, totals)
        if inertia_left < least:
            best, least = centroids, inertia_left
    return best


def _bin_depth(tree: Tree, k: int) -> int:
    """The level of the tree to start on: bins of 16 levels a side for few colours, else of 8."""
    coarse = k <= _FEW and len(tree.start) > 2 and tree.start[2] - tree.start[1] > 8 * k
    return 1 if coarse else 0


def _start(tree: Tree, depth: int, k: int, seed: int | None) -> NDArray[np.int32]:
    bins = slice(tree.start[depth], tree.start[depth + 1])
    if k >= bins.stop - bins.start:
        centroids = tree.means[bins].copy()
    elif seed is None:
        centroids = seed_by_cuts(tree, depth, k)
    else:
        centroids = seed_by_chance(tree, depth, k, seed)
    if len(centroids) < k:
        extra = np.full((k - len(centroids), 3), centroids[0], np.int32)  # empty until re-seeded
        centroids = _reseed_empty(tree, np.concatenate([centroids, extra]))[0]
    return centroids


def _settle_on_grid(
    tree: Tree, squares: float, centroids: NDArray[np.int32], tol: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Go on with Lloyd's steps among 8-bit colours, each with k clusters none of them empty.

    Returns the grid points (k, 3), scaled, with labels and totals.
    """
    best = _reseed_empty(tree, _round(centroids))
    least = squares - explained(best[0], best[2])
    for _ in range(_GRID_STEPS):
        grid = best[0].copy()
        recentre(grid, best[2])
        after = _reseed_empty(tree, _round(grid))
        fall = least - (squares - explained(after[0], after[2]))
        if fall > 0:
            best = after
            least -= fall
        if fall <= tol * least:
            break
    return best


def _reseed_empty(
    tree: Tree, centroids: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Assign; put each centroid left without pixels on the colour of largest weighted error; repeat.

    It ends: a centroid put on a colour keeps that colour, for no other is as near, and each round
    puts at least one more there. Needs at least k distinct colours, none the mean of an empty set.
    """
    centroids = centroids.copy()
    labels = np.empty(len(tree.counts), np.int32)
    totals = np.empty((len(centroids), 4), np.int64)
    while True:
        assign(tree, COLORS, centroids, totals, labels)
        empty = np.flatnonzero(totals[:, 0] == 0)
        if len(empty) == 0:
            return centroids, labels, totals
        error = weighted_errors(tree, centroids, labels)
        worst = np.argsort(-error, kind="stable")[: len(empty)]
        worst = worst[error[worst] > 0]
        centroids[empty[: len(worst)]] = tree.planes[:, worst].T.astype(np.int32) * SCALE


def _round(centroids: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.asarray((centroids + SCALE // 2) // SCALE * SCALE, np.int32)


def _levels(grid: NDArray[np.int32]) -> NDArray[np.uint8]:
    return np.asarray(grid // SCALE, np.uint8)
