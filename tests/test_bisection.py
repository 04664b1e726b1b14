"""A split is a two-means split, and loses nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.bisection import bisect, bisect_line, sum_rows


@st.composite
def weighted_points(draw):
    """Distinct points (n, 4), n ≥ 2, and the range of rows to split."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    most = draw(st.sampled_from([1, 2, 5, 255]))
    n = draw(st.sampled_from([2, 3, 9, 60]))
    places = np.unique(rng.integers(0, most + 1, (n + 1, 3)), axis=0)
    if len(places) < 2:
        places = np.array([[0, 0, 0], [0, 0, 1]])
    weights = rng.integers(1, draw(st.sampled_from([2, 50])), len(places))
    points = np.column_stack([rng.permutation(places), weights]).astype(float)
    around = draw(st.integers(0, 2))
    padded = np.concatenate([points[:1]] * around + [points] + [points[:1]] * around)
    return padded, (around, around + len(points))


def inertia(points):
    mean = np.average(points[:, :3], axis=0, weights=points[:, 3])
    return float((np.square(points[:, :3] - mean).sum(axis=1) * points[:, 3]).sum())


@given(weighted_points())
@settings(deadline=None, max_examples=200)
def test_a_split_is_a_fixed_point_of_two_means(given_points):
    points, rows = given_points
    before, order, plane = points.copy(), np.arange(len(points)), np.empty(4)
    middle = bisect(points, order, rows, plane)
    assert rows[0] < middle < rows[1]
    assert np.array_equal(points, before[order])
    assert sorted(order.tolist()) == list(range(len(points)))
    outside = np.r_[0 : rows[0], rows[1] : len(points)]
    assert np.array_equal(order[outside], outside)
    halves = points[rows[0] : middle], points[middle : rows[1]]
    means = [np.average(half[:, :3], axis=0, weights=half[:, 3]) for half in halves]
    for own, half in enumerate(halves):
        squares = [np.square(half[:, :3] - mean).sum(axis=1) for mean in means]
        assert (squares[own] <= squares[1 - own] + 1e-6).all()
        beyond = half[:, :3] @ plane[:3] - plane[3]
        assert (beyond > -1e-6 if own else beyond < 1e-6).all()
    assert sum(map(inertia, halves)) < inertia(points[rows[0] : rows[1]])


def test_neighboring_floats_are_split():
    one = np.nextafter(0.1, 1)
    for low, high in ((0.1, one), (one, np.nextafter(one, 1))):
        points = np.array([[high, 0.5, 0.5, 3.0], [low, 0.5, 0.5, 1.0]])
        assert bisect(points, np.arange(2), (0, 2), np.empty(4)) == 1


def test_two_far_groups_are_told_apart():
    rng = np.random.default_rng(3)
    near, far = rng.integers(0, 20, (300, 3)), rng.integers(200, 256, (5, 3))
    points = np.column_stack([np.concatenate([far, near]), np.ones(305)]).astype(float)
    middle = bisect(points, order := np.arange(305), (0, 305), np.empty(4))
    halves = [set(order[:middle].tolist()), set(order[middle:].tolist())]
    assert set(range(5)) in halves


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)), min_size=2, max_size=25))
@settings(deadline=None, max_examples=200)
def test_a_split_of_a_line_is_the_best_one(pairs):
    pairs = sorted(pairs)
    values, weights = (np.array(column, float) for column in zip(*pairs, strict=True))
    if values[0] == values[-1]:
        return

    def error(place):
        total = 0.0
        for part in (slice(0, place), slice(place, None)):
            mean = np.average(values[part], weights=weights[part])
            total += (weights[part] * np.square(values[part] - mean)).sum()
        return total

    place = bisect_line(values, weights, (0, len(values)))
    assert values[place - 1] < values[place]
    assert error(place) == pytest.approx(min(error(i) for i in range(1, len(values))), abs=1e-9)


def test_rows_are_summed_by_weight():
    points = np.array([[9.0, 9, 9, 9], [1, 2, 3, 2], [4, 5, 6, 1]])
    assert sum_rows(points, (1, 3)) == (2.0, 3.0, 6.0, 9.0, 12.0)
