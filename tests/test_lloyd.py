"""Lloyd's steps: each cluster's centroid goes to its mean, and what is kept is never worse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.lloyd import explained, recentre, refine
from pipeline.color.tree import COLORS, SCALE, assign, build_tree

BRIGHTEST = 255 * SCALE
MANY_STEPS = 100_000


def tree_of(counts):
    return build_tree(counts.codes, counts.planes, counts.counts)


def squares_of(counts):
    return float((np.square(counts.planes.astype(np.int64)).sum(axis=0) * counts.counts).sum())


def brute_inertia(counts, centroids):
    """Σ squared distance to the nearest centroid, in squared units: an exact integer."""
    off = counts.planes.T[:, None].astype(np.int64) * SCALE - centroids[None].astype(np.int64)
    return int((np.square(off).sum(axis=2).min(axis=1) * counts.counts).sum())


def refined(counts, start, tol, max_iter):
    centroids = start.copy()
    steps, converged = refine(tree_of(counts), COLORS, squares_of(counts), centroids, tol, max_iter)
    return centroids, steps, converged


def plain_step(counts, centroids):
    totals = np.empty((len(centroids), 4), np.int64)
    assign(tree_of(counts), COLORS, centroids, totals, np.empty(0, np.int32))
    centroids = centroids.copy()
    recentre(centroids, totals)
    return centroids, totals


@st.composite
def problems(draw):
    """Some counted colours, wide or crowded, and centroids to start from."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 3, 20, 200]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([2, 5, 30, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 10, 10**5])), len(counts))
    k = draw(st.integers(1, 12))
    start = rng.integers(0, BRIGHTEST + 1, (k, 3))
    if draw(st.booleans()):
        start = counts.planes.T[rng.integers(0, len(counts), k)].astype(np.int64) * SCALE
    return ColorCounts(counts.codes, weights), start.astype(np.int32)


def picture_counts():
    """Count a picture of smooth ramps with some grain: about 8,000 distinct colours."""
    y, x = np.mgrid[0:100, 0:140]
    grain = (x * 7919 + y * 104729) % 13
    return count_colors(
        np.stack([x + grain, 2 * y + grain, (x + y) // 2 + 3 * grain], axis=2).astype(np.uint8)
    )


@given(problems())
@settings(deadline=None, max_examples=60)
def test_recentring_puts_each_centroid_on_its_mean_and_leaves_empty_ones(problem):
    counts, start = problem
    moved, totals = plain_step(counts, start)
    for before, after, (count, *sums) in zip(start, moved, totals.tolist(), strict=True):
        if count == 0:
            assert (after == before).all()
        else:
            assert np.abs(after - np.array(sums) * SCALE / count).max() <= 0.5 + 1e-9


@given(problems())
@settings(deadline=None, max_examples=60)
def test_the_squares_less_what_is_explained_are_the_inertia(problem):
    counts, start = problem
    _, totals = plain_step(counts, start)
    inertia = squares_of(counts) - explained(start, totals)
    assert inertia == pytest.approx(
        brute_inertia(counts, start) / SCALE**2, abs=1e-9 * squares_of(counts) + 1e-9
    )


@given(problems(), st.integers(1, 30))
@settings(deadline=None, max_examples=100)
def test_refining_never_ends_worse_than_a_plain_step_from_the_start(problem, max_iter):
    """The first step is a plain one, and what is kept never rises above it."""
    counts, start = problem
    tree, (moved, _) = tree_of(counts), plain_step(counts, start)
    labels, totals = np.empty(len(counts), np.int32), np.empty((len(start), 4), np.int64)
    assign(tree, COLORS, start, totals, labels)
    off = counts.planes.T.astype(np.int64) * SCALE - moved[labels]
    kept = int((np.square(off).sum(axis=1) * counts.counts).sum())
    centroids, steps, _ = refined(counts, start, 0.0, max_iter)
    assert 1 <= steps <= max_iter
    assert brute_inertia(counts, centroids) <= kept <= brute_inertia(counts, start)
    assert centroids.min() >= 0
    assert centroids.max() <= BRIGHTEST


def test_more_steps_give_less_inertia():
    counts = picture_counts()
    start = np.linspace((0, 0, 0), (BRIGHTEST, BRIGHTEST, 0), 20).astype(np.int32)
    inertias = [brute_inertia(counts, refined(counts, start, 0.0, steps)[0]) for steps in range(1, 25)]
    assert (np.diff(inertias) <= 0).all()
    assert inertias[-1] < 0.6 * inertias[0]


@given(problems())
@settings(deadline=None, max_examples=60)
def test_without_tolerance_it_still_ends(problem):
    counts, start = problem
    _, steps, converged = refined(counts, start, 0.0, MANY_STEPS)
    assert converged
    assert steps < 1000


def test_a_settled_codebook_is_one_that_a_plain_step_hardly_betters():
    counts = picture_counts()
    start = np.linspace((0, 0, 0), (BRIGHTEST, BRIGHTEST, 0), 20).astype(np.int32)
    centroids, steps, converged = refined(counts, start, 0.0, MANY_STEPS)
    after, _ = plain_step(counts, centroids)
    assert converged
    assert steps < 500
    assert brute_inertia(counts, after) > brute_inertia(counts, centroids) * (1 - 1e-4)


def test_a_looser_tolerance_ends_sooner():
    counts = picture_counts()
    start = np.linspace((0, 0, 0), (BRIGHTEST, BRIGHTEST, 0), 20).astype(np.int32)
    steps = [refined(counts, start, tol, MANY_STEPS)[1] for tol in (1.0, 1e-2, 1e-4, 0.0)]
    assert steps == sorted(steps)
    assert steps[0] == 2
    assert refined(counts, start, 0.0, 3)[1:] == (3, False)


@given(problems(), st.integers(2, 1000))
@settings(deadline=None, max_examples=60)
def test_counting_every_pixel_several_times_changes_nothing(problem, times):
    counts, start = problem
    repeated = ColorCounts(counts.codes, counts.counts * times)
    first, again = plain_step(counts, start), plain_step(repeated, start)
    assert (first[0] == again[0]).all()
    assert (first[1] * times == again[1]).all()
    power = 1 << times.bit_length()  # powers of two scale floats exactly, so every decision stands
    repeated = ColorCounts(counts.codes, counts.counts * power)
    one, other = refined(counts, start, 1e-4, 50), refined(repeated, start, 1e-4, 50)
    assert (one[0] == other[0]).all()
    assert one[1:] == other[1:]
