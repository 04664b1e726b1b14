"""Images of any kind: what one kind gives, every other gives too."""

import pickle
import weakref

import dask
import dask.array
import icc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from pipeline import apply_palette, fit_palette, quantize
from pipeline.files.modes import channels_of
from pipeline.files.profiles import to_srgb


def picture(height=37, width=53):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([5 * x % 256, 6 * y % 256, (x * y + 7) % 256], axis=2).astype(np.uint8)


def picture_with_alpha():
    image = np.dstack(
        [picture(), np.random.default_rng(61).choice(np.array([0, 100, 255], np.uint8), (37, 53))]
    )
    image[:20] = 0  # chunks without any visible pixel
    return image


def same(one, other):
    """Whether two results are, of dask and xarray too."""
    return all(
        np.array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(other, name)))
        for name in ("labels", "image", "labels_", "cluster_centers_")
    ) and (one.palette.hex, one.mse, one.inertia_) == (other.palette.hex, other.mse, other.inertia_)


def plans(image):
    return [
        quantize(image, 9),
        quantize(image, 5, color_space="oklab", dither="ordered"),
        quantize(image, method="dynamic", threshold=20),
        apply_palette(image, fit_palette(picture(), 7, color_space="lab")),
        apply_palette(image, fit_palette(picture(), method="dynamic", threshold=20), dither="ordered"),
    ]


@pytest.mark.parametrize("chunks", [(11, 13, -1), (37, 53, 1), (8, 50, 2)])
@pytest.mark.parametrize("make", [picture, picture_with_alpha])
def test_a_dask_array_gives_what_the_whole_gives_in_chunks_of_its_own(make, chunks):
    image = make()
    array = dask.array.from_array(image, chunks)
    for found, expected in zip(plans(array), plans(image), strict=True):
        assert isinstance(found.labels, dask.array.Array)
        assert found.labels.chunks == found.image.chunks[:2] == array.chunks[:2]
        assert found.labels.dtype == found.labels.compute().dtype
        assert same(found, expected)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=15)
def test_however_an_image_is_chunked_its_palette_is_the_same(rows, columns, k, seed):
    image = np.random.default_rng(seed).integers(0, 32, (23, 31, 3)).astype(np.uint8)
    array = dask.array.from_array(image, (rows, columns, -1))
    assert fit_palette(array, k).hex == fit_palette(image, k).hex
    parts = np.array_split(image, 3)
    assert fit_palette(iter(parts[::-1]), k).hex == fit_palette(image, k).hex


class Chunk(np.ndarray):
    """A chunk that can be watched; arrays themselves cannot."""


def test_a_dask_array_is_never_whole_in_memory():
    """96 chunks of which only a few are alive at a time, when counting, painting and reducing labels."""
    living, most = weakref.WeakSet(), []

    class Handle:
        pass

    def make(block, block_id=(0, 0, 0)):
        chunk = np.empty(block.shape, np.uint8).view(Chunk)
        chunk[:] = np.random.default_rng(block_id[0]).integers(0, 256, (1, 1, 3))
        chunk.handle = Handle()
        living.add(chunk.handle)
        most.append(len(living))
        return chunk

    shape, chunks = (96 * 64, 64, 3), (64, 64, 3)
    array = dask.array.zeros(shape, chunks=chunks, dtype=np.uint8).map_blocks(make, dtype=np.uint8)
    most.clear()
    living.clear()
    with dask.config.set(scheduler="synchronous"):
        result = quantize(array, 4)
        assert len(most) == 96
        sums = result.labels.map_blocks(lambda block: block.sum(keepdims=True), dtype=np.int64, chunks=(1, 1))
        assert sums.sum().compute() >= 0
        assert len(most) == 192
        assert max(most) <= 16
        array.compute()  # what holds all of it is seen to
        assert max(most) == 96


def test_labels_of_a_dask_array_are_not_computed_before_they_are_asked_for():
    def fail(block):
        raise AssertionError("computed")

    array = dask.array.from_array(picture(), (10, 10, 3)).map_blocks(
        fail, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8)
    )
    result = apply_palette(array, np.array([[0, 0, 0], [255, 255, 255]], np.uint8), dither="ordered")
    assert (result.labels.shape, result.image.shape) == ((37, 53), (37, 53, 3))
    assert result._repr_html_()
    assert result._repr_png_() is None
    with pytest.raises(AssertionError, match="computed"):
        result.labels.compute()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("order", [("y", "x", "band"), ("band", "y", "x"), ("y", "Channel", "x")])
def test_a_dataarray_gives_dataarrays_with_its_coordinates(order, lazy):
    xarray = pytest.importorskip("xarray")
    name = (set(order) - {"x", "y"}).pop()
    image = picture()
    array = xarray.DataArray(
        image,
        dims=("y", "x", name),
        coords={
            "y": np.linspace(50, 49, 37),
            "x": np.linspace(8, 9, 53),
            name: ["r", "g", "b"],
            "spatial_ref": 0,
            "area": (("y", "x"), np.arange(37 * 53.0).reshape(37, 53)),
        },
    ).transpose(*order)
    array = array.chunk({"y": 10, "x": 20}) if lazy else array
    for found, expected in zip(plans(array), plans(image), strict=True):
        assert found.labels.dims == tuple(dim for dim in order if dim != name)
        assert set(found.labels.coords) == {"y", "x", "spatial_ref", "area"}
        xarray.testing.assert_identical(found.labels.coords["area"], array.coords["area"])
        assert found.image.dims == order
        xarray.testing.assert_identical(found.image.coords.to_dataset(), array.coords.to_dataset())
        assert (found.labels.chunks is not None) == lazy
        assert np.array_equal(found.labels.transpose("y", "x"), expected.labels)
        assert np.array_equal(found.image.transpose("y", "x", name), expected.image)
        assert found._repr_html_()


def test_dataarrays_of_one_channel_or_without_names_and_those_that_are_no_image():
    xarray = pytest.importorskip("xarray")
    grey = picture()[:, :, 0]
    expected = quantize(grey, 4)
    one = xarray.DataArray(grey[None], dims=("band", "y", "x"), coords={"band": [1]})
    for array in (one, one[0], xarray.DataArray(grey), xarray.DataArray(grey[:, :, None])):
        found = quantize(array, 4)
        assert np.array_equal(np.squeeze(found.labels), expected.labels)
        assert sorted(found.image.shape) == [3, 37, 53]
    with pytest.raises(ValueError, match=r"found dims \('time', 'y', 'x'\) of shape \(9, 37, 53\)"):
        quantize(xarray.DataArray(np.zeros((9, 37, 53), np.uint8), dims=("time", "y", "x")))
    with pytest.raises(ValueError, match="expected a DataArray of dims y, x or y, x, band, found dims"):
        quantize(xarray.DataArray(np.zeros((1, 2, 3, 3), np.uint8)))


def test_grey_is_the_grey_of_three_channels():
    grey = picture()[:, :, 0]
    for array in (grey, grey[:, :, None], dask.array.from_array(grey, (9, 9))):
        assert same(quantize(array, 6), quantize(np.dstack([grey] * 3), 6))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_are_levels_rounded_to_the_nearest(dtype):
    image = picture()
    assert same(quantize((image / 255).astype(dtype), 6), quantize(image, 6))
    levels = np.array([[0, 0.49 / 255, 0.51 / 255, 1]])
    assert quantize(levels, 4).image[0, :, 0].tolist() == [0, 0, 1, 255]


def test_floats_that_are_no_numbers_are_transparent():
    image = picture() / 255
    image[3, 4, 1] = np.nan
    seen = np.full((37, 53, 1), 255, np.uint8)
    seen[3, 4] = 0
    expected = quantize(np.dstack([picture(), seen]), 6)
    assert same(quantize(image, 6), expected)
    assert same(quantize(dask.array.from_array(image, 16), 6), expected)


def test_pil_images_of_all_modes_are_read_as_files_are():
    deep = Image.fromarray((picture()[:, :, 0].astype(np.uint16) << 8) + 77)
    floats = Image.fromarray(picture()[:, :, 0].astype(np.float32) / 255)
    whole = Image.fromarray(picture()[:, :, 0].astype(np.int32) * 256)
    for image in (deep, floats, whole):
        assert same(quantize(image, 6), quantize(picture()[:, :, 0], 6)), image.mode
    for mode in ("CMYK", "YCbCr", "LAB", "HSV", "P", "1", "L"):
        rgb = Image.fromarray(picture())
        image = (
            ImageCms.profileToProfile(
                rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
            )
            if mode == "LAB"
            else rgb.convert(mode)
        )
        expected = np.asarray(channels_of(image, "").color.convert("RGB"))
        assert same(quantize(image, 6), quantize(expected, 6)), mode


def test_a_profile_counts_and_an_orientation_does_not(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture()).save(tmp_path / "a.png", exif=exif, icc_profile=icc.rgb_profile())
    with Image.open(tmp_path / "a.png") as image:
        found = quantize(image, 6)
    converted, told = to_srgb(Image.fromarray(picture()), icc.rgb_profile())
    assert told
    assert same(found, quantize(np.asarray(converted), 6))
    assert not same(found, quantize(picture(), 6))


def test_a_palette_is_that_of_all_images_and_remembers_where_it_is_near():
    images = [picture(), picture_with_alpha(), Image.fromarray(picture())]
    palette = fit_palette(iter(images), 12, color_space="oklab")
    seen = sum(
        int((np.asarray(image)[:, :, 3:] > 0).sum()) if i == 1 else 37 * 53 for i, image in enumerate(images)
    )
    assert (palette.counts.sum(), palette.color_space) == (seen, "oklab")
    one = fit_palette(images[0], 12, color_space="oklab")
    assert same(apply_palette(images[0], one), quantize(images[0], 12, color_space="oklab"))
    other = apply_palette(images[0], one, color_space="srgb")
    assert same(other, apply_palette(images[0], one.colors))
    again = apply_palette(images[0], quantize(images[0], 12, color_space="oklab").palette)
    assert same(again, apply_palette(images[0], one))


def test_a_threshold_holds_for_the_image_it_was_fitted_to():
    palette = fit_palette(picture(), method="dynamic", threshold=15, metric="ciede2000")
    assert palette.metric == "ciede2000"
    assert apply_palette(picture(), palette).palette.hex == palette.hex


@pytest.mark.parametrize("image", [picture(), picture_with_alpha()])
def test_results_go_through_pickle(image):
    result = quantize(image, 6, dither="floyd-steinberg")
    assert same(pickle.loads(pickle.dumps(result)), result)  # noqa: S301 -- ours


@pytest.mark.parametrize(
    ("call", "error", "shown"),
    [
        (lambda: fit_palette("a.png"), TypeError, r"found str 'a\.png'; open files with PIL"),
        (lambda: fit_palette(None), TypeError, "expected an image .* found NoneType"),
        (lambda: fit_palette([]), ValueError, "expected an image or more, found none"),
        (lambda: fit_palette(["a.png"]), TypeError, r"found a path, 'a\.png'; open it with PIL"),
        (
            lambda: apply_palette(picture(), ["#fff"]),
            TypeError,
            "expected a Palette or an array .* found list",
        ),
        (lambda: apply_palette(picture(), picture()), ValueError, r"\(k, 3\) and type uint8, not shape"),
        (lambda: apply_palette(picture(), picture()[0, :2], dither="no"), ValueError, "found 'no'"),
        (lambda: quantize(picture(), dither="no"), ValueError, "expected a dithering method .* found 'no'"),
        (
            lambda: quantize(dask.array.from_array(picture()), dither="floyd-steinberg"),
            ValueError,
            "expected dither 'none' or 'ordered' for a dask array",
        ),
        (lambda: quantize(dask.array.zeros((4, 5, 2))), ValueError, r"found shape \(4, 5, 2\) of float64"),
        (
            lambda: quantize(dask.array.zeros((9, 5, 3))[dask.array.arange(9) > 3]),
            ValueError,
            "expected a dask array of known shape",
        ),
    ],
)
def test_anything_else_is_refused_with_what_was_expected_and_found(call, error, shown):
    with pytest.raises(error, match=shown):
        call()
