"""The nodes of a splitting tree: one while it grows, and the table of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Place = tuple[float, float, float]


@dataclass(slots=True, eq=False)
class Node:
    """A set of colours: a range of rows, and what `Nodes` has a row of.

    plane : between the halves, of a node that was split by one. exact : whether `spread` is the
    criterion itself, not a lower bound.
    """

    rows: tuple[int, int]
    parent: int
    count: int
    centroid: Place
    median: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    color: NDArray[np.uint8]
    spread: float = 0.0
    exact: bool = True
    left: int = -1
    right: int = -1
    label: int = -1
    plane: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class Nodes:
    """An unbalanced binary tree, one row a node; a node's row is its id, the root's is 0.

    parent, left, right : (m,) int32 ids; -1 above the root and below leaves. label : (m,) int32,
    the palette entry of a leaf, -1 of others. counts : (m,) int64 pixels. spread : (m,) float64,
    the criterion (of an inner node under "diameter" a lower bound, mostly the diameter itself).
    centroid : (m, 3) float64, the mean in the working space: sRGB levels, OKLab or L*a*b*.
    median, nearest, color : (m, 3) uint8, the lower median of each channel, the node's colour
    nearest to the centroid, and the representative.
    """

    parent: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    label: NDArray[np.int32]
    counts: NDArray[np.int64]
    spread: NDArray[np.float64]
    centroid: NDArray[np.float64]
    median: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    color: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.parent)

    def plain(self) -> list[dict[str, Any]]:
        """The rows as values that JSON knows; fractions are rounded to millionths."""
        rounded = {"spread": self.spread.round(6), "centroid": self.centroid.round(6)}
        columns = {name: rounded.get(name, column).tolist() for name, column in vars(self).items()}
        return [{"id": i, **{name: column[i] for name, column in columns.items()}} for i in range(len(self))]


def tabulate(nodes: Sequence[Node]) -> Nodes:
    """The table of nodes given in the order of their ids."""
    return Nodes(
        parent=np.array([node.parent for node in nodes], np.int32),
        left=np.array([node.left for node in nodes], np.int32),
        right=np.array([node.right for node in nodes], np.int32),
        label=np.array([node.label for node in nodes], np.int32),
        counts=np.array([node.count for node in nodes], np.int64),
        spread=np.array([node.spread for node in nodes]),
        centroid=np.array([node.centroid for node in nodes]),
        median=np.array([node.median for node in nodes], np.uint8),
        nearest=np.array([node.nearest for node in nodes], np.uint8),
        color=np.array([node.color for node in nodes], np.uint8),
    )
