"""Windows cover a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.windows import Window, cover, overlap

SIDE = st.integers(1, 40)
WINDOW = st.builds(Window, st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))


def painted(window):
    canvas = np.zeros((20, 20), bool)
    canvas[window.row : window.bottom, window.col : window.right] = True
    return canvas


@given(SIDE, SIDE, SIDE, SIDE)
def test_every_pixel_lies_in_exactly_one_window(height, width, rows, cols):
    hits = np.zeros((height, width), int)
    windows = list(cover(height, width, rows, cols))
    for window in windows:
        assert 0 < window.height <= rows
        assert 0 < window.width <= cols
        assert window.bottom <= height
        assert window.right <= width
        hits[window.row : window.bottom, window.col : window.right] += 1
    assert (hits == 1).all()
    assert windows == sorted(windows)


@given(WINDOW, WINDOW)
def test_overlap_is_what_both_cover(one, other):
    shared = overlap(one, other)
    assert (painted(shared) == (painted(one) & painted(other))).all()


def test_a_window_says_where_it_is():
    assert str(Window(3, 5, 2, 10)) == "rows 3 to 4, columns 5 to 14"


def test_a_window_that_is_not_within_a_picture_is_refused():
    Window(3, 5, 2, 10).require_within(5, 15)
    for height, width in ((4, 15), (5, 14)):
        with pytest.raises(ValueError, match=rf"not within {height} rows and {width} columns"):
            Window(3, 5, 2, 10).require_within(height, width)
    with pytest.raises(ValueError, match="rows -1 to 0"):
        Window(-1, 5, 2, 10).require_within(5, 15)
