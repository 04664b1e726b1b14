"""A fit is a codebook in palette order, measured in its own space and in sRGB."""

import numpy as np
import pytest
from colors import picture
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.codebook import Codebook
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette, paint
from pipeline.color.palette import palette_order
from pipeline.color.spaces import SPACES, to_lab, to_oklab

IN_UNITS = {"lab": to_lab, "oklab": to_oklab}
spaces = st.sampled_from(sorted(SPACES))


class Found:
    """A method that finds what it was told."""

    def __init__(self, book):
        self.book = book

    def fit(self, counts):
        return self.book


@st.composite
def codebooks(draw):
    """Counts, and a codebook of any distinct colours with any labels; each is used."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pixels = rng.integers(0, 256, (draw(st.sampled_from([1, 2, 20, 300])), 3)).astype(np.uint8)
    counts = count_colors(pixels)
    counts = ColorCounts(counts.codes, rng.integers(1, draw(st.sampled_from([2, 9, 10**6])), len(counts)))
    k = draw(st.integers(1, min(9, len(counts))))
    colors = np.unique(rng.integers(0, 256, (4 * k, 3)).astype(np.uint8), axis=0)
    colors = rng.permutation(colors)[:k]
    labels = rng.permutation(np.concatenate([np.arange(k), rng.integers(0, k, len(counts) - k)]))
    space, ordered = draw(spaces), draw(st.booleans())
    book = Codebook(colors, labels.astype(np.int32), 7, False, space, ordered, {"what": "was found"})
    return counts, book


@given(codebooks())
@settings(deadline=None, max_examples=80)
def test_the_palette_has_the_codebooks_colors_and_the_pixels_of_each(codebook):
    counts, book = codebook
    found = fit_palette(counts, Found(book))
    assert (found.palette.colors[found.labels] == book.colors[book.labels]).all()
    assert sorted(found.palette.colors.tolist()) == sorted(book.colors.tolist())
    pixels = np.zeros(len(book.colors), np.int64)
    np.add.at(pixels, found.labels, counts.counts)
    assert found.palette.counts.tolist() == pixels.tolist()
    assert (found.iterations, found.converged, found.space) == (7, False, book.space)
    assert found.findings == {"what": "was found"}
    if book.ordered:
        assert (found.palette.colors == book.colors).all()
    else:
        order = palette_order(found.palette.colors, found.palette.counts)
        assert order.tolist() == list(range(len(order)))


@given(codebooks())
@settings(deadline=None, max_examples=80)
def test_the_squared_error_is_that_of_the_levels_and_the_inertia_that_of_the_space(codebook):
    counts, book = codebook
    found = fit_palette(counts, Found(book))
    off = counts.planes.T.astype(np.int64) - book.colors[book.labels]
    assert found.squared_error == int((np.square(off).sum(axis=1) * counts.counts).sum())
    assert isinstance(found.squared_error, int)
    space = SPACES[book.space]
    points, centroids = (
        space.place(np.ascontiguousarray(p)).T.astype(int) for p in (counts.planes, book.colors.T)
    )
    exact = int((np.square(points - centroids[book.labels]).sum(axis=1) * counts.counts).sum())
    assert found.inertia == pytest.approx(exact / space.unit**2, rel=1e-12)  # beyond 2⁵³ floats round
    if book.space == "srgb":
        assert found.inertia == found.squared_error == found.compactness
        assert isinstance(found.compactness, int)
    else:
        assert found.compactness == pytest.approx(found.inertia, rel=1e-8)


@pytest.mark.parametrize("space", IN_UNITS)
def test_the_inertia_is_in_units_of_the_space(space):
    """In Lab, ΔE squared: the grid's rounding is hardly seen."""
    counts = count_colors(picture())
    found = fit_palette(counts, KMeans(12, color_space=space))
    values = IN_UNITS[space](counts.planes)
    centroids = IN_UNITS[space](np.ascontiguousarray(found.palette.colors.T))[:, found.labels]
    expected = (np.square(values - centroids).sum(axis=0) * counts.counts).sum()
    assert found.inertia == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("space", SPACES)
def test_painting_gives_each_pixel_the_nearest_in_the_space(space):
    image = picture()[::3, ::3]
    counts = count_colors(image)
    found = fit_palette(counts, KMeans(10, color_space=space))
    labels = paint(image, None, counts, found)
    place = SPACES[space].place
    points = place(np.ascontiguousarray(image.reshape(-1, 3).T)).T.astype(np.int64)
    centroids = place(np.ascontiguousarray(found.palette.colors.T)).T
    squares = np.square(points[:, None] - centroids).sum(axis=2)
    assert (squares[np.arange(len(points)), labels.ravel()] == squares.min(axis=1)).all()
    assert np.bincount(labels.ravel()).tolist() == found.palette.counts.tolist()
