"""A palette that is given: every colour gets the nearest of its entries."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.color.assign import assign, unassigned
from pipeline.color.checks import check_colors, check_word
from pipeline.color.codebook import Codebook, refuse_nothing
from pipeline.color.counts import ColorCounts
from pipeline.color.distances import METRICS, coordinates, differences
from pipeline.color.dynamic import Dynamic
from pipeline.color.kernels import kernel
from pipeline.color.spaces import SPACES
from pipeline.color.spreads import apart
from pipeline.color.tree import build_tree


@dataclass(frozen=True, eq=False)
class GivenPalette:
    """A palette as it is: its order stays, and entries that no colour is nearest to stay too.

    colors : (k, 3) uint8 sRGB, all distinct, k from 1 to 65,536. color_space : where distances are
    measured, a name of `spaces.SPACES`; of equally near entries the first is taken. metric : one of
    `distances.METRICS`, to measure by that instead.
    """

    colors: NDArray[np.uint8]
    color_space: str = "srgb"
    metric: str | None = None

    def __post_init__(self) -> None:
        check_colors("palette", self.colors)
        if len(np.unique(self.colors, axis=0)) != len(self.colors):
            raise ValueError("the palette must have no colour twice")
        check_word(self, "color_space", tuple(SPACES))
        if self.metric is not None:
            check_word(self, "metric", METRICS)

    def fit(self, counts: ColorCounts) -> Codebook:
        """Assign each distinct colour to the nearest entry."""
        refuse_nothing(counts)
        if self.metric is not None:
            return Codebook(self.colors, self._nearest_by(self.metric, counts), ordered=True)
        space = SPACES[self.color_space]
        tree = build_tree(counts.codes, space.place(counts.planes), counts.counts, space.extent)
        entries = space.points(self.colors)
        clusters = unassigned(tree, len(entries))
        assign(tree, entries, clusters)
        return Codebook(self.colors, clusters.labels, space=self.color_space, ordered=True)

    def _nearest_by(self, metric: str, counts: ColorCounts) -> NDArray[np.int32]:
        labels = np.empty(len(counts), np.int32)
        entries = coordinates(np.ascontiguousarray(self.colors.T), metric)
        _find_nearest(METRICS.index(metric), coordinates(counts.planes, metric), entries, labels)
        return labels


@dataclass(frozen=True, eq=False)
class Shareable:
    """A threshold's palette, to be given to images that are not all counted at once.

    They get the nearest entries by its metric, not those of its tree; so the counted colours do here.
    No colour is farther from its entry by that; entries that are nearest to none are dropped.
    """

    dynamic: Dynamic

    def fit(self, counts: ColorCounts) -> Codebook:
        """Find the palette, and assign each distinct colour to the nearest entry."""
        metric = self.dynamic.metric
        grown = self.dynamic.fit(counts)
        nearest = GivenPalette(grown.colors, metric=metric).fit(counts).labels
        used, labels = np.unique(nearest, return_inverse=True)
        colors = grown.colors[used]
        away = differences(np.ascontiguousarray(counts.planes.T), colors[labels], metric)
        findings = {**grown.findings, "widest": round(float(away.max()), 6)}
        return replace(grown, colors=colors, labels=labels.astype(np.int32), findings=findings)


@kernel
def _find_nearest(
    metric: int, points: NDArray[np.float64], entries: NDArray[np.float64], labels: NDArray[np.int32]
) -> None:
    """Compare all with all: a metric that is no distance in a space allows no short cuts."""
    for i in range(len(points)):
        least = np.inf
        for j in range(len(entries)):
            distance = apart(
                metric, points[i, 0], points[i, 1], points[i, 2], entries[j, 0], entries[j, 1], entries[j, 2]
            )
            if distance < least:
                least = distance
                labels[i] = j
