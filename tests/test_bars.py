"""Colour bars: each colour, its number and its share are there to see, the same on any machine."""

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.color.palette import Palette, percent
from pipeline.files import bars
from pipeline.files.bars import palette_png
from pipeline.files.lettering import LINE, fits, write


def palette(count, seed=0, most=1000):
    rng = np.random.default_rng(seed)
    codes = rng.choice(1 << 24, count, replace=False)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    return Palette(colors, -np.sort(-rng.integers(1, most, count)))


def drawn(data):
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def areas(picture, colors):
    """How many pixels each colour has."""
    codes = picture.astype(int) @ [1 << 16, 1 << 8, 1]
    found, counts = np.unique(codes, return_counts=True)
    known = dict(zip(found.tolist(), counts.tolist(), strict=True))
    return [known.get(int(code), 0) for code in colors.astype(int) @ [1 << 16, 1 << 8, 1]]


@given(st.integers(1, 300), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_every_colour_is_there_to_see(count, seed):
    found = palette(count, seed)
    assert min(areas(drawn(palette_png(found)), found.colors)) >= 100


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_bars_are_as_long_as_their_colours_are_strong(counts):
    counts = np.sort(np.array(counts, np.int64))[::-1]
    colors = palette(len(counts)).colors
    found = areas(drawn(palette_png(Palette(colors, counts))), colors)
    patch = 4 * (bars._PATCH - 2) * (bars._LINE - 4)
    lengths = [(area - patch) / 4 / (bars._LINE - 4) for area in found]
    most = max(int(counts[0]), 1)
    for length, count in zip(lengths, counts.tolist(), strict=True):
        assert (length > 0) == (count > 0)
        if length > 1:
            assert length + 2 == pytest.approx(bars._BAR * count / most, abs=0.51)


def test_a_palette_without_pixels_is_drawn_without_bars():
    found = Palette(palette(3).colors, np.zeros(3, np.int64))
    patch = 4 * (bars._PATCH - 2) * (bars._LINE - 4)
    assert areas(drawn(palette_png(found)), found.colors) == [patch] * 3


def test_every_share_has_room():
    assert max(len(percent(count, 20_001)) for count in range(20_002)) == bars._SHARE


def letters(text):
    """Draw a text as the picture has it, alone."""
    mask = np.full((2 * LINE, fits(text, 2), 3), 255, np.uint8)
    write(mask, 0, 0, text, 2)
    return mask[..., 0]


def places(picture, text):
    """Where a text stands in a picture: rows and columns."""
    mask = letters(text)
    windows = np.lib.stride_tricks.sliding_window_view(picture[bars._LOWER :, :, 1], mask.shape)[::2, ::2]
    return np.argwhere((windows == mask).all(axis=(2, 3))).tolist()


@pytest.mark.parametrize("count", [1, 8, 12])
def test_number_code_and_share_stand_in_the_line_of_their_colour(count):
    found = palette(count)
    picture = drawn(palette_png(found))
    for label, (color, code) in enumerate(zip(found.colors, found.hex, strict=True)):
        (place,) = places(picture, code)
        share = percent(int(found.counts[label]), int(found.counts.sum()))
        line = picture[2 * place[0] + 12]
        assert (line == color).all(axis=1).any()
        assert any(row == place[0] and left < place[1] for row, left in places(picture, str(label)))
        assert any(row == place[0] and left > place[1] for row, left in places(picture, share))


@pytest.mark.parametrize("count", [1, 2, 8, 32, 33, 64, 100, 255, 256, 257, 1000, 5000])
def test_pictures_fit_a_page(count):
    height, width, _ = drawn(palette_png(palette(count))).shape
    assert width <= 2200
    assert height <= 2200


@pytest.mark.parametrize("count", [257, 1000, 4097])
def test_beyond_256_colours_patches_stand_row_by_row(count):
    found = palette(count)
    picture = drawn(palette_png(found))
    columns = int(np.ceil(np.sqrt(count)))
    side = picture.shape[1] // columns
    cells = picture[side // 2 :: side, side // 2 :: side].reshape(-1, 3)
    assert (cells[:count] == found.colors).all()
    assert (cells[count:] == 255).all()
    assert picture.shape[0] == -(-count // columns) * side


def test_the_largest_palette_is_drawn():
    assert drawn(palette_png(palette(65_536))).shape == (1024, 1024, 3)


def test_the_picture_is_the_same_on_any_machine():
    """Pixels to the letter: a font that changes with a library would be noticed here."""
    colors = np.array(
        [[255, 255, 255], [0, 0, 0], [18, 52, 86], [0x9A, 0xBC, 0xDE], [0xF0, 0x71, 0x23]], np.uint8
    )
    picture = drawn(palette_png(Palette(colors, np.array([123_456, 7_890, 789, 45, 1]))))
    assert (
        hashlib.sha256(picture.tobytes()).hexdigest()
        == "dccce0b02f315aaddb69edd571a1e68ae63ca9a09fcbeb1ab35b0498d34400ab"
    )


def test_the_palette_is_not_changed_and_the_bytes_are_the_same_again():
    found = palette(40)
    colors, counts = found.colors.copy(), found.counts.copy()
    assert palette_png(found) == palette_png(Palette(np.asfortranarray(colors), counts))
    assert (found.colors == colors).all()
    assert (found.counts == counts).all()
