"""Rasters are read in windows with the numbers of the whole file, whatever their depth and order."""

import tracemalloc
import warnings

import imagecodecs
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile

from pipeline.errors import (
    ChangedWhileReading,
    DamagedImage,
    EmptyFile,
    ImageError,
    TruncatedImage,
    UnsupportedImage,
    VanishedFile,
)
from pipeline.files.rasters import open_raster, raster_layout
from pipeline.files.windows import Window

HEIGHT, WIDTH, BANDS = 70, 90, 3
WHOLE = Window(0, 0, HEIGHT, WIDTH)
WINDOWS = (
    WHOLE,
    Window(0, 0, 1, 1),
    Window(HEIGHT - 1, WIDTH - 1, 1, 1),
    Window(32, 16, 32, 16),
    Window(31, 15, 34, 60),
    Window(0, 80, HEIGHT, 10),
    Window(63, 0, 7, WIDTH),
    Window(13, 47, 26, 1),
)
DTYPES = (
    *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64"),
)
PIECES = {
    "tiles": {"tile": (32, 16)},
    "strips": {"rowsperstrip": 13},
    "one-strip": {"rowsperstrip": HEIGHT},
}
PACKED = {
    "none": {},
    "lzw": {"compression": "lzw", "predictor": True},
    "deflate": {"compression": "zlib", "predictor": True},
    "unpredicted": {"compression": "zlib"},
    "packbits": {"compression": "packbits"},
    "zstd": {"compression": "zstd", "predictor": True},
    "lzma": {"compression": "lzma"},
}


@pytest.fixture(autouse=True)
def _places_do_not_matter():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield


def values(dtype, bands=BANDS, height=HEIGHT, width=WIDTH):
    """Make a raster over the whole range of its type, (height, width, bands); floats with NaN."""
    rng = np.random.default_rng([bands, height, width])
    shape = (height, width, bands)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        made = rng.normal(0, 1000, shape).astype(kind)
        made[rng.random(shape) < 0.01] = np.nan
        return made
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max, shape, kind, endpoint=True)


def written(path, array, **options):
    """Write a raster by tifffile; bands in planes when `planarconfig` says so."""
    if array.dtype.name.endswith("int64"):
        options.pop("predictor", None)  # it has none for these
    stored = array.transpose(2, 0, 1) if options.get("planarconfig") == "separate" else array
    order = options.get("byteorder", "<")
    options = {"photometric": "minisblack", "metadata": None, "planarconfig": "contig"} | options
    if array.shape[2] == 1:
        stored = stored.reshape(array.shape[:2])
        options.pop("planarconfig", None)
    tifffile.imwrite(path, stored.astype(stored.dtype.newbyteorder(order)), **options)
    return path


def mapped(path, array, **options):
    """Write a raster by rasterio."""
    height, width, bands = array.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": array.dtype.name}
    with rasterio.open(path, "w", **profile, **options) as target:
        target.write(array.transpose(2, 0, 1))
    return path


def first_page(path):
    """Give tifffile's own first page, with its places and sizes."""
    with tifffile.TiffFile(path) as tiff:
        return tiff.pages.first


def ome_text(path):
    """Give the OME metadata, as XML."""
    with tifffile.TiffFile(path) as tiff:
        return tiff.ome_metadata


def read(path, *windows):
    layout = raster_layout(path)
    with open_raster(path, layout) as reader:
        return [reader.read(window) for window in windows or (Window(0, 0, layout.height, layout.width),)]


def same_windows(path, array):
    """Compare every window with the same cut of the whole."""
    layout = raster_layout(path)
    assert (layout.height, layout.width, layout.bands) == array.shape
    assert layout.dtype == array.dtype.name
    for window, found in zip(WINDOWS, read(path, *WINDOWS), strict=True):
        expected = array[window.row : window.bottom, window.col : window.right]
        assert found.dtype == array.dtype
        assert found.dtype.isnative
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_as_tifffile_writes_them(tmp_path, dtype, pieces, planes):
    array = values(dtype)
    for number, (packing, options) in enumerate(PACKED.items()):
        options = PIECES[pieces] | options | {"planarconfig": planes}
        options |= {"byteorder": "<>"[number % 2], "bigtiff": number % 3 == 0}
        path = written(tmp_path / f"{packing}.tif", array, **options)
        same_windows(path, array)
        assert raster_layout(path).notes == ()


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_byte_orders_with_every_packing(tmp_path, dtype):
    array = values(dtype, bands=1)
    for packing, options in PACKED.items():
        for order in "<>":
            path = tmp_path / f"{packing}-{'little' if order == '<' else 'big'}.tif"
            same_windows(written(path, array, byteorder=order, tile=(32, 16), **options), array)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "float16"])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_as_gdal_writes_them(tmp_path, dtype, interleave):
    array = values(dtype, bands=5)
    floats = np.dtype(dtype).kind == "f"
    for tiled in (True, False):
        for packing, predictor in (("none", 1), ("lzw", 2), ("deflate", 3), ("zstd", 2), ("lzma", 1)):
            options = {"tiled": True, "blockxsize": 32, "blockysize": 16} if tiled else {"blockysize": 13}
            options |= {
                "compress": packing,
                "interleave": interleave,
                "endianness": "BIG" if tiled else "LITTLE",
            }
            options |= {"predictor": predictor if floats or predictor != 3 else 2}
            path = mapped(tmp_path / f"{packing}-{tiled}.tif", array, **options)
            same_windows(path, array)
            with rasterio.open(path) as source:
                np.testing.assert_array_equal(read(path)[0].transpose(2, 0, 1), source.read())


def test_jpeg(tmp_path):
    smooth = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))[..., None] + np.array([0, 20, 40])
    array = smooth.astype(np.uint8)
    for photometric in ("ycbcr", "rgb"):
        options = {"photometric": photometric, "tiled": True, "blockxsize": 32, "blockysize": 32}
        path = mapped(tmp_path / f"{photometric}.tif", array, compress="jpeg", **options)
        same_windows(path, tifffile.imread(path))
        assert np.abs(read(path)[0].astype(int) - array).max() < 20


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
def test_lerc(tmp_path, dtype, interleave):
    """With NaN in some bands of a pixel, packed once more or not."""
    options = {"tiled": True, "blockxsize": 32, "blockysize": 16, "interleave": interleave}
    for bands in (1, 3):
        array = values(dtype, bands)
        for packing in ("lerc", "lerc_deflate", "lerc_zstd"):
            same_windows(mapped(tmp_path / "a.tif", array, compress=packing, **options), array)


def test_lerc_with_alpha(tmp_path):
    array = values("uint8", 4)
    array[..., 3] = np.where(array[..., 0] > 99, 255, 0)
    array[32:, :, 3] = 255
    path = mapped(tmp_path / "a.tif", array, compress="lerc", interleave="pixel", photometric="rgb")
    with rasterio.open(path) as source:
        same_windows(path, source.read().transpose(1, 2, 0))


@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_jpeg_in_planes(tmp_path, photometric):
    options = {"tiled": True, "blockxsize": 32, "blockysize": 32, "interleave": "band"}
    path = tmp_path / "a.tif"
    mapped(path, values("uint8"), compress="jpeg", photometric=photometric, **options)
    with rasterio.open(path) as source:
        same_windows(path, source.read().transpose(1, 2, 0))


@pytest.mark.parametrize("packing", ["webp", "jxl"])
def test_other_kinds_of_pictures(tmp_path, packing):
    """Without loss, by tifffile."""
    array = values("uint8")
    names = {"webp": "webp", "jxl": "jpegxl"}
    options = {"compressionargs": {"lossless": True}, "photometric": "rgb", "tile": (32, 16)}
    same_windows(written(tmp_path / "a.tif", array, compression=names[packing], **options), array)


def test_any_number_of_bands(tmp_path):
    for bands in (1, 2, 4, 13):
        for planes in ("contig", "separate"):
            array = values("uint16", bands)
            path = written(tmp_path / f"{bands}-{planes}.tif", array, planarconfig=planes, tile=(32, 16))
            same_windows(path, array)


@pytest.mark.parametrize(
    ("options", "unit"),
    [
        ({"tile": (32, 16)}, (32, 16)),
        ({"rowsperstrip": 13, "compression": "zlib"}, (13, WIDTH)),
        ({"rowsperstrip": 1000, "compression": "zlib"}, (HEIGHT, WIDTH)),
        ({"rowsperstrip": 13}, (1, WIDTH)),
    ],
)
def test_a_layout_is_told_by_the_headers(tmp_path, monkeypatch, options, unit):
    path = written(tmp_path / "a.tif", values("float32"), **options)
    monkeypatch.setattr("pipeline.files.piecereader.PieceReader.touched", None)
    layout = raster_layout(path)
    assert layout.unit == unit
    assert layout.bytes == path.stat().st_size
    assert layout.decoder_bytes > 0
    assert (layout.nodata, layout.notes) == (None, ())


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("float32", np.nan), ("float32", -9999.0), ("uint8", 255), ("int16", -32768)]
)
def test_no_data(tmp_path, dtype, nodata):
    path = mapped(tmp_path / "a.tif", values(dtype, 1), nodata=nodata)
    np.testing.assert_equal(raster_layout(path).nodata, float(nodata))


@pytest.mark.parametrize(("text", "nodata"), [("-9999 ", -9999.0), ("1,5", 1.5), ("none", None), ("", None)])
def test_no_data_in_other_hands(tmp_path, text, nodata):
    path = written(tmp_path / "a.tif", values("float32"), extratags=[(42113, 2, 0, text, True)])
    assert raster_layout(path).nodata == nodata


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("packing", ["none", "lzw"])
@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint16", None), ("uint16", 7), ("int16", -9999), ("float32", np.nan), ("float64", -1e300)],
)
def test_pieces_that_are_left_out(tmp_path, tiled, packing, dtype, nodata):
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "height": HEIGHT, "width": WIDTH, "count": 2, "dtype": dtype}
    profile |= {"sparse_ok": True, "nodata": nodata, "compress": packing, "blockysize": 16}
    profile |= {"tiled": True, "blockxsize": 32} if tiled else {}
    with rasterio.open(path, "w", **profile) as target:
        some = values(dtype, 2, 16, WIDTH).transpose(2, 0, 1)
        target.write(some, window=rasterio.windows.Window(0, 32, WIDTH, 16))
    assert 0 in first_page(path).dataoffsets
    with rasterio.open(path) as source:
        same_windows(path, source.read().transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("text", "filled"), [("-9999", 0), ("300", 255), ("nan", 0), ("inf", 255), ("6.6", 7), ("word", 0)]
)
def test_no_data_that_the_type_cannot_hold_fills_as_in_gdal(tmp_path, text, filled):
    tags = [(42113, 2, 0, text, True)]
    path = written(tmp_path / "a.tif", values("uint8", 1, 48, 64), tile=(64, 64), extratags=tags)
    retagged(retagged(path, 324, 0), 325, 0)
    assert np.unique(read(path)[0]).tolist() == [filled]


def test_cloud_optimized_files(tmp_path):
    array = values("uint16", 3, 700, 600)
    source = mapped(tmp_path / "source.tif", array, nodata=0)
    path = tmp_path / "cog.tif"
    rasterio.shutil.copy(source, path, driver="COG", blocksize=128, compress="deflate", overviews="auto")
    layout = raster_layout(path)
    assert (layout.height, layout.width, layout.bands, layout.unit) == (700, 600, 3, (128, 128))
    assert layout.notes == ("base level of 4",)
    np.testing.assert_array_equal(read(path)[0], array)


def test_masks_are_no_bands(tmp_path):
    array = values("uint8")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = mapped(tmp_path / "a.tif", array)
        with rasterio.open(path, "r+") as target:
            target.write_mask(array[..., 0] > 9)
    assert raster_layout(path).notes == ("without its mask",)
    np.testing.assert_array_equal(read(path)[0], array)


def test_extra_samples_are_bands(tmp_path):
    array = values("uint8", 4)
    path = written(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read(path)[0], array)


@pytest.mark.parametrize("metadata", [None, {}, {"axes": "CYX"}])
def test_of_several_pages_the_first(tmp_path, metadata):
    array = values("uint16", 5)
    tifffile.imwrite(
        tmp_path / "a.tif",
        array.transpose(2, 0, 1),
        photometric="minisblack",
        metadata=metadata,
        tile=(32, 32),
    )
    assert raster_layout(tmp_path / "a.tif").notes == ("page 1 of 5",)
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], array[..., :1])


def test_of_very_many_pages_the_first(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((70, 16, 16), np.uint8), photometric="minisblack")
    assert raster_layout(tmp_path / "a.tif").notes == ("page 1 of more than 64",)


def test_pages_of_imagej_that_have_no_directories(tmp_path):
    array = values("uint16", 5).transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, metadata={"axes": "ZYX"})
    assert raster_layout(tmp_path / "a.tif").notes == ("page 1 of 5",)
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0][..., 0], array[0])


def test_a_reduced_copy_in_front(tmp_path):
    array = values("float32")
    with tifffile.TiffWriter(tmp_path / "a.tif") as target:
        target.write(array[::2, ::2], subfiletype=1, photometric="minisblack", metadata=None)
        target.write(array, photometric="minisblack", metadata=None, planarconfig="contig")
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], array)


def ome(path, array, axes, levels=0, **options):
    """Write an OME-TIFF, with half the size a level."""
    with tifffile.TiffWriter(path, ome=True) as target:
        options = {"photometric": "minisblack", "tile": (32, 16), "compression": "zlib"} | options
        target.write(array, subifds=levels, metadata={"axes": axes}, **options)
        for level in range(levels):
            step = 2 ** (level + 1)
            target.write(array[..., ::step, ::step], subfiletype=1, **options)
    return path


def test_channels_of_ome_are_bands(tmp_path):
    array = values("uint16", 6)
    path = ome(tmp_path / "a.ome.tif", array.transpose(2, 0, 1), "CYX", levels=2)
    same_windows(path, array)
    assert raster_layout(path).notes == ("base level of 3",)


@pytest.mark.parametrize("axes", ["TZCYX", "TCZYX", "CTZYX"])
def test_first_planes_of_ome(tmp_path, axes):
    sizes = {"T": 2, "Z": 3, "C": 4}
    shape = [sizes[axis] for axis in axes[:3]]
    array = values("uint8", 24).transpose(2, 0, 1).reshape(*shape, HEIGHT, WIDTH)
    path = ome(tmp_path / "a.ome.tif", array, axes)
    first = array[tuple(slice(None) if axis == "C" else 0 for axis in axes[:3])]
    np.testing.assert_array_equal(read(path)[0], first.transpose(1, 2, 0))
    assert sorted(raster_layout(path).notes) == ["plane 1 of 2 along T", "plane 1 of 3 along Z"]


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_samples_of_ome(tmp_path, planes):
    array = values("uint8")
    stored, axes = (array, "YXS") if planes == "contig" else (array.transpose(2, 0, 1), "SYX")
    path = ome(tmp_path / "a.ome.tif", stored, axes, photometric="rgb", planarconfig=planes)
    same_windows(path, array)


def test_ome_in_several_files_opens_no_other(tmp_path, monkeypatch):
    """The metadata of the first file name a second one, which lies in the working folder."""
    array = values("uint8", 2).transpose(2, 0, 1)
    path = ome(tmp_path / "a.ome.tif", array, "CYX")
    text = ome_text(path)
    uuid = text.split('UUID="')[1].split('"')[0]
    other = "urn:uuid:" + "0" * 8 + uuid[17:]
    data = '<TiffData IFD="0" PlaneCount="1"/><TiffData FirstC="1" IFD="0" PlaneCount="1">'
    data += f'<UUID FileName="b.tif">{other}</UUID></TiffData>'
    text = text.replace('<TiffData IFD="0" PlaneCount="2"/>', data)
    assert "b.tif" in text
    tifffile.imwrite(path, array[0], description=text, metadata=None)
    tifffile.imwrite(tmp_path / "b.tif", array[1])
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read(path)[0][..., 0], array[0])
    assert raster_layout(path).notes == ("without its OME metadata",)


def test_of_several_images_of_ome_the_first(tmp_path):
    first, second = values("uint8", 2).transpose(2, 0, 1), values("uint16", 1, 20, 30)[..., 0]
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as target:
        target.write(first, photometric="minisblack", metadata={"axes": "CYX"})
        target.write(second, photometric="minisblack", metadata={"axes": "YX"})
    assert raster_layout(tmp_path / "a.ome.tif").notes == ("image 1 of 2",)
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif")[0], first.transpose(1, 2, 0))


def test_ome_that_promises_more_than_there_is(tmp_path):
    array = values("uint8", 3).transpose(2, 0, 1)
    text = ome_text(ome(tmp_path / "a.ome.tif", array, "CYX"))
    tifffile.imwrite(tmp_path / "a.ome.tif", array[0], description=text, metadata=None)
    refused(tmp_path / "a.ome.tif", "3 planes as its OME metadata tell, found 1", DamagedImage)


def refused(path, why, kind=UnsupportedImage):
    with pytest.raises(kind, match=why) as caught:
        raster_layout(path)
    assert str(caught.value).startswith(f"{path.name}: expected ")


@pytest.mark.parametrize("bits", [1, 2, 4, 12])
def test_bits_that_are_no_bytes(tmp_path, bits):
    array = np.zeros((HEIGHT, WIDTH, 1), np.uint16 if bits > 8 else np.uint8)
    mapped(tmp_path / "a.tif", array, nbits=bits)
    refused(tmp_path / "a.tif", f"found samples of {bits} bits")


def test_complex_numbers(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.complex64))
    refused(tmp_path / "a.tif", "complex numbers")


def test_palettes(tmp_path):
    colors = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint8), photometric="palette", colormap=colors)
    refused(tmp_path / "a.tif", "a palette")


def retagged(path, code, value):
    """Set a tag of the first page."""
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages.first.tags[code].overwrite(value)
    return path


@pytest.mark.parametrize(
    ("code", "value", "why"),
    [
        (259, 65_432, "the TIFF compression 65432"),
        (317, 9, "the TIFF predictor 9"),
        (258, 24, "found samples of 24 bits"),
    ],
)
def test_kinds_that_nobody_knows(tmp_path, code, value, why):
    path = written(tmp_path / "a.tif", values("uint16", 1), compression="zlib", predictor=True)
    refused(retagged(path, code, value), why)


def test_huge_strips(tmp_path):
    array = np.zeros((10_000, 15_000), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, rowsperstrip=10_000, compression="zlib", metadata=None)
    refused(tmp_path / "a.tif", "compressed strips of 10000 × 15000 pixels, 286 MiB each")


def test_huge_strips_without_compression(tmp_path):
    path = tmp_path / "a.tif"
    made = tifffile.memmap(path, shape=(20_000, 10_000), dtype=np.uint16, metadata=None)  # 400 MB, of holes
    made[12_345, 9_990:] = np.arange(10)
    made.flush()
    layout = raster_layout(path)
    assert layout.unit == (1, 10_000)
    assert layout.decoder_bytes < 64 << 20
    with open_raster(path, layout) as reader:
        assert reader.read(Window(12_345, 9_990, 1, 10)).ravel().tolist() == list(range(10))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "a PNG; for photographs use kmeans"),
        (b"text", "content that begins with b'"),
        (b"II", "content that begins with b'"),
        (b"II\x55\0" + bytes(99), "content that begins with b'"),
    ],
)
def test_no_tiff(tmp_path, content, found):
    (tmp_path / "a.tif").write_bytes(content)
    refused(tmp_path / "a.tif", f"expected a TIFF, found {found}")


def test_no_file(tmp_path):
    with pytest.raises(VanishedFile):
        raster_layout(tmp_path / "a.tif")
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(EmptyFile):
        raster_layout(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"tile": (32, 32)}, {"planarconfig": "separate"}]
)
def test_files_that_were_cut(tmp_path, options):
    path = written(tmp_path / "a.tif", values("uint16"), **options)
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    refused(path, f"up to byte {len(data)}, found a file of {len(data) - 100} bytes", TruncatedImage)


@pytest.mark.parametrize("bigtiff", [False, True])
def test_a_directory_that_was_cut_off(tmp_path, bigtiff):
    """GDAL and others write it behind the numbers."""
    path = written(tmp_path / "a.tif", values("uint16"), bigtiff=bigtiff)
    data = bytearray(path.read_bytes())
    place, size = (8, 8) if bigtiff else (4, 4)
    data[place : place + size] = (len(data) + 50).to_bytes(size, "little")
    path.write_bytes(data)
    refused(path, f"a directory up to byte .* a file of {len(data)} bytes", TruncatedImage)


def test_fewer_pieces_than_the_raster_needs(tmp_path):
    path = written(tmp_path / "a.tif", values("uint16", 1), tile=(32, 16))
    refused(retagged(path, 257, 4 * HEIGHT), "expected 54 strips or tiles, found 18 listed", TruncatedImage)


def test_any_damage_is_told_in_our_words(tmp_path):
    """Bytes of header and pieces are changed at random: it is read, or refused as an image."""
    rng = np.random.default_rng(1)
    path = tmp_path / "a.tif"
    outcomes = set()
    for options in ({"tile": (32, 16), "compression": "zlib", "predictor": True}, {"rowsperstrip": 13}):
        data = written(path, values("uint16", 2, 40, 40), **options).read_bytes()
        for _ in range(150):
            broken = bytearray(data)
            for place in rng.integers(2, min(len(data), 300), 3):
                broken[place] = rng.integers(256)
            path.write_bytes(broken)
            try:
                layout = raster_layout(path)
                if layout.height * layout.width < 10**6:
                    read(path)
                outcomes.add("read")
            except ImageError as error:
                outcomes.add(type(error).__name__)
    assert outcomes >= {"read", "DamagedImage", "TruncatedImage", "UnsupportedImage"}


@pytest.mark.parametrize("packing", ["lzw", "deflate", "zstd", "lzma"])
def test_broken_pieces_are_told_with_their_place(tmp_path, packing):
    path = written(tmp_path / "a.tif", values("uint16", 1), tile=(32, 32), **PACKED[packing])
    page = first_page(path)
    data = bytearray(path.read_bytes())
    data[page.dataoffsets[4] : page.dataoffsets[4] + page.databytecounts[4]] = (
        b"\x55" * page.databytecounts[4]
    )
    path.write_bytes(data)
    layout = raster_layout(path)
    with open_raster(path, layout) as reader:
        reader.read(Window(0, 0, 32, WIDTH))
        with pytest.raises(ImageError, match=r"^a\.tif, rows 40 to 49, columns 50 to 63: "):
            reader.read(Window(40, 50, 10, 40))


@pytest.mark.parametrize(
    ("pieces", "packing"),
    [("tiles", "none")]
    + [(kind, name) for kind in ("tiles", "strips") for name in ("lzw", "deflate", "packbits", "zstd")],
)
def test_short_pieces_are_not_padded(tmp_path, pieces, packing):
    """The first piece has half of its bytes."""
    options = PIECES[pieces] | PACKED[packing]
    path = written(tmp_path / "a.tif", values("uint16", 1), **options)
    page = first_page(path)
    counts = list(page.databytecounts)
    retagged(path, 325 if pieces == "tiles" else 279, [counts[0] // 2, *counts[1:]])
    with pytest.raises((TruncatedImage, DamagedImage), match="rows 0 to "):
        read(path)


@pytest.mark.parametrize("pieces", ["tiles", "strips"])
@pytest.mark.parametrize("packing", ["lzw", "zlib", "packbits", "zstd", "lzma"])
def test_sound_pieces_of_too_few_rows_are_not_padded(tmp_path, pieces, packing):
    path = written(tmp_path / "a.tif", values("uint8", 1), compression=packing, **PIECES[pieces])
    place, counts = first_page(path).dataoffsets[0], first_page(path).databytecounts
    rows, cols = (32, 16) if pieces == "tiles" else (13, WIDTH)
    half = getattr(imagecodecs, f"{packing}_encode")(values("uint8", 1)[: rows // 2, :cols].tobytes())
    retagged(path, 325 if pieces == "tiles" else 279, [len(half), *counts[1:]])
    data = bytearray(path.read_bytes())
    data[place : place + len(half)] = half
    path.write_bytes(data)
    with pytest.raises((TruncatedImage, DamagedImage), match="rows 0 to "):
        read(path)


def test_a_file_that_has_changed(tmp_path):
    path = written(tmp_path / "a.tif", values("uint16"))
    layout = raster_layout(path)
    other = written(tmp_path / "b.tif", values("uint16", BANDS, HEIGHT // 2, WIDTH * 2)).read_bytes()
    assert len(other) == layout.bytes
    path.write_bytes(other)
    told = r"expected 70 × 90 × 3 uint16 .* found 35 × 180 × 3 uint16"
    with pytest.raises(ChangedWhileReading, match=told), open_raster(path, layout):
        pass
    path.write_bytes(other + b"more")
    with pytest.raises(ChangedWhileReading), open_raster(path, layout):
        pass


def test_what_goes_wrong_with_the_numbers_is_not_the_files_fault(tmp_path):
    path = written(tmp_path / "a.tif", values("uint16"))
    layout = raster_layout(path)
    with pytest.raises(ZeroDivisionError), open_raster(path, layout) as reader:
        _ = 1 / int(reader.read(WHOLE).size == 0)
    with pytest.raises(ValueError, match="not within 70 rows"), open_raster(path, layout) as reader:
        reader.read(Window(0, 0, HEIGHT + 1, WIDTH))


def test_memory_is_that_of_a_window_and_a_piece(tmp_path):
    """A raster of 512 MB, of which every tile but one is left out."""
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "height": 8000, "width": 8000, "count": 4, "dtype": "uint16"}
    profile |= {
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "interleave": "pixel",
    }
    with rasterio.open(path, "w", sparse_ok=True, **profile) as target:
        some = values("uint16", 4, 1024, 1024).transpose(2, 0, 1)
        target.write(some, window=rasterio.windows.Window(2048, 2048, 1024, 1024))
    tracemalloc.start()
    try:
        layout = raster_layout(path)
        with open_raster(path, layout) as reader:
            for row in range(1536, 3584, 512):
                for col in range(1536, 3584, 512):
                    reader.read(Window(row, col, 512, 512))
            held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < 512 * 512 * 8 + layout.decoder_bytes < 64 << 20
