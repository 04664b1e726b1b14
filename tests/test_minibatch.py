"""Mini-batches: the same for a seed, near the exact fit, and no cluster deleted for being small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import quantize
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.minibatch import MiniBatch, follow_batches
from pipeline.color.points import nearest

RNG = np.random.default_rng(29)


def fit_batches(counts, settings):
    """Follow batches that are drawn from counts as from the image's pixels, with replacement."""
    planes, passed = counts.planes, np.cumsum(counts.counts)

    def take(pixels):
        return np.take(planes, np.searchsorted(passed, pixels, side="right"), axis=1).astype(np.float64)

    return follow_batches(take, counts.total, settings)


def picture():
    """Return a photograph's like: smooth parts, texture, a few rare colours."""
    y, x = np.mgrid[0:240, 0:320].astype(np.float64)
    grain = RNG.normal(0, 6, (240, 320))
    red = 120 + 90 * np.sin(x / 61) + grain
    green = 110 + 80 * np.cos(y / 47 + x / 90) + grain
    blue = 100 + 70 * np.sin((x + y) / 83) - grain
    image = np.clip(np.stack([red, green, blue], axis=2), 0, 255)
    image[30:50, 40:70] = (250, 20, 30)
    return image.astype(np.uint8)


def mse(counts, centers):
    distances = nearest(counts.planes.astype(np.float64), centers)[1]
    return (distances * counts.counts).sum() / counts.total


@st.composite
def color_counts(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, reach = draw(st.sampled_from([1, 2, 8, 60, 500])), draw(st.sampled_from([2, 4, 30, 256]))
    counts = count_colors(rng.integers(0, reach, (n, 3)).astype(np.uint8))
    return ColorCounts(counts.codes, rng.integers(1, draw(st.sampled_from([2, 1000, 10**12])), len(counts)))


@given(color_counts(), st.integers(1, 40), st.integers(0, 2**63 - 1))
@settings(deadline=None, max_examples=40)
def test_centers_are_finite_means_of_colors_and_the_same_again(counts, k, seed):
    k = min(k, len(counts))
    wanted = MiniBatch(k, batch_pixels=500, max_steps=4, seed=seed)
    centers, steps, converged = fit_batches(counts, wanted)
    assert centers.shape == (k, 3)
    assert centers.dtype == np.float64
    planes = counts.planes.T.astype(np.float64)
    assert (centers >= planes.min(axis=0)).all()
    assert (centers <= planes.max(axis=0)).all()
    again = fit_batches(counts, wanted)
    assert (again[0].tobytes(), *again[1:]) == (centers.tobytes(), steps, converged)
    assert steps <= 4


def test_another_seed_draws_other_batches():
    counts = count_colors(picture())
    one, other = (fit_batches(counts, MiniBatch(8, seed=seed))[0] for seed in (0, 1))
    assert one.tobytes() != other.tobytes()


def test_parts_of_an_image_in_any_order_give_the_same_centers():
    pixels = picture().reshape(-1, 3)
    whole = fit_batches(count_colors(pixels), MiniBatch(12))[0]
    merged = count_colors(pixels[50_000:]) + count_colors(pixels[:999]) + count_colors(pixels[999:50_000])
    assert fit_batches(merged, MiniBatch(12))[0].tobytes() == whole.tobytes()
    shuffled = count_colors(RNG.permutation(pixels))
    assert fit_batches(shuffled, MiniBatch(12))[0].tobytes() == whole.tobytes()


@pytest.mark.parametrize("k", [2, 16, 64])
def test_close_to_the_exact_fit(k):
    image = picture()
    for seed in range(2):
        centers = fit_batches(count_colors(image), MiniBatch(k, seed=seed))[0]
        assert mse(count_colors(image), centers) <= 1.03 * quantize(image, k).mse


@pytest.mark.parametrize("weights", [(500_000, 498_000, 1000, 1000), (900_000, 98_000, 1000, 1000)])
@pytest.mark.parametrize("seed", range(4))
def test_small_clusters_are_not_deleted(weights, seed):
    """scikit-learn's reassignment_ratio puts those below 1 % of the largest cluster elsewhere."""
    middles = np.array([[40, 40, 40], [200, 200, 60], [40, 200, 40], [200, 40, 200]])
    pixels = np.repeat(middles, weights, axis=0)
    pixels = np.clip(pixels + RNG.integers(-9, 10, pixels.shape), 0, 255).astype(np.uint8)
    centers, _, converged = fit_batches(count_colors(pixels), MiniBatch(4, seed=seed, max_steps=300, tol=0))
    assert converged
    distances = np.sqrt(np.square(middles[:, None] - centers[None]).sum(axis=2))
    assert (distances.min(axis=1) < 3).all()


def test_a_rare_value_that_no_early_batch_held_is_found():
    """A centre that has never seen a pixel goes to the farthest one, as soon as there is one."""
    values = np.zeros(300_000)
    values[150_000:] = 1.0
    values[200_000] = 50.0

    def take(pixels):
        return values[pixels][None]

    wanted = MiniBatch(3, batch_pixels=16_384, max_steps=400, patience=400)
    centers = follow_batches(take, len(values), wanted)[0]
    assert sorted(centers[:, 0].tolist()) == [0.0, 1.0, 50.0]


def test_batches_are_drawn_from_all_of_the_image():
    """And depend on the seed, the step and the number of pixels only; each pixel is as likely."""
    drawn = []

    def take(pixels):
        assert (np.diff(pixels) >= 0).all()
        drawn.append(pixels.copy())
        return np.stack([np.sin(pixels), np.cos(pixels)])

    for k in (3, 5):
        follow_batches(take, 10**9, MiniBatch(k, batch_pixels=20_000, max_steps=3, patience=3))
    half = len(drawn) // 2
    assert all((one == other).all() for one, other in zip(drawn[:half], drawn[half:], strict=True))
    for pixels in drawn:
        tenths = np.bincount(pixels // 10**8, minlength=10)
        assert np.abs(tenths * 10 / len(pixels) - 1).max() < 0.15
    assert len({pixels.tobytes() for pixels in drawn[:half]}) == half


def test_counted_colors_are_drawn_as_their_pixels_would_be():
    pixels = picture().reshape(-1, 3)
    counts = count_colors(pixels)
    order = np.argsort(np.repeat(np.arange(len(counts)), counts.counts), kind="stable")
    planes = np.repeat(counts.planes, counts.counts, axis=1)[:, order].astype(np.float64)
    from_pixels = follow_batches(lambda at: np.ascontiguousarray(planes[:, at]), counts.total, MiniBatch(9))
    from_counts = fit_batches(counts, MiniBatch(9))
    assert from_counts[0].tobytes() == from_pixels[0].tobytes()


def test_thousands_of_centers_are_seeded_in_lots():
    counts = count_colors(RNG.integers(0, 256, (20_000, 3), dtype=np.uint8))
    centers = fit_batches(counts, MiniBatch(1500, batch_pixels=8000, max_steps=5))[0]
    assert len(np.unique(centers, axis=0)) == 1500
    assert mse(counts, centers) < 1.15 * quantize(counts.planes.T[None].copy(), 1500).mse


def test_it_ends_when_the_inertia_no_longer_falls_and_says_whether():
    counts = count_colors(picture())
    assert fit_batches(counts, MiniBatch(8, max_steps=2))[1:] == (2, False)
    _, steps, converged = fit_batches(counts, MiniBatch(8, patience=3))
    assert converged
    assert 4 <= steps < 100


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("colors", value) for value in (0, -1, 65_537, 2.0, True, "8")],
        *[("batch_pixels", value) for value in (0, 15, 1e5, None)],
        *[("max_steps", value) for value in (0, 1.5)],
        *[("patience", value) for value in (0, False)],
        *[("seed", value) for value in (-1, 2**63)],
        *[("tol", value) for value in (-1e-9, float("nan"), float("inf"), "0", True)],
        ("refine", "yes"),
    ],
)
def test_bad_settings_are_named(name, value):
    with pytest.raises(ValueError, match=rf"{name} must be .* not "):
        MiniBatch(**{name: value})


def test_a_batch_holds_at_least_a_pixel_for_each_color():
    with pytest.raises(ValueError, match="batch_pixels must be a whole number from 500 "):
        MiniBatch(500, batch_pixels=499)
    assert MiniBatch(500, batch_pixels=500).batch_pixels == 500
