"""PNG streams: what is put in comes out of any decoder, and the bytes follow from the picture alone."""

import io
import struct
import zlib
from unittest import mock

import numpy as np
import pytest
from builders import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.files import png

_STRETCH = {1: 1, 2: 85, 4: 17, 8: 1, 16: 1}  # Pillow hands out grey of few bits as shades


def chunks(data):
    """Take a PNG apart, minding every length and checksum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, place = [], 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, place + 8 + length)
        assert checksum == zlib.crc32(name + body)
        found.append((name, body))
        place += 12 + length
    assert place == len(data)
    return found


def rows(data):
    """Unpack the rows of a PNG by the standard library, and their filters."""
    found = chunks(data)
    width, height, depth, kind, *_ = struct.unpack(">IIBBBBB", found[0][1])
    unpacker = zlib.decompressobj()
    stream = unpacker.decompress(b"".join(body for name, body in found if name == b"IDAT"))
    assert unpacker.eof
    assert not unpacker.unused_data
    table = np.frombuffer(stream, np.uint8).reshape(height, -1)
    assert table.shape[1] == 1 + (width * depth * {0: 1, 2: 3, 3: 1, 6: 4}[kind] + 7) // 8
    return table


def decoded(data):
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.load()
        return image.mode, np.asarray(image)


def values(depth, height, width, seed=0):
    kind = np.uint16 if depth == 16 else np.uint8
    return np.random.default_rng(seed).integers(0, 1 << depth, (height, width)).astype(kind)


pictures = st.tuples(
    st.sampled_from([1, 2, 4, 8, 16]),
    st.integers(1, 37),
    st.integers(1, 37),
    st.integers(0, 99),
    st.sampled_from([1, 16, 33, 1 << 20]),
)


@given(pictures)
@settings(max_examples=80, deadline=None)
def test_grey_values_come_back_whatever_depth_size_and_bands(picture):
    depth, height, width, seed, band = picture
    image = values(depth, height, width, seed)
    with mock.patch.object(png, "_BAND_BYTES", band):
        data = png.grey(png.compress(image, depth))
    mode, found = decoded(data)
    assert mode == {1: "1", 16: "I;16"}.get(depth, "L")
    assert (found == image * _STRETCH[depth]).all()
    assert not rows(data)[:, 0].any()


@given(pictures.filter(lambda picture: picture[0] < 16), st.booleans())
@settings(max_examples=80, deadline=None)
def test_indices_and_colours_come_back_whatever_depth_size_and_bands(picture, clear):
    depth, height, width, seed, band = picture
    image = values(depth, height, width, seed)
    colors = noise(1, (1 << depth) - clear, seed=seed)[0]
    with mock.patch.object(png, "_BAND_BYTES", band):
        data = png.indexed(png.compress(image, depth), colors, clear)
    mode, found = decoded(data)
    assert mode == "P"
    assert (found == image).all()
    with Image.open(io.BytesIO(data)) as opened:
        shown = np.asarray(opened.convert("RGBA"))
    expected = np.zeros((1 << depth, 4), np.uint8)
    expected[: len(colors)] = np.column_stack([colors, np.full(len(colors), 255)])
    assert (shown == expected[image]).all()
    assert not rows(data)[:, 0].any()


@pytest.mark.parametrize("channels", [3, 4])
@given(height=st.integers(1, 30), width=st.integers(1, 30), band=st.sampled_from([1, 100, 1 << 20]))
@settings(max_examples=25, deadline=None)
def test_true_colours_come_back_with_and_without_alpha(channels, height, width, band):
    image = noise(height, width, channels)
    with mock.patch.object(png, "_BAND_BYTES", band):
        data = png.truecolor(image)
    mode, found = decoded(data)
    assert mode == {3: "RGB", 4: "RGBA"}[channels]
    assert (found == image).all()
    assert not rows(data)[:, 0].any()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_one_pixel_is_a_picture(depth):
    image = values(depth, 1, 1)
    assert decoded(png.grey(png.compress(image, depth)))[1] == image * _STRETCH[depth]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_bytes_do_not_hang_on_the_inputs_place_in_memory(depth):
    image = values(depth, 13, 21)
    wide = np.zeros((13, 50), image.dtype)
    wide[:, 5:26] = image
    expected = png.compress(image, depth)
    for same in (np.asfortranarray(image), wide[:, 5:26], image[::-1].copy()[::-1]):
        assert png.compress(same, depth) == expected


def test_true_colours_do_not_hang_on_the_inputs_place_in_memory():
    image = noise(9, 11, 4)
    assert png.truecolor(np.asfortranarray(image)) == png.truecolor(image)
    assert png.truecolor(image[:, :, :3]) == png.truecolor(image[:, :, :3].copy())


def test_16_bits_do_not_hang_on_the_inputs_place_in_memory():
    image = values(16, 13, 21)
    assert png.compress(np.asfortranarray(image), 16) == png.compress(image, 16)


def test_16_bits_of_several_channels_are_packed():
    image = np.random.default_rng(0).integers(0, 1 << 16, (3, 4, 3)).astype(np.uint16)
    stream = zlib.decompressobj().decompress(b"".join(png.compress(image, 16).bands))
    packed = np.frombuffer(stream, np.uint8).reshape(3, -1)[:, 1:]
    assert (packed.copy().view(">u2").reshape(3, 4, 3) == image).all()


@pytest.mark.parametrize("depth", [1, 8, 16])
def test_each_band_can_be_unpacked_alone(monkeypatch, depth):
    monkeypatch.setattr(png, "_BAND_BYTES", 100)
    image = values(depth, 50, 19)
    samples = png.compress(image, depth)
    assert len(samples.bands) > 1
    whole = rows(png.grey(samples)).tobytes()
    parts = [samples.bands[0][2:], *samples.bands[1:]]
    assert b"".join(zlib.decompressobj(-15).decompress(part) for part in parts) == whole


def test_a_bands_rows_are_the_largest_power_of_two_that_fits_and_at_least_one(monkeypatch):
    image = values(8, 10, 9)
    for band, count in ((1, 10), (10, 10), (20, 5), (30, 5), (40, 3), (80, 2), (159, 2), (160, 1)):
        monkeypatch.setattr(png, "_BAND_BYTES", band)
        assert len(png.compress(image).bands) == count


@given(pictures, st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_parts_of_whole_bands_are_put_together_to_the_same_bytes(picture, bands):
    depth, height, width, seed, limit = picture
    image = values(depth, height, width, seed)
    with mock.patch.object(png, "_BAND_BYTES", limit):
        step = png.band_rows(width, depth)
        tops = [0, *(step * place for place in np.cumsum(bands) if step * place < height)]
        parts = []
        for top, bottom in zip(tops, [*tops[1:], height], strict=True):
            parts.append(png.compress(image[top:bottom], depth, first=top == 0, last=bottom == height))
        whole = png.grey(png.compress(image, depth))
    checksum = 1
    for part in parts:
        checksum = png.join_checksums(checksum, part.checksum, part.size)
    head = png.grey_opening(width, height, depth)
    assert head + b"".join(map(png.data_chunks, parts)) + png.closing(checksum) == whole


def test_a_picture_of_some_real_bands_comes_back():
    image = values(8, 2100, 1100)
    samples = png.compress(image)
    assert len(samples.bands) == 5
    assert (decoded(png.grey(samples))[1] == image).all()


def test_label_values_are_the_raw_values():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    mode, found = decoded(png.grey(png.compress(image)))
    assert (mode, found.tolist()) == ("L", image.tolist())
    deep = np.array([[0, 1, 255, 256, 65535]], np.uint16)
    mode, found = decoded(png.grey(png.compress(deep, 16)))
    assert (mode, found.tolist()) == ("I;16", deep.tolist())


def test_numbers_have_no_colour_space_and_colours_have():
    samples = png.compress(values(8, 2, 2) % 3)
    names = [name for name, _ in chunks(png.grey(samples))]
    assert names == [b"IHDR", b"IDAT", b"IDAT", b"IEND"]
    names = [name for name, _ in chunks(png.indexed(samples, noise(1, 3)[0], True))]
    assert names == [b"IHDR", b"sRGB", b"PLTE", b"tRNS", b"IDAT", b"IDAT", b"IEND"]
    names = [name for name, _ in chunks(png.truecolor(noise(2, 2)))]
    assert names == [b"IHDR", b"sRGB", b"IDAT", b"IDAT", b"IEND"]


@given(st.integers(1, 1 << 16))
@settings(max_examples=50, deadline=None)
def test_the_smallest_depth_holds_all_values_and_half_of_it_does_not(count):
    depth = png.smallest_depth(count)
    assert count <= 1 << depth
    assert depth == 1 or count > 1 << (depth // 2)


def test_the_input_is_not_changed():
    for depth in (1, 2, 4, 8, 16):
        image = values(depth, 5, 7)
        before = image.copy()
        png.compress(image, depth)
        assert (image == before).all()
