"""A step over the tree is a comparison of all colours with all centroids."""

import numpy as np
import pytest
from colors import CORNERS, anywhere, assigned, bounds, counted, nearest, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.assign import assign, unassigned
from pipeline.color.counts import count_colors
from pipeline.color.spaces import SPACES
from pipeline.color.tree import condense

spaces = st.sampled_from(sorted(SPACES))


@st.composite
def centroids_for(draw, tree, space):
    """Centroids anywhere, on colours, on bins' means or half-way between colours; some twice."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k = draw(st.integers(1, 24))
    low, high = bounds(space)
    points = tree.points.T.astype(np.int32)
    a, b = (points[rng.integers(0, len(points), k)] for _ in range(2))
    means = tree.sums // tree.weight[:, None]
    choices = {
        "anywhere": anywhere(rng, space, k),
        "on colours": a,
        "half-way": (a + b) // 2,
        "near colours": np.clip(a + rng.integers(-64, 65, (k, 3)), low, high),
        "on means": means[rng.integers(0, len(means), k)],
        "corners": np.where(rng.integers(0, 2, (k, 3)), low, high),
    }
    centroids = choices[draw(st.sampled_from(sorted(choices)))].astype(np.int32)
    if draw(st.booleans()):
        centroids[rng.integers(0, k)] = centroids[rng.integers(0, k)]
    return centroids


def summed(tree, labels, k):
    totals = np.zeros((k, 4), np.int64)
    np.add.at(totals, labels, np.column_stack([tree.counts, tree.points.T * tree.counts[:, None]]))
    return totals


def check(tree, centroids, clusters):
    labels, _ = nearest(tree.points, centroids)
    assert (clusters.labels == labels).all()
    assert (clusters.totals == summed(tree, labels, len(centroids))).all()


@given(counted(), spaces, st.data())
@settings(deadline=None, max_examples=200)
def test_each_color_goes_to_its_nearest_centroid_and_ties_to_the_lowest_index(counts, space, data):
    tree = tree_of(counts, space)
    centroids = data.draw(centroids_for(tree, space))
    before = centroids.copy()
    clusters = assigned(tree, centroids)
    check(tree, centroids, clusters)
    assert clusters.totals[:, 0].sum() == counts.total
    assert (centroids == before).all()


@given(counted(), spaces, st.data())
@settings(deadline=None, max_examples=100)
def test_so_it_does_over_coarse_bins(counts, space, data):
    tree = tree_of(counts, space)
    for level in range(len(tree.start) - 2):
        bins = condense(tree, level)
        centroids = data.draw(centroids_for(bins, space))
        check(bins, centroids, assigned(bins, centroids))


@given(counted(), spaces, st.integers(1, 24), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=100)
def test_a_step_from_any_assignment_is_one_from_scratch(counts, space, k, seed):
    tree = tree_of(counts, space)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, len(counts)).astype(np.int32)
    clusters = unassigned(tree, k)
    clusters.labels[:] = labels
    clusters.totals[:] = summed(tree, labels, k)
    centroids = anywhere(rng, space, k)
    for _ in range(4):
        assign(tree, centroids, clusters)
        check(tree, centroids, clusters)
        low, high = bounds(space)
        drift = rng.integers(-300, 301, centroids.shape)
        centroids = np.clip(centroids + drift, low, high).astype(np.int32)


@given(counted(), spaces, st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_before_the_first_step_cluster_0_has_everything(counts, space, k):
    tree = tree_of(counts, space)
    clusters = unassigned(tree, k)
    assert (clusters.labels.dtype, clusters.totals.shape) == (np.int32, (k, 4))
    assert (clusters.totals == summed(tree, clusters.labels, k)).all()
    assert not clusters.labels.any()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("k", [1, 300, 700])
def test_a_step_equals_brute_force_on_many_colors_and_centroids(k, space):
    """Wide nodes and narrow ones, contenders by the hundred."""
    rng = np.random.default_rng(11)
    pixels = np.clip(rng.normal(rng.integers(0, 256, (20_000, 3)), 30), 0, 255).astype(np.uint8)
    tree = tree_of(count_colors(pixels), space)
    centroids = anywhere(rng, space, k)
    check(tree, centroids, assigned(tree, centroids))


@pytest.mark.parametrize("space", SPACES)
def test_a_step_equals_brute_force_where_leaves_are_full(space):
    """All 32³ colours of a cube: leaves of 512, and centroids half-way between them."""
    levels = np.mgrid[100:132, 100:132, 100:132].reshape(3, -1).T.astype(np.uint8)
    tree = tree_of(count_colors(levels), space)
    rng = np.random.default_rng(5)
    points = tree.points.T.astype(np.int32)
    a, b = (points[rng.integers(0, len(points), 60)] for _ in range(2))
    check(tree, (a + b) // 2, assigned(tree, (a + b) // 2))


def test_the_farthest_corners_do_not_overflow():
    counts = count_colors(np.array([[0, 0, 0], [255, 255, 255]], np.uint8))
    for corner in (0, 255 * 64):
        clusters = assigned(tree_of(counts), np.full((1, 3), corner, np.int32))
        assert clusters.labels.tolist() == [0, 0]
        assert clusters.totals.tolist() == [[2, 255 * 64, 255 * 64, 255 * 64]]


@pytest.mark.parametrize("space", SPACES)
def test_of_any_two_corners_each_is_nearest_to_itself(space):
    """Squared distances across the whole space do not wrap around."""
    tree = tree_of(count_colors(np.ascontiguousarray(CORNERS.T)), space)
    for first in range(8):
        for second in set(range(8)) - {first}:
            pair = np.ascontiguousarray(tree.points.T[[first, second]], np.int32)
            clusters = assigned(tree, pair)
            check(tree, pair, clusters)
            assert (clusters.labels[first], clusters.labels[second]) == (0, 1)
