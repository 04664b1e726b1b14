"""One exact k-means step over a tree of colours: every colour to its nearest centroid.

Whole cubes go to a centroid at once if no other can be nearest anywhere in the cube (the filtering
algorithm of Kanungo et al., "An efficient k-means clustering algorithm", IEEE PAMI 24(7), 2002).
The outcome is that of comparing every colour with every centroid, ties to the lowest index, for a
fraction of the distances. A step goes on from the one before: only colours that change hands are
booked, and of those there are few.

Colours and centroids are points on the grid of a working space (see `spaces`), so that squared
distances fit 32 bits and sums are integers: no order of work can change a result.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kernels import inlined, kernel
from pipeline.color.tree import Tree

_FARTHEST = np.int32(2**31 - 1)
_FEW = 128  # colours of a node; to compare so few with a centroid costs less than to rule it out


class Clusters(NamedTuple):
    """Who has which colours, to be handed from step to step.

    labels (n,) int32: cluster of each colour. totals (k, 4) int64: pixels and sums of points of
    each cluster.
    """

    labels: NDArray[np.int32]
    totals: NDArray[np.int64]


@kernel
def unassigned(tree: Tree, k: int) -> Clusters:
    """The state before the first step: cluster 0 of k has everything."""
    totals = np.zeros((k, 4), np.int64)
    top = len(tree.weight) - 1
    totals[0, 0] = tree.weight[top]
    totals[0, 1:] = tree.sums[top]
    return Clusters(np.zeros(len(tree.counts), np.int32), totals)


@kernel
def assign(tree: Tree, centroids: NDArray[np.int32], clusters: Clusters) -> None:
    """Hand every colour to its nearest centroid (k, 3); ties go to the lowest index.

    clusters : IN some assignment to k clusters, OUT this one.
    """
    k = len(centroids)
    labels, totals = clusters.labels, clusters.totals
    reds, greens, blues = tree.points[0], tree.points[1], tree.points[2]
    top = len(tree.start) - 2
    # who may win a colour of the node being visited, level by level: index, red, green, blue
    lists = np.empty((top + 2, 4, k), np.int32)
    lists[top + 1, 0] = np.arange(k)
    lists[top + 1, 1:] = centroids.T
    lengths = np.full(top + 2, k)
    nodes = np.empty(top + 1, np.int64)
    ends = np.empty(top + 1, np.int64)
    distances = np.empty(max(k, 512), np.int32)
    winners = np.empty(512, np.int32)
    nodes[top], ends[top] = tree.start[top], tree.start[top + 1]
    level = top
    while level <= top:
        if nodes[level] == ends[level]:
            level += 1
            continue
        node = nodes[level]
        nodes[level] += 1
        above = level + 1
        length = lengths[above]
        first, last = tree.colors[node, 0], tree.colors[node, 1]
        if length > 1 and last - first > _FEW:
            length = _keep_contenders(tree, node, lists, level, length, distances)
            if length > 1 and level > 0:
                lengths[level] = length
                level -= 1
                nodes[level] = tree.children[node, 0]
                ends[level] = tree.children[node, 1]
                continue
            above = level
        part = labels[first:last]
        n = last - first
        changed = np.int32(0)
        if length == 1:
            winner = lists[above, 0, 0]
            for i in range(n):
                changed |= part[i] ^ winner
            if changed != 0:
                for i in range(n):
                    if part[i] != winner:
                        _book(tree, first + i, part[i], winner, totals)
                        part[i] = winner
            continue
        r, g, b = reds[first:last], greens[first:last], blues[first:last]
        for i in range(n):
            distances[i] = _FARTHEST
        for place in range(length):
            j, cr, cg, cb = (
                lists[above, 0, place],
                lists[above, 1, place],
                lists[above, 2, place],
                lists[above, 3, place],
            )
            for i in range(n):  # SIMD takes eight colours at a time
                dr, dg, db = np.int32(r[i]) - cr, np.int32(g[i]) - cg, np.int32(b[i]) - cb
                distance = np.int32(dr * dr + dg * dg + db * db)
                closer = distance < distances[i]
                distances[i] = distance if closer else distances[i]
                winners[i] = j if closer else winners[i]
        for i in range(n):
            changed |= part[i] ^ winners[i]
        if changed != 0:
            for i in range(n):
                if part[i] != winners[i]:
                    _book(tree, first + i, part[i], winners[i], totals)
                    part[i] = winners[i]


@inlined
def _book(tree: Tree, i: int, before: int, after: int, totals: NDArray[np.int64]) -> None:
    """Move a colour from one cluster to another."""
    count = tree.counts[i]
    totals[before, 0] -= count
    totals[after, 0] += count
    for c in range(3):
        part = count * tree.points[c, i]
        totals[before, 1 + c] -= part
        totals[after, 1 + c] += part


@inlined
def _keep_contenders(
    tree: Tree, node: int, lists: NDArray[np.int32], level: int, length: int, work: NDArray[np.int32]
) -> int:
    """Copy to `lists[level]` the centroids of the list above that may win a colour of the node.

    One is out if it is nowhere in the node's box nearer than the one nearest to the box's middle:
    the corner that lies farthest in its direction decides. Returns how many are left.
    """
    above = level + 1
    low_r, low_g, low_b = tree.box[node, 0], tree.box[node, 1], tree.box[node, 2]
    high_r, high_g, high_b = tree.box[node, 3], tree.box[node, 4], tree.box[node, 5]
    mid_r, mid_g, mid_b = (low_r + high_r) >> 1, (low_g + high_g) >> 1, (low_b + high_b) >> 1
    for i in range(length):
        dr, dg, db = mid_r - lists[above, 1, i], mid_g - lists[above, 2, i], mid_b - lists[above, 3, i]
        work[i] = dr * dr + dg * dg + db * db
    best = 0
    least = work[0]
    for i in range(1, length):
        if work[i] < least:
            least = work[i]
            best = i
    name, br, bg, bb = (
        lists[above, 0, best],
        lists[above, 1, best],
        lists[above, 2, best],
        lists[above, 3, best],
    )
    for i in range(length):
        r, g, b = lists[above, 1, i], lists[above, 2, i], lists[above, 3, i]
        vr = high_r if r > br else low_r
        vg = high_g if g > bg else low_g
        vb = high_b if b > bb else low_b
        own = np.int32((r - vr) * (r - vr) + (g - vg) * (g - vg) + (b - vb) * (b - vb))
        other = np.int32((br - vr) * (br - vr) + (bg - vg) * (bg - vg) + (bb - vb) * (bb - vb))
        work[i] = own - other
    count = 0
    for i in range(length):
        if work[i] < 0 or (work[i] == 0 and lists[above, 0, i] <= name):
            for c in range(4):
                lists[level, c, count] = lists[above, c, i]
            count += 1
    return count
