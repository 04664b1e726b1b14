"""Regions are scikit-image's; specks vanish, and nothing else changes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops_table

from pipeline.color.regions import Regions, draw_boundaries, find_regions, merge_specks


@st.composite
def label_maps(draw):
    """A small label map, noisy or in blocks, and the label of its clear pixels or None."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.sampled_from([(1, 1), (1, 13), (13, 1), (2, 2), (5, 8), (12, 11), (24, 17)]))
    k = draw(st.integers(1, 6))
    block = draw(st.sampled_from([1, 1, 2, 3]))
    labels = np.kron(rng.integers(0, k, (height, width)), np.ones((block, block), int))[:height, :width]
    noisy = rng.random(labels.shape) < draw(st.sampled_from([0.0, 0.1, 0.5]))
    labels[noisy] = rng.integers(0, k, noisy.sum())
    clear = draw(st.sampled_from([None, 0, k - 1, k]))
    if draw(st.booleans()):
        return labels.astype(np.uint8), clear
    return (labels + 300).astype(np.uint16), None if clear is None else clear + 300


def numbered(labels, clear):
    """The number of each pixel's region, from 1, and the areas by number; 0 is clear."""
    numbers = label(labels, background=-1 if clear is None else clear, connectivity=1)
    return numbers, np.bincount(numbers.ravel())


def components(labels, clear):
    """What clear pixels and the edge enclose, as `numbered` has it."""
    return numbered(np.where(labels == clear, 0, 1) if clear is not None else np.ones(labels.shape, int), 0)


areas = st.sampled_from([1, 2, 3, 5, 9, 20, 60, 10**6])


@given(label_maps(), areas)
@settings(deadline=None, max_examples=200)
def test_no_speck_is_left_unless_it_is_all_there_is(drawn, min_area):
    labels, clear = drawn
    merged = merge_specks(labels, min_area, clear)
    assert (merged.shape, merged.dtype) == (labels.shape, labels.dtype)
    numbers, sizes = numbered(merged, clear)
    wholes, _ = components(labels, clear)
    before, sizes_before = numbered(labels, clear)
    for speck in np.flatnonzero(sizes[1:] < min_area) + 1:
        within = wholes == wholes[numbers == speck][0]
        assert (within == (numbers == speck)).all()
        parts = np.unique(before[within])
        largest = min(parts, key=lambda part: (-sizes_before[part], labels[before == part][0]))
        assert merged[numbers == speck][0] == labels[before == largest][0]


@given(label_maps(), areas)
@settings(deadline=None, max_examples=200)
def test_large_regions_and_clear_pixels_stay_and_no_label_comes_from_elsewhere(drawn, min_area):
    labels, clear = drawn
    given_labels = labels.copy()
    merged = merge_specks(labels, min_area, clear)
    assert (labels == given_labels).all()
    assert not np.shares_memory(labels, merged)
    numbers, sizes = numbered(labels, clear)
    stays = (sizes[numbers] >= min_area) | (numbers == 0)
    assert (merged[stays] == labels[stays]).all()
    assert ((merged == clear) == (labels == clear)).all()
    wholes, sizes = components(labels, clear)
    for whole in range(1, len(sizes)):
        within = wholes == whole
        assert set(merged[within].tolist()) <= set(labels[within].tolist())


@given(label_maps(), areas)
@settings(deadline=None, max_examples=100)
def test_merging_again_changes_nothing(drawn, min_area):
    labels, clear = drawn
    merged = merge_specks(labels, min_area, clear)
    assert (merge_specks(merged, min_area, clear) == merged).all()


@given(label_maps(), areas)
@settings(deadline=None, max_examples=50)
def test_order_in_memory_and_type_make_no_difference(drawn, min_area):
    labels, clear = drawn
    merged = merge_specks(labels, min_area, clear)
    fortran = np.asfortranarray(labels)
    fortran.flags.writeable = False
    assert (merge_specks(fortran, min_area, clear) == merged).all()
    assert (merge_specks(labels.astype(np.uint16), min_area, clear) == merged).all()


@given(label_maps())
@settings(deadline=None, max_examples=50)
def test_a_min_area_of_one_changes_nothing(drawn):
    labels, clear = drawn
    assert (merge_specks(labels, 1, clear) == labels).all()


def picture(text):
    return np.array([[int(letter) for letter in row] for row in text.split()], np.uint8)


@pytest.mark.parametrize(
    ("why", "before", "min_area", "after"),
    [
        ("the longest border, not the largest region", "222 231 221 111 111", 2, "222 221 221 111 111"),
        (
            "the longest border with a label, not with one region",
            "100001 115511 221222 221222 221222",
            3,
            "100001 111111 221222 221222 221222",
        ),
        ("a tie goes to the larger region", "1142222", 2, "1122222"),
        ("a tie of equals goes to the lower label, here", "11422", 2, "11122"),
        ("and from the other side", "22411", 2, "22111"),
        ("corners do not touch", "100 010 001", 2, "000 000 000"),
        ("the smallest goes first", "1123333", 3, "3333333"),
        ("smaller than asked as a whole", "0011121", 8, "1111111"),
    ],
)
def test_a_speck_goes_where(why, before, min_area, after):
    assert merge_specks(picture(before), min_area).tolist() == picture(after).tolist(), why


def test_clear_pixels_part_what_is_around_them():
    """The 1 has nobody; the 2 joins its own side."""
    before = picture("19000 99000 00920 00900")
    after = picture("19000 99000 00900 00900")
    assert merge_specks(before, 2, clear=9).tolist() == after.tolist()


def test_what_is_enclosed_gets_the_label_of_its_largest_region():
    """Even if the regions of another label have more pixels between them."""
    enclosed = picture("9999999 9355539 9499949 9399939 9999999")
    merged = merge_specks(enclosed, 50, clear=9)
    assert (merged[enclosed != 9] == 5).all()
    arms = picture("9999999 9355539 9399939 9399939 9999999")  # as large as the bridge, and lower
    assert (merge_specks(arms, 50, clear=9)[arms != 9] == 3).all()


def test_an_image_of_noise_is_the_same_from_any_thread():
    labels = np.random.default_rng(3).integers(0, 8, (300, 400)).astype(np.uint8)
    merged = merge_specks(labels, 50)
    assert numbered(merged, None)[1][1:].min() >= 50
    with ThreadPoolExecutor(4) as threads:
        for again in threads.map(lambda _: merge_specks(labels, 50), range(8)):
            assert (again == merged).all()


def colored(labels, seed=5):
    return np.random.default_rng(seed).integers(0, 256, (*labels.shape, 3)).astype(np.uint8)


@given(label_maps())
@settings(deadline=None, max_examples=100)
def test_regions_are_those_of_scikit_image(drawn):
    labels, clear = drawn
    pixels = colored(labels)
    found = find_regions(labels, pixels, clear)
    numbers, sizes = numbered(labels, clear)
    assert len(found) == len(sizes) - 1
    if not len(found):
        return
    named = ("label", "area", "bbox", "centroid", "coords", "intensity_mean")
    table = regionprops_table(numbers, pixels, properties=named)
    first = [tuple(min(part.tolist())) for part in table["coords"]]
    order = sorted(range(len(found)), key=lambda i: (-table["area"][i], first[i]))

    def columns(name, n):
        return np.stack([table[f"{name}-{i}"] for i in range(n)], axis=1)[order]

    assert found.label.dtype == labels.dtype
    assert found.label.tolist() == [labels[first[i]] for i in order]
    assert found.area.tolist() == table["area"][order].tolist()
    assert found.box.tolist() == columns("bbox", 4).tolist()
    assert np.allclose(found.centroid, columns("centroid", 2), rtol=0, atol=1e-9)
    assert np.allclose(found.mean_color, columns("intensity_mean", 3), rtol=0, atol=1e-9)


@given(label_maps())
@settings(deadline=None, max_examples=50)
def test_regions_cover_what_is_not_clear(drawn):
    labels, clear = drawn
    pixels = colored(labels)
    found = find_regions(labels, pixels, clear)
    counted = labels != clear if clear is not None else np.ones(labels.shape, bool)
    assert found.area.sum() == counted.sum()
    sums = (found.mean_color * found.area[:, None]).sum(axis=0)
    assert np.allclose(sums, pixels[counted].sum(axis=0, dtype=float))


def test_one_pixel_is_a_region_and_none_is_none():
    pixels = np.array([[[1, 2, 3]]], np.uint8)
    found = find_regions(np.full((1, 1), 7, np.uint8), pixels)
    assert [field.tolist() for field in vars(found).values()] == [
        [7],
        [1],
        [[0, 0, 1, 1]],
        [[0, 0]],
        [[1, 2, 3]],
    ]
    for labels, clear in ((np.full((1, 1), 7, np.uint8), 7), (np.zeros((0, 4), np.uint8), None)):
        found = find_regions(labels, np.zeros((*labels.shape, 3), np.uint8), clear)
        assert isinstance(found, Regions)
        assert len(found) == 0
        assert found.box.shape == (0, 4)
        assert merge_specks(labels, 5, clear).tolist() == labels.tolist()


def test_pixels_may_be_a_view_of_an_image_with_alpha():
    labels = np.random.default_rng(1).integers(0, 3, (6, 7)).astype(np.uint8)
    rgba = np.random.default_rng(2).integers(0, 256, (6, 7, 4)).astype(np.uint8)
    view, copy = (find_regions(labels, part) for part in (rgba[:, :, :3], rgba[:, :, :3].copy()))
    assert all((getattr(view, name) == getattr(copy, name)).all() for name in vars(view))


@given(label_maps())
@settings(deadline=None, max_examples=50)
def test_boundaries_run_on_both_sides_and_nowhere_else(drawn):
    labels, _ = drawn
    pixels = colored(labels) // 2
    given_pixels = pixels.copy()
    drawn_over = draw_boundaries(pixels, labels, (255, 254, 253))
    assert (pixels == given_pixels).all()
    edge = np.pad(labels.astype(int), 1, mode="edge")
    moved = (edge[:-2, 1:-1], edge[2:, 1:-1], edge[1:-1, :-2], edge[1:-1, 2:])
    at_boundary = np.any([other != labels for other in moved], axis=0)
    assert (drawn_over[at_boundary] == (255, 254, 253)).all()
    assert (drawn_over[~at_boundary] == pixels[~at_boundary]).all()


MAP = np.zeros((4, 5), np.uint8)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: merge_specks(MAP, 0), "min_area of at least 1 pixel, found 0"),
        (lambda: merge_specks(MAP.astype(np.int64), 2), "found shape .4, 5. of int64"),
        (lambda: merge_specks(MAP[0], 2), "found shape .5,. of uint8"),
        (lambda: find_regions(MAP, np.zeros((5, 4, 3), np.uint8)), "found shape .5, 4, 3. of uint8"),
        (lambda: find_regions(MAP, np.zeros((4, 5, 4), np.uint8)), "found shape .4, 5, 4. of uint8"),
        (lambda: find_regions(MAP, np.zeros((4, 5, 3))), "of float64"),
        (lambda: draw_boundaries(np.zeros((4, 4, 3), np.uint8), MAP), "found shape .4, 4, 3. of uint8"),
    ],
)
def test_bad_input_is_told(call, said):
    with pytest.raises(ValueError, match=said):
        call()
