"""Lloyd's steps: each cluster's centroid goes to its mean, and what is kept is never worse."""

import numpy as np
import pytest
from colors import anywhere, assigned, bounds, inertia, nearest, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.assign import unassigned
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.lloyd import explained, recentre, refine, squares_of, sum_errors, weighted_errors
from pipeline.color.spaces import SPACES
from pipeline.color.tree import condense

UNIT = 64
BRIGHTEST = 255 * UNIT
MANY_STEPS = 100_000


def refined(tree, start, tol, max_iter, eps=0.0):
    centroids = start.copy()
    clusters = unassigned(tree, len(start))
    steps, converged = refine(tree, squares_of(tree), centroids, clusters, (float(tol), float(eps), max_iter))
    return centroids, steps, converged


def plain_step(tree, centroids):
    clusters = assigned(tree, centroids)
    centroids = centroids.copy()
    recentre(centroids, clusters.totals)
    return centroids, clusters.totals


@st.composite
def problems(draw):
    """Some counted colours, wide or crowded, a space, and centroids to start from."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 3, 20, 200]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([2, 5, 30, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 10, 10**5])), len(counts))
    counts = ColorCounts(counts.codes, weights)
    space = draw(st.sampled_from(sorted(SPACES)))
    k = draw(st.integers(1, 12))
    if draw(st.booleans()):
        start = tree_of(counts, space).points.T[rng.integers(0, len(counts), k)]
    else:
        start = anywhere(rng, space, k)
    return counts, space, np.ascontiguousarray(start, np.int32)


def picture_tree():
    """Arrange a picture of smooth ramps with some grain: about 8,000 distinct colours."""
    y, x = np.mgrid[0:100, 0:140]
    grain = (x * 7919 + y * 104729) % 13
    return tree_of(
        count_colors(np.stack([x + grain, 2 * y + grain, (x + y) // 2 + 3 * grain], axis=2).astype(np.uint8))
    )


def diagonal(k=20):
    """Return k centroids in a row, most of them far from the picture's colours."""
    return np.linspace((0, 0, 0), (BRIGHTEST, BRIGHTEST, 0), k).astype(np.int32)


@given(problems())
@settings(deadline=None, max_examples=60)
def test_recentring_puts_each_centroid_on_its_mean_and_leaves_empty_ones(problem):
    counts, space, start = problem
    moved, totals = plain_step(tree_of(counts, space), start)
    for before, after, (count, *sums) in zip(start, moved, totals.tolist(), strict=True):
        if count == 0:
            assert (after == before).all()
        else:
            assert np.abs(after - np.array(sums) / count).max() <= 0.5 + 1e-9


@given(problems())
@settings(deadline=None, max_examples=60)
def test_the_squares_less_what_is_explained_are_the_inertia(problem):
    counts, space, start = problem
    tree = tree_of(counts, space)
    squares = squares_of(tree)
    _, totals = plain_step(tree, start)
    found = squares - explained(start, totals)
    assert found == pytest.approx(inertia(tree, start), abs=1e-9 * squares + 1e-9)


@given(problems())
@settings(deadline=None, max_examples=60)
def test_errors_are_squared_distances_times_pixels(problem):
    counts, space, start = problem
    tree = tree_of(counts, space)
    labels, squares = nearest(tree.points, start)
    assert weighted_errors(tree, start, labels).tolist() == (squares * tree.counts).tolist()
    assert sum_errors(tree.points, tree.counts, labels, start) == inertia(tree, start)
    levels = np.random.default_rng(len(counts)).integers(0, 256, start.shape).astype(np.uint8)
    off = counts.planes.T.astype(np.int64) - levels[labels]
    expected = int((np.square(off).sum(axis=1) * counts.counts).sum())
    assert sum_errors(counts.planes, counts.counts, labels, levels) == expected


@given(problems())
@settings(deadline=None, max_examples=60)
def test_squares_are_those_of_the_pixels_or_of_bins(problem):
    counts, space, _ = problem
    tree = tree_of(counts, space)
    levels = [tree, *(condense(tree, level) for level in range(len(tree.start) - 2))]
    for each in levels:
        points = each.points.astype(np.int64)
        expected = int((np.square(points).sum(axis=0) * each.counts).sum())
        assert squares_of(each) == pytest.approx(expected, rel=1e-13)  # beyond 2⁵³ floats round


@given(problems())
@settings(deadline=None, max_examples=60)
def test_refining_leaves_clusters_that_are_sound(problem):
    """The next step goes on from them, so that they have to be some assignment and its totals."""
    counts, space, start = problem
    tree = tree_of(counts, space)
    centroids, clusters = start.copy(), unassigned(tree, len(start))
    refine(tree, squares_of(tree), centroids, clusters, (1e-4, 0.0, 7))
    booked = np.zeros_like(clusters.totals)
    weighted = np.column_stack([tree.counts, tree.points.T * tree.counts[:, None]])
    np.add.at(booked, clusters.labels, weighted)
    assert (clusters.totals == booked).all()
    again = start.copy()
    assert refine(tree, squares_of(tree), again, clusters, (1e-4, 0.0, 7))[0] >= 1
    assert (again == centroids).all()


@given(problems(), st.integers(1, 30))
@settings(deadline=None, max_examples=100)
def test_refining_never_ends_worse_than_a_plain_step_from_the_start(problem, max_iter):
    """The first step is a plain one, and what is kept never rises above it."""
    counts, space, start = problem
    tree = tree_of(counts, space)
    moved, _ = plain_step(tree, start)
    off = tree.points.T.astype(np.int64) - moved[assigned(tree, start).labels]
    kept = int((np.square(off).sum(axis=1) * counts.counts).sum())
    centroids, steps, _ = refined(tree, start, 0.0, max_iter)
    assert 1 <= steps <= max_iter
    assert inertia(tree, centroids) <= kept <= inertia(tree, start)
    low, high = bounds(space)
    assert (centroids >= low).all()
    assert (centroids <= high).all()


@pytest.mark.parametrize("seed", range(20))
def test_no_step_raises_what_is_kept(seed):
    """Few points and bad starts, where steps beyond the means do raise the inertia: they are taken back."""
    rng = np.random.default_rng(seed)
    tree = tree_of(count_colors(rng.integers(0, 256, (40, 3), dtype=np.uint8)), "srgb")
    start = np.ascontiguousarray(tree.points.T[rng.permutation(tree.points.shape[1])[:8]])
    inertias = [inertia(tree, refined(tree, start, 0.0, steps)[0]) for steps in range(1, 12)]
    assert (np.diff(inertias) <= 0).all()


def test_more_steps_give_less_inertia():
    tree = picture_tree()
    inertias = [inertia(tree, refined(tree, diagonal(), 0.0, steps)[0]) for steps in range(1, 25)]
    assert (np.diff(inertias) <= 0).all()
    assert inertias[-1] < 0.6 * inertias[0]


@given(problems())
@settings(deadline=None, max_examples=60)
def test_without_tolerance_it_still_ends(problem):
    counts, space, start = problem
    _, steps, converged = refined(tree_of(counts, space), start, 0.0, MANY_STEPS)
    assert converged
    assert steps < 1000


def test_a_settled_codebook_is_one_that_a_plain_step_hardly_betters():
    tree = picture_tree()
    centroids, steps, converged = refined(tree, diagonal(), 0.0, MANY_STEPS)
    after, _ = plain_step(tree, centroids)
    assert converged
    assert steps < 500
    assert inertia(tree, after) > inertia(tree, centroids) * (1 - 1e-4)


def test_a_looser_tolerance_ends_sooner():
    tree = picture_tree()
    steps = [refined(tree, diagonal(), tol, MANY_STEPS)[1] for tol in (1.0, 1e-2, 1e-4, 0.0)]
    assert steps == sorted(steps)
    assert steps[0] == 2
    assert refined(tree, diagonal(), 0.0, 3)[1:] == (3, False)


def test_steps_end_where_no_centroid_goes_farther_than_eps():
    tree = picture_tree()
    found = {eps: refined(tree, diagonal(), 0.0, MANY_STEPS, eps * UNIT) for eps in (300, 8, 1, 0.1, 1e-5, 0)}
    steps = [taken for _, taken, _ in found.values()]
    assert steps == sorted(steps)
    assert steps[0] == 1
    assert steps[0] < steps[1] < steps[2] < steps[3]
    assert all(converged for _, _, converged in found.values())
    inertias = [inertia(tree, centroids) for centroids, _, _ in found.values()]
    assert (np.diff(inertias) <= 0).all()
    for eps in (8, 1):
        after, _ = plain_step(tree, found[eps][0])
        assert np.sqrt(np.square(after - found[eps][0]).sum(axis=1)).max() <= eps * UNIT


@given(problems(), st.integers(2, 1000))
@settings(deadline=None, max_examples=60)
def test_counting_every_pixel_several_times_changes_nothing(problem, times):
    counts, space, start = problem
    tree, repeated = (tree_of(ColorCounts(counts.codes, counts.counts * n), space) for n in (1, times))
    first, again = plain_step(tree, start), plain_step(repeated, start)
    assert (first[0] == again[0]).all()
    assert (first[1] * times == again[1]).all()
    power = 1 << times.bit_length()  # powers of two scale floats exactly, so every decision stands
    repeated = tree_of(ColorCounts(counts.codes, counts.counts * power), space)
    one, other = refined(tree, start, 1e-4, 50), refined(repeated, start, 1e-4, 50)
    assert (one[0] == other[0]).all()
    assert one[1:] == other[1:]
