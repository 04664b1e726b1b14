"""Target quality: the fewest colours that reach it, held against fits that know nothing of the search."""

import math
from functools import cache

import numpy as np
import pytest
from colors import picture
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import quantize
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette
from pipeline.color.metrics import measure
from pipeline.color.target import MEASURES, Target

COUNTS = count_colors(picture(40, 60))
GREYS = count_colors(np.repeat(np.arange(0, 250, 10, dtype=np.uint8), 3).reshape(1, -1, 3))


def reached(counts, fitted, name):
    """What a fit reaches, as it would be recorded."""
    metrics = measure(counts, fitted.labels, fitted.palette.colors, fitted.squared_error)
    value = getattr(metrics, name)
    return math.inf if value is None else value


@cache
def alone(name, k):
    """What k colours reach by themselves."""
    return reached(COUNTS, fit_palette(COUNTS, KMeans(k)), name)


def good(name, value, goal):
    return value >= goal if name == "psnr" else value <= goal


@pytest.mark.parametrize(
    ("name", "goals"),
    [
        ("psnr", [1, 9.5, 14, 20, 24, 30]),
        ("mse", [20_000, 3000, 900, 300, 120]),
        ("delta_e_p95", [90, 40, 25, 15, 9]),
    ],
)
def test_the_least_number_that_reaches_the_target(name, goals):
    for goal in goals:
        fitted = fit_palette(COUNTS, Target(name, goal, KMeans(96)))
        k = len(fitted.palette)
        assert good(name, alone(name, k), goal)
        assert k == 1 or not good(name, alone(name, k - 1), goal)
        assert fitted.findings == {
            "target": {name: goal},
            "reached": reached(COUNTS, fitted, name),
            "met": True,
        }


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(MEASURES), st.integers(2, 60))
def test_what_some_number_reaches_takes_no_more_colours_than_that(name, k):
    goal = alone(name, k)
    fitted = fit_palette(COUNTS, Target(name, goal, KMeans(64)))
    found = len(fitted.palette)
    assert good(name, alone(name, found), goal)
    assert found == 1 or not good(name, alone(name, found - 1), goal)
    assert fitted.findings["met"] is True


def test_the_palette_is_that_of_as_many_colours_asked_for_outright():
    kmeans = KMeans(64, seed=5, color_space="oklab", small_areas=0.3)
    fitted = fit_palette(COUNTS, Target("mse", 500, kmeans))
    plain = fit_palette(COUNTS, KMeans(len(fitted.palette), seed=5, color_space="oklab", small_areas=0.3))
    assert (fitted.palette.colors == plain.palette.colors).all()
    assert (fitted.labels == plain.labels).all()
    assert (fitted.iterations, fitted.converged, fitted.space) == (plain.iterations, plain.converged, "oklab")


@pytest.mark.parametrize(("name", "goal"), [("psnr", 60), ("mse", 0), ("delta_e_p95", 0)])
def test_what_cannot_be_reached_has_all_the_colours_it_may_and_says_so(name, goal):
    fitted = fit_palette(COUNTS, Target(name, goal, KMeans(12)))
    assert len(fitted.palette) == 12
    assert fitted.findings == {"target": {name: goal}, "reached": alone(name, 12), "met": False}


@pytest.mark.parametrize(("name", "goal"), [("psnr", 200), ("mse", 0), ("delta_e_p95", 0)])
def test_an_image_of_few_colours_can_always_be_reached(name, goal):
    fitted = fit_palette(GREYS, Target(name, goal, KMeans(256)))
    assert fitted.findings["met"] is True
    assert reached(GREYS, fitted, name) == (math.inf if name == "psnr" else 0)
    assert fitted.findings["reached"] == (None if name == "psnr" else 0)
    assert len(fitted.palette) == 25 or name == "delta_e_p95"


@pytest.mark.parametrize(("name", "goal"), [("psnr", 0), ("mse", 3 * 255**2), ("delta_e_p95", 200)])
def test_a_target_that_anything_reaches_takes_one_colour(name, goal):
    assert len(fit_palette(COUNTS, Target(name, goal, KMeans(64))).palette) == 1


def test_one_colour_may_be_all_there_is_to_try():
    fitted = fit_palette(COUNTS, Target("psnr", 50, KMeans(1)))
    assert (len(fitted.palette), fitted.findings["met"]) == (1, False)


def test_a_palette_to_start_from_is_cut_to_the_number_that_is_tried():
    start = COUNTS.planes.T[:: len(COUNTS) // 20][:20].copy()
    fitted = fit_palette(COUNTS, Target("mse", 900, KMeans(64, init=start)))
    plain = fit_palette(COUNTS, KMeans(len(fitted.palette), init=start[: len(fitted.palette)]))
    assert (fitted.palette.colors == plain.palette.colors).all()


@pytest.mark.parametrize(
    ("name", "goal", "told"),
    [
        ("ssim", 0.9, "target must be one of psnr, mse, delta_e_p95, not 'ssim'"),
        ("psnr", math.nan, "must be a number of at least 0, not nan"),
        ("psnr", math.inf, "must be a number of at least 0, not inf"),
        ("mse", -1, "target mse must be a number of at least 0, not -1"),
    ],
)
def test_other_targets_are_refused(name, goal, told):
    with pytest.raises(ValueError, match=told):
        Target(name, goal, KMeans(4))


def test_nothing_to_fit_is_refused():
    with pytest.raises(ValueError, match="there are no pixels to fit"):
        Target("psnr", 30, KMeans(4)).fit(count_colors(np.empty((0, 0, 3), np.uint8)))


def test_asked_for_by_its_measure():
    result = quantize(picture(40, 60), "auto", mse=900, max_colors=64)
    assert result.mse <= 900
    assert len(result.palette) == len(fit_palette(COUNTS, Target("mse", 900, KMeans(64))).palette)
    for wrong in ({}, {"psnr": 30, "mse": 2}, {"psnr": 30, "method": "minibatch"}):
        with pytest.raises(ValueError, match="colors='auto'"):
            quantize(picture(4, 4), "auto", **wrong)
