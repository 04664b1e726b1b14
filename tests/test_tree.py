"""The tree covers its colours exactly, and a step over it is a comparison of all with all."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.counts import count_colors
from pipeline.color.tree import COLORS, SCALE, assign, build_tree

NO_LABELS = np.empty(0, np.int32)


@st.composite
def trees(draw):
    """Trees of colours spread wide or crowded into a few levels, with weights of all sizes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 5, 40, 400]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([1, 2, 4, 9, 30, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 10, 10**9])), len(counts))
    return build_tree(counts.codes, counts.planes, weights)


@st.composite
def centroids_for(draw, tree):
    """Centroids anywhere, on colours, on bins' means or half-way between colours; some twice."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k = draw(st.integers(1, 24))
    colors = tree.planes.T.astype(np.int32) * SCALE
    a, b = (colors[rng.integers(0, len(colors), k)] for _ in range(2))
    choices = {
        "anywhere": rng.integers(0, 255 * SCALE + 1, (k, 3)),
        "on colours": a,
        "half-way": (a + b) // 2,
        "near colours": np.clip(a + rng.integers(-SCALE, SCALE + 1, (k, 3)), 0, 255 * SCALE),
        "on means": tree.means[rng.integers(0, len(tree.means), k)],
        "corners": rng.integers(0, 2, (k, 3)) * 255 * SCALE,
    }
    centroids = choices[draw(st.sampled_from(sorted(choices)))].astype(np.int32)
    if draw(st.booleans()):
        centroids[rng.integers(0, k)] = centroids[rng.integers(0, k)]
    return centroids


def nearest(points, centroids):
    """Index of the nearest centroid to each point (n, 3), the lowest of equals, by brute force."""
    off = points[:, None].astype(np.int64) - centroids[None].astype(np.int64)
    return np.square(off).sum(axis=2).argmin(axis=1)


def summed(labels, k, weight, sums):
    totals = np.zeros((k, 4), np.int64)
    np.add.at(totals, labels, np.column_stack([weight, sums]))
    return totals


def step(tree, depth, centroids):
    """Labels and totals of a step, and the totals when no labels are asked for."""
    size = len(tree.counts) if depth == COLORS else tree.start[depth + 1] - tree.start[depth]
    labels = np.full(size, -1, np.int32)
    totals, quick = (np.full((len(centroids), 4), -1, np.int64) for _ in range(2))
    assign(tree, depth, centroids, totals, labels)
    assign(tree, depth, centroids, quick, NO_LABELS)
    assert (quick == totals).all()
    return labels, totals


@given(trees())
@settings(deadline=None, max_examples=60)
def test_every_level_covers_the_colors_and_nodes_hold_what_their_children_hold(tree):
    assert tree.start[-1] - tree.start[-2] == 1
    colors = tree.planes.T.astype(np.int64)
    for level in range(len(tree.start) - 1):
        nodes = range(tree.start[level], tree.start[level + 1])
        for column, below in ((tree.colors, (0, len(colors))), (tree.children, None)):
            first, last = column[nodes.start : nodes.stop].T
            assert (first < last).all()
            assert (first[1:] == last[:-1]).all()
            if column is tree.children:
                below = (tree.start[level - 1], tree.start[level]) if level else (0, len(colors))
            assert (first[0], last[-1]) == below
        for node in nodes:
            mine = slice(*tree.colors[node])
            weight = tree.counts[mine].sum()
            sums = (colors[mine] * tree.counts[mine, None]).sum(axis=0)
            assert tree.weight[node] == weight
            assert (tree.sums[node] == sums).all()
            assert (tree.box[node, :3] == colors[mine].min(axis=0) * SCALE).all()
            assert (tree.box[node, 3:] == colors[mine].max(axis=0) * SCALE).all()
            assert (tree.means[node] == (2 * sums * SCALE + weight) // (2 * weight)).all()
            assert len(np.unique(colors[mine] >> (3 + level), axis=0)) == 1


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_each_color_goes_to_its_nearest_centroid_and_ties_to_the_lowest_index(data):
    tree = data.draw(trees())
    centroids = data.draw(centroids_for(tree))
    colors = tree.planes.T.astype(np.int64)
    labels, totals = step(tree, COLORS, centroids)
    assert (labels == nearest(colors * SCALE, centroids)).all()
    assert (totals == summed(labels, len(centroids), tree.counts, colors * tree.counts[:, None])).all()
    assert totals[:, 0].sum() == tree.counts.sum()


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_at_a_level_each_node_goes_to_the_centroid_nearest_to_its_mean(data):
    tree = data.draw(trees())
    centroids = data.draw(centroids_for(tree))
    for level in range(len(tree.start) - 1):
        nodes = slice(tree.start[level], tree.start[level + 1])
        labels, totals = step(tree, level, centroids)
        assert (labels == nearest(tree.means[nodes], centroids)).all()
        assert (totals == summed(labels, len(centroids), tree.weight[nodes], tree.sums[nodes])).all()


def test_a_step_equals_brute_force_on_many_colors_and_centroids():
    rng = np.random.default_rng(11)
    pixels = np.clip(rng.normal(rng.integers(0, 256, (20_000, 3)), 30), 0, 255).astype(np.uint8)
    counts = count_colors(pixels)
    tree = build_tree(counts.codes, counts.planes, counts.counts)
    centroids = rng.integers(0, 255 * SCALE + 1, (300, 3)).astype(np.int32)
    labels, _ = step(tree, COLORS, centroids)
    assert (labels == nearest(tree.planes.T.astype(np.int32) * SCALE, centroids)).all()


def test_the_farthest_corners_do_not_overflow():
    counts = count_colors(np.array([[0, 0, 0], [255, 255, 255]], np.uint8))
    tree = build_tree(counts.codes, counts.planes, counts.counts)
    for corner in (0, 255 * SCALE):
        labels, totals = step(tree, COLORS, np.full((1, 3), corner, np.int32))
        assert labels.tolist() == [0, 0]
        assert totals.tolist() == [[2, 255, 255, 255]]
