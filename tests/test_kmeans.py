"""k means k: exactly k distinct 8-bit colours, none unused, and the same ones every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.kmeans import MAX_COLORS, KMeans, fit, inertia
from pipeline.color.lloyd import recentre
from pipeline.color.tree import COLORS, SCALE, assign, build_tree

RNG = np.random.default_rng(23)
inits = st.sampled_from(["auto", "wu", "kmeans++"])


@st.composite
def color_counts(draw):
    """Colours spread wide or crowded into a few levels, of like or very unlike weights."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 3, 8, 30, 120, 500]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([2, 3, 9, 40, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 10, 10**6])), len(counts))
    if draw(st.booleans()):
        weights[rng.integers(0, len(counts))] = 10**10
    return ColorCounts(counts.codes, weights)


def cube(side, low=0):
    """Return every colour of a cube of so many levels, once."""
    axis = np.arange(low, low + side)
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3).astype(np.uint8)


def picture():
    y, x = np.mgrid[0:90, 0:120]
    grain = (x * 7919 + y * 104729) % 13
    channels = [x + grain, 2 * y + grain, (x * y) // 90 + 3 * grain]
    return np.stack(channels, axis=2).astype(np.uint8)


def brute(counts, colors):
    """Label of each distinct colour, the lowest of equals, and the inertia: plain integers."""
    off = counts.planes.T[:, None].astype(np.int64) - colors[None].astype(np.int64)
    squares = np.square(off).sum(axis=2)
    return squares.argmin(axis=1), int((squares.min(axis=1) * counts.counts).sum())


def check(counts, book, k):
    """Hold a codebook against the promises that every fit keeps."""
    labels, least = brute(counts, book.colors)
    assert book.colors.dtype == np.uint8
    assert book.colors.shape == (min(k, len(counts)), 3)
    assert len(np.unique(book.colors, axis=0)) == len(book.colors)
    assert (book.labels == labels).all()
    assert (book.totals[:, 0] > 0).all()
    expected = np.zeros_like(book.totals)
    weighted = counts.planes.T.astype(np.int64) * counts.counts[:, None]
    np.add.at(expected, labels, np.column_stack([counts.counts, weighted]))
    assert (book.totals == expected).all()
    assert inertia(book.colors, book.totals, counts) == least
    return least


def error(counts, **options):
    book = fit(counts, KMeans(**options))
    return inertia(book.colors, book.totals, counts)


@given(color_counts(), st.integers(1, 60), inits, st.integers(0, 2**32))
@settings(deadline=None, max_examples=120)
def test_k_means_k_distinct_colors_each_used_by_its_nearest(counts, k, init, seed):
    check(counts, fit(counts, KMeans(colors=k, init=init, seed=seed)), k)


@given(color_counts(), st.sampled_from([0, 1, 2]))
@settings(deadline=None, max_examples=80)
def test_k_means_k_when_there_are_hardly_more_colors_than_asked(counts, fewer):
    k = max(1, len(counts) - fewer)
    check(counts, fit(counts, KMeans(colors=k)), k)


@given(color_counts(), st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_no_more_colors_than_asked_are_kept_exactly(counts, more):
    book = fit(counts, KMeans(colors=len(counts) + more))
    assert check(counts, book, len(counts)) == 0
    assert (book.colors == counts.planes.T).all()
    assert (book.iterations, book.converged) == (0, True)


@pytest.mark.parametrize("k", [1, 2, 7, 8, 63, 64, 65, 511])
def test_k_means_k_where_all_colors_are_neighbours(k):
    """8 × 8 × 8 colours one level apart, in a single bin: rounding makes centroids meet."""
    counts = count_colors(cube(8, low=96))
    check(counts, fit(counts, KMeans(colors=k)), k)


@pytest.mark.parametrize("k", [2, 9, 27, 53])
def test_k_means_k_for_two_far_groups_of_neighbours(k):
    counts = count_colors(np.concatenate([cube(3), cube(3, low=253)]))
    check(counts, fit(counts, KMeans(colors=k)), k)


@pytest.mark.parametrize("weight", [10**6, 10**9, 10**12])
@pytest.mark.parametrize("k", [2, 16, 99])
def test_k_means_k_beside_a_color_of_huge_weight(k, weight):
    counts = count_colors(RNG.permutation(cube(16, low=100))[:100])
    counts.counts[50] = weight
    book = fit(counts, KMeans(colors=k))
    check(counts, book, k)
    assert counts.planes.T[50].tolist() in book.colors.tolist()


def test_k_means_k_beyond_the_number_of_bins():
    counts = count_colors(cube(12, low=44))
    bins = len(np.unique(counts.codes >> 9))
    assert bins == 8
    for k in (7, 8, 9, 300, len(counts) - 1):
        check(counts, fit(counts, KMeans(colors=k)), k)


def test_k_means_k_for_thousands_of_colors():
    pixels = RNG.integers(0, 256, (8000, 3), dtype=np.uint8)
    counts = count_colors(pixels)
    for k in (1500, len(counts) - 1):
        book = fit(counts, KMeans(colors=k))
        assert len(np.unique(book.colors, axis=0)) == k
        assert (book.totals[:, 0] > 0).all()


def test_the_order_of_pixels_and_how_they_are_parted_change_nothing():
    pixels = picture().reshape(-1, 3)
    whole = fit(count_colors(pixels), KMeans(colors=24))
    for size in (97, 977, 5000):
        merged, *parts = [count_colors(pixels[i : i + size]) for i in range(0, len(pixels), size)]
        for part in reversed(parts):
            merged = part + merged
        book = fit(merged, KMeans(colors=24))
        assert book.colors.tobytes() == whole.colors.tobytes()
        assert book.labels.tobytes() == whole.labels.tobytes()
    shuffled = fit(count_colors(RNG.permutation(pixels)), KMeans(colors=24))
    assert shuffled.colors.tobytes() == whole.colors.tobytes()


@pytest.mark.parametrize("power", [1, 3, 20])
def test_an_image_tiled_many_times_has_the_same_palette(power):
    counts = count_colors(picture())
    tiled = ColorCounts(counts.codes, counts.counts << power)
    for init in ("wu", "kmeans++"):
        settings_ = KMeans(colors=12, init=init)
        assert (fit(tiled, settings_).colors == fit(counts, settings_).colors).all()


@given(color_counts(), st.integers(1, 20), inits, st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_the_same_counts_and_settings_give_the_same_codebook(counts, k, init, seed):
    options = KMeans(colors=k, init=init, seed=seed, attempts=2)
    first, again = fit(counts, options), fit(counts, options)
    for name, value in vars(first).items():
        assert np.array_equal(value, getattr(again, name))


def test_the_seed_is_of_no_matter_to_wus_cuts():
    counts = count_colors(picture())
    palettes = {fit(counts, KMeans(colors=8, init="wu", seed=seed)).colors.tobytes() for seed in range(5)}
    assert len(palettes) == 1


@pytest.mark.parametrize("k", [2, 5, 16, 40])
def test_more_attempts_are_never_much_worse(k):
    """The best start is chosen on the coarse bins, so a hair is allowed for on the exact colours."""
    counts = count_colors(picture())
    for init in ("auto", "wu", "kmeans++"):
        once, often = (error(counts, colors=k, init=init, attempts=n) for n in (1, 5))
        assert often <= once * 1.005
        if init == "wu":
            assert often == once


def test_more_colors_give_less_inertia():
    counts = count_colors(picture())
    inertias = [error(counts, colors=k) for k in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)]
    assert (np.diff(inertias) < 0).all()


def test_one_color_is_the_mean():
    counts = count_colors(picture())
    book = fit(counts, KMeans(colors=1))
    mean = picture().reshape(-1, 3).mean(axis=0)
    assert np.abs(book.colors[0] - mean).max() <= 0.51


@pytest.mark.parametrize("k", [4, 16, 64])
def test_plain_lloyd_steps_from_scattered_pixels_do_no_better(k):
    """Half of such starts end no better, and the best of five is no more than 1 % better."""
    pixels = picture().reshape(-1, 3)
    counts = count_colors(pixels)
    tree = build_tree(counts.codes, counts.planes, counts.counts)
    found = []
    for seed in range(5):
        start = np.random.default_rng(seed).permutation(pixels)[:k]
        centroids, totals = start.astype(np.int32) * SCALE, np.empty((k, 4), np.int64)
        for _ in range(100):
            assign(tree, COLORS, centroids, totals, np.empty(0, np.int32))
            recentre(centroids, totals)
        off = counts.planes.T[:, None].astype(np.int64) * SCALE - centroids[None].astype(np.int64)
        found.append((np.square(off).sum(axis=2).min(axis=1) * counts.counts).sum() / SCALE**2)
    assert error(counts, colors=k) <= np.median(found) * 1.001
    assert error(counts, colors=k) <= min(found) * 1.01


def test_far_groups_each_get_their_color():
    centres = np.array([[20, 20, 20], [230, 30, 40], [30, 220, 60], [40, 50, 210], [235, 235, 225]])
    pixels = np.repeat(centres, [5000, 40, 300, 7, 900], axis=0)
    pixels = (pixels + RNG.integers(-3, 4, pixels.shape)).astype(np.uint8)
    book = fit(count_colors(pixels), KMeans(colors=5))
    apart = np.abs(book.colors[:, None].astype(int) - centres).max(axis=2)
    assert (apart.min(axis=0) <= 3).all()


def test_nothing_counted_is_refused():
    with pytest.raises(ValueError, match="no pixels to fit"):
        fit(count_colors(np.empty((0, 3), np.uint8)), KMeans())


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"colors": 0}, "colors must be a whole number from 1 to 65536, not 0"),
        ({"colors": -3}, "not -3"),
        ({"colors": MAX_COLORS + 1}, "not 65537"),
        ({"init": "random"}, "init must be 'auto', 'wu' or 'kmeans\\+\\+', not 'random'"),
        ({"colors": 2.5}, "colors must be a whole number from 1 to 65536, not 2.5"),
        ({"colors": True}, "not True"),
        ({"attempts": 0}, "attempts must be a whole number from 1 to 100, not 0"),
        ({"max_iter": 0}, "max_iter must be a whole number from 1 to 10000, not 0"),
        ({"seed": -1}, "seed must be .* not -1"),
        ({"seed": 2**63}, "seed must be "),
        ({"tol": -0.1}, "tol must be a number of at least 0, not -0.1"),
        ({"tol": float("nan")}, "not nan"),
        ({"tol": float("inf")}, "not inf"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_value(options, shown):
    with pytest.raises(ValueError, match=shown):
        KMeans(**options)


@pytest.mark.parametrize("options", [{"colors": 1}, {"colors": MAX_COLORS}, {"tol": 0}, {"seed": 2**63 - 1}])
def test_settings_at_their_limits_are_taken(options):
    counts = count_colors(picture()[:20, :30])
    check(counts, fit(counts, KMeans(**options)), options.get("colors", 16))


def test_steps_end_at_max_iter_or_by_tol():
    counts = count_colors(picture())
    short = fit(counts, KMeans(colors=30, tol=0, max_iter=2))
    assert (short.iterations, short.converged) == (2, False)
    full = fit(counts, KMeans(colors=30, tol=0, max_iter=10_000))
    assert full.converged
    assert 2 < full.iterations < 1000
