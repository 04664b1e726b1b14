"""The metrics are those of scikit-image, reckoned from counts instead of pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.metrics import delta_e, measure

RNG = np.random.default_rng(17)
colors = st.tuples(*[st.integers(0, 255)] * 3)


def reference(first, second):
    """CIEDE2000 as scikit-image has it; its matrix and white are those of `metrics`."""
    return deltaE_ciede2000(rgb2lab(first[None])[0], rgb2lab(second[None])[0])


def random_colors(n):
    return RNG.integers(0, 256, (n, 3), dtype=np.uint8)


def near(some, reach):
    return np.clip(some.astype(int) + RNG.integers(-reach, reach + 1, some.shape), 0, 255).astype(np.uint8)


def by_hue(low, high):
    """Colours whose CIELAB hue lies in a range of degrees."""
    some = random_colors(60_000)
    lab = rgb2lab(some[None])[0]
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    return some[(hue - low) % 360 < (high - low) % 360]


def pairs(some):
    half = len(some) // 2
    return some[:half], some[half : 2 * half]


greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
corners = np.stack(np.meshgrid(*[[0, 1, 254, 255]] * 3), axis=-1).reshape(-1, 3).astype(np.uint8)
PAIRS = {
    "random": pairs(random_colors(40_000)),
    "near one another": (some := random_colors(20_000), near(some, 3)),
    "greys": (np.repeat(greys, 256, axis=0), np.tile(greys, (256, 1))),
    "grey and colour": (greys[RNG.integers(0, 256, 20_000)], random_colors(20_000)),
    "almost grey": (
        near(greys[RNG.integers(0, 256, 20_000)], 2),
        near(greys[RNG.integers(0, 256, 20_000)], 2),
    ),
    "blues, where the hue turns": pairs(by_hue(245, 305)),
    "reds, where hues wrap": pairs(by_hue(340, 20)),
    "opposite hues": tuple(pairs(by_hue(start, start + 20))[0][:300] for start in (20, 200)),
    "dark": pairs(RNG.integers(0, 8, (4000, 3), dtype=np.uint8)),
    "corners of the cube": (np.repeat(corners, 64, axis=0), np.tile(corners, (64, 1))),
}


@pytest.mark.parametrize("name", PAIRS)
def test_delta_e_is_ciede2000(name):
    first, second = PAIRS[name]
    assert len(first) >= 100
    assert np.abs(delta_e(first, second) - reference(first, second)).max() < 1e-3


@given(colors, colors)
@settings(deadline=None, max_examples=100)
def test_delta_e_is_a_distance_without_sides(first, second):
    a, b = (np.array([color], np.uint8) for color in (first, second))
    assert delta_e(a, a)[0] == 0.0
    assert delta_e(a, b)[0] == pytest.approx(delta_e(b, a)[0], abs=1e-9)
    assert (delta_e(a, b)[0] > 0) == (first != second)


def test_black_and_white_are_100_apart():
    assert delta_e(greys[:1], greys[-1:])[0] == pytest.approx(100, abs=1e-3)


@st.composite
def mappings(draw):
    """Counted colours, their labels, a palette, and the inertia between."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pixels = rng.integers(0, 256, (draw(st.sampled_from([1, 2, 20, 300])), 3)).astype(np.uint8)
    counts = count_colors(pixels)
    weights = rng.integers(1, draw(st.sampled_from([2, 9, 200])), len(counts))
    counts = ColorCounts(counts.codes, weights)
    k = draw(st.integers(1, 9))
    palette = rng.integers(0, 256, (k, 3)).astype(np.uint8)
    labels = rng.integers(0, k, len(counts)).astype(np.int32)
    off = counts.planes.T.astype(np.int64) - palette[labels]
    return counts, labels, palette, int((np.square(off).sum(axis=1) * counts.counts).sum())


def images(counts, labels, palette):
    """Return the pixels and their stand-ins, (1, n, 3) each."""
    original = np.repeat(counts.planes.T, counts.counts, axis=0)
    return original[None], np.repeat(palette[labels], counts.counts, axis=0)[None]


@given(mappings())
@settings(deadline=None, max_examples=60)
def test_mse_is_summed_over_channels_and_psnr_is_scikit_images(mapping):
    found, (original, quantized) = measure(*mapping), images(*mapping[:3])
    off = original.astype(float) - quantized
    assert found.mse == pytest.approx(np.square(off).sum(axis=2).mean(), abs=1e-6)
    if original.tobytes() != quantized.tobytes():
        expected = peak_signal_noise_ratio(original, quantized, data_range=255)
        assert found.psnr == pytest.approx(expected, abs=1e-4)


@given(mappings())
@settings(deadline=None, max_examples=60)
def test_color_differences_are_weighed_by_pixels(mapping):
    found, (original, quantized) = measure(*mapping), images(*mapping[:3])
    differences = np.sort(reference(original[0], quantized[0]))
    p95 = differences[int(np.ceil(0.95 * len(differences) - 1e-9)) - 1]
    assert found.delta_e_mean == pytest.approx(differences.mean(), abs=1e-3)
    assert found.delta_e_max == pytest.approx(differences[-1], abs=1e-3)
    assert found.delta_e_p95 == pytest.approx(p95, abs=0.011)
    assert found.delta_e_p95 <= found.delta_e_max + 0.011  # rounded up to hundredths


@pytest.mark.parametrize("pixels", [1, 19, 20, 21, 100, 10**12])
def test_at_least_95_in_100_pixels_differ_by_no_more_than_p95(pixels):
    colors = np.array([[0, 0, 0], [0, 0, 90], [90, 0, 0]], np.uint8)
    worse = pixels // 20  # what may lie beyond
    counts = count_colors(colors[[0, 2]])
    counts = ColorCounts(counts.codes, np.array([pixels - worse, max(worse, 1)]))
    labels = np.zeros(2, np.int32)
    found = measure(counts, labels, colors[:1], int(90**2 * counts.counts[1]))
    beyond = 20 * max(worse, 1) > counts.total
    assert (found.delta_e_p95 > 0) == beyond


def test_identical_images_differ_by_nothing():
    counts = count_colors(random_colors(300))
    labels = np.arange(len(counts), dtype=np.int32)
    found = measure(counts, labels, np.ascontiguousarray(counts.planes.T), 0)
    assert (found.mse, found.psnr) == (0.0, None)
    assert (found.delta_e_mean, found.delta_e_p95, found.delta_e_max) == (0.0, 0.0, 0.0)


@given(mappings())
@settings(deadline=None, max_examples=20)
def test_counting_every_pixel_twice_changes_no_metric(mapping):
    counts, labels, palette, inertia = mapping
    doubled = ColorCounts(counts.codes, 2 * counts.counts)
    assert measure(doubled, labels, palette, 2 * inertia) == measure(*mapping)
