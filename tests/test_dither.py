"""Dithering keeps the mean of an area, leaves palette colours alone, and finds the nearest colour exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color import nearest
from pipeline.color.dither import METHODS, dither

BLACK_AND_WHITE = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
both = pytest.mark.parametrize("method", METHODS)


@st.composite
def palettes(draw):
    """Distinct colours in any order: anywhere, close together, or greys."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k = draw(st.sampled_from([1, 2, 3, 16, 100, 257]))
    kind = draw(st.sampled_from(["anywhere", "close", "coarse", "greys"]))
    if kind == "greys":
        some = np.repeat(rng.integers(0, 256, (k, 1)), 3, axis=1)
    elif kind == "close":
        some = rng.integers(0, 247, 3) + rng.integers(0, 9, (k, 3))
    else:
        some = rng.integers(0, 5, (k, 3)) * 63 if kind == "coarse" else rng.integers(0, 256, (k, 3))
    return rng.permutation(np.unique(some, axis=0)).astype(np.uint8)


@st.composite
def images(draw):
    """Pixels, smooth or noisy, with alpha or without."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 20))
    noise = draw(st.sampled_from([1, 20, 256]))
    pixels = (rng.integers(0, 256, 3) + rng.integers(0, noise, (height, width, 3))) % 256
    alpha = rng.choice(np.array([0, 1, 255], np.uint8), (height, width))
    return pixels.astype(np.uint8), draw(st.sampled_from([alpha, None]))


def brute_force(pixels, colors):
    off = pixels.astype(np.int64)[..., None, :] - colors.astype(np.int64)
    return np.square(off).sum(axis=-1).argmin(axis=-1)


def diffused(pixels, alpha, colors):
    """Floyd–Steinberg as one would write it down: all errors on one sheet."""
    height, width = pixels.shape[:2]
    sheet = np.zeros((height + 1, width + 2, 3), np.int64)
    out = np.full((height, width), len(colors))
    for y in range(height):
        step = -1 if y % 2 else 1
        for x in range(width)[::step]:
            if alpha is not None and alpha[y, x] == 0:
                continue
            wanted = np.clip(256 * pixels[y, x].astype(np.int64) + sheet[y, x + 1], 0, 256 * 255)
            out[y, x] = brute_force((wanted + 128) // 256, colors)
            error = (wanted - 256 * colors[out[y, x]].astype(np.int64)) * 15 // 16
            for weight, down, along in ((7, 0, step), (3, 1, -step), (5, 1, 0), (1, 1, step)):
                sheet[y + down, x + 1 + along] += error * weight // 16
    return out


def box_means(image, side=16):
    height, width = (length // side * side for length in image.shape[:2])
    boxes = image[:height, :width].astype(float).reshape(height // side, side, width // side, side, -1)
    return boxes.mean(axis=(1, 3))


def find(colors, asked):
    search = nearest.search_of(colors)
    return np.array([nearest.find_nearest(search, r, g, b) for r, g, b in asked.tolist()])


@given(palettes(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_the_nearest_color_is_that_of_brute_force_and_ties_go_to_the_first(colors, seed):
    rng = np.random.default_rng(seed)
    anywhere = rng.integers(0, 256, (300, 3))
    between = (rng.choice(colors, 300).astype(int) + rng.choice(colors, 300)) // 2  # ties are here
    corners = np.stack(np.meshgrid(*[[0, 7, 8, 31, 32, 255]] * 3), axis=-1).reshape(-1, 3)
    asked = np.concatenate([anywhere, between, corners, colors])
    assert (find(colors, asked) == brute_force(asked, colors)).all()


def test_lists_that_have_no_room_are_forgotten_and_made_again(monkeypatch):
    rng = np.random.default_rng(5)
    colors = np.unique(rng.integers(0, 256, (300, 3)), axis=0).astype(np.uint8)
    monkeypatch.setattr(nearest, "_ENTRIES", 3 * len(colors))
    asked = rng.integers(0, 256, (3000, 3))
    assert (find(colors, asked) == brute_force(asked, colors)).all()


def test_65536_colors_on_a_sphere_around_what_is_asked():
    """Nearly all of them can be nearest in the middle: the longest lists there are."""
    rng = np.random.default_rng(6)
    some = rng.normal(size=(400_000, 3))
    some = np.rint(128 + 120 * some / np.linalg.norm(some, axis=1, keepdims=True))
    colors = rng.permutation(np.unique(some, axis=0))[: 1 << 16].astype(np.uint8)
    assert len(colors) == 1 << 16
    asked = np.concatenate([128 + rng.integers(-9, 10, (60, 3)), rng.integers(0, 256, (60, 3))])
    assert (find(colors, asked) == brute_force(asked, colors)).all()


@given(images(), palettes())
@settings(deadline=None, max_examples=60)
def test_errors_are_diffused_with_the_classic_weights(image, colors):
    pixels, alpha = image
    assert (dither(pixels, alpha, colors, "floyd-steinberg") == diffused(pixels, alpha, colors)).all()


@both
@given(image=images(), colors=palettes())
@settings(deadline=None, max_examples=60)
def test_indices_are_valid_and_only_transparent_pixels_have_the_one_past_the_last(method, image, colors):
    pixels, alpha = image
    found = dither(pixels, alpha, colors, method)
    clear = np.zeros(found.shape, bool) if alpha is None else alpha == 0
    assert found.shape == pixels.shape[:2]
    assert found.dtype == (np.uint8 if len(colors) - 1 + clear.any() < 256 else np.uint16)
    assert ((found == len(colors)) == clear).all()
    assert found.max() <= len(colors)


@both
@given(image=images(), colors=palettes())
@settings(deadline=None, max_examples=60)
def test_an_image_of_palette_colors_stays_as_it_is(method, image, colors):
    pixels, alpha = image
    chosen = brute_force(pixels, colors)
    expected = chosen if alpha is None else np.where(alpha == 0, len(colors), chosen)
    assert (dither(colors[chosen], alpha, colors, method) == expected).all()


@both
@pytest.mark.parametrize("k", [255, 256, 257])
def test_the_type_is_that_of_the_highest_index(method, k):
    colors = np.stack([np.arange(k) % 256, np.arange(k) // 256, np.zeros(k)], axis=1).astype(np.uint8)
    alpha = np.array([[0, 255]], np.uint8)
    opaque = dither(colors[None, -2:], None, colors, method)
    masked = dither(colors[None, -2:], alpha, colors, method)
    assert (opaque.tolist(), masked.tolist()) == ([[k - 2, k - 1]], [[k, k - 1]])
    assert opaque.dtype == dither(colors[None, -2:], alpha | 255, colors, method).dtype
    assert (opaque.dtype, masked.dtype) == tuple(np.uint8 if top < 256 else np.uint16 for top in (k - 1, k))


@both
def test_65536_colors_work_and_leave_no_index_for_transparent_pixels(method):
    axis = np.arange(1 << 16)
    colors = np.stack([axis >> 11 << 3, (axis >> 5 & 63) << 2, (axis & 31) << 3], axis=1).astype(np.uint8)
    pixels = np.random.default_rng(7).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    found = dither(pixels, None, colors, method)
    assert np.abs(colors[found].astype(int) - pixels).max() < 32
    assert (dither(colors[found], None, colors, method) == found).all()
    with pytest.raises(ValueError, match="65535"):
        dither(pixels, np.zeros((20, 30), np.uint8), colors, method)


@both
def test_mid_grey_is_half_black_and_half_white(method):
    found = dither(np.full((96, 96, 3), 128, np.uint8), None, BLACK_AND_WHITE, method)
    assert np.abs(255 * box_means(found) - 128).max() < 1


@pytest.mark.parametrize(("method", "bound"), [("floyd-steinberg", 127.5 / 16), ("ordered", 255 / 128 + 0.5)])
def test_every_grey_nearly_keeps_its_mean_in_black_and_white(method, bound):
    """Floyd–Steinberg drops a sixteenth of errors of at most 127.5; ordered has 64 thresholds."""
    for grey in range(256):
        found = dither(np.full((96, 96, 3), grey, np.uint8), None, BLACK_AND_WHITE, method)
        assert abs(255 * found[32:, 32:].mean() - grey) <= bound


def test_ordered_keeps_the_mean_of_greys_however_the_palette_is_spaced():
    levels = np.array([0, 20, 90, 100, 200, 255])
    colors = np.repeat(levels[:, None], 3, axis=1).astype(np.uint8)
    for grey in range(256):
        found = dither(np.full((8, 8, 3), grey, np.uint8), None, colors, "ordered")
        assert abs(levels[found].mean() - grey) < 1.5


@both
@pytest.mark.parametrize("channels", [(0, 1, 2), (0,), (2,)])
def test_a_gradient_is_nearer_in_its_local_means_than_undithered(method, channels):
    pixels = np.full((64, 512, 3), 40, np.uint8)
    pixels[:, :, channels] = (np.arange(512) // 2)[:, None]
    colors = np.array([pixels[0, x] for x in (0, 130, 290, 511)])
    plain, dithered = colors[brute_force(pixels, colors)], colors[dither(pixels, None, colors, method)]
    off = [np.abs(box_means(image) - box_means(pixels)).mean() for image in (plain, dithered)]
    assert off[1] < off[0] * (0.25 if method == "floyd-steinberg" or len(channels) == 3 else 0.95)


@both
def test_transparent_pixels_pass_nothing_on(method):
    """What their colours are changes nothing, and a wall of them parts what is on either side."""
    rng = np.random.default_rng(8)
    pixels = rng.integers(0, 256, (24, 40, 3)).astype(np.uint8)
    alpha = np.full((24, 40), 255, np.uint8)
    alpha[:, 16:24] = 0
    colors = rng.integers(0, 256, (9, 3)).astype(np.uint8)
    whole = dither(pixels, alpha, colors, method)
    other = pixels.copy()
    other[:, 16:24] = 255 - other[:, 16:24]
    assert (dither(other, alpha, colors, method) == whole).all()
    assert (dither(pixels[:, :16], None, colors, method) == whole[:, :16]).all()
    assert (dither(pixels[:, 24:], None, colors, method) == whole[:, 24:]).all()
    assert (whole[:, 16:24] == 9).all()


@both
@given(image=images(), colors=palettes())
@settings(deadline=None, max_examples=20)
def test_the_layout_in_memory_changes_nothing_and_nothing_is_written_to(method, image, colors):
    pixels, alpha = image
    expected = dither(pixels, alpha, colors, method)
    strided = np.zeros((*pixels.shape[:2], 4), np.uint8)[:, ::-1, 2::-1]
    strided[:] = pixels
    mask = None if alpha is None else np.asfortranarray(alpha)
    for array in (pixels, colors):
        array.flags.writeable = False
    assert (dither(strided, mask, np.asfortranarray(colors), method) == expected).all()
    assert (dither(pixels, alpha, colors, method) == expected).all()


@given(images(), palettes(), st.integers(0, 3), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_ordered_windows_at_multiples_of_8_may_be_done_apart(image, colors, rows, columns):
    pixels, alpha = (None if array is None else np.concatenate([array] * 3) for array in image)
    whole = dither(pixels, alpha, colors, "ordered")
    place = slice(8 * rows, 8 * rows + 11), slice(8 * columns, 8 * columns + 13)
    part = dither(pixels[place], None if alpha is None else alpha[place], colors, "ordered")
    assert (part == whole[place]).all()


@both
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_no_pixels_have_no_indices(method, shape):
    for alpha in (None, np.zeros(shape, np.uint8)):
        assert dither(np.zeros((*shape, 3), np.uint8), alpha, BLACK_AND_WHITE, method).shape == shape


PIXELS, ALPHA = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint8)


@pytest.mark.parametrize(
    ("pixels", "alpha", "colors", "method", "message"),
    [
        (PIXELS, None, BLACK_AND_WHITE, "riemersma", "floyd-steinberg, ordered; found 'riemersma'"),
        (PIXELS[0], None, BLACK_AND_WHITE, "ordered", r"pixels .* found shape \(5, 3\)"),
        (PIXELS[..., :2], None, BLACK_AND_WHITE, "ordered", r"pixels .* found shape \(4, 5, 2\)"),
        (PIXELS.astype(int), None, BLACK_AND_WHITE, "ordered", "pixels .* of int64"),
        (PIXELS, ALPHA.T, BLACK_AND_WHITE, "ordered", r"alpha \(4, 5\) .* found shape \(5, 4\)"),
        (PIXELS, ALPHA > 0, BLACK_AND_WHITE, "ordered", "alpha .* of bool"),
        (PIXELS, None, BLACK_AND_WHITE[0], "ordered", r"colours .* found shape \(3,\)"),
        (PIXELS, None, BLACK_AND_WHITE / 255, "ordered", "colours .* of float64"),
        (PIXELS, None, BLACK_AND_WHITE[:0], "ordered", "1 to 65536 colours, found 0"),
        (PIXELS, None, np.zeros((65537, 3), np.uint8), "ordered", "1 to 65536 colours, found 65537"),
    ],
)
def test_what_cannot_be_dithered_is_named(pixels, alpha, colors, method, message):
    with pytest.raises(ValueError, match=message):
        dither(pixels, alpha, colors, method)
