"""TIFF files: every reader finds the same picture, and the bytes follow from the picture alone."""

import hashlib
import io
import tracemalloc

import numpy as np
import pytest
import tifffile
from builders import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.files import tiff
from pipeline.files.geotags import NOTHING, Carried, Tag
from pipeline.files.tiles import TILE, Layout, compress_tiles, halve_tiles

SIZES = [(1, 1), (1, 600), (600, 1), (511, 513), (512, 512), (513, 511), (1000, 700)]
KINDS = ["indexed", "indexed clear", "grey", "grey clear", "grey 8", "truecolor", "alpha"]


def make(kind, height, width, seed=0):
    """Make a picture of a kind and its array."""
    rng = np.random.default_rng(seed)
    clear = kind.endswith("clear")
    if kind.startswith("indexed"):
        colors = noise(1, 37, seed=seed)[0]
        image = rng.integers(0, 37 + clear, (height, width)).astype(np.uint8)
        return tiff.indexed(width, height, colors, clear), image
    if kind == "grey 8":
        return tiff.grey(width, height, 8), rng.integers(0, 256, (height, width)).astype(np.uint8)
    if kind.startswith("grey"):
        image = rng.integers(0, 1 << 16, (height, width)).astype(np.uint16)
        return tiff.grey(width, height, 16, 300 if clear else None), image
    channels = 4 if kind == "alpha" else 3
    return tiff.truecolor(width, height, channels), noise(height, width, channels, seed)


def written(picture, image, levels=0, carried=NOTHING):
    """Write an array, with some reduced levels."""
    reduced = [compress_tiles(image[:: 2 << level, :: 2 << level]).tiles for level in range(levels)]
    file = io.BytesIO()
    tiff.write_tiff(file, picture, iter(compress_tiles(image).tiles), reduced, carried)
    return file.getvalue()


@pytest.fixture
def saved(tmp_path):
    def save(*arguments, **named):
        path = tmp_path / "a.tif"
        path.write_bytes(written(*arguments, **named))
        return path

    return save


@pytest.fixture
def rasterio():
    return pytest.importorskip("rasterio")


def check_by_tifffile(data, picture, image):
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        assert opened.is_bigtiff
        assert opened.byteorder == "<"
        assert len(opened.pages) == 1
        page = opened.pages.first
        found = page.asarray()
        assert found.dtype == image.dtype
        assert (found.reshape(image.shape) == image).all()
        assert (page.tilelength, page.tilewidth, page.compression, page.predictor) == (TILE, TILE, 8, 1)
        assert page.photometric.name.lower() == picture.photometric
        assert not {270, 271, 272, 305, 306, 315, 316} & set(page.tags.keys())  # who, when, by what
        if picture.colors is not None:
            assert (page.colormap == picture.colors.T.astype(int) * 257).all()
        if image.shape[2:] == (4,):
            assert page.extrasamples == (2,)
        assert (page.tags[42113].value if 42113 in page.tags else None) == (
            None if picture.nodata is None else str(picture.nodata)
        )


def check_by_pillow(data, picture, image):
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.mode == {"palette": "P", "minisblack": "L", "rgb": "RGB"}[picture.photometric].replace(
            "L", "I;16" if image.dtype == np.uint16 else "L"
        ) + "A" * (image.shape[2:] == (4,))
        assert (np.asarray(opened) == image).all()
        if picture.colors is not None:
            assert (np.asarray(opened.convert("RGB")) == picture.colors[image]).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_tifffile_and_pillow_find_the_picture(kind, size):
    picture, image = make(kind, *size)
    data = written(picture, image)
    check_by_tifffile(data, picture, image)
    check_by_pillow(data, picture, image)


@given(st.sampled_from(KINDS), st.integers(1, 1100), st.integers(1, 1100), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_any_size_of_any_kind_is_found(kind, height, width, seed):
    picture, image = make(kind, height, width, seed)
    data = written(picture, image, levels=len(picture.layout.levels))
    check_by_tifffile(data, picture, image)
    check_by_pillow(data, picture, image)
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        # As pages: tifffile takes none for a level that is just as high, as those of one line are.
        reduced_pages = opened.pages.first.pages or ()
        found = [page.asarray() for page in (opened.pages.first, *reduced_pages)]
        assert [page.subfiletype for page in reduced_pages] == [1] * (len(found) - 1)
    assert len(found) == 1 + len(picture.layout.levels)
    for level, reduced in enumerate(found):
        expected = image[:: 1 << level, :: 1 << level]
        assert (reduced.reshape(expected.shape) == expected).all()


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
@pytest.mark.parametrize("size", [(1, 1), (513, 511), (1000, 700)])
@pytest.mark.parametrize("kind", KINDS)
def test_gdal_finds_the_picture(kind, size, saved, rasterio):
    picture, image = make(kind, *size)
    with rasterio.open(saved(picture, image)) as opened:
        found = opened.read()
        assert (np.moveaxis(found, 0, -1).reshape(image.shape) == image).all()
        assert found.dtype == image.dtype
        assert opened.nodata == picture.nodata
        assert opened.block_shapes == [(TILE, TILE)] * opened.count
        shown = [interpretation.name for interpretation in opened.colorinterp]
        assert (
            shown
            == {
                "palette": ["palette"],
                "minisblack": ["gray"],
                "rgb": ["red", "green", "blue", "alpha"][: opened.count],
            }[picture.photometric]
        )
        if picture.colors is not None:
            table = opened.colormap(1)
            assert [table[index][:3] for index in range(37)] == [*map(tuple, picture.colors[:37].tolist())]
            if picture.nodata is not None:
                assert (opened.read_masks(1) == np.where(image == 37, 0, 255)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_vips_finds_the_picture(kind, saved):
    pyvips = pytest.importorskip("pyvips")
    picture, image = make(kind, 700, 530)
    found = pyvips.Image.new_from_file(saved(picture, image), fail_on="warning").numpy()
    expected = image if picture.colors is None else picture.colors[image]  # it shows palettes' colours
    assert (found == expected).all()


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
@pytest.mark.parametrize("kind", ["indexed clear", "grey", "alpha"])
def test_gdal_finds_the_reduced_levels(kind, saved, rasterio):
    picture, image = make(kind, 1500, 2100)
    path = saved(picture, image, levels=3)
    with rasterio.open(path) as opened:
        assert opened.overviews(1) == [2, 4, 8]
        assert (np.moveaxis(opened.read(), 0, -1).reshape(image.shape) == image).all()
    for level in range(3):
        with rasterio.open(path, overview_level=level) as opened:
            expected = image[:: 2 << level, :: 2 << level]
            assert (np.moveaxis(opened.read(), 0, -1).reshape(expected.shape) == expected).all()
            assert opened.nodata == picture.nodata


def test_vips_finds_the_reduced_levels(saved):
    pyvips = pytest.importorskip("pyvips")
    picture, image = make("grey 8", 1500, 2100)
    path = saved(picture, image, levels=3)
    for level in range(3):
        found = pyvips.Image.new_from_file(path, subifd=level).numpy()
        assert (found == image[:: 2 << level, :: 2 << level]).all()


def test_pillow_finds_one_picture_beside_the_levels():
    picture, image = make("indexed", 1500, 2100)
    with Image.open(io.BytesIO(written(picture, image, levels=3))) as opened:
        assert opened.n_frames == 1
        assert (np.asarray(opened) == image).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(300, 200), (1300, 2100)])
def test_the_bytes_are_the_same_again_and_from_parts_and_from_what_was_written(kind, size, tmp_path):
    picture, image = make(kind, *size)
    levels = len(picture.layout.levels)
    before = image.copy()
    data = written(picture, image, levels)
    assert (image == before).all()
    assert written(picture, np.asfortranarray(image), levels) == data

    rows = [compress_tiles(image[top : top + TILE]).tiles for top in reversed(range(0, size[0], TILE))]
    parts = [tile for row in reversed(rows) for tile in row]
    reduced, above = [parts], picture.layout
    for level in picture.layout.levels:
        reduced.append(list(halve_tiles(above, reduced[-1])))
        above = level
    with (tmp_path / "b.ome.tif").open("xb", buffering=0) as file:
        tiff.write_tiff(file, picture, *reduced[:1], reduced[1:])
    assert (tmp_path / "b.ome.tif").read_bytes() == data

    with (tmp_path / "c.tif").open("w+b") as file:
        tiff.write_pyramid(file, picture, iter(parts))
    assert (tmp_path / "c.tif").read_bytes() == data


def test_what_is_put_around_tiles_hangs_on_no_version_of_the_library():
    """The same by every one since 2025.1.10: a digest that changes means that all files change."""
    carried = Carried((Tag(33550, 12, (1.0, 1.0, 0.0)), Tag(34737, 2, b"a|\0")), ((300, 1), (300, 1)), 2)
    found = hashlib.sha256()
    for kind in KINDS:
        picture, _ = make(kind, 600, 1200)
        tiles = [bytes([place]) * (100 + place) for place in range(6)]
        file = io.BytesIO()
        tiff.write_tiff(file, picture, tiles, [tiles[:2], tiles[:1]], carried)
        found.update(file.getvalue())
    assert found.hexdigest() == "282f7c9b3d55854844f3056997262dc4fbc03b65f631c0def129d15e43c8200d"


def test_every_level_is_taken_up_when_those_before_are_written():
    picture, image = make("indexed", 600, 1200)
    order = []

    def told(name, part):
        for tile in compress_tiles(part).tiles:
            order.append(name)
            yield tile

    levels = [told("half", image[::2, ::2]), told("quarter", image[::4, ::4])]
    tiff.write_tiff(io.BytesIO(), picture, told("whole", image), levels)
    assert order == ["whole"] * 6 + ["half"] * 2 + ["quarter"]


def test_memory_does_not_grow_with_the_picture(tmp_path):
    side = TILE * 40
    tile = compress_tiles(noise(TILE, TILE, 1, levels=17)[:, :, 0]).tiles[0]
    tiles = (bytes(bytearray(tile)) for _ in range(1600))
    with (tmp_path / "a.tif").open("w+b") as file:
        tracemalloc.start()
        tiff.write_tiff(file, tiff.grey(side, side, 8), tiles)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert file.tell() > 1600 * len(tile) > 100 * peak


def test_wrong_numbers_of_tiles_and_levels_are_refused():
    picture, image = make("indexed", 600, 600)
    packed = compress_tiles(image).tiles
    for wrong, found in (([], "0"), (packed[:3], "3"), (packed * 2, "more")):
        for write in (tiff.write_tiff, tiff.write_pyramid):
            with pytest.raises(ValueError, match=f"expected 4 tiles of 600 × 600 pixels, found {found}"):
                write(io.BytesIO(), picture, iter(wrong))
    with pytest.raises(ValueError, match="expected 1 tiles of 300 × 300 pixels, found 0"):
        tiff.write_tiff(io.BytesIO(), picture, packed, [[]])
    with pytest.raises(ValueError, match="expected at most 1 overviews, found 2"):
        tiff.write_tiff(io.BytesIO(), picture, packed, [packed, packed])


def test_wrong_pictures_are_refused():
    with pytest.raises(ValueError, match=r"expected colours \(k, 3\) of uint8, found \(4,\) of uint8"):
        tiff.indexed(1, 1, np.zeros(4, np.uint8), False)
    with pytest.raises(ValueError, match=r"expected colours \(k, 3\) of uint8, found \(4, 3\) of int64"):
        tiff.indexed(1, 1, np.zeros((4, 3), np.int64), False)
    with pytest.raises(ValueError, match="expected 1 to 256 palette entries, found 257"):
        tiff.indexed(1, 1, np.zeros((256, 3), np.uint8), True)
    with pytest.raises(ValueError, match="expected 1 to 256 palette entries, found 0"):
        tiff.indexed(1, 1, np.zeros((0, 3), np.uint8), False)
    with pytest.raises(ValueError, match="expected a value of 16 bits for no pixel, found 65536"):
        tiff.grey(1, 1, nodata=65536)
    with pytest.raises(ValueError, match="expected samples of 8 or 16 bits, found 12"):
        tiff.grey(1, 1, 12)
    with pytest.raises(ValueError, match="expected 3 channels, or 4 with alpha, found 2"):
        tiff.truecolor(1, 1, 2)
    with pytest.raises(ValueError, match="at least one pixel"):
        tiff.truecolor(0, 1)


def test_a_palette_may_be_full():
    colors = noise(1, 256)[0]
    assert (tiff.indexed(1, 1, colors, False).colors == colors).all()
    full = tiff.indexed(1, 1, colors[:255], True)
    assert full.nodata == 255
    assert full.layout == Layout(1, 1)
