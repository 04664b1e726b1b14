"""What stands out weighs more than its pixels, ordinary colours weigh theirs."""

import numpy as np
import pytest
from colors import counted, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import quantize
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.emphasis import emphasize

TOTAL = 2**40
degrees = st.floats(0, 1, exclude_min=True)
VIVID = ([250, 20, 20], [20, 250, 250], [250, 30, 200])


def isolation(counts):
    """The squared Mahalanobis distance of each colour from the mean, over three, by linear algebra."""
    points, pixels = counts.planes.astype(float), counts.counts / counts.total
    off = points - (points @ pixels)[:, None]
    covariance = (off * pixels) @ off.T + 16 * np.eye(3)
    return np.einsum("in,in->n", off, np.linalg.solve(covariance, off)) / 3


@given(counted())
@settings(deadline=None, max_examples=40)
def test_at_degree_0_a_color_weighs_its_pixels(counts):
    for degree in (0, 0.0):
        assert emphasize(counts, degree).tolist() == counts.counts.tolist()


@given(counted(), degrees)
@settings(deadline=None, max_examples=100)
def test_weights_follow_the_distance_from_the_mean(counts, degree):
    weights = emphasize(counts, degree)
    assert weights.dtype == np.int64
    assert weights.shape == counts.counts.shape
    assert weights.min() >= 1
    assert weights.sum() <= 1.001 * TOTAL + len(counts)
    expected = counts.counts * np.maximum(isolation(counts), 1) ** (2 * degree)
    expected *= weights.max() / expected.max()
    assert weights == pytest.approx(np.maximum(expected, 1), rel=1e-5, abs=1)


@given(counted(), degrees, st.sampled_from([2, 3, 4, 1000]))
@settings(deadline=None, max_examples=40)
def test_as_many_times_the_pixels_weigh_the_same(counts, degree, times):
    more = ColorCounts(counts.codes, counts.counts * times)
    assert emphasize(more, degree).tolist() == emphasize(counts, degree).tolist()


def test_what_is_common_in_its_image_is_not_vivid():
    grey = count_colors(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))
    assert len(set(emphasize(grey, 0.5)[60:190])) == 1
    one = count_colors(np.full((4, 3), 200, np.uint8))
    assert len(emphasize(one, 1)) == 1


@pytest.mark.parametrize("vivid", VIVID)
@pytest.mark.parametrize("side", [4, 8, 16])
def test_a_patch_that_has_its_color_keeps_it_and_one_that_has_none_gets_it(vivid, side):
    image = np.stack([picture(90, 120)[..., 1]] * 3, axis=2) // 2 + picture(90, 120) // 4
    image[30 : 30 + side, 40 : 40 + side] = vivid
    for k in (6, 8, 12):
        away = [
            np.abs(quantize(image, k, small_areas=degree).palette.colors.astype(int) - vivid).max(1).min()
            for degree in (0, 0.25, 0.5, 1)
        ]
        assert max(away[2:]) < 30
        assert away[0] >= 30 or max(away) < 30


def test_a_color_of_next_to_no_weight_still_has_some():
    """One pixel beside 10¹⁴: it must not vanish from sums, which divide by it."""
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
        0.3: [16068825859, 155365081, 552381795, 335831102, 219902325555],
        0.7: [219902325555, 2032784984, 7982520561, 19758391236, 160245845119],
        1: [219902325555, 1965444082, 8315364141, 58991614981, 17763159499],
    }
