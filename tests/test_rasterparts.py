"""A raster in parts: what is drawn, surveyed and labelled is the same as of the whole, however it is cut."""

import colorsys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.distinct import Distinct
from pipeline.color.falsecolors import false_colors
from pipeline.color.minibatch import MiniBatch
from pipeline.color.rasterparts import (
    SampleFit,
    draw,
    drawn_of,
    fit_sample,
    label_part,
    survey_part,
)
from pipeline.color.rasters import segment
from pipeline.color.surveys import Frame, Survey, value_of

SEEDS = st.integers(0, 2**63 - 1)


def survey_of(pixels, nodata=None, most=10):
    """Survey pixels (height, width, bands) in one go."""
    found = Distinct(most, pixels.shape[2])
    return survey_part(pixels, nodata, Survey.of_nothing(pixels.shape[2]), found), found


def parted(total, cuts):
    """Where parts of so many pixels begin and end."""
    edges = sorted({0, total, *(cut % (total + 1) for cut in cuts)})
    return list(pairwise(edges))


@given(st.integers(1, 30_000), st.integers(1, 30_000), SEEDS, st.lists(st.integers(0, 10**6), max_size=8))
@settings(deadline=None)
def test_any_parts_are_told_the_same_draws(total, wanted, seed, cuts):
    whole = draw(0, total, total, wanted, seed)
    parts = [draw(first, last, total, wanted, seed) for first, last in parted(total, cuts)]
    assert (np.concatenate(parts) == whole).all()
    assert len(whole) == min(wanted, total)
    assert (np.diff(whole) > 0).all()
    if wanted >= total:
        assert (whole == np.arange(total)).all()
    number = np.arange(len(whole))
    assert (whole >= number * total // len(whole)).all()  # one of each stretch
    assert (whole < (number + 1) * total // len(whole)).all()
    masks = [drawn_of(first, last, total, wanted, seed) for first, last in parted(total, cuts)]
    assert (np.flatnonzero(np.concatenate(masks)) == whole).all()


def test_every_pixel_is_drawn_about_as_often():
    total, wanted, times = 1000, 97, 2000
    seen = np.zeros(total)
    for seed in range(times):
        seen[draw(0, total, total, wanted, seed)] += 1
    expected = times * wanted / total
    assert abs(seen - expected).max() < 6 * expected**0.5
    assert abs(seen.mean() - expected) < 1e-9


def test_seeds_draw_others():
    assert (draw(0, 9999, 9999, 500, 1) != draw(0, 9999, 9999, 500, 2)).any()


@pytest.mark.parametrize("wanted", [1 << 22, 3 * 10**11, 10**12 - 1])
def test_a_terapixel_is_drawn_from_as_a_thumbnail_is(wanted):
    """The places of stretches are products that leave 64 bits."""
    total = 10**12
    first = total - 2_000_000
    found = draw(first, total, total, wanted, 3)
    stretches = [((int(place) + 1) * wanted - 1) // total for place in found]
    assert abs(len(found) - 2_000_000 * wanted / total) <= 1
    assert ((found >= first) & (found < total)).all()
    assert stretches == list(range(wanted - len(found), wanted))
    middle = first + 777_777
    halves = draw(first, middle, total, wanted, 3), draw(middle, total, total, wanted, 3)
    assert (np.concatenate(halves) == found).all()


@given(
    SEEDS, st.integers(1, 5), st.sampled_from(["uint8", "int16", "uint16", "float32", "float64"]), st.data()
)
@settings(deadline=None)
def test_surveys_of_parts_are_those_of_the_whole(seed, bands, dtype, data):
    rng = np.random.default_rng(seed)
    height, width = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    pixels = (rng.integers(0, 100, (height, width, bands)) * rng.integers(1, 3, bands)).astype(dtype)
    if pixels.dtype.kind == "f":
        pixels[rng.random(pixels.shape) < 0.1] = np.nan
    nodata = value_of(data.draw(st.sampled_from([None, 0.0, 7.0, 300.0, 0.5])), pixels.dtype)
    merged = Survey.of_nothing(bands)
    row_by_row, found = Survey.of_nothing(bands), Distinct(50, bands)
    for first, last in parted(height, data.draw(st.lists(st.integers(0, 100), max_size=4))):
        merged = merged.merged(survey_of(pixels[first:last], nodata)[0])
        row_by_row = survey_part(pixels[first:last], nodata, row_by_row, found)
    values = pixels.reshape(-1, bands).astype(np.float64)
    values = values[~(np.isnan(values) | (values == nodata)).any(axis=1)]
    for survey in (merged, row_by_row, survey_of(pixels, nodata)[0]):
        assert survey.seen == len(values)
        if len(values):
            assert np.allclose(survey.means, values.mean(axis=0), rtol=1e-12)
            assert np.allclose(survey.squares, ((values - values.mean(axis=0)) ** 2).sum(axis=0), atol=1e-9)
            assert (survey.lows == values.min(axis=0)).all()
            assert (survey.highs == values.max(axis=0)).all()
            survey.check()
    distinct = np.unique(values, axis=0)
    assert len(found.rows) == min(51, len(distinct))
    assert {*map(tuple, found.rows.tolist())} <= {*map(tuple, distinct.tolist())}


@pytest.mark.parametrize("far", [np.inf, -np.inf, 1e308])
def test_values_that_cannot_be_reckoned_with_are_told_once_all_parts_are_together(far):
    parts = [np.full((2, 2, 1), value) for value in (far, -far, 1.0, far)]
    survey = Survey.of_nothing(1)
    for part in parts:
        survey = survey.merged(survey_of(part)[0])
    with pytest.raises(ValueError, match="infinite" if np.isinf(far) else "within ±1e\\+140"):
        survey.check()


@given(SEEDS, st.integers(1, 12), st.integers(1, 4), st.sampled_from(["none", "std", "range"]))
@settings(deadline=None)
def test_labels_are_those_of_brute_force(seed, k, bands, scale):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2)
    pixels = rng.normal(50, 20, (height, width, bands)).astype(np.float32)
    pixels[rng.random((height, width)) < 0.1, 0] = -9
    centers = rng.normal(50, 20, (k, bands))
    survey, _ = survey_of(np.concatenate([pixels, pixels + 1]), -9)
    frame = Frame.of(survey, scale) if survey.seen else Frame(np.zeros(bands), np.ones(bands))
    labels, seen = np.full((height, width), 99, np.uint8), np.zeros(k, np.int64)
    inertia = label_part(pixels, np.float32(-9), SampleFit(centers, frame, 1, True), labels, seen)
    valid = pixels[..., 0] != -9
    scaled = (pixels.astype(np.float64) - frame.offsets) / frame.scales
    squares = ((scaled[..., None, :] - (centers - frame.offsets) / frame.scales) ** 2).sum(axis=3)
    assert (labels[~valid] == k).all()
    own = np.take_along_axis(squares, np.where(valid, labels, 0)[..., None].astype(int), axis=2)[..., 0]
    assert np.allclose(own[valid], squares.min(axis=2)[valid], rtol=1e-12)
    assert np.isclose(inertia, squares.min(axis=2)[valid].sum())
    assert (seen == np.bincount(labels[valid], minlength=k)).all()


def test_labels_go_into_a_part_of_a_larger_map_and_counts_add_up():
    pixels = np.arange(24.0).reshape(4, 6, 1)
    frame = Frame(np.zeros(1), np.ones(1))
    fitted = SampleFit(np.array([[3.0], [20.0]]), frame, 0, True)
    labels, seen = np.full((8, 9), 77, np.uint16), np.zeros(2, np.int64)
    total = sum(
        label_part(pixels[rows], None, fitted, labels[2:6, 1:7][rows], seen)
        for rows in (slice(0, 1), slice(1, 4))
    )
    assert (labels[2:6, 1:7] == (pixels[..., 0] > 11)).all()
    assert (labels != 77).sum() == 24
    assert seen.tolist() == [12, 12]
    assert total == ((np.arange(12) - 3.0) ** 2).sum() + ((np.arange(12, 24) - 20.0) ** 2).sum()


@pytest.mark.parametrize("scale", ["none", "std", "range"])
@pytest.mark.parametrize("k", [1, 7, 300])
def test_a_sample_of_everything_is_fitted_as_the_raster_is(scale, k):
    rng = np.random.default_rng(k)
    raster = rng.gamma(2, 900, (60, 70, 3)).astype(np.uint16)
    expected = segment(raster, k, scale=scale, seed=5)
    survey, _ = survey_of(raster)
    found = fit_sample(raster.reshape(-1, 3), survey, scale, MiniBatch(k, seed=5))
    assert np.allclose(found.frame.scales, expected.scales, rtol=1e-12)
    assert np.allclose(found.centers, expected.centers, rtol=1e-6)
    assert (found.steps, found.converged) == (expected.steps, expected.converged)
    labels, seen = np.empty((60, 70), np.uint16), np.zeros(k, np.int64)
    inertia = label_part(raster, None, found, labels, seen)
    assert np.isclose(inertia, expected.inertia, rtol=1e-6)
    assert (labels == expected.labels).mean() > 0.999
    assert abs(seen - expected.counts).max() <= 3


def test_false_colors_are_told_apart():
    colors = false_colors(1000)
    assert colors.shape == (1000, 3)
    assert colors.dtype == np.uint8
    for k in (1, 2, 7, 64, 999):
        assert (false_colors(k) == colors[:k]).all()  # so that labels keep theirs when there are more
    assert len(np.unique(colors[:64], axis=0)) == 64
    hues = [colorsys.rgb_to_hsv(*(color / 255)) for color in colors[:12].astype(float)]
    assert min(saturation for _, saturation, _ in hues) > 0.3
    between = abs(colors[:12, None].astype(int) - colors[None, :12]).sum(axis=2)
    assert between[~np.eye(12, dtype=bool)].min() > 30
