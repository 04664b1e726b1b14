"""The tree covers its colours exactly, and so does one that takes its nodes for colours."""

import numpy as np
from colors import counted, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.spaces import SPACES
from pipeline.color.tree import condense

spaces = st.sampled_from(sorted(SPACES))


@given(counted(), spaces)
@settings(deadline=None, max_examples=60)
def test_every_level_covers_the_colors_and_nodes_hold_what_their_children_hold(counts, space):
    tree = tree_of(counts, space)
    assert tree.start[-1] - tree.start[-2] == 1
    colors, points = counts.planes.T.astype(np.int64), tree.points.T.astype(np.int64)
    assert (tree.points == SPACES[space].place(counts.planes)).all()
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
            sums = (points[mine] * tree.counts[mine, None]).sum(axis=0)
            assert tree.weight[node] == weight
            assert (tree.sums[node] == sums).all()
            assert (tree.box[node, :3] == points[mine].min(axis=0)).all()
            assert (tree.box[node, 3:] == points[mine].max(axis=0)).all()
            assert len(np.unique(colors[mine] >> (3 + level), axis=0)) == 1


@given(counted(), spaces)
@settings(deadline=None, max_examples=60)
def test_condensed_the_nodes_of_a_level_are_colors_at_their_means(counts, space):
    tree = tree_of(counts, space)
    for level in range(len(tree.start) - 2):
        bins, nodes = condense(tree, level), slice(tree.start[level], tree.start[level + 1])
        weight = tree.weight[nodes]
        assert bins.counts.tolist() == weight.tolist()
        means = (2 * tree.sums[nodes] + weight[:, None]) // (2 * weight[:, None])
        assert (means == bins.points.T).all()
        assert (bins.points.dtype, bins.points.flags.c_contiguous) == (np.int16, True)
        assert (bins.weight == tree.weight[tree.start[level + 1] :]).all()
        assert bins.extent == tree.extent


@given(counted(), spaces)
@settings(deadline=None, max_examples=60)
def test_a_condensed_tree_covers_its_colors_too(counts, space):
    tree = tree_of(counts, space)
    before = [np.array(part) for part in tree]
    for level in range(len(tree.start) - 2):
        bins = condense(tree, level)
        n, points = len(bins.counts), bins.points.T.astype(np.int64)
        assert bins.start[-1] == len(bins.weight)
        assert bins.start[-1] - bins.start[-2] == 1
        for node in range(len(bins.weight)):
            mine = slice(*bins.colors[node])
            assert (bins.sums[node] == (points[mine] * bins.counts[mine, None]).sum(axis=0)).all()
            assert bins.weight[node] == bins.counts[mine].sum()
            assert (bins.box[node, :3] == points[mine].min(axis=0)).all()
            assert (bins.box[node, 3:] == points[mine].max(axis=0)).all()
        for above in range(len(bins.start) - 1):
            first, last = bins.colors[bins.start[above] : bins.start[above + 1]].T
            assert (first < last).all()
            assert (first[1:] == last[:-1]).all()
            assert (first[0], last[-1]) == (0, n)
            below = (bins.start[above - 1], bins.start[above]) if above else (0, n)
            first, last = bins.children[bins.start[above] : bins.start[above + 1]].T
            assert (first[1:] == last[:-1]).all()
            assert (first[0], last[-1]) == below
    assert all((np.array(part) == old).all() for part, old in zip(tree, before, strict=True))
