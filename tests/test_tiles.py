"""Tiles: compressed in any parts they are the same, and the next level is made of them alone."""

import zlib

import numpy as np
import pytest
from builders import noise
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.files.tiles import TILE, Layout, compress_tiles, counted, halve_tiles

SIZES = [(1, 1), (511, 513), (512, 512), (513, 511), (1000, 700), (1025, 2049)]


def labels(height, width, depth=8, seed=0):
    kind = np.uint16 if depth == 16 else np.uint8
    return np.random.default_rng(seed).integers(0, 1 << depth, (height, width)).astype(kind)


def layout_of(image):
    height, width, channels = (*image.shape, 1)[:3]
    return Layout(width, height, channels, image.dtype.itemsize * 8)


def joined(packed, layout):
    """Put a picture together by the standard library."""
    cells = [
        np.frombuffer(zlib.decompress(one), layout.dtype).reshape(TILE, TILE, layout.channels)
        for one in packed
    ]
    rows = [cells[first : first + layout.columns] for first in range(0, len(cells), layout.columns)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def check(image):
    layout = layout_of(image)
    packed = compress_tiles(image)
    assert (packed.width, packed.height) == (layout.width, layout.height)
    assert len(packed.tiles) == layout.rows * layout.columns
    whole = joined(packed.tiles, layout)
    assert (whole[: layout.height, : layout.width].reshape(image.shape) == image).all()
    assert not whole[layout.height :].any()
    assert not whole[:, layout.width :].any()
    return packed


@pytest.mark.parametrize("size", SIZES)
def test_samples_come_back_and_edge_tiles_are_filled_with_zeros(size):
    check(labels(*size))
    check(labels(*size, 16))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_come_back(channels):
    check(noise(520, 30, channels))


@given(st.integers(1, 1100), st.integers(1, 1100), st.sampled_from([8, 16]), st.integers(0, 9))
@settings(max_examples=15, deadline=None)
def test_any_size_comes_back_and_halves(height, width, depth, seed):
    image = labels(height, width, depth, seed) % 5
    packed = check(image)
    layout = layout_of(image)
    if layout.levels:
        assert layout.levels[0] == layout_of(image[::2, ::2])
        assert list(halve_tiles(layout, packed.tiles)) == compress_tiles(image[::2, ::2]).tiles


@pytest.mark.parametrize("size", [(513, 1), (1, 513), (513, 512), (1024, 1024), (1025, 1537), (1537, 1025)])
@pytest.mark.parametrize("channels", [1, 4])
def test_each_level_is_every_second_pixel_of_the_one_before(size, channels):
    image = noise(*size, channels, levels=3)
    packed, above = compress_tiles(image).tiles, layout_of(image)
    assert above.levels
    for level in above.levels:
        image = image[::2, ::2]
        assert level == layout_of(image)
        packed = list(halve_tiles(above, iter(packed)))
        assert packed == compress_tiles(image).tiles
        above = level


def test_levels_end_where_one_fits_a_tile():
    assert Layout(512, 512).levels == ()
    assert Layout(513, 1).levels == (Layout(257, 1),)
    assert [level.width for level in Layout(65536, 40000, 3).levels] == [32768 >> n for n in range(7)]
    assert [level.height for level in Layout(2001, 1999, 1, 16).levels] == [1000, 500]


def test_a_level_takes_two_rows_of_tiles_at_a_time():
    taken = 0

    def stream():
        nonlocal taken
        for tile in compress_tiles(np.zeros((TILE * 6, TILE * 2), np.uint8)).tiles:
            taken += 1
            yield tile

    places = []
    for _ in halve_tiles(Layout(TILE * 2, TILE * 6), stream()):
        places.append(taken)
    assert places == [4, 8, 12]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(1, 600))
@settings(max_examples=10, deadline=None)
def test_rows_of_tiles_compressed_apart_are_those_of_the_whole(parts, rest):
    image = labels(TILE * sum(parts) + rest, 530) % 7
    tops = [0, *(TILE * np.cumsum(parts))]
    found = []
    for top, bottom in zip(tops, [*tops[1:], len(image)], strict=True):
        found += compress_tiles(image[top:bottom], last=bottom == len(image)).tiles
    assert found == compress_tiles(image).tiles


@pytest.mark.parametrize("depth", [8, 16])
def test_the_bytes_do_not_hang_on_the_inputs_place_in_memory(depth):
    image = labels(600, 520, depth)
    before = image.copy()
    wide = np.zeros((600, 550), image.dtype)
    wide[:, 5:525] = image
    expected = compress_tiles(image)
    big = image.astype(image.dtype.newbyteorder(">"))
    for same in (np.asfortranarray(image), wide[:, 5:525], image[::-1].copy()[::-1], big):
        assert compress_tiles(same) == expected
    assert (image == before).all()


def test_wrong_arrays_are_refused_with_what_was_expected_and_found():
    with pytest.raises(ValueError, match=r"expected an image .* found \(3,\)"):
        compress_tiles(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match=r"expected an image .* found \(0, 4\)"):
        compress_tiles(np.zeros((0, 4), np.uint8))
    with pytest.raises(ValueError, match="expected samples of uint8 or uint16, found int16"):
        compress_tiles(np.zeros((2, 4), np.int16))
    with pytest.raises(ValueError, match="expected samples of uint8 or uint16, found uint32"):
        compress_tiles(np.zeros((2, 4), np.uint32))
    with pytest.raises(ValueError, match=r"expected a multiple of 512 rows before .* found 513"):
        compress_tiles(np.zeros((513, 4), np.uint8), last=False)


def test_wrong_layouts_are_refused():
    with pytest.raises(ValueError, match=r"expected a picture of at least one pixel .* found 0 × 3"):
        Layout(0, 3)
    with pytest.raises(ValueError, match="at least one pixel and one channel, found 1 × 3 pixels of 0"):
        Layout(1, 3, 0)
    with pytest.raises(ValueError, match="expected samples of 8 or 16 bits, found 32"):
        Layout(1, 3, 1, 32)


def test_wrong_tiles_are_refused():
    layout = Layout(600, 30)
    packed = compress_tiles(labels(30, 600)).tiles
    with pytest.raises(ValueError, match="expected 2 tiles of 600 × 30 pixels, found 1"):
        list(halve_tiles(layout, packed[:1]))
    with pytest.raises(ValueError, match="expected 2 tiles of 600 × 30 pixels, found more"):
        list(halve_tiles(layout, packed * 2))
    with pytest.raises(ValueError, match="expected 2 tiles of 600 × 30 pixels, found 0"):
        list(counted([], layout))
    with pytest.raises(ValueError, match="expected a deflated tile of 262144 bytes, found other data"):
        list(halve_tiles(layout, [b"no", b"tile"]))
    with pytest.raises(ValueError, match="expected a deflated tile of 262144 bytes, found"):
        list(halve_tiles(layout, [zlib.compress(b"short")] * 2))
    with pytest.raises(ValueError, match="expected a deflated tile of 262144 bytes, found"):
        list(halve_tiles(layout, compress_tiles(labels(30, 600, 16)).tiles))
    with pytest.raises(ValueError, match="expected a picture larger than a tile, found 512 × 1"):
        list(halve_tiles(Layout(512, 1), []))
