"""As many colours as a threshold asks for: sets of colours are split until each is alike.

The tree of splits is the same for every threshold, which only decides where it stops: a lower one
goes on where a higher one stopped, the set of largest spread first. All colours are covered, and
the threshold is kept unless `max_colors` forbids the next split. After the idea of Y. Yatnalkar's
dynamic colour quantization, whose tree is that of `split_on="white"`.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.color.bisection import bisect, bisect_line, sum_rows
from pipeline.color.checks import check_number, check_whole, check_word
from pipeline.color.codebook import MAX_COLORS, Codebook, refuse_nothing
from pipeline.color.counts import ColorCounts
from pipeline.color.distances import METRICS, SPACE_OF, coordinates, distances_from_white
from pipeline.color.nodes import Node, Nodes, Place, tabulate
from pipeline.color.representatives import levels_of, mean_of_core, median_of, nearest_to
from pipeline.color.spreads import diameter, farthest, sweep

_CHOICES = {
    "metric": METRICS,
    "split_on": ("color", "white"),
    "criterion": ("radius", "diameter"),
    "representative": ("centroid", "median", "nearest", "mean_of_percentile"),
}


@dataclass(frozen=True)
class Dynamic:
    """Settings of a tree. The defaults are the job spec's.

    threshold : ≥ 0, where black and white are 100 apart. metric : "redmean", "oklab", "cie76" or
    "ciede2000", see `distances`. split_on : "color", two-means in the metric's working space, or
    "white", two-means on the redmean distance from white. criterion : what the threshold bounds, the
    distance of a colour from its palette colour ("radius") or from any other of its set
    ("diameter", and from its palette colour too); with "white" it is the difference of distances from
    white, whatever is said here.
    representative : "centroid", "median", "nearest" or "mean_of_percentile", the mean of the
    `percentile` in 100 of the set's colours that are about as far from white as its median.
    max_colors : 1 to 65,536.
    """

    threshold: float = 10.0
    metric: str = "redmean"
    split_on: str = "color"
    criterion: str = "radius"
    representative: str = "centroid"
    percentile: float = 5.0
    max_colors: int = 256

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            check_word(self, name, choices)
        if self.split_on == "white" and self.metric != "redmean":
            raise ValueError(f"split_on 'white' measures by metric 'redmean', not {self.metric!r}")
        check_number(self, ("threshold", 0, math.inf), ("percentile", 0, 100))
        if self.percentile == 0:
            raise ValueError(f"percentile must be a number above 0, not {self.percentile!r}")
        check_whole(self, ("max_colors", 1, MAX_COLORS))

    def fit(self, counts: ColorCounts) -> Codebook:
        """Grow the tree; its leaves are the codebook."""
        grown = grow(counts, self)
        findings = {
            "threshold": self.threshold,
            "metric": self.metric,
            "split_on": self.split_on,
            "criterion": self.criterion if self.split_on == "color" else "white",
            "representative": self.representative,
            "widest": round(grown.widest, 6),
            "capped": grown.capped,
            "tree": grown.nodes.plain(),
        }
        return Codebook(
            grown.colors, grown.labels, len(grown.colors) - 1, converged=not grown.capped, findings=findings
        )


@dataclass(frozen=True, eq=False)
class Grown:
    """What came of a tree.

    colors : (k, 3) uint8, all distinct. labels : (n,) int32, which of them stands for each distinct
    colour. widest : the largest spread of a leaf, by the criterion. capped : whether `max_colors` came
    before the threshold was met. nodes : the tree; its leaves are the colours.
    """

    colors: NDArray[np.uint8]
    labels: NDArray[np.int32]
    widest: float
    capped: bool
    nodes: Nodes


def grow(counts: ColorCounts, settings: Dynamic) -> Grown:
    """Split the counted colours until the threshold is met, or there are `max_colors` sets.

    Raises ValueError if nothing was counted.
    """
    refuse_nothing(counts)
    tree = _Tree(counts, settings)
    waiting = [(-tree.nodes[0].spread, 0)]
    leaves = 1
    while waiting:
        place = heapq.heappop(waiting)[1]
        node = tree.nodes[place]
        if node.spread <= settings.threshold:
            tree.make_exact(node)
        if node.spread <= settings.threshold:
            continue
        if leaves == settings.max_colors:
            break
        for child in tree.split(place):
            heapq.heappush(waiting, (-tree.nodes[child].spread, child))
        leaves += 1
    return tree.finish()


class _Tree:
    """The tree while it grows.

    points : (n, 4), coordinates and weight of the distinct colours. order : (n,), which colour a row
    is of. Splits reorder both alike, so that each node is a range of rows.
    """

    def __init__(self, counts: ColorCounts, settings: Dynamic) -> None:
        self.settings = settings
        planes = counts.planes
        self.unit = int(np.gcd.reduce(counts.counts))  # weights are the same for any multiple of the counts
        self.colors = np.ascontiguousarray(planes.T)
        self.order = np.arange(len(counts))
        self.points = np.empty((len(counts), 4))
        self.points[:, :3] = coordinates(planes, settings.metric)
        self.points[:, 3] = counts.counts // self.unit
        self.white: NDArray[np.float64] | None = None  # ascending distances from white, to split on
        if settings.split_on == "white":
            white = distances_from_white(planes)
            self.order = np.argsort(white, kind="stable")
            self.points = self.points[self.order]
            self.white = white[self.order]
        self.weights = np.ascontiguousarray(self.points[:, 3])
        self.nodes: list[Node] = []
        self._add((0, len(counts)), -1)

    def split(self, place: int) -> tuple[int, int]:
        """Split a node of two different colours or more; returns the ids of its halves."""
        node = self.nodes[place]
        if self.white is None:
            plane = np.empty(4)
            middle = bisect(self.points, self.order, node.rows, plane)
            node.plane = (float(plane[0]), float(plane[1]), float(plane[2]), float(plane[3]))
        else:
            middle = bisect_line(self.white, self.weights, node.rows)
        node.left = self._add((node.rows[0], middle), place)
        node.right = self._add((middle, node.rows[1]), place, right=True)
        return node.left, node.right

    def make_exact(self, node: Node) -> None:
        """Replace a lower bound of the spread by the spread itself, which may take a while."""
        if not node.exact:
            metric = METRICS.index(self.settings.metric)
            node.spread, node.exact = diameter(metric, self.points, self.order, node.rows, node.spread), True

    def finish(self) -> Grown:
        """Number the leaves in the order of their ids."""
        leaves = [node for node in self.nodes if node.left < 0]
        _part(leaves)
        labels = np.empty(len(self.order), np.int32)
        for label, leaf in enumerate(leaves):
            self.make_exact(leaf)
            self._keep_near(leaf)
            leaf.label = label
            labels[self.order[slice(*leaf.rows)]] = label
        colors = np.array([leaf.color for leaf in leaves], np.uint8)
        widest = max(leaf.spread for leaf in leaves)
        return Grown(colors, labels, widest, widest > self.settings.threshold, tabulate(self.nodes))

    def _add(self, rows: tuple[int, int], parent: int, right: bool = False) -> int:
        """Describe the set of these rows as a new node; returns its id."""
        _, weight, x, y, z = sum_rows(self.points, rows)
        centroid = np.array([x / weight, y / weight, z / weight])
        row = nearest_to(self.points, self.order, rows, centroid)
        nearest = self.colors[self.order[row]]
        median = np.empty(3, np.uint8)
        median_of(self.points, self.order, rows, self.colors, median)
        count = int(weight) * self.unit
        node = Node(rows, parent, count, tuple(centroid.tolist()), median, nearest, nearest)
        place: Place = tuple(self.points[row, :3].tolist())
        if rows[1] - rows[0] > 1 and self.settings.representative != "nearest":
            color = self._stand_in(node)
            seen_at: Place = tuple(coordinates(color[:, None], self.settings.metric)[0].tolist())
            if self._belongs(seen_at, parent, right):
                node.color, place = color, seen_at
        self._measure(node, place)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _stand_in(self, node: Node) -> NDArray[np.uint8]:
        """The representative that was asked for, if it is not the nearest colour."""
        if self.settings.representative == "median":
            return node.median
        centre = np.array(node.centroid)
        if self.settings.representative == "mean_of_percentile":
            percentile = float(self.settings.percentile)
            mean_of_core(self.points, self.order, node.rows, self.colors, percentile, centre)
        color: NDArray[np.uint8] = levels_of(centre[None], SPACE_OF[self.settings.metric])[0]
        return color

    def _keep_near(self, leaf: Node) -> None:
        """Have a real colour stand in if all colours are alike, but one is too far from a made-up one."""
        if self.settings.criterion == "diameter" and self.white is None and leaf.exact:
            metric = METRICS.index(self.settings.metric)
            x, y, z = coordinates(leaf.color[:, None], self.settings.metric)[0].tolist()
            away = float(farthest(metric, self.points, leaf.rows, x, y, z)[1])
            if leaf.spread <= self.settings.threshold < away:
                leaf.color = leaf.nearest

    def _belongs(self, place: Place, parent: int, right: bool) -> bool:
        """Whether a place is on a new node's side of every plane above it, as are all its colours.

        No two leaves then have the same representative: no set grows by a merger. Rounding and
        medians may take it across a plane. Distances from white have no planes.
        """
        while parent >= 0:
            node = self.nodes[parent]
            if node.plane is not None:
                x, y, z, offset = node.plane
                if (x * place[0] + y * place[1] + z * place[2] > offset) != right:
                    return False
            right = node.parent >= 0 and self.nodes[node.parent].right == parent
            parent = node.parent
        return True

    def _measure(self, node: Node, place: Place) -> None:
        """Give a node its spread; `place` is where its representative is."""
        first, last = node.rows
        metric = METRICS.index(self.settings.metric)
        if self.white is not None:
            node.spread = float(self.white[last - 1] - self.white[first])
        elif self.settings.criterion == "radius":
            node.spread = float(farthest(metric, self.points, node.rows, *place)[1])
        else:
            node.spread = float(sweep(metric, self.points, node.rows, *node.centroid))
            node.exact = last - first < 3


def _part(leaves: Sequence[Node]) -> None:
    """Let no two leaves have the same colour: all that share one take their own nearest real colour.

    It ends: two leaves with colours of their own never share one. Their spreads do not depend on it:
    only sets split by distances from white can come to this.
    """
    while True:
        sharing: dict[bytes, list[Node]] = {}
        for leaf in leaves:
            sharing.setdefault(leaf.color.tobytes(), []).append(leaf)
        if len(sharing) == len(leaves):
            return
        for group in sharing.values():
            for leaf in group if len(group) > 1 else ():
                leaf.color = leaf.nearest
