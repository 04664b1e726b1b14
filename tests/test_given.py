"""A given palette stays as it is, and every colour gets the entry nearest to it."""

import numpy as np
import pytest
from colors import picture
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import quantize
from pipeline.color.counts import count_colors
from pipeline.color.distances import METRICS, differences
from pipeline.color.dynamic import Dynamic
from pipeline.color.given import GivenPalette, Shareable
from pipeline.color.mapping import fit_palette
from pipeline.color.spaces import SPACES

PICTURE = picture(30, 40)
COUNTS = count_colors(PICTURE)


def palette(rng, k):
    """Return k distinct colours in no order."""
    codes = rng.choice(1 << 24, k, replace=False)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)


def brute(planes, colors, space):
    """The first of the nearest entries, by exact arithmetic on the points of the space."""
    points = space.place(planes).T.astype(object)
    entries = space.place(np.ascontiguousarray(colors.T)).T.astype(object)
    squares = ((points[:, None, :] - entries[None]) ** 2).sum(axis=2)
    return np.array([row.tolist().index(min(row)) for row in squares])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 17, 60]), st.sampled_from(sorted(SPACES)))
def test_every_colour_gets_the_first_of_the_nearest_entries(seed, k, space):
    rng = np.random.default_rng(seed)
    colors = palette(rng, k)
    counts = count_colors(rng.integers(0, 256, (1, 70, 3), np.uint8))
    book = GivenPalette(colors, space).fit(counts)
    assert (book.colors == colors).all()
    assert (book.labels == brute(counts.planes, colors, SPACES[space])).all()
    assert (book.space, book.ordered, book.iterations, book.converged) == (space, True, 0, True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 9]), st.sampled_from(METRICS))
def test_by_a_metric_too(seed, k, metric):
    rng = np.random.default_rng(seed)
    colors = palette(rng, k)
    counts = count_colors(rng.integers(0, 256, (1, 40, 3), np.uint8))
    n = len(counts)
    pairs = np.repeat(counts.planes.T, k, axis=0), np.tile(colors, (n, 1))
    distances = differences(*pairs, metric).reshape(n, k)
    labels = GivenPalette(colors, metric=metric).fit(counts).labels
    assert (distances[np.arange(n), labels] <= distances.min(axis=1) + 1e-9).all()


@pytest.mark.parametrize("metric", METRICS)
def test_of_equally_near_entries_the_first_is_taken(metric):
    counts = count_colors(np.full((1, 1, 3), 100, np.uint8))
    far = np.array([[0, 255, 0], [90, 90, 90]], np.uint8)
    assert GivenPalette(far, metric=metric).fit(counts).labels.tolist() == [1]
    tie = np.array([[110, 100, 100], [90, 100, 100]], np.uint8)
    assert GivenPalette(tie).fit(counts).labels.tolist() == [0]
    assert GivenPalette(tie[::-1].copy()).fit(counts).labels.tolist() == [0]


@pytest.mark.parametrize("metric", [None, *METRICS])
def test_order_stays_and_so_do_entries_that_nothing_is_nearest_to(metric):
    colors = np.array([[255, 0, 255], [0, 0, 0], [1, 0, 0], [255, 255, 255], [0, 255, 255]], np.uint8)
    counts = count_colors(np.array([[[0, 0, 0]] * 3 + [[250, 250, 250]]], np.uint8))
    fitted = fit_palette(counts, GivenPalette(colors, metric=metric))
    assert (fitted.palette.colors == colors).all()
    assert fitted.palette.counts.tolist() == [0, 3, 0, 1, 0]
    assert fitted.squared_error == 75


@pytest.mark.parametrize("space", sorted(SPACES))
@pytest.mark.parametrize("k", [1, 7, 40])
def test_a_quantized_image_in_its_own_palette_is_itself(space, k):
    first = quantize(PICTURE, k, color_space=space)
    again = quantize(first.image, first.palette.colors, color_space=space)
    assert (again.labels == first.labels).all()
    assert (again.image == first.image).all()
    assert again.inertia_ == 0


@pytest.mark.parametrize("space", sorted(SPACES))
def test_k_means_own_palette_gives_its_own_labels(space):
    for k in (2, 12, 60):
        first = quantize(PICTURE, k, color_space=space)
        again = quantize(PICTURE, first.palette.colors, color_space=space)
        assert again.inertia_ == first.inertia_
        assert (again.labels == first.labels).all()


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_sees_no_difference_in_a_colour_of_the_palette(metric):
    colors = np.ascontiguousarray(COUNTS.planes.T[::7])
    counts = count_colors(colors[None])
    fitted = fit_palette(counts, GivenPalette(colors, metric=metric))
    assert fitted.squared_error == 0


@pytest.mark.parametrize(
    ("colors", "told"),
    [
        (np.empty((0, 3), np.uint8), "palette must be 1 to 65,536 colours"),
        (np.zeros((2, 4), np.uint8), "palette must be 1 to 65,536 colours"),
        (np.zeros((2, 3), int), "palette must be 1 to 65,536 colours"),
        (np.zeros((2, 3), np.uint8), "no colour twice"),
    ],
)
def test_other_palettes_are_refused(colors, told):
    with pytest.raises(ValueError, match=told):
        GivenPalette(colors)


def test_other_words_are_refused():
    colors = np.zeros((1, 3), np.uint8)
    with pytest.raises(ValueError, match="color_space must be"):
        GivenPalette(colors, "hsv")
    with pytest.raises(ValueError, match="metric must be"):
        GivenPalette(colors, metric="hsv")
    with pytest.raises(ValueError, match="there are no pixels to fit"):
        GivenPalette(colors).fit(count_colors(np.empty((0, 0, 3), np.uint8)))


@pytest.mark.parametrize("metric", METRICS)
def test_a_shared_threshold_holds_by_the_nearest_entries(metric):
    method = Shareable(Dynamic(8, metric, max_colors=4096))
    fitted = fit_palette(COUNTS, method)
    entries = fitted.palette.colors
    away = differences(np.ascontiguousarray(COUNTS.planes.T), entries[fitted.labels], metric)
    assert fitted.findings["widest"] == pytest.approx(away.max(), abs=1e-6)
    assert away.max() <= 8
    again = GivenPalette(entries, metric=metric).fit(COUNTS)
    assert (differences(np.ascontiguousarray(COUNTS.planes.T), entries[again.labels], metric) == away).all()
    assert fitted.palette.counts.min() > 0
