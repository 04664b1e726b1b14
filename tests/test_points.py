"""The loops over points say what plain Python says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color import points as kernels
from pipeline.color.chance import draw_shares

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


@st.composite
def grids(draw):
    """Points (channels, n) and centres (k, channels), on few values so that there are ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels, n = draw(st.sampled_from([1, 2, 3, 7])), draw(st.sampled_from([1, 5, 1023, 1024, 1025, 2500]))
    k = draw(st.sampled_from([1, 2, 9, 40]))
    values = draw(st.sampled_from([2, 5, 1000]))
    points = rng.integers(0, values, (channels, n)).astype(np.float64)
    return points, rng.integers(0, values, (k, channels)).astype(np.float64)


def squares(points, centers):
    return np.square(points.T[:, None] - centers[None]).sum(axis=2)


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (0, 1), (1, 0), (2**63 - 1, 2**62 + 3)])
def test_shares_are_those_of_splitmix(seed, stream):
    found = np.empty(50)
    draw_shares(seed, stream, found)
    state = mix((mix((seed + GOLDEN) & MASK) + stream * GOLDEN) & MASK)
    expected = [(mix((state + i * GOLDEN) & MASK) >> 11) / 2**53 for i in range(1, 51)]
    assert found.tolist() == expected


def test_shares_are_even():
    found = np.empty(100_000)
    draw_shares(5, 6, found)
    tenths = np.bincount((found * 10).astype(int), minlength=10)
    assert np.abs(tenths - 10_000).max() < 500


@given(grids())
@settings(deadline=None, max_examples=60)
def test_nearest_is_the_lowest_index_of_the_nearest(grid):
    points, centers = grid
    labels, distances = np.empty(points.shape[1], np.int64), np.empty(points.shape[1])
    kernels.find_nearest(points, centers, labels, distances)
    expected = squares(points, centers)
    assert (labels == expected.argmin(axis=1)).all()
    assert (distances == expected.min(axis=1)).all()


@given(grids())
@settings(deadline=None, max_examples=30)
def test_sums_numbers_and_farthest_points_of_clusters(grid):
    points, centers = grid
    expected = squares(points, centers)
    labels, distances = expected.argmin(axis=1), expected.min(axis=1)
    sums, seen = np.zeros_like(centers), np.zeros(len(centers), np.int64)
    worst, places = np.zeros(len(centers)), np.full_like(centers, np.nan)
    kernels.add_points(points, labels, sums, seen)
    kernels.keep_farthest(points, labels, distances, worst, places)
    for j in range(len(centers)):
        own = labels == j
        assert seen[j] == own.sum()
        assert (sums[j] == points[:, own].sum(axis=1)).all()
        assert worst[j] == max(distances[own], default=0)
        if worst[j] > 0:
            assert (places[j] == points[:, own][:, distances[own].argmax()]).all()
    assert kernels.total_of(distances) == distances.sum()


def test_the_order_of_a_sum_is_that_of_the_values():
    values = np.array([1e16, 1.0, 1.0, -1e16])
    assert kernels.total_of(values) == 0.0
    assert kernels.total_of(values[[1, 2, 0, 3]].copy()) == 2.0


@given(grids(), st.integers(1, 60))
@settings(deadline=None, max_examples=40)
def test_distinct_points_are_found_until_there_is_no_room(grid, room):
    points = grid[0]
    table = np.full(1 << (2 * room).bit_length(), -1)
    rows = np.empty((room, len(points)))
    found, half = 0, points.shape[1] // 2
    for part in (points[:, :half].copy(), points[:, half:].copy()):
        if found < room:
            found = kernels.add_distinct(part, found, rows, table)
    expected = list(dict.fromkeys(map(tuple, points.T.tolist())))[:room]
    assert list(map(tuple, rows[:found].tolist())) == expected


def test_the_two_zeros_are_one_value():
    rows, table = np.empty((4, 1)), np.full(8, -1)
    assert kernels.add_distinct(np.array([[0.0, -0.0, 1.0, -1.0]]), 0, rows, table) == 3


@given(
    st.integers(0, 2**32 - 1), st.sampled_from([0.001, 0.1, 0.5, 1.0]), st.sampled_from([1, 255, 256, 5000])
)
@settings(deadline=None, max_examples=40)
def test_ranks_become_places_of_the_pixels_with_data(seed, share, n):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n) < share, 3, 255).astype(np.uint8)
    places = np.flatnonzero(labels != 255)
    before = np.zeros(-(-n // kernels.STRETCH) + 1, np.int64)
    kernels.count_ranked(labels, 255, before)
    assert before[-1] == len(places)
    ranks = np.arange(len(places))
    kernels.find_ranked(labels, 255, before, ranks)
    assert (ranks == places).all()


def test_merged_statistics_are_those_of_the_whole():
    rng = np.random.default_rng(1)
    points = 1e6 + rng.normal(0, 3, (2, 10_000))
    statistics = np.tile([0.0, 0.0, 0.0, np.inf, -np.inf], (2, 1))
    for part in np.array_split(points, [1, 7, 4000], axis=1):
        kernels.survey_points(np.ascontiguousarray(part), statistics)
    for values, (number, mean, squared, least, most) in zip(points, statistics, strict=True):
        assert (number, least, most) == (len(values), values.min(), values.max())
        assert math.isclose(mean, values.mean(), rel_tol=1e-12)
        assert math.isclose(squared / number, values.var(), rel_tol=1e-9)
