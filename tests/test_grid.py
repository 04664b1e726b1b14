"""From centroids to k distinct 8-bit colours, each with pixels."""

import numpy as np
import pytest
from colors import anywhere, cube, inertia, nearest, picture, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.assign import unassigned
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.grid import fill_empty, settle
from pipeline.color.spaces import SPACES


def settled(tree, space, centroids, tol=0.0):
    return settle(tree, SPACES[space], centroids, (tol, 100), tree.counts)[:2]


def left(tree, space, colors):
    """Σ squared distance of the pixels to the nearest of the colours (k, 3)."""
    points = SPACES[space].place(np.ascontiguousarray(colors.T)).T
    return inertia(tree, points)


def filled(tree, start):
    clusters = unassigned(tree, len(start))
    return fill_empty(tree, start, clusters), clusters


@st.composite
def problems(draw):
    """Counts, a space and at most as many centroids: anywhere, on colours, or all alike."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 5, 40, 300]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([2, 4, 30, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 10, 10**6])), len(counts))
    space = draw(st.sampled_from(sorted(SPACES)))
    tree = tree_of(ColorCounts(counts.codes, weights), space)
    k = draw(st.integers(1, min(len(counts), 60)))
    start = anywhere(rng, space, k)
    if draw(st.booleans()):
        start = np.ascontiguousarray(tree.points.T[rng.integers(0, len(counts), k)], np.int32)
    if draw(st.booleans()):
        start[:] = start[0]
    return tree, space, start


@given(problems())
@settings(deadline=None, max_examples=200)
def test_settling_gives_as_many_distinct_colors_each_the_nearest_of_some(problem):
    tree, space, start = problem
    colors, labels = settled(tree, space, start)
    assert colors.dtype == np.uint8
    assert colors.shape == start.shape
    assert len(np.unique(colors, axis=0)) == len(colors)
    points = SPACES[space].place(np.ascontiguousarray(colors.T)).T
    assert (labels == nearest(tree.points, points)[0]).all()
    assert (np.bincount(labels, minlength=len(colors)) > 0).all()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("k", [1, 9, 26, 27])
def test_settling_parts_centroids_that_round_to_one_color(k, space):
    tree = tree_of(count_colors(cube(3, low=90)), space)
    start = np.repeat(tree.sums[-1:] // tree.weight[-1], k, axis=0).astype(np.int32)
    colors, labels = settled(tree, space, start)
    assert len(np.unique(colors, axis=0)) == k
    assert len(np.unique(labels)) == k


@given(problems())
@settings(deadline=None, max_examples=100)
def test_settling_is_no_worse_than_rounding(problem):
    """Nor than rounding with the unused ones put to use."""
    tree, space, start = problem
    colors, _ = settled(tree, space, start)
    rounded = SPACES[space].levels(start)
    points = SPACES[space].place(np.ascontiguousarray(rounded.T)).T.astype(np.int32)
    used, _ = filled(tree, points)
    assert left(tree, space, colors) <= min(left(tree, space, rounded), inertia(tree, used))


@pytest.mark.parametrize("space", SPACES)
def test_settling_goes_on_until_it_no_longer_helps(space):
    """Once more from where it ended changes nothing, and a loose tolerance ends sooner, and worse."""
    tree = tree_of(count_colors(picture()), space)
    start = np.ascontiguousarray(tree.points.T[:: len(tree.counts) // 10][:10], np.int32)
    colors, labels = settled(tree, space, start)
    hasty, _ = settled(tree, space, start, tol=1e9)
    assert (
        left(tree, space, colors) < left(tree, space, hasty) <= left(tree, space, SPACES[space].levels(start))
    )
    points = SPACES[space].place(np.ascontiguousarray(colors.T)).T.astype(np.int32)
    again, _ = settled(tree, space, np.ascontiguousarray(points))
    assert left(tree, space, again) <= left(tree, space, colors)
    assert (labels == nearest(tree.points, points)[0]).all()


@pytest.mark.parametrize("space", SPACES)
def test_settling_keeps_a_step_only_if_it_helps(space):
    """Among neighbours the mean of a cluster, in 8 bits, is often worse than what was there."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        counts = count_colors(rng.permutation(cube(5, low=100))[:60])
        tree = tree_of(ColorCounts(counts.codes, rng.integers(1, 50, len(counts))), space)
        start = np.ascontiguousarray(tree.points.T[rng.permutation(60)[:20]], np.int32)
        colors, _ = settled(tree, space, start)
        points = np.ascontiguousarray(SPACES[space].place(np.ascontiguousarray(colors.T)).T, np.int32)
        again, _ = settled(tree, space, points)
        assert (
            left(tree, space, again)
            <= left(tree, space, colors)
            <= left(tree, space, SPACES[space].levels(start))
        )


@pytest.mark.parametrize("space", SPACES)
def test_in_a_gamut_of_8_bits_nothing_is_lost_for_want_of_bits(space):
    """As many centroids as colours: each ends on its own, with no error at all."""
    counts = count_colors(np.random.default_rng(3).integers(0, 256, (200, 3)).astype(np.uint8))
    tree = tree_of(counts, space)
    start = anywhere(np.random.default_rng(4), space, len(counts))
    colors, _ = settled(tree, space, start)
    assert left(tree, space, colors) == 0
    assert sorted(colors.tolist()) == sorted(counts.planes.T.tolist())


@given(problems())
@settings(deadline=None, max_examples=150)
def test_filling_leaves_no_centroid_empty_and_puts_those_on_colors(problem):
    tree, _, start = problem
    before = start.copy()
    found, clusters = filled(tree, start)
    assert (start == before).all()
    labels, _ = nearest(tree.points, found)
    assert (clusters.labels == labels).all()
    used = np.bincount(labels, weights=tree.counts, minlength=len(start))
    assert (used > 0).all()
    assert (clusters.totals[:, 0] == used).all()
    sums = np.stack([np.bincount(labels, tree.counts * axis, len(start)) for axis in tree.points], axis=1)
    assert (clusters.totals[:, 1:] == sums).all()
    moved = (found != start).any(axis=1)
    if len(np.unique(nearest(tree.points, start)[0])) == len(start):
        assert not moved.any()
    on_colors = set(map(tuple, tree.points.T.tolist()))
    assert {tuple(point) for point in found[moved].tolist()} <= on_colors


def test_an_empty_centroid_goes_where_the_error_is_largest():
    """Beside one dark centroid: 100 pixels 10 levels off, or one pixel 90 levels off."""
    counts = count_colors(np.array([[0, 0, 0], [10, 0, 0], [90, 0, 0]], np.uint8))
    for weights, expected in (([1, 100, 1], 10), ([1, 80, 1], 90)):
        tree = tree_of(ColorCounts(counts.codes, np.array(weights)))
        found, _ = filled(tree, np.zeros((2, 3), np.int32))
        assert found.tolist() == [[0, 0, 0], [expected * 64, 0, 0]]
