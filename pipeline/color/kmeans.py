"""k-means on color counts: exactly k distinct 8-bit colours, none of them unused.

Starts and split-and-merge moves work on coarse bins; the best start is refined on the exact distinct
colours, then on the grid of 8-bit colours, where the palette lives. All sums are integers and all
chance is seeded, so the same counts give the same palette on any machine.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.color.assign import assign, unassigned
from pipeline.color.chance import seed_of
from pipeline.color.checks import check_colors, check_number, check_whole, check_word
from pipeline.color.codebook import MAX_COLORS, Codebook, keep_all, refuse_nothing
from pipeline.color.counts import ColorCounts
from pipeline.color.emphasis import emphasize
from pipeline.color.grid import settle
from pipeline.color.lloyd import explained, refine, squares_of
from pipeline.color.spaces import SPACES, Space
from pipeline.color.starts import best_start, complete, random_colors, random_pixels
from pipeline.color.tree import Tree, build_tree

INITS = ("auto", "wu", "kmeans++", "pixels", "random")


@dataclass(frozen=True, eq=False)
class KMeans:
    """k-means. The defaults are the job spec's.

    colors : 1 to 65,536. init : one of `INITS`, or (n, 3) uint8 colours to start from, n ≤ colors;
    "wu", "kmeans++" and "auto" (both) are bettered by split-and-merge moves on coarse bins, the
    others are k-means as it is found in textbooks. attempts : the result of least inertia is taken
    of so many, each from seeds of its own. max_iter : steps on exact colours at most; they end once
    one lowers the inertia by less than `tol` of it, or moves no centroid by more than `eps` units of
    the space (8-bit levels in sRGB; OpenCV's epsilon). With `eps` they are Lloyd's own, as OpenCV
    takes them; without, they go beyond the means and end on the grid of 8-bit colours. seed : of all
    draws. color_space : a name of `spaces.SPACES`. small_areas : 0 to 1, see `emphasis`.
    """

    colors: int = 16
    init: str | NDArray[np.uint8] = "auto"
    attempts: int = 1
    max_iter: int = 100
    tol: float = 1e-4
    seed: int = 0
    eps: float = 0.0
    color_space: str = "srgb"
    small_areas: float = 0.0

    def __post_init__(self) -> None:
        check_whole(self, ("colors", 1, MAX_COLORS), ("attempts", 1, 100), ("max_iter", 1, 10_000))
        check_whole(self, ("seed", 0, 2**63 - 1))
        check_number(self, ("tol", 0, math.inf), ("eps", 0, math.inf), ("small_areas", 0, 1))
        check_word(self, "color_space", tuple(SPACES))
        if isinstance(self.init, str):
            check_word(self, "init", INITS)
        else:
            check_colors(f"init, if not one of {', '.join(INITS)},", self.init)
            if len(self.init) > self.colors:
                raise ValueError(
                    f"init has {len(self.init)} colours, more than the {self.colors} that are asked for"
                )

    def fit(self, counts: ColorCounts) -> Codebook:
        """Find `colors` colours, or all there are if the counts have no more."""
        refuse_nothing(counts)
        if len(counts) <= self.colors:
            return keep_all(counts, self.color_space)
        space = SPACES[self.color_space]
        weights = emphasize(counts, self.small_areas)
        tree = build_tree(counts.codes, space.place(counts.planes), weights, space.extent)
        squares = squares_of(tree)
        best, least, steps, converged = np.empty((0, 3), np.int32), np.inf, 0, False
        clusters = unassigned(tree, self.colors)
        stop = float(self.tol), float(self.eps * space.unit), int(self.max_iter)
        for centroids in self._starts(tree, space):
            taken = refine(tree, squares, centroids, clusters, stop)
            assign(tree, centroids, clusters)
            left = squares - explained(centroids, clusters.totals)
            if left < least:
                best, least, (steps, converged) = centroids, left, taken
        del clusters  # of 16 million colours they are 64 MiB
        left = self.max_iter - steps if self.eps == 0 else 0
        found = settle(tree, space, best, (self.tol, left), counts.counts)
        return Codebook(found.colors, found.labels, steps + found.steps, converged, space=self.color_space)

    def _starts(self, tree: Tree, space: Space) -> Iterator[NDArray[np.int32]]:
        """Centroids to be refined on exact colours, attempt by attempt."""
        if not isinstance(self.init, str):
            yield complete(tree, self.colors, space.points(self.init))
        elif self.init in ("pixels", "random"):
            for attempt in range(self.attempts):
                seed = seed_of(self.seed, attempt)
                if self.init == "pixels":
                    yield complete(tree, self.colors, random_pixels(tree, self.colors, seed))
                else:
                    yield complete(tree, self.colors, random_colors(space, self.colors, seed))
        else:
            for attempt in range(1 if self.init == "wu" else self.attempts):
                yield best_start(tree, self.colors, self.init, self.seed, attempt)
