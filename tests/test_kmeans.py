"""k means k: exactly k distinct 8-bit colours, none unused, and the same ones every time."""

import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from colors import assigned, cube, inertia, nearest, picture, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_cie76, rgb2lab

from pipeline.color.chance import seed_of
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.kmeans import INITS, MAX_COLORS, KMeans
from pipeline.color.lloyd import recentre, refine, sum_errors
from pipeline.color.mapping import fit_palette
from pipeline.color.spaces import SPACES

RNG = np.random.default_rng(23)
TEXTBOOK = ("pixels", "random")
inits = st.sampled_from(INITS)
spaces = st.sampled_from(sorted(SPACES))


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


def brute(counts, colors, space="srgb"):
    """Label of each distinct colour, the lowest of equals, and the inertia in grid units: integers."""
    place = SPACES[space].place if space != "srgb" else np.asarray
    points, centroids = (place(np.ascontiguousarray(planes)) for planes in (counts.planes, colors.T))
    labels, squares = nearest(points, centroids.T)
    return labels, int((squares * counts.counts).sum())


def check(counts, book, k):
    """Hold a codebook against the promises that every fit keeps."""
    labels, least = brute(counts, book.colors, book.space)
    assert book.colors.dtype == np.uint8
    assert book.colors.shape == (min(k, len(counts)), 3)
    assert len(np.unique(book.colors, axis=0)) == len(book.colors)
    assert book.labels.dtype == np.int32
    assert (book.labels == labels).all()
    assert (np.bincount(labels, minlength=len(book.colors)) > 0).all()
    if book.space == "srgb":
        assert sum_errors(counts.planes, counts.counts, book.labels, book.colors) == least
    return least


def error(counts, **options):
    return fit_palette(counts, KMeans(**options)).inertia


def fit(counts, method):
    return method.fit(counts)


@given(color_counts(), st.integers(1, 60), inits, spaces, st.integers(0, 2**32))
@settings(deadline=None, max_examples=250)
def test_k_means_k_distinct_colors_each_used_by_its_nearest(counts, k, init, space, seed):
    check(counts, fit(counts, KMeans(colors=k, init=init, color_space=space, seed=seed)), k)


@given(color_counts(), st.sampled_from([0, 1, 2]), inits, spaces)
@settings(deadline=None, max_examples=150)
def test_k_means_k_when_there_are_hardly_more_colors_than_asked(counts, fewer, init, space):
    k = max(1, len(counts) - fewer)
    check(counts, fit(counts, KMeans(colors=k, init=init, color_space=space)), k)


@given(color_counts(), st.integers(1, 60), inits, spaces, st.floats(0, 1))
@settings(deadline=None, max_examples=100)
def test_k_means_k_whatever_small_areas_weigh(counts, k, init, space, degree):
    check(counts, fit(counts, KMeans(colors=k, init=init, color_space=space, small_areas=degree)), k)


@given(color_counts(), st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_no_more_colors_than_asked_are_kept_exactly(counts, more):
    book = fit(counts, KMeans(colors=len(counts) + more))
    assert check(counts, book, len(counts)) == 0
    assert (book.colors == counts.planes.T).all()
    assert (book.iterations, book.converged) == (0, True)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("k", [1, 2, 7, 8, 63, 64, 65, 511])
def test_k_means_k_where_all_colors_are_neighbours(k, space, init):
    """8 × 8 × 8 colours one level apart, in a single bin: rounding makes centroids meet."""
    counts = count_colors(cube(8, low=96))
    check(counts, fit(counts, KMeans(colors=k, color_space=space, init=init)), k)


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
        assert (np.bincount(book.labels, minlength=k) > 0).all()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("init", ["auto", "pixels", "random"])
def test_the_order_of_pixels_and_how_they_are_parted_change_nothing(init, space):
    pixels = picture().reshape(-1, 3)
    method = KMeans(colors=24, init=init, color_space=space)
    whole = fit(count_colors(pixels), method)
    for size in (97, 977, 5000):
        merged, *parts = [count_colors(pixels[i : i + size]) for i in range(0, len(pixels), size)]
        for part in reversed(parts):
            merged = part + merged
        book = fit(merged, method)
        assert book.colors.tobytes() == whole.colors.tobytes()
        assert book.labels.tobytes() == whole.labels.tobytes()
    shuffled = fit(count_colors(RNG.permutation(pixels)), method)
    assert shuffled.colors.tobytes() == whole.colors.tobytes()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("power", [1, 3, 20])
def test_an_image_tiled_many_times_has_the_same_palette(power, space):
    counts = count_colors(picture())
    tiled = ColorCounts(counts.codes, counts.counts << power)
    for init in INITS:
        method = KMeans(colors=12, init=init, color_space=space)
        assert (fit(tiled, method).colors == fit(counts, method).colors).all()


@given(color_counts(), st.integers(1, 20), inits, spaces, st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_the_same_counts_and_settings_give_the_same_codebook(counts, k, init, space, seed):
    options = KMeans(colors=k, init=init, color_space=space, seed=seed, attempts=2, small_areas=0.5)
    first, again = fit(counts, options), fit(counts, options)
    for name, value in vars(first).items():
        assert np.array_equal(value, getattr(again, name))


def test_the_seed_is_of_no_matter_to_wus_cuts():
    counts = count_colors(picture())
    palettes = {fit(counts, KMeans(colors=8, init="wu", seed=seed)).colors.tobytes() for seed in range(5)}
    assert len(palettes) == 1


@pytest.mark.parametrize("k", [2, 5, 16, 40])
def test_more_attempts_are_never_much_worse(k):
    """The best start is chosen before it is on 8-bit colours, so a hair is allowed for."""
    counts = count_colors(picture())
    for init in INITS:
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
    tree = tree_of(counts)
    found = []
    for seed in range(5):
        start = np.random.default_rng(seed).permutation(pixels)[:k]
        centroids = start.astype(np.int32) * 64
        for _ in range(100):
            recentre(centroids, assigned(tree, centroids).totals)
        found.append(inertia(tree, centroids) / 64**2)
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
        ({"init": "best"}, "init must be 'auto', 'wu', 'kmeans\\+\\+', 'pixels' or 'random', not 'best'"),
        ({"init": None}, "init, .*auto, wu, kmeans\\+\\+, pixels, random"),
        ({"init": np.zeros((2, 4), np.uint8)}, r"\(k, 3\).* \(2, 4\) of uint8"),
        ({"init": np.zeros(3, np.uint8)}, r"\(k, 3\).* \(3,\) of uint8"),
        ({"init": np.zeros((0, 3), np.uint8)}, r"\(k, 3\).* \(0, 3\) of uint8"),
        ({"init": np.zeros((2, 3))}, r"uint8.* \(2, 3\) of float64"),
        ({"init": [[0, 0, 300]]}, r"uint8.* \(1, 3\) of int64"),
        ({"init": np.zeros((17, 3), np.uint8)}, "init has 17 colours, more than the 16 that are asked for"),
        ({"colors": 2.5}, "colors must be a whole number from 1 to 65536, not 2.5"),
        ({"colors": True}, "not True"),
        ({"attempts": 0}, "attempts must be a whole number from 1 to 100, not 0"),
        ({"max_iter": 0}, "max_iter must be a whole number from 1 to 10000, not 0"),
        ({"seed": -1}, "seed must be .* not -1"),
        ({"seed": 2**63}, "seed must be "),
        ({"tol": -0.1}, "tol must be a number of at least 0, not -0.1"),
        ({"tol": float("nan")}, "not nan"),
        ({"tol": float("inf")}, "not inf"),
        ({"tol": "0.1"}, "tol must be a number of at least 0, not '0.1'"),
        ({"eps": -1}, "eps must be a number of at least 0, not -1"),
        ({"eps": float("nan")}, "not nan"),
        ({"small_areas": 1.01}, "small_areas must be a number from 0 to 1, not 1.01"),
        ({"small_areas": -0.5}, "not -0.5"),
        ({"color_space": "hsv"}, "color_space must be 'srgb', 'linear', 'lab' or 'oklab', not 'hsv'"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_value(options, shown):
    with pytest.raises(ValueError, match=shown):
        KMeans(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"colors": 1},
        {"colors": MAX_COLORS},
        {"tol": 0},
        {"seed": 2**63 - 1},
        {"seed": 2**63 - 1, "init": "pixels", "attempts": 3},
        {"seed": 2**63 - 1, "init": "random", "attempts": 3},
        {"eps": 0},
        {"eps": 3},
        {"small_areas": 1},
        {"init": np.zeros((16, 3), np.uint8)},
    ],
)
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


@pytest.mark.parametrize("space", SPACES)
def test_centroids_that_hardly_move_end_the_steps(space):
    """A step of the space is worth about as much as a level in each: see how far colours are apart."""
    counts = count_colors(picture())
    wide = {"srgb": 20, "linear": 0.1, "lab": 8, "oklab": 0.08}[space]
    found = [
        fit(counts, KMeans(colors=30, init="pixels", tol=0, eps=eps, max_iter=10_000, color_space=space))
        for eps in (wide, wide / 10, wide / 100, wide / 1000)
    ]
    steps = [book.iterations for book in found]
    assert steps == sorted(set(steps))
    assert all(book.converged for book in found)


def test_eps_is_in_levels():
    """Two colours at levels 0 and 40, and a start that is 20 and more levels away from their mean."""
    counts = count_colors(np.array([[0, 0, 0], [40, 0, 0], [255, 255, 255]], np.uint8))
    start = np.array([[40, 0, 0], [255, 255, 255]], np.uint8)
    for eps, steps in ((19.9, 2), (20.1, 1)):
        book = fit(counts, KMeans(colors=2, init=start, tol=0, eps=eps))
        assert (book.iterations > 1) == (steps > 1)
        assert book.converged
        assert sorted(book.colors.tolist()) == [[20, 0, 0], [255, 255, 255]]


def dominated(others=40, weight=10**7):
    """Count an image of one colour, and a pixel of each of a few others."""
    counts = count_colors(np.random.default_rng(4).integers(0, 256, (others + 1, 3)).astype(np.uint8))
    counts.counts[others // 2] = weight
    return counts


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("init", TEXTBOOK)
@pytest.mark.parametrize("k", [2, 5, 39, 40])
def test_the_textbooks_k_means_never_gives_fewer_colors(k, init, space):
    """Of pixels of one colour almost all are alike: others' k-means hands out fewer colours."""
    counts = dominated()
    for seed in range(10):
        method = KMeans(k, init, tol=0, eps=1e-5, seed=seed, color_space=space)
        book = fit(counts, method)
        check(counts, book, k)
        assert counts.planes.T[20].tolist() in book.colors.tolist()


@given(color_counts(), st.integers(1, 60), st.sampled_from(TEXTBOOK), spaces, st.integers(0, 2**63 - 1))
@settings(deadline=None, max_examples=100)
def test_the_textbooks_k_means_is_k_means_too(counts, k, init, space, seed):
    method = KMeans(k, init, max_iter=10_000, tol=0, eps=1e-5, seed=seed, color_space=space)
    book = fit(counts, method)
    check(counts, book, k)
    assert book.converged


@pytest.mark.parametrize("init", TEXTBOOK)
def test_the_textbooks_k_means_starts_elsewhere_for_each_seed(init):
    counts = count_colors(picture())
    palettes = {fit(counts, KMeans(8, init, seed=seed, max_iter=1)).colors.tobytes() for seed in range(10)}
    assert len(palettes) == 10


@pytest.mark.parametrize("init", TEXTBOOK)
@pytest.mark.parametrize("k", [4, 16, 64])
def test_the_textbooks_k_means_is_no_better_than_the_default(k, init):
    counts = count_colors(picture())
    found = [error(counts, colors=k, init=init, tol=0, eps=1e-5, seed=seed) for seed in range(5)]
    assert error(counts, colors=k) <= min(found) * 1.01


@pytest.mark.parametrize("init", TEXTBOOK)
@pytest.mark.parametrize("space", SPACES)
def test_the_best_of_more_attempts_is_never_worse(init, space):
    """Attempts are the first of a seed's streams; a hair is for rounding to 8 bits after the choice."""
    counts = count_colors(picture())
    options = {"colors": 12, "init": init, "color_space": space, "tol": 1e-6}
    single = [error(counts, **options, seed=seed_of(3, i)) for i in range(8)]
    for attempts in (1, 2, 4, 8):
        best = error(counts, **options, seed=3, attempts=attempts)
        assert min(single) <= best <= min(single[:attempts]) * 1.002
    assert len(set(single)) > 1


def groups(centres, size=200, spread=3):
    noise = np.random.default_rng(0).integers(-spread, spread + 1, (len(centres) * size, 3))
    return count_colors((np.repeat(centres, size, axis=0) + noise).astype(np.uint8))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_with_eps_steps_are_lloyds(steps):
    """As many as asked for, up to rounding: a textbook's k-means on the pixels beside ours."""
    counts = count_colors(picture())
    points, weights = counts.planes.T.astype(float), counts.counts
    start = np.ascontiguousarray(counts.planes.T[:: len(counts) // 5][:5])
    centers = start.astype(float)
    for _ in range(steps):
        labels = ((points[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        centers = np.array([np.average(points[labels == j], 0, weights[labels == j]) for j in range(5)])
    book = fit(counts, KMeans(5, start, max_iter=steps, tol=0, eps=1e-5))
    assert (book.iterations, book.converged) == (steps, False)
    apart = np.abs(book.colors[:, None] - centers).max(axis=2).min(axis=1)
    assert apart.max() <= 0.6


def test_given_colors_are_where_it_starts():
    """Two colours share one group, one serves two: others' starts would leave this optimum."""
    centres = np.array([[40, 40, 40], [200, 60, 60], [200, 60, 140]])
    counts = groups(centres)
    stuck = np.array([[36, 40, 40], [44, 40, 40], [200, 60, 100]], np.uint8)
    book = fit(counts, KMeans(3, stuck))
    assert np.abs(book.colors.astype(int) - [[200, 60, 100], [40, 40, 40], [40, 40, 40]]).max() <= 4
    assert error(counts, colors=3, init=stuck) > 20 * error(counts, colors=3)
    near = (centres + 9).astype(np.uint8)
    once = fit(counts, KMeans(3, near, max_iter=1))
    assert all(np.abs(centres - color).max(axis=1).min() <= 1 for color in once.colors.astype(int))
    assert (once.iterations, once.converged) == (1, False)


@pytest.mark.parametrize("space", SPACES)
def test_starting_where_a_fit_ended_changes_next_to_nothing(space):
    counts = count_colors(picture())
    book = fit(counts, KMeans(20, tol=0, max_iter=1000, color_space=space))
    again = fit(counts, KMeans(20, book.colors, tol=0, max_iter=1000, color_space=space))
    apart = np.abs(again.colors.astype(int)[:, None] - book.colors).max(axis=2).min(axis=1)
    assert np.median(apart) <= 2
    first, second = (brute(counts, found.colors, space)[1] for found in (book, again))
    assert second <= first * 1.0005


def test_given_colors_are_not_written_to():
    start = np.array([[1, 2, 3], [200, 100, 50]], np.uint8)
    start.flags.writeable = False
    check(counts := count_colors(picture()), fit(counts, KMeans(5, start)), 5)
    assert start.tolist() == [[1, 2, 3], [200, 100, 50]]


@given(color_counts(), st.integers(1, 40), spaces, st.data())
@settings(deadline=None, max_examples=100)
def test_k_means_k_from_any_given_colors(counts, k, space, data):
    """Fewer than asked, or the same one several times, or far from all that the image has."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    given_ = rng.integers(0, 256, (data.draw(st.integers(1, k)), 3)).astype(np.uint8)
    kind = data.draw(st.sampled_from(["anywhere", "one", "used"]))
    if kind == "one":
        given_[:] = given_[0]
    if kind == "used":
        given_ = counts.planes.T[rng.integers(0, len(counts), len(given_))]
    check(counts, fit(counts, KMeans(k, given_, color_space=space)), k)


def test_given_colors_may_lie_in_memory_any_way():
    counts = count_colors(picture())
    start = RNG.integers(0, 256, (12, 3), dtype=np.uint8)
    expected = fit(counts, KMeans(16, start)).colors.tobytes()
    for same in (
        np.asfortranarray(start),
        np.flip(np.flip(start).copy()),
        np.repeat(start, 2, axis=1)[:, ::2],
    ):
        assert fit(counts, KMeans(16, same)).colors.tobytes() == expected


@given(color_counts(), st.integers(1, 30), inits)
@settings(deadline=None, max_examples=60)
def test_in_srgb_the_inertia_is_the_squared_error(counts, k, init):
    found = fit_palette(counts, KMeans(k, init))
    assert found.inertia == found.squared_error
    assert isinstance(found.squared_error, int)


@pytest.mark.parametrize("k", [4, 16, 64])
def test_a_fit_in_a_space_is_the_better_one_there(k):
    counts = count_colors(picture())
    colors = {space: fit(counts, KMeans(k, tol=0, color_space=space)).colors for space in SPACES}
    for space in SPACES:
        errors = {name: brute(counts, found, space)[1] for name, found in colors.items()}
        assert min(errors, key=errors.get) == space, errors


@pytest.mark.parametrize("k", [4, 16, 64])
def test_a_fit_in_lab_has_less_delta_e(k):
    counts = count_colors(picture())
    mean = {}
    for space in ("srgb", "lab"):
        book = fit(counts, KMeans(k, color_space=space))
        labs = rgb2lab(counts.planes.T[None])[0], rgb2lab(book.colors[None])[0][book.labels]
        mean[space] = np.average(np.square(deltaE_cie76(*labs)), weights=counts.counts)
    assert mean["lab"] < mean["srgb"]


@pytest.mark.parametrize("space", SPACES)
def test_more_steps_give_no_more_inertia(space):
    """The law of `refine`; the steps after, on 8-bit colours, make a difference of a hair."""
    counts = count_colors(picture())
    start = np.ascontiguousarray(picture()[::30, ::40].reshape(-1, 3))
    found = [
        error(counts, colors=len(start), init=start, max_iter=n, tol=0, color_space=space)
        for n in (1, 2, 4, 8, 16, 32, 64)
    ]
    assert all(after <= before * 1.005 for before, after in pairwise(found))
    assert found[-1] < found[0]


def test_small_areas_get_colors_of_their_own():
    """Grey ramps, and a vivid red on 5 pixels of 10,000: by squared error it is worth no colour."""
    grey = np.linspace(60, 200, 10_000).astype(np.uint8)[:, None].repeat(3, axis=1)
    grey[:5] = [[230, 20, 25], [228, 22, 25], [231, 20, 27], [230, 19, 22], [229, 24, 25]]
    counts = count_colors(grey)

    def has_red(small_areas):
        red, green, blue = fit(counts, KMeans(4, small_areas=small_areas)).colors.astype(int).T
        return bool(((red > 200) & (green < 60) & (blue < 60)).any())

    assert not has_red(0)
    assert has_red(0.7)


def test_whole_numbers_as_settings_compile_nothing_anew():
    """A loop is compiled for each type of number and order of memory it is given: for seconds."""
    counts = count_colors(picture())
    fit(counts, KMeans(5, tol=0, eps=1))
    fit(counts, KMeans(5000))
    assert {str(types[4]) for types in refine.signatures} == {"Tuple(float64, float64, int64)"}
    assert {types[2].layout for types in refine.signatures} == {"C"}


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_numpys_whole_numbers_are_as_good_as_others(kind, init):
    counts = count_colors(picture())
    found = fit(counts, KMeans(kind(5), init, attempts=kind(2), max_iter=kind(9), seed=kind(3)))
    expected = fit(counts, KMeans(5, init, attempts=2, max_iter=9, seed=3))
    assert found.colors.tobytes() == expected.colors.tobytes()


@pytest.mark.parametrize("init", ["auto", *TEXTBOOK])
def test_a_fit_needs_no_memory_for_each_pixel_and_color(init):
    """A megapixel of noise: a table of distances to 64 colours would take 250 MB and more."""
    pytest.importorskip("resource")
    script = f"""
        import resource, sys
        import numpy as np
        from pipeline.color.counts import count_colors
        from pipeline.color.kmeans import KMeans

        def peak():
            unit = 1 if sys.platform == "darwin" else 1024
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

        method = KMeans(64, {init!r}, tol=0, eps=1e-5, max_iter=3)
        rng = np.random.default_rng(0)
        method.fit(count_colors(rng.integers(0, 256, (20_000, 3), dtype=np.uint8)))
        counts = count_colors(rng.integers(0, 256, (1_000_000, 3), dtype=np.uint8))
        before = peak()
        method.fit(counts)
        print(peak() - before)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 150_000_000
