"""What is carried from an input TIFF: all of its place or nothing, whatever is damaged."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.files import tiff
from pipeline.files.geotags import NOTHING, Carried, carried_tags
from pipeline.files.tiles import compress_tiles

SCALE = (33550, 12, 3, (0.5, 0.25, 0.0), True)
PLACE = (33922, 12, 6, (0.0, 0.0, 0.0, 500000.0, 4500000.0, 0.0), True)
KEYS = (34735, 3, 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633), True)
TEXTS = (34737, 2, 0, "WGS 84|", True)


@pytest.fixture
def made(tmp_path):
    def make(tags=(), **named):
        path = tmp_path / "in.tif"
        image = np.zeros((4, 6), np.uint8)
        tifffile.imwrite(path, image, photometric="minisblack", metadata=None, extratags=tags, **named)
        return path

    return make


def out(path, carried):
    picture = tiff.grey(6, 4, 8)
    with path.open("xb") as file:
        tiff.write_tiff(file, picture, compress_tiles(np.zeros((4, 6), np.uint8)).tiles, (), carried)
    return path


def test_the_place_is_carried_over(made, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    path = made([SCALE, PLACE, KEYS])
    with rasterio.open(path) as before, rasterio.open(out(tmp_path / "o.tif", carried_tags(path))) as after:
        assert after.transform == before.transform == rasterio.Affine(0.5, 0, 500000, 0, -0.25, 4500000)
        assert after.crs == before.crs == rasterio.CRS.from_epsg(32633)


@pytest.mark.parametrize("epsg", [4326, 3857, 2193, 3035])
@pytest.mark.parametrize("turn", [0, 30])
def test_what_gdal_writes_is_carried_over(tmp_path, epsg, turn):
    rasterio = pytest.importorskip("rasterio")
    transform = (
        rasterio.Affine.translation(10, 20) @ rasterio.Affine.rotation(turn) @ rasterio.Affine.scale(2, -3)
    )
    path = tmp_path / "in.tif"
    facts = {"driver": "GTiff", "width": 6, "height": 4, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs=rasterio.CRS.from_epsg(epsg), transform=transform, **facts) as file:
        file.write(np.zeros((1, 4, 6), np.uint8))
    with rasterio.open(path) as before, rasterio.open(out(tmp_path / "o.tif", carried_tags(path))) as after:
        assert after.transform == before.transform
        assert after.crs == before.crs
        assert after.crs.to_epsg() == epsg


def test_the_resolution_is_carried_over(made, tmp_path):
    path = made(resolution=((7200, 24), (150, 1)), resolutionunit="centimeter")
    carried = carried_tags(path)
    assert carried == Carried((), ((300, 1), (150, 1)), 3)
    with Image.open(out(tmp_path / "o.tif", carried)) as opened:
        assert [opened.tag_v2[code] for code in (282, 283, 296)] == [300, 150, 3]


def test_a_resolution_without_a_unit_is_one_an_inch(tmp_path):
    path = tmp_path / "in.tif"
    Image.new("L", (6, 4)).save(path, tiffinfo={282: 72.0, 283: 72.0})
    with tifffile.TiffFile(path) as opened:
        assert 296 not in opened.pages.first.tags
    assert carried_tags(path) == Carried((), ((72, 1), (72, 1)), 2)


@pytest.mark.parametrize("values", [(6378137.0, 298.257223563), (6378137.0,)])
def test_what_comes_out_is_carried_as_what_went_in(made, tmp_path, values):
    texts = (34737, 2, 0, "Größe\0|WGS 84|".encode("latin-1"), True)
    numbers = (34736, 12, len(values), values, True)
    carried = carried_tags(made([SCALE, PLACE, KEYS, texts, numbers], resolution=((72, 1), (72, 1))))
    assert [tag.code for tag in carried.geo] == [33550, 33922, 34735, 34736, 34737]
    assert carried.geo[-1].value == texts[3] + b"\0"
    assert carried_tags(out(tmp_path / "o.tif", carried)) == carried


def test_every_order_of_bytes_and_size_of_file_is_read(made):
    tags = [SCALE, PLACE, KEYS, TEXTS]
    found = [
        carried_tags(made(tags, byteorder=order, bigtiff=big)) for order in "<>" for big in (False, True)
    ]
    assert found[0].geo
    assert found == found[:1] * 4


@pytest.mark.parametrize(
    "damaged",
    [
        (33550, 12, 2, (1.0, 1.0), True),
        (33550, 12, 3, (1.0, float("nan"), 0.0), True),
        (33550, 3, 3, (1, 1, 0), True),
        (33922, 12, 5, (0.0,) * 5, True),
        (34264, 12, 15, (0.0,) * 15, True),
        (34735, 3, 4, (1, 1, 0, 3), True),
        (34735, 3, 1, 1, True),
        (34735, 3, 4, (2, 1, 0, 0), True),
        (34736, 12, 1, float("inf"), True),
        (34737, 3, 1, 7, True),
    ],
)
def test_half_a_place_is_none(made, damaged):
    tags = [tag for tag in (SCALE, PLACE, KEYS, TEXTS) if tag[0] != damaged[0]]
    carried = carried_tags(made([*tags, damaged], resolution=((72, 1), (72, 1)), resolutionunit="inch"))
    assert carried == Carried((), ((72, 1), (72, 1)), 2)


def test_pictures_that_are_turned_lose_their_place_and_turn_their_resolution(made):
    tags = [SCALE, PLACE, KEYS]
    for orientation in range(1, 9):
        path = made([*tags, (274, 3, 1, orientation, True)], resolution=((10, 1), (20, 1)))
        carried = carried_tags(path)
        assert bool(carried.geo) == (orientation == 1)
        assert carried.resolution == (((20, 1), (10, 1)) if orientation >= 5 else ((10, 1), (20, 1)))
        stored = carried_tags(path, as_stored=True)
        assert stored.geo
        assert stored.resolution == ((10, 1), (20, 1))


def test_nothing_is_carried_from_files_that_say_nothing(made, tmp_path):
    assert carried_tags(made(resolution=((0, 1), (72, 1)))) == NOTHING
    assert carried_tags(made()).geo == ()
    other = tmp_path / "a.png"
    Image.new("L", (3, 3)).save(other)
    assert carried_tags(other) == NOTHING
    other.write_bytes(b"")
    assert carried_tags(other) == NOTHING
    other.write_bytes(b"II*\0\x08\0\0\0")
    assert carried_tags(other) == NOTHING
    with pytest.raises(FileNotFoundError):
        carried_tags(tmp_path / "none.tif")


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4), st.integers(0, 400))
@settings(max_examples=150, deadline=None)
def test_damaged_files_are_no_error(tmp_path_factory, place, flipped, lost):
    file = io.BytesIO()
    tags = [SCALE, PLACE, KEYS, TEXTS]
    tifffile.imwrite(
        file, np.zeros((4, 6), np.uint8), metadata=None, extratags=tags, resolution=((72, 1), (72, 1))
    )
    data = bytearray(file.getvalue())
    place %= len(data)
    data[place : place + len(flipped)] = flipped
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "in.tif"
    path.write_bytes(data[: len(data) - lost])
    out(folder / "o.tif", carried_tags(path))
