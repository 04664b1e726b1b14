"""Palettes in a terminal: what it can show is used, what it cannot is left out, and lines fit."""

import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.palette import Palette
from pipeline.views.swatchlines import Colors, Look, heading, nearest_of_256, palette_lines

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
PALETTE = Palette(np.array([[255, 0, 1], [2, 30, 4], [9, 9, 9]], np.uint8), np.array([600, 399, 1]))
NAMES = ["red", "darkolivegreen", "black"]


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def __init__(self, encoding="utf-8", terminal=True):
        super().__init__()
        self._encoding, self._terminal = encoding, terminal

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return self._terminal


@pytest.mark.parametrize(
    ("environ", "colors"),
    [
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, Colors.ALL),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, Colors.ALL),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": ""}, Colors.ALL),
        ({"TERM": "xterm-direct"}, Colors.ALL),
        ({"TERM": "xterm-256color"}, Colors.SOME),
        ({"TERM": "screen-256color-bce", "COLORTERM": "1"}, Colors.SOME),
        ({"TERM": "xterm"}, Colors.NONE),
        ({"TERM": "linux"}, Colors.NONE),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, Colors.NONE),
        ({"COLORTERM": "truecolor"}, Colors.NONE),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, Colors.NONE),
        ({}, Colors.NONE),
    ],
)
def test_the_surroundings_say_which_colours_there_are(environ, colors):
    assert Look.of(Screen(), environ, 80) == Look(colors, 80, True)
    assert Look.of(Screen(terminal=False), environ, 80).colors is Colors.NONE


@pytest.mark.parametrize(
    ("encoding", "blocks"),
    [("utf-8", True), ("ascii", False), ("latin-1", False), (None, False), ("no", False)],
)
def test_bars_are_of_letters_that_can_be_written(encoding, blocks):
    look = Look.of(Screen(encoding), {}, 60)
    assert look.blocks == blocks
    assert ("█" if blocks else "==") in "".join(palette_lines(PALETTE, None, look))
    text = "".join(palette_lines(PALETTE, [name * 3 for name in NAMES], look))
    assert ("…" in text) == blocks
    text.encode("utf-8" if blocks else "ascii")


def test_lines_to_the_letter():
    assert list(palette_lines(PALETTE, NAMES, Look(Colors.NONE, 50, True))) == [
        "0  #ff0001  60.00%  red             ██████████████",
        "1  #021e04  39.90%  darkolivegreen  █████████▎",
        "2  #090909   0.10%  black           ▏",
    ]
    assert list(palette_lines(PALETTE, None, Look(Colors.ALL, 46, False))) == [
        "0  \x1b[48;2;255;0;1m  \x1b[0m  #ff0001  60.00%  ======================",
        "1  \x1b[48;2;2;30;4m  \x1b[0m  #021e04  39.90%  ===============",
        "2  \x1b[48;2;9;9;9m  \x1b[0m  #090909   0.10%  =",
    ]
    assert next(palette_lines(PALETTE, None, Look(Colors.SOME, 60, True))).startswith(
        "0  \x1b[48;5;196m      \x1b[0m"
    )


@given(
    st.integers(30, 200),
    st.sampled_from(Colors),
    st.booleans(),
    st.lists(st.integers(0, 10**9), min_size=1, max_size=300),
    st.one_of(st.none(), st.integers(1, 30)),
)
@settings(max_examples=80, deadline=None)
def test_lines_fit_and_columns_stand_below_one_another(width, colors, blocks, counts, name):
    counts = np.array(counts, np.int64)
    palette = Palette(np.zeros((len(counts), 3), np.uint8), counts)
    names = ["x" * (1 + place % name) for place in range(len(counts))] if name else None
    lines = list(palette_lines(palette, names, Look(colors, width, blocks)))
    assert len(lines) == len(counts)
    shown = [ESCAPE.sub("", line) for line in lines]
    assert max(map(len, shown)) <= width
    assert len({line.index("#") for line in shown}) == 1
    assert len({line.index("%") for line in shown}) == 1
    assert all(line == line.rstrip(" ") for line in shown)
    assert ("\x1b" in "".join(lines)) == (colors is not Colors.NONE)
    assert all(line.count("\x1b[48;") == line.count("\x1b[0m") for line in lines)


@given(st.integers(60, 120), st.booleans(), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_bars_are_as_long_as_their_colours_are_strong(width, blocks, counts):
    counts = np.array(counts, np.int64)
    lines = palette_lines(
        Palette(np.zeros((len(counts), 3), np.uint8), counts), None, Look(Colors.NONE, width, blocks)
    )
    bars = [line.partition("%")[2].strip() for line in lines]
    eighths = [8 * len(bar) if not blocks else sum(" ▏▎▍▌▋▊▉█".index(cell) for cell in bar) for bar in bars]
    most = max(int(counts.max()), 1)
    room = max(eighths)
    for count, length in zip(counts.tolist(), eighths, strict=True):
        assert (length > 0) == (count > 0)
        unit = 1 if blocks else 8  # the nearest that there is, but something for what is there
        assert abs(length - room * count / most) <= unit / 2 or length == unit


def test_a_long_name_is_cut_and_a_bar_without_room_left_out():
    lines = list(palette_lines(PALETTE, NAMES, Look(Colors.NONE, 27, True)))
    assert lines[1] == "1  #021e04  39.90%  darkol…"
    assert lines[0] == "0  #ff0001  60.00%  red"


def test_lines_of_a_tiny_terminal_are_whole_all_the_same():
    for width in (0, 1, 12):
        first = next(palette_lines(PALETTE, NAMES, Look(Colors.NONE, width, True)))
        assert first == "0  #ff0001  60.00%"


XTERM = {16 + 36 * r + 6 * g + b: tuple((0, 95, 135, 175, 215, 255)[i] for i in (r, g, b))
         for r in range(6) for g in range(6) for b in range(6)} | {
    232 + step: (8 + 10 * step,) * 3 for step in range(24)}  # fmt: skip


@given(st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=300, deadline=None)
def test_of_256_colours_the_nearest_is_taken(color):
    def apart(place):
        return sum((a - b) ** 2 for a, b in zip(XTERM[place], color, strict=True))

    assert apart(nearest_of_256(list(color))) == min(map(apart, XTERM))


def test_the_heading_says_what_it_is_of_and_no_name_obeys():
    look = Look(Colors.NONE, 80, True)
    about = {"colors_found": 8, "distinct_colors": 12345}
    assert heading({"image": "a\x1b[2J.png", **about}, look) == r"a\x1b[2J.png: 8 of 12,345 colours"
    assert heading({"images": ["a", "b"], **about}, look) == "2 images together: 8 of 12,345 colours"
    assert heading({"images": ["a"], **about}, look._replace(colors=Colors.ALL)) == (
        "\x1b[1m1 image: 8 of 12,345 colours\x1b[0m"
    )
