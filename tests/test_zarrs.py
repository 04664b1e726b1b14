"""Zarr arrays in windows: the numbers are zarr's own, whatever the chunks; what is broken is told."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import (
    ChangedWhileReading,
    DamagedImage,
    ImageError,
    TooManyPixels,
    UnlistedFormat,
    UnsupportedImage,
)
from pipeline.files.formats import NAMES
from pipeline.files.images import read_header, read_image
from pipeline.files.layouts import layout_of
from pipeline.files.rasters import open_raster, raster_layout
from pipeline.files.readers import notes_of, open_windows
from pipeline.files.windows import Window
from pipeline.files.zarrs import open_zarr
from pipeline.jobs.needs import raster_bytes

zarr = pytest.importorskip("zarr")
codecs = pytest.importorskip("zarr.codecs")
numcodecs = pytest.importorskip("numcodecs")

RNG = np.random.default_rng(5)
MOST = 10**9


def write(path: Path, values: np.ndarray, **how: Any) -> Path:
    """Save an array; `how` as zarr has it."""
    attributes = how.pop("attributes", {})
    array = zarr.create_array(path, shape=values.shape, dtype=values.dtype, **how)
    array[...] = values
    array.attrs.update(attributes)
    return path


def ome(path: Path, values: np.ndarray, axes: Any, version: int = 2, **how: Any) -> Path:
    """Save an OME-Zarr image of two levels."""
    group = zarr.open_group(path, mode="w", zarr_format=version)
    levels = [{"path": "s/0"}, {"path": "s/1"}]
    told = {"multiscales": [{"datasets": levels, **({"axes": axes} if axes else {})}]}
    group.attrs.update({"ome": told} if version == 3 else told)
    small = values[..., ::2, ::2]
    for name, level in (("s/0", values), ("s/1", small)):
        write(path / name, level, zarr_format=version, **how)
    return path


def named(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def noise(*shape: int, dtype: str = "u2") -> np.ndarray:
    return RNG.integers(0, 200, shape).astype(dtype)


def windows(height: int, width: int) -> list[Window]:
    """All of it, its corners, and some at random."""
    found = [Window(0, 0, height, width), Window(0, 0, 1, 1), Window(height - 1, width - 1, 1, 1)]
    for _ in range(8):
        row, col = int(RNG.integers(height)), int(RNG.integers(width))
        rows, cols = int(RNG.integers(1, height - row + 1)), int(RNG.integers(1, width - col + 1))
        found.append(Window(row, col, rows, cols))
    return found


def cut(values: np.ndarray, window: Window) -> np.ndarray:
    return values[window.row : window.bottom, window.col : window.right]


def holds(path: Path, expected: np.ndarray) -> None:
    """Whether windows of a folder read as numbers are those of a (height, width, bands) array."""
    layout = raster_layout(path)
    assert (layout.height, layout.width, layout.bands) == expected.shape
    assert layout.format == "zarr"
    with open_raster(path, layout) as reader:
        for window in windows(layout.height, layout.width):
            found = reader.read(window)
            assert found.dtype == layout.dtype
            assert found.flags.c_contiguous
            np.testing.assert_array_equal(found, cut(expected, window))
        with pytest.raises(ValueError, match="not within"):
            reader.read(Window(0, 0, layout.height + 1, 1))


KINDS: dict[str, dict[str, Any]] = {
    "plain v2": {"zarr_format": 2, "compressors": None},
    "v2, F order": {"zarr_format": 2, "order": "F", "compressors": numcodecs.Zlib()},
    "v2, blosc, nested": {
        "zarr_format": 2,
        "compressors": numcodecs.Blosc(),
        "chunk_key_encoding": {"name": "v2", "separator": "/"},
    },
    "v2, filtered": {"zarr_format": 2, "filters": [numcodecs.Delta(dtype="<u2")]},
    "v3": {},
    "v3, blosc": {"compressors": codecs.BloscCodec()},
    "v3, gzip": {"compressors": codecs.GzipCodec()},
    "v3, transposed": {"filters": codecs.TransposeCodec(order=(2, 0, 1))},
    "v3, big-endian": {"serializer": codecs.BytesCodec(endian="big"), "compressors": None},
    "sharded": {"shards": (48, 40, 3)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_every_kind_of_array(tmp_path, kind):
    values = noise(101, 67, 3)
    path = write(tmp_path / "a.zarr", values, chunks=(16, 20, 3), **KINDS[kind])
    holds(path, values)
    assert raster_layout(path).unit == ((48, 40) if kind == "sharded" else (16, 20))


@pytest.mark.parametrize("dtype", ["bool", "i1", "u4", "i8", "f2", ">f4", ">i2", "f8"])
def test_every_real_type(tmp_path, dtype):
    values = noise(33, 20, dtype=dtype)
    version = 2 if dtype.startswith(">") else 3
    path = write(tmp_path / "a.zarr", values, chunks=(9, 50), zarr_format=version)
    assert raster_layout(path).dtype == ("uint8" if dtype == "bool" else values.dtype.newbyteorder("=").name)
    holds(path, values[..., None])


def test_axes_by_shape(tmp_path):
    holds(write(tmp_path / "a.zarr", values := noise(5, 30, 20), chunks=(2, 8, 8)), values.transpose(1, 2, 0))
    holds(write(tmp_path / "b.zarr", values := noise(30, 20, 4), chunks=(8, 8, 1)), values)
    holds(write(tmp_path / "c.zarr", values := noise(3, 4, 4), chunks=(1, 4, 4)), values.transpose(1, 2, 0))


def test_many_small_chunks_and_few_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.files.zarrs._AT_ONCE", 900)
    holds(write(tmp_path / "a.zarr", values := noise(50, 90, 3), chunks=(5, 7, 2)), values)


def test_shards_that_cannot_be_held_are_read_by_their_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.files.zarrs.LARGEST_PIECE", 2000)
    path = write(tmp_path / "a.zarr", values := noise(64, 64), chunks=(16, 16), shards=(64, 64))
    assert raster_layout(path).unit == (16, 16)
    holds(path, values[..., None])
    path = write(tmp_path / "b.zarr", values, chunks=(64, 64))
    with pytest.raises(UnsupportedImage, match=r"chunks of 64 × 64.*smaller chunks"):
        raster_layout(path)


@pytest.mark.parametrize("version", [2, 3])
def test_ome(tmp_path, version):
    values = noise(3, 2, 4, 30, 20)
    path = ome(tmp_path / "a.zarr", values, named(*"tczyx"), version, chunks=(1, 1, 2, 16, 16))
    holds(path, values[0, :, 0].transpose(1, 2, 0))
    assert raster_layout(path).notes == ("plane 1 of 3 along T", "plane 1 of 4 along Z", "base level of 2")


def test_ome_axes_of_all_versions(tmp_path):
    values = noise(1, 3, 1, 30, 20)
    expected = values[0, :, 0].transpose(1, 2, 0)
    holds(ome(tmp_path / "a.zarr", values, None, chunks=(1, 1, 1, 16, 16)), expected)
    holds(ome(tmp_path / "b.zarr", values, list("tczyx"), chunks=(1, 1, 1, 16, 16)), expected)
    axes = [{"name": "time", "type": "time"}, {"name": "band", "type": "channel"}, *named(*"zyx")]
    holds(ome(tmp_path / "c.zarr", values, axes, 3, chunks=(1, 1, 1, 16, 16)), expected)
    holds(
        ome(tmp_path / "d.zarr", values[0, 0, 0], named("x", "y"), chunks=(16, 16)),
        values[0, 0, 0].T[..., None],
    )


def test_several_images(tmp_path):
    path = ome(tmp_path / "a.zarr", noise(30, 20), named("y", "x"), chunks=(9, 9))
    told = json.loads((path / ".zattrs").read_text())
    told["multiscales"].append({})
    (path / ".zattrs").write_text(json.dumps(told))
    assert raster_layout(path).notes == ("image 1 of 2", "base level of 2")


@pytest.mark.parametrize(
    ("told", "nodata"),
    [
        ({}, None),
        ({"_FillValue": -9999}, -9999.0),
        ({"_FillValue": "AAAAAACHw8A="}, -9998.0),
        ({"missing_value": [7]}, 7.0),
        ({"missing_value": 7.5, "_FillValue": "nonsense"}, 7.5),
        ({"_FillValue": True}, None),
    ],
)
def test_no_data_is_what_attributes_tell(tmp_path, told, nodata):
    path = write(tmp_path / "a.zarr", noise(8, 8, dtype="f4"), chunks=(4, 4), fill_value=3, attributes=told)
    assert raster_layout(path).nodata == nodata
    assert np.isnan(
        open_zarr(write(tmp_path / "n.zarr", noise(8, 8), attributes={"_FillValue": "NaN"})).form.nodata
    )


def test_chunks_left_out_are_filled(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(20, 30), chunks=(10, 10), dtype="i2", fill_value=-7)
    array[:10, 10:20] = 3
    holds(tmp_path / "a.zarr", array[...][..., None])
    assert raster_layout(tmp_path / "a.zarr").nodata is None


@pytest.mark.parametrize(("channels", "mode"), [(None, "L"), (1, "L"), (3, "RGB"), (4, "RGBA")])
def test_pictures_are_those_of_a_png(tmp_path, channels, mode):
    values = noise(70, 55, *((channels,) if channels else ()), dtype="u1")
    png = tmp_path / "a.png"
    Image.fromarray(values[..., 0] if channels == 1 else values).save(png)
    expected = read_image(png, NAMES, MOST)
    path = write(tmp_path / "a.zarr", values, chunks=(16, 20, *((1,) if channels else ())))
    header = read_header(path, NAMES, MOST)
    layout = layout_of(path, header)
    assert (header.format, header.mode, header.width, header.height) == ("zarr", mode, 55, 70)
    assert (layout.kind, layout.unit, layout.alpha) == ("windows", (16, 20), mode == "RGBA")
    assert notes_of(path, header, layout) == expected.notes
    with open_windows(path, header, layout) as reader:
        for window in windows(70, 55):
            patch = reader.read(window)
            np.testing.assert_array_equal(patch.pixels, cut(expected.pixels, window))
            assert (patch.alpha is None) == (mode != "RGBA")
            if patch.alpha is not None:
                np.testing.assert_array_equal(patch.alpha, cut(expected.alpha, window))
        for rows in (16, 9):
            bands = [patch.pixels for patch in reader.bands(rows)]
            np.testing.assert_array_equal(np.concatenate(bands), expected.pixels)


@pytest.mark.parametrize("shape", [(30, 20, 2), (5, 30, 20)])
def test_other_numbers_are_no_pictures(tmp_path, shape):
    path = write(tmp_path / "a.zarr", noise(*shape, dtype="u1"))
    with pytest.raises(UnsupportedImage, match=r"a\.zarr: expected uint8 of 1, 3 or 4.*method: segment"):
        read_header(path, NAMES, MOST)
    for dtype in ("u2", "bool", "f4"):
        path = write(tmp_path / f"{dtype}.zarr", noise(30, 20, dtype=dtype))
        with pytest.raises(UnsupportedImage, match=r"found (uint16|bool|float32) of 1; use quantize"):
            read_header(path, NAMES, MOST)


def test_what_a_job_does_not_admit(tmp_path):
    path = write(tmp_path / "a.zarr", noise(30, 20, dtype="u1"))
    with pytest.raises(UnlistedFormat, match=r"add zarr to input\.formats"):
        read_header(path, ("png",), MOST)
    with pytest.raises(TooManyPixels, match="20 × 30"):
        read_header(path, NAMES, 599)
    assert read_header(path, ("zarr",), 600).format == "zarr"


def test_a_form_that_changed(tmp_path):
    path = write(tmp_path / "a.zarr", noise(30, 20, dtype="u1"))
    header, raster = read_header(path, NAMES, MOST), raster_layout(path)
    layout = layout_of(path, header)
    shutil.rmtree(path)
    write(path, noise(20, 30, dtype="u1"))
    with pytest.raises(ChangedWhileReading, match="30 × 20"), open_windows(path, header, layout):
        pass
    with pytest.raises(ChangedWhileReading, match="30 × 20"), open_raster(path, raster):
        pass


def edit(path: Path, **changes: Any) -> None:
    """Change what a file of metadata says."""
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | changes))


def refused(path: Path) -> ImageError:
    """The error that reading all of a folder ends in."""
    with pytest.raises(ImageError, match=rf"^{path.name}[:,]") as told:  # noqa: SIM117
        with open_raster(path, layout := raster_layout(path)) as reader:
            reader.read(Window(0, 0, layout.height, layout.width))
    return told.value


def test_metadata_missing_or_broken(tmp_path):
    path = write(tmp_path / "a.zarr", noise(30, 20), zarr_format=2, chunks=(10, 10))
    good = (path / ".zarray").read_bytes()
    for bad in (b"", b"{", b"[]", b"\xff", b"null", b"{}", good.replace(b'"chunks"', b'"chunk"')):
        (path / ".zarray").write_bytes(bad)
        assert isinstance(refused(path), DamagedImage), bad
    (path / ".zarray").unlink()
    assert "expected zarr.json, .zarray or .zgroup, found none" in str(refused(path))
    path = write(tmp_path / "b.zarr", noise(30, 20))
    edit(path / "zarr.json", node_type="other")
    assert isinstance(refused(path), DamagedImage)
    edit(path / "zarr.json", node_type="array", shape=[0, 9])
    assert "at least one pixel" in str(refused(path))
    edit(path / "zarr.json", shape=[30, 20], codecs=[{"name": "unheard-of"}])
    assert isinstance(refused(path), UnsupportedImage)
    path = write(tmp_path / "c.zarr", noise(30, 20), attributes={"a": 1})
    edit(path / "zarr.json", attributes=5)
    assert isinstance(refused(path), DamagedImage)


def test_ome_metadata_missing_or_broken(tmp_path):
    path = ome(tmp_path / "a.zarr", noise(30, 20), named("y", "x"), chunks=(9, 9))
    for images in ([{}], [{"datasets": []}], [{"datasets": [{"path": "../b.zarr"}]}], {"a": 1}, [5], "text"):
        edit(path / ".zattrs", multiscales=images)
        assert isinstance(refused(path), DamagedImage), images
    edit(path / ".zattrs", multiscales=[{"datasets": [{"path": "s"}], "axes": ["y", "x"]}])
    assert isinstance(refused(path), DamagedImage)
    edit(path / ".zattrs", multiscales=[{"datasets": [{"path": "s/7"}], "axes": ["y", "x"]}])
    assert "expected its base level at s/7, found none" in str(refused(path))
    edit(path / ".zattrs", multiscales=[{"datasets": [{"path": "s/0"}], "axes": ["c", "y", "x"]}])
    assert "3 axes" in str(refused(path))
    edit(path / ".zattrs", multiscales=[{"datasets": [{"path": "s/0"}], "axes": ["y", "y"]}])
    assert isinstance(refused(path), UnsupportedImage)
    (path / ".zattrs").unlink()
    assert "group without multiscales" in str(refused(path))


@pytest.mark.parametrize("shape", [(9,), (2, 3, 9, 9)])
def test_axes_that_nobody_names(tmp_path, shape):
    error = refused(write(tmp_path / "a.zarr", noise(*shape)))
    assert isinstance(error, UnsupportedImage)
    assert "2 or 3 axes" in str(error)


@pytest.mark.parametrize("length", [0, 1, 7, 50, -1])
@pytest.mark.parametrize(
    "kind", ["plain v2", "v2, F order", "v2, blosc, nested", "v3", "v3, blosc", "v3, gzip", "sharded"]
)
def test_a_chunk_cut_short(tmp_path, kind, length):
    path = write(tmp_path / "a.zarr", noise(40, 40, 3), chunks=(20, 20, 3), **KINDS[kind] | (
        {"shards": (40, 40, 3)} if kind == "sharded" else {}
    ))  # fmt: skip
    chunk = max((file for file in path.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    chunk.write_bytes(chunk.read_bytes()[:length])
    error = refused(path)
    assert type(error).__name__ in ("DamagedImage", "TruncatedImage")
    assert re.search(r"rows \d+ to", str(error))


def test_a_shard_whose_bytes_were_changed(tmp_path):
    path = write(tmp_path / "a.zarr", noise(40, 40), chunks=(20, 20), shards=(40, 40))
    [shard] = [file for file in path.rglob("*") if file.is_file() and file.name != "zarr.json"]
    data = bytearray(shard.read_bytes())
    data[-30] ^= 255
    shard.write_bytes(data)
    assert isinstance(refused(path), DamagedImage)


def test_objects_texts_and_complex_numbers(tmp_path):
    for number, dtype in enumerate(("c8", "M8[s]", "<U4")):
        values = np.zeros((9, 9), dtype)
        path = write(tmp_path / f"{number}.zarr", values, zarr_format=2)
        assert isinstance(refused(path), UnsupportedImage)
    path = write(tmp_path / "o.zarr", noise(9, 9), zarr_format=2)
    edit(path / ".zarray", dtype="|O", fill_value=None, filters=[{"id": "vlen-utf8"}])
    assert isinstance(refused(path), UnsupportedImage)


def test_pickles_are_never_opened(tmp_path):
    path = write(tmp_path / "a.zarr", noise(9, 9), zarr_format=2)
    edit(path / ".zarray", filters=[{"id": "pickle"}])
    assert "pickled" in str(refused(path))
    edit(path / ".zarray", filters=5)
    assert isinstance(refused(path), DamagedImage)
    path = write(tmp_path / "b.zarr", noise(8, 8))
    edit(
        path / "zarr.json",
        codecs=[{"name": "sharding_indexed", "configuration": {"codecs": [{"name": "numcodecs.pickle"}]}}],
    )
    assert "pickled" in str(refused(path))


def test_without_the_package(tmp_path, monkeypatch):
    path = write(tmp_path / "a.zarr", noise(9, 9, dtype="u1"))
    monkeypatch.setitem(sys.modules, "zarr", None)
    for read in (raster_layout, lambda path: read_header(path, NAMES, MOST)):
        with pytest.raises(UnsupportedImage, match=r"a\.zarr: .*pip install 'segpipe\[zarr\]'"):
            read(path)


def test_large_chunks_are_reckoned_with(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(20, 4096, 4096), chunks=(1, 2048, 2048), dtype="f4")
    layout = raster_layout(tmp_path / "a.zarr")
    unit = layout.unit[0] * layout.unit[1] * layout.pixel_bytes
    assert unit == 20 * 2048 * 2048 * 4
    assert raster_bytes(layout) > 2 * unit + layout.decoder_bytes
