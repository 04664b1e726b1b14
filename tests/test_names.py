"""Names of colours: the table is CSS's, and the name is the one that looks least different."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageColor
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.color.names import CSS, css_names


def digits(color):
    return bytes(color).hex()


def test_the_table_is_the_one_that_pillow_has():
    assert len(CSS) == 148
    assert {name: f"#{code}" for name, code in CSS.items()} == dict(ImageColor.colormap)
    assert list(CSS) == sorted(CSS)


@pytest.mark.parametrize("name", CSS)
def test_a_colour_of_the_table_has_its_own_name_or_its_twins(name):
    (found,) = css_names(np.frombuffer(bytes.fromhex(CSS[name]), np.uint8).reshape(1, 3))
    assert CSS[found] == CSS[name]
    assert found == min(other for other, code in CSS.items() if code == CSS[name])


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_no_name_looks_less_different(colors):
    """By scikit-image, which knows nothing of our formula."""
    table = rgb2lab(np.array([list(bytes.fromhex(code)) for code in CSS.values()], np.uint8))
    for color, name in zip(colors, css_names(np.array(colors, np.uint8)), strict=True):
        apart = deltaE_ciede2000(rgb2lab(np.array([color], np.uint8)), table)
        assert apart[list(CSS).index(name)] <= apart.min() + 1e-3


def test_more_colours_than_are_named_at_once():
    colors = np.random.default_rng(0).integers(0, 256, (1100, 3), np.uint8)
    assert css_names(colors) == css_names(colors[:700]) + css_names(colors[700:])
    assert css_names(colors[:0]) == []
