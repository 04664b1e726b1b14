"""Every mode becomes colour and alpha by its written policy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.files.modes import channels_of, raw_mode

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
RGBA = np.dstack([RGB, RNG.integers(1, 256, (5, 7), dtype=np.uint8)])
RGBA[0, 0, 3] = 0


def channels(image, stored=""):
    found = channels_of(image, stored)
    alpha = None if found.alpha is None else np.asarray(found.alpha)
    return np.asarray(found.color), alpha, found.notes


def test_rgb_is_left_as_it_is():
    color, alpha, notes = channels(Image.fromarray(RGB))
    assert (color == RGB).all()
    assert alpha is None
    assert notes == ()


def test_alpha_is_split_off_and_transparent_colors_stay():
    color, alpha, notes = channels(Image.fromarray(RGBA))
    assert (np.dstack([color, alpha]) == RGBA).all()
    assert notes == ()


def test_opaque_alpha_is_none():
    image = Image.fromarray(RGB)
    image.putalpha(255)
    assert channels(image)[1] is None


def test_grey_and_black_and_white():
    grey = Image.fromarray(RGB[..., 0])
    assert (channels(grey)[0] == RGB[..., 0]).all()
    assert set(np.unique(channels(grey.convert("1"))[0])) == {0, 255}
    grey.putalpha(Image.fromarray(RGBA[..., 3]))
    color, alpha, _ = channels(grey)
    assert (color == RGB[..., 0]).all()
    assert (alpha == RGBA[..., 3]).all()


@pytest.mark.parametrize(("straight", "premultiplied"), [("RGBA", "RGBa"), ("LA", "La")])
def test_premultiplied_color_is_divided(straight, premultiplied):
    image = Image.fromarray(RGBA).convert(straight)
    color, alpha, _ = channels(image.convert(premultiplied))
    back = np.asarray(image.convert(premultiplied).convert(straight))
    assert (np.dstack([color, alpha]) == back).all()


def palette_image():
    image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    return image


@pytest.mark.parametrize(
    ("transparency", "expected"),
    [(None, None), (1, [[255, 0], [255, 255]]), (bytes([7, 255, 0]), [[7, 255], [0, 255]])],
)
def test_palette_and_its_transparency(transparency, expected):
    image = palette_image()
    if transparency is not None:
        image.info["transparency"] = transparency
    color, alpha, _ = channels(image)
    assert color.tolist() == [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]]
    assert (None if alpha is None else alpha.tolist()) == expected


def test_palette_with_its_own_alpha_channel():
    image = Image.merge("PA", (palette_image(), Image.fromarray(np.array([[0, 10], [20, 255]], np.uint8))))
    color, alpha, _ = channels(image)
    assert color[0, 0].tolist() == [255, 0, 0]
    assert alpha.tolist() == [[0, 10], [20, 255]]


@pytest.mark.parametrize(
    ("samples", "key", "stored"),
    [
        (RGB, tuple(RGB[2, 3].tolist()), ""),
        (RGB, tuple(int(v) * 256 + 17 for v in RGB[2, 3]), "RGB;16B"),
        (RGB[..., 0], int(RGB[2, 3, 0]), ""),
        (RGB[..., 0].astype(np.uint16) * 256 + 3, int(RGB[2, 3, 0]) * 256 + 3, "I;16B"),
        (RGB[..., 0] // 64 * 85, int(RGB[2, 3, 0]) // 64, "L;2"),
        (RGB[..., 0] // 16 * 17, int(RGB[2, 3, 0]) // 16, "L;4"),
    ],
)
def test_key_color_is_transparent(samples, key, stored):
    image = Image.fromarray(samples)
    image.info["transparency"] = key
    _, alpha, _ = channels(image, stored)
    same = samples == samples[2, 3]
    assert ((alpha == 0) == (same.all(axis=2) if same.ndim == 3 else same)).all()


def test_key_of_black_and_white():
    image = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    image.info["transparency"] = 255
    assert channels(image)[1].tolist() == [[255, 0]]


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV"])
def test_other_color_spaces_are_told(mode):
    color, alpha, notes = channels(Image.fromarray(RGB).convert(mode))
    assert color.shape == (5, 7, 4 if mode == "CMYK" else 3)
    assert alpha is None
    assert notes == (f"{mode} converted",)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bits_keep_the_high_byte(dtype):
    samples = np.array([[0, 255, 256, 0x1280, 0xFFFF]], dtype)
    mode = "I;16B" if dtype == ">u2" else "I;16"
    color, _, notes = channels(Image.frombytes(mode, (5, 1), samples.tobytes()))
    assert color.tolist() == [[0, 0, 1, 0x12, 255]]
    assert notes == ("16-bit samples: high byte kept",)


def test_sixteen_bits_that_pillow_cut_are_told():
    assert channels(Image.fromarray(RGB), "RGB;16L")[2] == ("16-bit samples: high byte kept",)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=20))
def test_integers_are_cut_or_stretched(values):
    low, high = min(values), max(values)
    color, _, notes = channels(Image.fromarray(np.array([values], np.int32)))
    if low >= 0 and high < 65536:
        assert color.tolist() == [[value >> 8 for value in values]]
    else:
        span = max(high - low, 1)
        assert color.tolist() == [[(510 * (value - low) + high - low) // (2 * span) for value in values]]
        assert f"{low}..{high}" in notes[0]


def test_floats_in_the_unit_interval_are_scaled():
    color, alpha, notes = channels(Image.fromarray(np.array([[0, 0.25, 0.5, 1]], np.float32)))
    assert color.tolist() == [[0, 64, 128, 255]]
    assert alpha is None
    assert "0..1" in notes[0]


def test_other_floats_are_stretched_and_no_numbers_are_transparent():
    samples = np.array([[-2, 0, 8, np.nan, np.inf, -np.inf]], np.float32)
    color, alpha, notes = channels(Image.fromarray(samples))
    assert color.tolist() == [[0, 51, 255, 0, 0, 0]]
    assert alpha.tolist() == [[255, 255, 255, 0, 0, 0]]
    assert "3 samples" in notes[0]
    assert "-2..8" in notes[1]


@pytest.mark.parametrize("value", [np.nan, 7.0, -3e38])
def test_constant_floats(value):
    color, _, _ = channels(Image.fromarray(np.full((2, 2), value, np.float32)))
    assert (color == 0).all()


def test_raw_mode_of_tiles():
    assert raw_mode("L;2") == "L;2"
    assert raw_mode(("RGB;16L", 0, 1)) == "RGB;16L"
    assert raw_mode(()) == raw_mode(None) == raw_mode((7,)) == ""
