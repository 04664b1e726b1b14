"""What stands for a set is what a plain reckoning over its pixels says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.distances import METRICS, SPACE_OF, coordinates, distances_from_white
from pipeline.color.representatives import levels_of, mean_of_core, median_of, nearest_to


@st.composite
def sets(draw):
    """Colours (n, 3), rows of points (n, 4) in any order, that order, and a range of rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 5, 40]))
    colors = np.unique(rng.integers(0, draw(st.sampled_from([3, 256])), (n, 3), dtype=np.uint8), axis=0)
    order = rng.permutation(len(colors))
    weights = rng.integers(1, draw(st.sampled_from([2, 20])), len(colors))
    points = np.column_stack([colors[order], weights]).astype(float)
    first = draw(st.integers(0, len(colors) - 1))
    return colors, points, order, (first, draw(st.integers(first + 1, len(colors))))


@given(sets())
@settings(deadline=None, max_examples=100)
def test_medians_are_lower_medians_of_the_pixels(some):
    colors, points, order, rows = some
    found = np.empty(3, np.uint8)
    median_of(points, order, rows, colors, found)
    part = points[slice(*rows)].astype(int)
    pixels = np.sort(np.repeat(part[:, :3], part[:, 3], axis=0), axis=0)
    assert found.tolist() == pixels[(len(pixels) - 1) // 2].tolist()


@given(sets(), st.tuples(*[st.integers(0, 255)] * 3))
@settings(deadline=None, max_examples=100)
def test_the_nearest_is_the_first_color_of_those_as_near(some, place):
    _, points, order, rows = some
    row = nearest_to(points, order, rows, np.array(place, float))
    squares = np.square(points[:, :3] - place).sum(axis=1)
    assert (squares[row], order[row]) == min((squares[i], order[i]) for i in range(*rows))


@given(sets(), st.sampled_from([0.01, 5.0, 30.0, 50.0, 100.0]))
@settings(deadline=None, max_examples=200)
def test_the_core_is_as_far_from_white_as_the_median(some, percentile):
    colors, points, order, rows = some
    found = np.empty(3)
    mean_of_core(points, order, rows, colors, percentile, found)
    part = points[slice(*rows)]
    white = distances_from_white(part[:, :3].T.astype(np.uint8))
    pixels = np.sort(np.repeat(white, part[:, 3].astype(int)))
    off = np.abs(white - pixels[(len(pixels) - 1) // 2]).round(9)
    ranked = np.lexsort((order[slice(*rows)], white, off))
    core = part[ranked[: max(1, int(np.ceil(len(part) * percentile / 100)))]]
    assert found == pytest.approx(np.average(core[:, :3], axis=0, weights=core[:, 3]))


@pytest.mark.parametrize("metric", METRICS)
def test_colors_come_back_from_their_places(metric):
    colors = np.random.default_rng(8).integers(0, 256, (20_000, 3), dtype=np.uint8)
    assert np.array_equal(levels_of(coordinates(colors.T, metric), SPACE_OF[metric]), colors)
