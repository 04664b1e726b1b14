"""Color counts are an exact histogram of the distinct colours, and counts of parts add up."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.color import counts as counts_module
from pipeline.color import kernels
from pipeline.color.counts import ColorCounts, Tally, count_colors

RNG = np.random.default_rng(5)

levels = st.sampled_from([0, 1, 2, 127, 128, 254, 255])
pixel_arrays = hnp.arrays(np.uint8, st.tuples(st.integers(0, 60), st.just(3)), elements=levels)


@pytest.fixture(scope="module", autouse=True, params=["sorting", "table"])
def way(request):
    """Every law holds for both ways of counting; which one is taken depends on the number of pixels."""
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "table":
            patched.setattr(counts_module, "_SORTED", 0)
        yield request.param


def naive(pixels, alpha=None):
    """Count colours as np.unique does: {(red, green, blue): pixels}."""
    flat = pixels.reshape(-1, 3).astype(np.int64)
    if alpha is not None:
        flat = flat[alpha.reshape(-1) > 0]
    packed, found = np.unique(flat[:, 0] << 16 | flat[:, 1] << 8 | flat[:, 2], return_counts=True)
    return {(c >> 16, c >> 8 & 255, c & 255): n for c, n in zip(packed.tolist(), found.tolist(), strict=True)}


def as_dict(counts):
    colors = map(tuple, counts.planes.T.tolist())
    return dict(zip(colors, counts.counts.tolist(), strict=True))


def same(first, second):
    return (
        first.codes.dtype == second.codes.dtype
        and first.counts.dtype == second.counts.dtype
        and np.array_equal(first.codes, second.codes)
        and np.array_equal(first.counts, second.counts)
    )


@given(pixel_arrays)
@settings(deadline=None, max_examples=60)
def test_counts_are_those_of_np_unique(pixels):
    counts = count_colors(pixels)
    assert as_dict(counts) == naive(pixels)
    assert len(counts) == len(naive(pixels))
    assert counts.total == len(pixels)
    assert (np.diff(counts.codes.astype(np.int64)) > 0).all()
    assert counts.codes.dtype == np.uint32
    assert counts.counts.dtype == np.int64


def test_counts_of_many_colors_are_those_of_np_unique():
    image = RNG.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert as_dict(count_colors(image)) == naive(image)


@given(pixel_arrays, pixel_arrays, pixel_arrays)
@settings(deadline=None, max_examples=60)
def test_counts_of_parts_add_up_in_any_order_and_grouping(a, b, c):
    first, second, third = count_colors(a), count_colors(b), count_colors(c)
    whole = count_colors(np.concatenate([a, b, c]))
    assert same((first + second) + third, whole)
    assert same(first + (second + third), whole)
    assert same(second + third + first, whole)


def test_adding_leaves_both_terms_as_they_were():
    first, second = count_colors(np.zeros((3, 3), np.uint8)), count_colors(np.zeros((4, 3), np.uint8))
    assert (first + second).total == 7
    assert (first.total, second.total) == (3, 4)


@given(pixel_arrays, st.data())
@settings(deadline=None, max_examples=60)
def test_pixels_of_alpha_zero_do_not_count_and_all_others_do(pixels, data):
    alpha = data.draw(hnp.arrays(np.uint8, len(pixels), elements=st.sampled_from([0, 1, 254, 255])))
    counts = count_colors(pixels, alpha)
    assert as_dict(counts) == naive(pixels, alpha)
    assert counts.total == np.count_nonzero(alpha)


def test_an_image_all_transparent_counts_nothing():
    counts = count_colors(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint8))
    assert (len(counts), counts.total, counts.planes.shape) == (0, 0, (3, 0))


def test_alpha_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(ValueError, match="alpha has 5 values for 6 pixels"):
        count_colors(np.zeros((6, 3), np.uint8), np.zeros(5, np.uint8))


def test_planes_are_the_colors_of_the_codes():
    codes = np.sort(RNG.choice(kernels.CODES, 10_000, replace=False)).astype(np.uint32)
    red, green, blue = ColorCounts(codes, np.ones(len(codes), np.int64)).planes
    assert (kernels.RED[red] | kernels.GREEN[green] | kernels.BLUE[blue] == codes).all()


def test_any_layout_in_memory_counts_the_same_and_is_not_written_to():
    image = RNG.integers(0, 9, (31, 17, 4), dtype=np.uint8)
    image.flags.writeable = False
    color, alpha = image[:, :, :3], image[:, :, 3]
    expected = count_colors(color.copy(), alpha.copy())
    assert same(count_colors(color, alpha), expected)
    assert same(count_colors(np.asfortranarray(color), np.asfortranarray(alpha)), expected)
    assert same(count_colors(color[::-1, ::-1], alpha[::-1, ::-1]), expected)
    assert same(count_colors(color.transpose(1, 0, 2), alpha.T), expected)


@given(st.lists(pixel_arrays, max_size=4))
@settings(deadline=None, max_examples=30)
def test_what_was_counted_before_leaves_no_trace(images):
    for pixels in images:
        assert as_dict(count_colors(pixels)) == naive(pixels)


def test_an_interrupted_count_does_not_spoil_the_next(monkeypatch, way):
    def interrupt(*_):
        raise KeyboardInterrupt

    pixels = RNG.integers(0, 256, (1000, 3), dtype=np.uint8)
    with monkeypatch.context() as patched:
        patched.setattr(kernels, "drain_table" if way == "table" else "count_runs", interrupt)
        with pytest.raises(KeyboardInterrupt):
            count_colors(RNG.integers(0, 256, (1000, 3), dtype=np.uint8))
    assert as_dict(count_colors(pixels)) == naive(pixels)


def test_more_pixels_than_32_bits_count_are_counted_in_parts(monkeypatch):
    pixels = RNG.integers(0, 3, (100, 3), dtype=np.uint8)
    alpha = RNG.integers(0, 2, 100, dtype=np.uint8)
    whole, masked = count_colors(pixels), count_colors(pixels, alpha)
    monkeypatch.setattr(counts_module, "_AT_ONCE", 7)
    assert same(count_colors(pixels), whole)
    assert same(count_colors(pixels, alpha), masked)


@given(st.lists(pixel_arrays, min_size=1, max_size=4))
@settings(deadline=None, max_examples=30)
def test_a_tally_of_parts_is_the_count_of_the_whole(images):
    tally = Tally()
    for pixels in images:
        tally.add(pixels)
    assert same(tally.drain(), count_colors(np.concatenate(images)))


def test_a_tally_keeps_apart_what_is_counted_meanwhile():
    first, second = (RNG.integers(0, 9, (1000, 3), dtype=np.uint8) for _ in range(2))
    one, other = Tally(), Tally()
    one.add(first)
    other.add(second)
    assert as_dict(count_colors(second)) == naive(second)
    assert as_dict(other.drain()) == naive(second)
    table = counts_module._scratch.table
    assert as_dict(one.drain()) == naive(first)
    assert as_dict(count_colors(first)) == naive(first)
    assert counts_module._scratch.table is table  # it was empty: a new one would cost its pages anew


def test_counting_in_many_threads_at_once_is_right():
    images = [RNG.integers(0, 1 + 8 * i, (20_000, 3), dtype=np.uint8) for i in range(1, 17)]
    expected = [naive(image) for image in images]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(2):
            assert list(map(as_dict, pool.map(count_colors, images))) == expected
