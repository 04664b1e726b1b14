"""Split-and-merge moves leave a poor optimum, and never for a worse one."""

import numpy as np
import pytest
from colors import anywhere, bounds, inertia, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.assign import unassigned
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.lloyd import refine, squares_of
from pipeline.color.moves import improve
from pipeline.color.spaces import SPACES
from pipeline.color.tree import condense

ROUNDS = 30
SCALE = 64


def bins_of(counts, space="srgb"):
    """Bins of 8 levels a side; the colours themselves if all are in one."""
    tree = tree_of(counts, space)
    return condense(tree, 0) if len(tree.start) > 2 else tree


def settle(tree, centroids):
    refine(tree, squares_of(tree), centroids, unassigned(tree, len(centroids)), (0.0, 0.0, 1000))


def improved(tree, centroids, rounds=ROUNDS):
    after = np.array(centroids, np.int32)
    kept = improve(tree, squares_of(tree), after, unassigned(tree, len(after)), rounds)
    return after, kept


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 3, 40, 400]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([2, 20, 80, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 10, 10**4])), len(counts))
    space = draw(st.sampled_from(sorted(SPACES)))
    tree = bins_of(ColorCounts(counts.codes, weights), space)
    k = draw(st.integers(1, 40))
    start = anywhere(rng, space, k)
    if draw(st.booleans()):
        start = tree.points.T[rng.integers(0, len(tree.counts), k)]
    return tree, space, np.ascontiguousarray(start, np.int32)


@given(problems(), st.booleans(), st.integers(0, ROUNDS))
@settings(deadline=None, max_examples=150)
def test_moves_never_raise_the_inertia_on_the_bins(problem, settled, rounds):
    tree, space, start = problem
    if settled:  # then most lots of moves make it worse, and have to be dropped
        settle(tree, start)
    after, kept = improved(tree, start, rounds)
    slack = 1e-9 * squares_of(tree)
    assert inertia(tree, after) <= inertia(tree, start) + slack
    assert 0 <= kept <= rounds
    assert kept > 0 or (after == start).all()
    low, high = bounds(space)
    assert (after >= low).all()
    assert (after <= high).all()


@pytest.mark.parametrize("k", [8, 24, 64])
def test_a_good_optimum_is_not_left_for_a_worse_one(k):
    """After moves and steps most further lots make it worse: they are tried, and dropped."""
    rng = np.random.default_rng(k)
    for _ in range(8):
        tree = bins_of(count_colors(np.clip(rng.normal(128, 40, (1500, 3)), 0, 255).astype(np.uint8)))
        good, _ = improved(tree, tree.points.T[rng.permutation(len(tree.counts))[:k]])
        settle(tree, good)
        for rounds in (1, 2, 5):
            after, _ = improved(tree, good, rounds)
            assert inertia(tree, after) <= inertia(tree, good) + 1e-9 * squares_of(tree)


@given(problems())
@settings(deadline=None, max_examples=30)
def test_moves_are_the_same_every_time(problem):
    tree, _, start = problem
    assert (improved(tree, start)[0] == improved(tree, start)[0]).all()


def test_a_single_centroid_has_nowhere_to_go():
    tree = bins_of(count_colors(np.array([[0, 0, 0], [200, 9, 9]], np.uint8)))
    start = np.array([[5000, 300, 300]], np.int32)
    after, kept = improved(tree, start)
    assert kept == 0
    assert (after == start).all()


def groups(centres, spread=6, size=50):
    rng = np.random.default_rng(0)
    noise = rng.integers(-spread, spread + 1, (len(centres) * size, 3))
    return bins_of(count_colors((np.repeat(centres, size, axis=0) + noise).astype(np.uint8)))


def test_moves_leave_an_optimum_that_steps_cannot():
    """Two centroids share a group and one serves two groups: no small step helps, a move does."""
    tree = groups(np.array([[40, 40, 40], [200, 60, 60], [60, 200, 200]]))
    stuck = np.array([[36, 40, 40], [44, 40, 40], [130, 130, 130]], np.int32) * SCALE
    settle(tree, stuck)
    after, kept = improved(tree, stuck)
    assert kept >= 1
    assert inertia(tree, after) < inertia(tree, stuck) / 20


def many_groups():
    """Return 32 groups, and as many centroids that crowd four to every fourth of them."""
    axes = np.meshgrid([30, 90, 150, 210], [30, 90, 150, 210], [60, 190])
    centres = np.stack(axes, axis=-1).reshape(-1, 3)
    crowd = np.repeat(centres[::4], 4, axis=0) + np.random.default_rng(4).integers(-5, 6, centres.shape)
    return groups(centres), crowd.astype(np.int32) * SCALE, centres.astype(np.int32) * SCALE


def test_several_moves_at_once_help_where_several_are_due():
    tree, start, _ = many_groups()
    after, kept = improved(tree, start, rounds=1)
    assert kept == 1
    assert (after != start).any(axis=1).sum() > 4
    assert inertia(tree, after) < inertia(tree, start) / 5


def test_moves_find_every_group():
    tree, start, centres = many_groups()
    after, _ = improved(tree, start)
    assert inertia(tree, after) < 1.5 * inertia(tree, centres)


def test_an_unused_centroid_is_put_to_use():
    tree = groups(np.array([[40, 40, 40], [200, 60, 60]]))
    start = np.array([[120, 50, 50], [255, 255, 255]], np.int32) * SCALE
    after, _ = improved(tree, start)
    assert inertia(tree, after) < inertia(tree, start) / 20
