"""A palette's order says what matters most: pixels, then darkness, then red, green and blue."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.color.palette import Palette, palette_order, percent

entries = st.dictionaries(
    st.tuples(*[st.integers(0, 255)] * 3), st.sampled_from([1, 2, 3, 10**12]), min_size=1, max_size=40
)


def arrays(found):
    return np.array(list(found), np.uint8), np.array(list(found.values()), np.int64)


@given(entries)
def test_order_is_count_then_luma_then_rgb(found):
    colors, counts = arrays(found)

    def key(i):
        r, g, b = map(int, colors[i])
        return -int(counts[i]), 299 * r + 587 * g + 114 * b, (r, g, b)

    assert palette_order(colors, counts).tolist() == sorted(range(len(colors)), key=key)


@given(entries, st.randoms(use_true_random=False))
def test_order_does_not_depend_on_the_order_before(found, random):
    colors, counts = arrays(found)
    shuffled = list(range(len(colors)))
    random.shuffle(shuffled)
    first = palette_order(colors, counts)
    again = palette_order(colors[shuffled], counts[shuffled])
    assert (colors[first] == colors[shuffled][again]).all()


def test_of_one_count_and_luma_the_color_with_less_red_comes_first():
    colors = np.array([[115, 91, 107], [100, 100, 100], [111, 101, 66]], np.uint8)
    assert len(set((colors.astype(int) @ [299, 587, 114]).tolist())) == 1
    assert palette_order(colors, np.ones(3, np.int64)).tolist() == [1, 2, 0]


@given(entries)
def test_shares_are_parts_of_one(found):
    palette = Palette(*arrays(found))
    assert len(palette) == len(found)
    assert np.isclose(palette.shares.sum(), 1.0)
    assert (palette.shares > 0).all()


@given(entries)
def test_hex_spells_the_colors(found):
    colors, counts = arrays(found)
    assert Palette(colors, counts).hex == [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colors.tolist()]


@pytest.mark.parametrize(
    ("count", "total", "told"),
    [
        (0, 7, "0.00%"),
        (0, 1, "0.00%"),
        (1, 1, "100.00%"),
        (1, 3, "33.33%"),
        (2, 3, "66.67%"),
        (1, 20_000, "0.01%"),
        (1, 20_001, "<0.01%"),
        (3, 20_000, "0.02%"),
        (10**15 + 1, 4 * 10**15, "25.00%"),
    ],
)
def test_shares_are_told_in_per_cent(count, total, told):
    assert percent(count, total) == told


def test_a_palette_without_pixels_has_shares_in_words():
    assert Palette(np.zeros((1, 3), np.uint8), np.zeros(1, np.int64)).percents == ["0.00%"]
