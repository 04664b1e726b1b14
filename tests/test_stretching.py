"""Stretched pictures: most values between dark and bright, whatever type, number of bands and outliers."""

import numpy as np
import pytest

from pipeline.color.stretching import Stretch


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, np.float32, np.float64])
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_each_band_is_stretched_between_its_quantiles(dtype, bands):
    values = np.random.default_rng(bands).integers(0, 120, (400, 300, bands))
    pixels = (values + np.arange(bands)).astype(dtype)
    found = Stretch.of(pixels.reshape(-1, bands))
    shown = 3 if bands >= 3 else 1
    low, high = np.quantile(values, [0.02, 0.98], axis=(0, 1))[:, :shown] + np.arange(shown)
    assert np.abs(found.lows - low).max() <= 1
    assert np.abs(found.highs - high).max() <= 1
    picture = found.picture(pixels, np.ones((400, 300), bool))
    assert (picture.shape, picture.dtype) == ((400, 300, 3), np.uint8)
    exact = np.clip((pixels[..., :shown].astype(float) - found.lows) / (found.highs - found.lows), 0, 1) * 255
    assert np.abs(picture - exact).max() <= 0.5 + 1e-9


def test_far_values_leave_the_rest_its_contrast():
    sample = np.linspace(0, 1, 10_000)[:, None]
    sample[:50], sample[-50:] = -1e30, 1e30
    found = Stretch.of(sample)
    assert 0 < found.lows[0] < 0.05
    assert 0.95 < found.highs[0] < 1


def test_a_band_of_nearly_one_value_is_stretched_over_its_range():
    sample = np.zeros((1000, 1))
    sample[7] = 5
    found = Stretch.of(sample)
    assert (found.lows[0], found.highs[0]) == (0, 5)
    constant = Stretch.of(np.full((9, 3), 7, np.uint16))
    assert not constant.picture(np.full((2, 2, 3), 7, np.uint16), np.ones((2, 2), bool)).any()


@pytest.mark.filterwarnings("error")
def test_what_is_not_valid_is_black_whatever_it_holds():
    pixels = np.array([[[np.nan], [-3e38], [np.inf], [1.0]]], np.float32)
    picture = Stretch(np.zeros(1), np.ones(1)).picture(pixels, np.array([[False, False, False, True]]))
    assert picture[0].tolist() == [[0] * 3] * 3 + [[255] * 3]


def test_a_sample_is_looked_at_in_bounds():
    values = np.random.default_rng(0).normal(0, 1, (1_000_000, 1))
    found = Stretch.of(values)
    assert np.abs([found.lows[0] + 2.054, found.highs[0] - 2.054]).max() < 0.05
