"""The distances are those of the papers; black and white are 100 apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_cie76, deltaE_ciede2000, rgb2lab

from pipeline.color.distances import METRICS, coordinates, differences, distances_from_white

RNG = np.random.default_rng(29)
colors = st.tuples(*[st.integers(0, 255)] * 3)
BLACK, WHITE = (np.array([[level] * 3], np.uint8) for level in (0, 255))


def redmean(first, second):
    first, second = first.astype(float), second.astype(float)
    mean = (first[:, 0] + second[:, 0]) / 2
    r, g, b = np.square(first - second).T
    return np.sqrt((2 + mean / 256) * r + 4 * g + (2 + (255 - mean) / 256) * b) / 764.8339663572415 * 100


def to_oklab(some):
    coded = some / 255
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    cones = (
        light
        @ np.array(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ]
        ).T
    )
    return (
        np.cbrt(cones)
        @ np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        ).T
    )


def lab(some):
    return rgb2lab(some[None])[0]


REFERENCES = {
    "redmean": redmean,
    "oklab": lambda first, second: 100 * np.linalg.norm(to_oklab(first) - to_oklab(second), axis=1),
    "cie76": lambda first, second: deltaE_cie76(lab(first), lab(second)),
    "ciede2000": lambda first, second: deltaE_ciede2000(lab(first), lab(second)),
}
"""Plain reckonings of each metric, used by other tests too."""


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_is_its_formula(metric):
    first, second = RNG.integers(0, 256, (2, 40_000, 3), dtype=np.uint8)
    near = np.clip(first.astype(int) + RNG.integers(-3, 4, first.shape), 0, 255).astype(np.uint8)
    most = 1e-4 if metric == "ciede2000" else 1e-6  # it takes roots of small differences
    for other in (second, near):
        assert np.abs(differences(first, other, metric) - REFERENCES[metric](first, other)).max() < most


@pytest.mark.parametrize("metric", METRICS)
def test_black_and_white_are_100_apart(metric):
    assert differences(BLACK, WHITE, metric)[0] == pytest.approx(100, abs=1e-5)


def test_redmean_of_black_and_white_in_levels():
    assert np.sqrt(4606 / 512) * 255 == pytest.approx(764.83, abs=0.005)
    assert differences(BLACK, WHITE, "redmean")[0] == 100.0


@pytest.mark.parametrize(
    ("color", "distance"), [((255, 0, 0), 81.67), ((47, 47, 47), 81.57), ((0, 0, 255), 84.99)]
)
def test_unlike_colors_are_as_far_from_white(color, distance):
    assert distances_from_white(np.array([color], np.uint8).T)[0] == pytest.approx(distance, abs=0.01)


def test_distances_from_white_are_redmeans():
    some = RNG.integers(0, 256, (5000, 3), dtype=np.uint8)
    expected = differences(some, np.broadcast_to(WHITE, some.shape), "redmean")
    assert np.array_equal(distances_from_white(np.ascontiguousarray(some.T)), expected)


@given(st.sampled_from(METRICS), colors, colors)
@settings(deadline=None, max_examples=100)
def test_a_distance_has_no_sides_and_is_nil_for_equal_colors_only(metric, first, second):
    a, b = (np.array([color], np.uint8) for color in (first, second))
    assert differences(a, a, metric)[0] == 0.0
    assert differences(a, b, metric)[0] == pytest.approx(differences(b, a, metric)[0], abs=1e-9)
    assert (differences(a, b, metric)[0] > 0) == (first != second)


@pytest.mark.parametrize("metric", METRICS)
def test_a_color_is_placed_alike_whatever_is_beside_it(metric):
    planes = RNG.integers(0, 256, (3, (1 << 15) + 77), dtype=np.uint8)
    all_at_once = coordinates(planes, metric)
    assert all_at_once.shape == (planes.shape[1], 3)
    for i in (0, 1, (1 << 15) - 1, 1 << 15, planes.shape[1] - 1):
        assert np.array_equal(coordinates(planes[:, i : i + 1], metric)[0], all_at_once[i])


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match=r"metric must be one of redmean, .*, not 'cie94'"):
        differences(BLACK, WHITE, "cie94")
