"""Mini-batch k-means on counted colours: seeded, never short, and with exact steps as good as k-means."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from colors import picture
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import quantize
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette
from pipeline.color.sampled import Sampled
from pipeline.color.spaces import SPACES

COUNTS = count_colors(picture())


def fit(batch_pixels=1024, refine=True, counts=COUNTS, **options):
    return fit_palette(counts, Sampled(KMeans(**options), batch_pixels, refine))


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("space", sorted(SPACES))
@pytest.mark.parametrize("k", [1, 2, 16, 100])
def test_as_many_colours_as_asked_for_all_distinct_and_used(k, space, refine):
    fitted = fit(colors=k, color_space=space, refine=refine)
    assert len(np.unique(fitted.palette.colors, axis=0)) == len(fitted.palette) == k
    assert (fitted.palette.counts > 0).all()
    assert (fitted.palette.counts == np.bincount(fitted.labels, COUNTS.counts, k)).all()
    assert fitted.space == space


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())
def test_each_colour_gets_one_that_is_nearest(seed, k, refine):
    rng = np.random.default_rng(seed)
    counts = count_colors(rng.integers(0, 256, (1, 60, 3), np.uint8))
    fitted = fit(64, refine, counts, colors=k, seed=seed)
    squares = ((counts.planes.T[:, None].astype(int) - fitted.palette.colors) ** 2).sum(axis=2)
    assert (squares[np.arange(len(counts)), fitted.labels] == squares.min(axis=1)).all()
    assert len(fitted.palette) == min(k, len(counts))


def test_few_colours_are_all_kept():
    counts = count_colors(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    fitted = fit(100, counts=counts, colors=100)
    assert (len(fitted.palette), fitted.squared_error) == (4, 0)


def test_a_seed_gives_the_same_palette_on_any_thread():
    first = fit(colors=20, seed=3)
    with ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda _: fit(colors=20, seed=3), range(8)))
    for other in others:
        assert (other.palette.colors == first.palette.colors).all()
        assert (other.labels == first.labels).all()
    assert (fit(colors=20, seed=4).palette.colors != first.palette.colors).any()


def test_exact_steps_make_it_as_good_as_k_means():
    exact = fit_palette(COUNTS, KMeans(24)).squared_error
    sampled = [fit(colors=24, refine=refine).squared_error for refine in (False, True)]
    assert sampled[1] <= sampled[0]
    assert sampled[1] <= 1.1 * exact
    assert sampled[0] <= 1.3 * exact


def test_exact_steps_end_as_they_do_in_k_means():
    assert fit(colors=24, tol=1e300).iterations < fit(colors=24, tol=0).iterations
    assert fit(colors=24, eps=1e6, tol=0).iterations < fit(colors=24, tol=0).iterations
    assert fit(colors=24, max_iter=1, tol=0).iterations == 1
    assert fit(colors=24, tol=0).converged


@pytest.mark.parametrize("refine", [False, True])
def test_small_areas_are_protected_on_request(refine):
    """A patch of a hundred red pixels in a quarter of a million grey ones."""
    pixels = np.repeat(np.arange(20, 220, dtype=np.uint8), 1250).reshape(500, 500)
    pixels = np.dstack([pixels] * 3)
    pixels[:10, :10] = 200, 0, 0
    counts = count_colors(pixels)

    def reddest(small_areas):
        colors = fit(4096, refine, counts, colors=4, small_areas=small_areas).palette.colors.astype(int)
        return (colors[:, 0] - colors[:, 1]).max()

    assert reddest(0.0) < 100 < reddest(1.0)


def test_batches_hold_at_least_as_many_pixels_as_there_are_colours():
    with pytest.raises(ValueError, match="batch_pixels must be a whole number from 16"):
        Sampled(KMeans(16), 15)
    assert len(fit(16, colors=16).palette) == 16


def test_nothing_to_fit_is_refused():
    with pytest.raises(ValueError, match="there are no pixels to fit"):
        fit(counts=count_colors(np.empty((0, 0, 3), np.uint8)))


def test_asked_for_by_its_name():
    result = quantize(picture(), 24, method="minibatch", batch_pixels=1024, seed=7)
    assert (result.palette.colors == fit(colors=24, seed=7).palette.colors).all()
