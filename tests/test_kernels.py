"""Codes interleave the bits of red, green and blue; the loops over pixels say what numpy says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color import kernels

RNG = np.random.default_rng(3)
ALL = np.arange(kernels.CODES, dtype=np.uint32)
OPAQUE = np.empty(0, np.uint8)

few_pixels = st.lists(st.tuples(*[st.sampled_from([0, 1, 7, 8, 128, 255])] * 3), max_size=40)


def planes_of(codes):
    planes = np.empty((3, len(codes)), np.uint8)
    kernels.unpack_codes(codes, planes)
    return planes


def code_of(red, green, blue):
    """Interleave by hand: red's bit is the highest of each three."""
    return sum(
        ((red >> bit & 1) << (3 * bit + 2))
        | ((green >> bit & 1) << (3 * bit + 1))
        | ((blue >> bit & 1) << 3 * bit)
        for bit in range(8)
    )


def pixel_array(pixels):
    return np.array(pixels, np.uint8).reshape(-1, 3)


def test_every_color_has_one_code_and_every_code_one_color():
    red, green, blue = planes_of(ALL)
    assert (kernels.RED[red] | kernels.GREEN[green] | kernels.BLUE[blue] == ALL).all()


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_a_code_interleaves_the_bits_of_its_color(red, green, blue):
    code = code_of(red, green, blue)
    assert kernels.RED[red] | kernels.GREEN[green] | kernels.BLUE[blue] == code
    assert planes_of(np.array([code], np.uint32))[:, 0].tolist() == [red, green, blue]


def test_every_cube_of_a_power_of_two_is_one_range_of_codes():
    """Colours share the upper bits of each channel exactly if their codes share their upper bits."""
    planes = planes_of(ALL[:: 1 << 6]).astype(np.int64)
    for bits in range(1, 9):
        red, green, blue = planes >> bits
        cube = (red << 16) | (green << 8) | blue
        code = ALL[:: 1 << 6] >> np.uint32(3 * bits)
        assert ((cube[1:] == cube[:-1]) == (code[1:] == code[:-1])).all()
        assert len(np.unique(cube)) == len(np.unique(code))


@given(few_pixels, st.data())
@settings(deadline=None, max_examples=30)
def test_counting_adds_to_the_table_and_draining_empties_it(pixels, data):
    alpha = data.draw(st.lists(st.sampled_from([0, 1, 255]), min_size=len(pixels), max_size=len(pixels)))
    table, cells = np.zeros(kernels.CODES, np.uint32), np.zeros(kernels.CELLS, np.uint8)
    kernels.count_pixels(pixel_array(pixels), OPAQUE, table, cells)
    kernels.count_pixels(pixel_array(pixels), np.array(alpha, np.uint8), table, cells)
    seen = [code_of(*color) for color in pixels]
    seen += [code_of(*color) for color, opacity in zip(pixels, alpha, strict=True) if opacity > 0]
    expected = {code: seen.count(code) for code in sorted(set(seen))}
    assert set(np.flatnonzero(cells)) == {code >> kernels.CELL_BITS for code in expected}

    codes, counts = np.empty(len(pixels), np.uint32), np.empty(len(pixels), np.int64)
    found = kernels.drain_table(table, cells, codes, counts)
    assert list(zip(codes[:found].tolist(), counts[:found].tolist(), strict=True)) == list(expected.items())
    assert not table.any()
    assert not cells.any()


def test_painting_looks_each_code_up_and_gives_clear_pixels_their_own_label():
    pixels = RNG.integers(0, 256, (500, 3), dtype=np.uint8)
    alpha = RNG.integers(0, 3, 500, dtype=np.uint8)
    for dtype in (np.uint8, np.uint16):
        lookup = np.zeros(kernels.CODES, dtype)
        codes = np.array(sorted({code_of(*color) for color in pixels.tolist()}), np.uint32)
        labels = RNG.integers(0, 200, len(codes)).astype(np.int32)
        kernels.fill_lookup(codes, labels, lookup)
        by_code = dict(zip(codes.tolist(), labels.tolist(), strict=True))
        expected = np.array([by_code[code_of(*color)] for color in pixels.tolist()])
        painted = np.empty(500, dtype)
        kernels.paint_labels(pixels, OPAQUE, lookup, 201, painted)
        assert (painted == expected).all()
        kernels.paint_labels(pixels, alpha, lookup, 201, painted)
        assert (painted == np.where(alpha == 0, 201, expected)).all()
