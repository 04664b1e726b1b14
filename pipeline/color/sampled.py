"""Mini-batch k-means on color counts: pixel batches drawn from the whole image, then exact steps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.color.assign import unassigned
from pipeline.color.codebook import Codebook, keep_all, refuse_nothing
from pipeline.color.counts import ColorCounts
from pipeline.color.emphasis import emphasize
from pipeline.color.grid import fill_empty, settle
from pipeline.color.kmeans import KMeans
from pipeline.color.lloyd import refine, squares_of
from pipeline.color.minibatch import MiniBatch, follow_batches
from pipeline.color.spaces import SPACES
from pipeline.color.starts import move
from pipeline.color.tree import build_tree


@dataclass(frozen=True, eq=False)
class Sampled:
    """Mini-batch k-means on 8-bit colours.

    kmeans : colors, max_iter, tol, eps, seed, color_space and small_areas are heeded. batch_pixels :
    pixels of a batch, at least colors. refine : whether to end with moves on coarse bins of all
    colours, and exact steps.
    """

    kmeans: KMeans
    batch_pixels: int = 65_536
    refine: bool = True

    def __post_init__(self) -> None:
        self._batches()
        if not isinstance(self.refine, bool):
            raise ValueError(f"refine must be true or false, not {self.refine!r}")

    def fit(self, counts: ColorCounts) -> Codebook:
        """Find `colors` colours, or all there are if the counts have no more."""
        refuse_nothing(counts)
        wanted = self.kmeans
        if len(counts) <= wanted.colors:
            return keep_all(counts, wanted.color_space)
        space = SPACES[wanted.color_space]
        points = space.place(counts.planes)
        weights = emphasize(counts, wanted.small_areas)
        passed = np.cumsum(weights // np.gcd.reduce(weights))  # draws are the same for any multiple

        def take(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
            return np.take(points, np.searchsorted(passed, pixels, side="right"), axis=1).astype(np.float64)

        centers, steps, converged = follow_batches(take, int(passed[-1]), self._batches())
        tree = build_tree(counts.codes, points, weights, space.extent)
        squares = squares_of(tree)
        clusters = unassigned(tree, wanted.colors)
        centroids = fill_empty(tree, np.floor(centers + 0.5).astype(np.int32), clusters)
        if self.refine:
            move(tree, centroids)
            stop = float(wanted.tol), float(wanted.eps * space.unit), int(wanted.max_iter)
            steps, converged = refine(tree, squares, centroids, clusters, stop)
        left = wanted.max_iter - steps if self.refine and wanted.eps == 0 else 0
        found = settle(tree, space, centroids, (wanted.tol, left), counts.counts)
        return Codebook(found.colors, found.labels, steps + found.steps, converged, space=wanted.color_space)

    def _batches(self) -> MiniBatch:
        return MiniBatch(self.kmeans.colors, self.batch_pixels, seed=self.kmeans.seed)
