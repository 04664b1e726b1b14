"""What small areas weigh: between their pixels, and as much as any other region."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.emphasis import emphasize

TOTAL = 2**40
degrees = st.floats(0, 1, exclude_min=True)


@st.composite
def color_counts(draw):
    """Colours of one region or many, of like or unlike weights."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 8, 60, 400]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([2, 16, 60, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 50, 10**5])), len(counts))
    return ColorCounts(counts.codes, weights)


def regions_of(counts):
    """The region of each colour: cubes of 16 × 16 × 16 levels, numbered from 0."""
    return np.unique(counts.planes >> 4, axis=1, return_inverse=True)[1].ravel()


def by_region(counts, weights):
    return np.bincount(regions_of(counts), weights=weights)


@given(color_counts())
@settings(deadline=None, max_examples=40)
def test_at_degree_0_a_color_weighs_its_pixels(counts):
    for degree in (0, 0.0):
        assert emphasize(counts, degree).tolist() == counts.counts.tolist()


@given(color_counts())
@settings(deadline=None, max_examples=60)
def test_at_degree_1_all_regions_weigh_the_same(counts):
    weights = by_region(counts, emphasize(counts, 1.0))
    assert weights == pytest.approx(np.full(len(weights), TOTAL / len(weights)), rel=1e-3)


@given(color_counts(), degrees)
@settings(deadline=None, max_examples=100)
def test_between_a_region_weighs_a_power_of_its_pixels(counts, degree):
    pixels, weights = (by_region(counts, found) for found in (counts.counts, emphasize(counts, degree)))
    expected = pixels ** (1 - degree)
    assert weights / weights.sum() == pytest.approx(expected / expected.sum(), rel=1e-3)
    assert TOTAL / 2 < weights.sum() < TOTAL * 2


@given(color_counts(), degrees)
@settings(deadline=None, max_examples=100)
def test_within_a_region_weights_are_as_the_pixels(counts, degree):
    weights = emphasize(counts, degree)
    assert weights.dtype == np.int64
    assert weights.shape == counts.counts.shape
    assert weights.min() >= 1
    region = regions_of(counts)
    for each in range(region.max() + 1):
        mine = region == each
        share = weights[mine] / weights[mine].sum()
        assert share == pytest.approx(counts.counts[mine] / counts.counts[mine].sum(), rel=1e-3)


@given(color_counts(), degrees)
@settings(deadline=None, max_examples=60)
def test_of_two_regions_the_larger_weighs_no_less_but_a_pixel_of_it_does(counts, degree):
    pixels, weights = (by_region(counts, found) for found in (counts.counts, emphasize(counts, degree)))
    order = np.argsort(pixels, kind="stable")
    assert (np.diff(weights[order]) >= -1e-3 * weights.max()).all()
    assert (np.diff((weights / pixels)[order]) <= 1e-3 * (weights / pixels).max()).all()


def test_a_color_of_next_to_no_weight_still_has_some():
    """One pixel beside 10¹²: it must not vanish from sums, which divide by it."""
    counts = count_colors(np.array([[0, 0, 0], [1, 1, 1], [200, 9, 9]], np.uint8))
    counts = ColorCounts(counts.codes, np.array([10**14, 1, 1]))
    weights = emphasize(counts, 0.5)
    assert weights.min() == 1
    assert weights.max() < 2**41


def test_weights_are_these():
    """The same on any machine: powers, whose last bits vary, are rounded."""
    pixels = np.array([[0, 0, 0], [7, 7, 7], [20, 0, 0], [200, 100, 50], [255, 255, 255]], np.uint8)
    counts = ColorCounts(count_colors(pixels).codes, np.array([1000, 10, 33, 7, 123_456]))
    found = {degree: emphasize(counts, degree).tolist() for degree in (0.3, 0.7, 1)}
    assert found == {
        0.3: [36251043875, 362510439, 3338694620, 1127679174, 1058462549427],
        0.7: [188545869913, 1885458699, 68233270673, 42852029306, 805184927299],
        1: [272156352000, 2721563520, 274877915136, 274877919232, 274877901264],
    }
