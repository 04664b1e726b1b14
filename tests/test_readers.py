"""Pictures read in parts have the very pixels of those that are read whole."""

import os
from contextlib import suppress

import numpy as np
import parts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import ChangedWhileReading, DamagedImage, ImageError, TruncatedImage
from pipeline.files.formats import FORMATS
from pipeline.files.images import read_header, read_image
from pipeline.files.layouts import layout_of
from pipeline.files.readers import open_windows
from pipeline.files.windows import Window, cover

EVERY = tuple(FORMATS)
LIMIT = 10**8


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Every file with what it gives when it is read whole."""
    paths = parts.write_all(tmp_path_factory.mktemp("parts"))
    return {path: read_image(path, EVERY, LIMIT) for path in paths}


def opened(path):
    header = read_header(path, EVERY, LIMIT)
    return open_windows(path, header, layout_of(path, header))


def is_part(patch, raster, alpha):
    """Tell whether a patch is that part of a whole picture."""
    window = patch.window
    place = (slice(window.row, window.bottom), slice(window.col, window.right))
    assert patch.pixels.dtype == np.uint8
    assert patch.pixels.flags.c_contiguous
    assert (patch.alpha is not None) == alpha
    opaque = np.full(raster.pixels.shape[:2], 255) if raster.alpha is None else raster.alpha
    return np.array_equal(patch.pixels, raster.pixels[place]) and (
        np.array_equal(patch.alpha, opaque[place]) if alpha else raster.alpha is None
    )


def test_every_file_in_bands(whole):
    for path, raster in whole.items():
        alpha = layout_of(path, raster.header).alpha
        with opened(path) as reader:
            bands = list(reader.bands(33))
        assert [patch.window for patch in bands] == list(cover(70, 90, 33, 90))
        assert [path.name for patch in bands if not is_part(patch, raster, alpha)] == []


def test_every_file_of_any_entry_in_windows(whole):
    for path, raster in whole.items():
        layout = layout_of(path, raster.header)
        if layout.kind == "windows":
            with opened(path) as reader:
                for window in cover(70, 90, *layout.unit):
                    assert is_part(reader.read(window), raster, layout.alpha), (path.name, window)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_partition_gives_the_whole(whole, data):
    path = data.draw(st.sampled_from(sorted(whole)))
    rows = data.draw(st.integers(1, 80))
    layout = layout_of(path, whole[path].header)
    with opened(path) as reader:
        patches = list(reader.bands(rows))
        assert [patch.window for patch in patches] == list(cover(70, 90, rows, 90))
        if layout.kind == "windows":
            windows = list(cover(70, 90, data.draw(st.integers(9, 80)), data.draw(st.integers(9, 100))))
            patches += [reader.read(window) for window in data.draw(st.permutations(windows))]
    assert all(is_part(patch, whole[path], layout.alpha) for patch in patches)


def test_what_streams_cannot_be_entered(tmp_path):
    (tmp_path / "a.png").write_bytes(parts.png(9, 9, 8, 2))
    with opened(tmp_path / "a.png") as reader, pytest.raises(ValueError, match="from top to bottom"):
        reader.read(Window(3, 3, 2, 2))


def test_bands_can_be_read_again_and_side_by_side(whole):
    for path in (path for path in whole if path.name in ("444.jpg", "rgb-tiles-lzw-big.tif", "icc.png")):
        with opened(path) as reader:
            pairs = list(zip(reader.bands(7), reader.bands(7), strict=True))
        assert len(pairs) == 10
        assert all(np.array_equal(one.pixels, other.pixels) for one, other in pairs)


def damaged(path, raster, data):
    """Read a damaged file in bands: its error, or None when its pixels are those Pillow gives."""
    path.write_bytes(data)
    try:
        alpha = layout_of(path, read_header(path, EVERY, LIMIT)).alpha
        with opened(path) as reader:
            patches = list(reader.bands(32))
    except ImageError as error:
        return error
    # Pillow stops at what is no part of the pixels, too: then they must be those of the sound file.
    with suppress(ImageError):
        raster = read_image(path, EVERY, LIMIT)
    assert all(is_part(patch, raster, alpha) for patch in patches)
    return None


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_files_that_are_cut_short(whole, tmp_path, share):
    for path, raster in whole.items():
        if path.name in ("animated.png", "two-pages.tif"):
            continue  # the cut goes through what is not read
        data = path.read_bytes()
        error = damaged(tmp_path / "cut", raster, data[: int(len(data) * share)])
        assert isinstance(error, TruncatedImage | DamagedImage), path.name


def test_flipped_bits_are_told_or_make_no_difference(whole, tmp_path):
    """Where the format has a checksum, or the decoder stumbles; else the pixels are Pillow's."""
    rng = np.random.default_rng(1)
    for path, raster in whole.items():
        content = bytearray(path.read_bytes())
        content[rng.integers(8, len(content))] ^= 1 << int(rng.integers(8))
        damaged(tmp_path / path.name, raster, bytes(content))


@pytest.mark.parametrize("name", ["rgb-strips-deflate.tif", "rgb-tiles-zstd.tif", "rgb-tiles-lzma.tif"])
def test_a_broken_piece_is_told_with_its_place(whole, tmp_path, name):
    [path] = [path for path in whole if path.name == name]
    content = bytearray(path.read_bytes())
    with Image.open(path) as image:
        place = image.tag_v2.get(324, image.tag_v2.get(273))[1]
    content[place : place + 40] = bytes(40)
    (tmp_path / name).write_bytes(content)
    with (
        opened(tmp_path / name) as reader,
        pytest.raises(DamagedImage, match=r"rows .*, columns .* sound tiff"),
    ):
        list(reader.bands(70))
    with opened(tmp_path / name) as reader:
        assert is_part(reader.read(Window(0, 0, 9, 9)), whole[path], False)


def test_a_marker_within_a_jpeg(tmp_path):
    """In the last rows, where the decoder's warning would not be heard."""
    Image.fromarray(parts.RGB).save(tmp_path / "a.jpg")
    content = bytearray((tmp_path / "a.jpg").read_bytes())
    content[-20:-18] = b"\xff\x02"
    (tmp_path / "a.jpg").write_bytes(content)
    with opened(tmp_path / "a.jpg") as reader, pytest.raises(DamagedImage, match="marker 0x2 at byte"):
        next(reader.bands(1))


def test_a_file_that_has_changed(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(parts.png(9, 9, 8, 2))
    header = read_header(path, EVERY, LIMIT)
    layout = layout_of(path, header)
    with open_windows(path, header, layout) as reader:
        os.truncate(path, header.bytes - 1)
        with pytest.raises(ChangedWhileReading, match=f"expected {header.bytes} bytes"):
            next(reader.bands(1))
    with pytest.raises(ChangedWhileReading), open_windows(path, header, layout):
        pass
