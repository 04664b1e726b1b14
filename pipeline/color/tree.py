"""Distinct colours as an octree, which the steps of k-means walk through.

Sorted Morton codes make an octree free of charge: the colours of a cube are one range. Each node
keeps the sums and the box of its colours. The cubes are sRGB's in any working space (see `spaces`);
a node's box is what its colours take up there.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kernels import kernel

FINEST = 9  # the leaves' codes drop these low bits: cubes of 8 × 8 × 8 colours


class Tree(NamedTuple):
    """Nodes by level, leaves first; a level's nodes are in code order.

    `start` (levels + 1,): where each level's nodes begin. `children` (m, 2): the range of nodes of
    the level below, for leaves of colours. `colors` (m, 2): the range of colours. `weight` (m,),
    `sums` (m, 3): pixels and their sum of points. `box` (m, 6): lowest and highest value of each
    coordinate. `points` (3, n), `counts` (n,): the colours. `extent`: all coordinates are in
    [0, extent).
    """

    start: NDArray[np.int64]
    children: NDArray[np.int64]
    colors: NDArray[np.int64]
    weight: NDArray[np.int64]
    sums: NDArray[np.int64]
    box: NDArray[np.int32]
    points: NDArray[np.int16]
    counts: NDArray[np.int64]
    extent: int


def build_tree(
    codes: NDArray[np.uint32], points: NDArray[np.int16], counts: NDArray[np.int64], extent: int
) -> Tree:
    """Arrange n sorted distinct colours, points (3, n) of a working space, below a single node."""
    start = [0]
    children: list[NDArray[np.int64]] = []
    shift = FINEST
    offset = 0
    while not children or len(children[-1]) > 1:
        cubes = codes >> np.uint32(shift)
        first = np.flatnonzero(np.concatenate(([True], cubes[1:] != cubes[:-1])))
        children.append(np.stack([first, np.append(first[1:], len(codes))], axis=1) + offset)
        codes = codes[first]
        offset = start[-1]
        start.append(offset + len(first))
        shift += 3
    nodes = start[-1]
    tree = Tree(
        start=np.array(start),
        children=np.concatenate(children).astype(np.int64),
        colors=np.empty((nodes, 2), np.int64),
        weight=np.empty(nodes, np.int64),
        sums=np.empty((nodes, 3), np.int64),
        box=np.empty((nodes, 6), np.int32),
        points=points,
        counts=counts,
        extent=extent,
    )
    _fill(tree)
    return tree


def condense(tree: Tree, level: int) -> Tree:
    """A tree whose colours are the nodes of a level of another, at their means: coarse bins.

    There must be a level above.
    """
    below, above = tree.start[level], tree.start[level + 1]
    children = tree.children[above:].copy()
    leaves = tree.start[level + 2] - above
    children[:leaves] -= below
    children[leaves:] -= above
    weight, sums = tree.weight[below:above], tree.sums[below:above]
    means = (sums + weight[:, None] // 2) // weight[:, None]
    coarse = Tree(
        start=tree.start[level + 1 :] - above,
        children=children,
        colors=np.empty_like(children),
        weight=np.empty(len(children), np.int64),
        sums=np.empty((len(children), 3), np.int64),
        box=np.empty((len(children), 6), np.int32),
        points=np.ascontiguousarray(means.T, np.int16),
        counts=weight.copy(),
        extent=tree.extent,
    )
    _fill(coarse)
    return coarse


@kernel
def _fill(tree: Tree) -> None:
    """Sum up the colours in the leaves, then the nodes below in every other node."""
    tree.sums[:] = 0
    tree.box[:, :3] = tree.extent
    tree.box[:, 3:] = 0
    for node in range(len(tree.weight)):
        first, last = tree.children[node, 0], tree.children[node, 1]
        weight = np.int64(0)
        if node < tree.start[1]:
            tree.colors[node, 0], tree.colors[node, 1] = first, last
            for i in range(first, last):
                weight += tree.counts[i]
                for c in range(3):
                    place = np.int32(tree.points[c, i])
                    tree.sums[node, c] += tree.counts[i] * place
                    tree.box[node, c] = min(tree.box[node, c], place)
                    tree.box[node, 3 + c] = max(tree.box[node, 3 + c], place)
        else:
            tree.colors[node, 0], tree.colors[node, 1] = tree.colors[first, 0], tree.colors[last - 1, 1]
            for child in range(first, last):
                weight += tree.weight[child]
                for c in range(3):
                    tree.sums[node, c] += tree.sums[child, c]
                    tree.box[node, c] = min(tree.box[node, c], tree.box[child, c])
                    tree.box[node, 3 + c] = max(tree.box[node, 3 + c], tree.box[child, 3 + c])
        tree.weight[node] = weight
