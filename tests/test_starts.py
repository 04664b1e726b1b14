"""Where k-means starts: always k centroids with pixels, and better ones for more attempts."""

import numpy as np
import pytest
from colors import assigned, cube, inertia, picture, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.spaces import SPACES
from pipeline.color.starts import best_start, complete, random_colors, random_pixels
from pipeline.color.tree import condense

seeds = st.integers(0, 2**63 - 1)
spaces = st.sampled_from(sorted(SPACES))


def rows(points):
    return set(map(tuple, points.tolist()))


@st.composite
def trees(draw):
    """Colours of one bin or many, of like or unlike weights, in any space."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 10, 100, 400]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([2, 4, 30, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 10, 10**6])), len(counts))
    return tree_of(ColorCounts(counts.codes, weights), draw(spaces))


@given(trees(), st.data(), st.sampled_from(["auto", "wu", "kmeans++"]), seeds)
@settings(deadline=None, max_examples=150)
def test_the_best_start_has_as_many_centroids_as_asked(tree, data, init, seed):
    """As many as there are colours, at most; those of a few bins are more than the bins."""
    k = data.draw(st.integers(1, len(tree.counts)))
    found = best_start(tree, k, init, seed, 0)
    assert found.dtype == np.int32
    assert found.shape == (k, 3)
    assert found.flags.c_contiguous
    assert found.min() >= 0
    assert found.max() < tree.extent
    assert (best_start(tree, k, init, seed, 0) == found).all()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("k", [6, 20, 40])
def test_each_attempt_has_starts_of_its_own_but_cuts_are_cuts(k, space):
    tree = tree_of(count_colors(picture()), space)
    for init in ("auto", "kmeans++"):
        found = {best_start(tree, k, init, 5, attempt).tobytes() for attempt in range(6)}
        assert len(found) > 1
    cuts = best_start(tree, k, "wu", 5, 0)
    assert (best_start(tree, k, "wu", 99, 0) == cuts).all()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("k", [2, 6, 20, 40])
def test_auto_is_no_worse_than_cuts_on_the_bins(k, space):
    """Cuts are the first of its starts."""
    tree = tree_of(count_colors(picture()), space)
    cuts, best = (best_start(tree, k, init, 5, 0) for init in ("wu", "auto"))
    assert any(inertia(bins, best) <= inertia(bins, cuts) for bins in (condense(tree, 0), condense(tree, 1)))


@pytest.mark.parametrize("space", SPACES)
def test_the_best_start_is_better_than_pixels_at_random(space):
    tree = tree_of(count_colors(picture()), space)
    random = [inertia(tree, random_pixels(tree, 16, seed)) for seed in range(10)]
    for init in ("auto", "wu", "kmeans++"):
        assert inertia(tree, best_start(tree, 16, init, 0, 0)) < min(random)


@given(trees(), st.integers(1, 50), seeds)
@settings(deadline=None, max_examples=100)
def test_random_pixels_are_distinct_colors_of_the_image(tree, k, seed):
    found = random_pixels(tree, k, seed)
    assert found.dtype == np.int32
    assert 1 <= len(found) == len(rows(found)) <= min(k, len(tree.counts))
    assert rows(found) <= rows(tree.points.T)
    assert (random_pixels(tree, k, seed) == found).all()
    fewer = random_pixels(tree, max(1, k - 1), seed)
    assert (fewer == found[: len(fewer)]).all()


def test_a_color_is_picked_as_often_as_it_has_pixels():
    colors = np.array([[0, 0, 0], [100, 0, 0], [200, 0, 0]], np.uint8)
    tree = tree_of(count_colors(np.repeat(colors, [1, 3, 6], axis=0)))
    picked = [random_pixels(tree, 1, seed)[0, 0] // 6400 for seed in range(4000)]
    assert np.abs(np.bincount(picked, minlength=3) / 4000 - [0.1, 0.3, 0.6]).max() < 0.03


def test_the_first_and_the_last_color_can_be_picked():
    tree = tree_of(count_colors(cube(2, low=0)))
    assert {rows(random_pixels(tree, 1, seed)).pop() for seed in range(200)} == rows(tree.points.T)
    assert len(random_pixels(tree, 8, 0)) == 8


def test_random_pixels_are_fewer_where_one_color_has_nearly_all():
    counts = count_colors(cube(4))
    counts.counts[7] = 10**12
    found = random_pixels(tree_of(counts), 10, 1)
    assert found.tolist() == [(counts.planes[:, 7].astype(int) * 64).tolist()]


@given(spaces, st.integers(1, 400), seeds)
@settings(deadline=None, max_examples=60)
def test_random_colors_are_8_bit_colors_anywhere(space, k, seed):
    found = random_colors(SPACES[space], k, seed)
    assert found.shape == (k, 3)
    assert found.dtype == np.int32
    levels = SPACES[space].levels(found)
    assert (found == SPACES[space].place(np.ascontiguousarray(levels.T)).T).all()
    assert (random_colors(SPACES[space], k, seed) == found).all()
    assert (SPACES["srgb"].levels(random_colors(SPACES["srgb"], k, seed)) == levels).all()
    assert (random_colors(SPACES[space], k + 5, seed)[:k] == found).all()


def test_random_colors_fill_the_cube():
    levels = SPACES["srgb"].levels(random_colors(SPACES["srgb"], 20_000, 3))
    for channel in levels.T:
        assert (channel.min(), channel.max()) == (0, 255)
        assert np.abs(np.bincount(channel >> 5, minlength=8) / 20_000 - 1 / 8).max() < 0.01


@given(trees(), st.data())
@settings(deadline=None, max_examples=150)
def test_completed_every_centroid_has_pixels(tree, data):
    k = data.draw(st.integers(1, len(tree.counts)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    given_ = rng.integers(0, 256, (3, data.draw(st.integers(1, k)))).astype(np.uint8)
    start = SPACES["srgb"].place(given_).T.astype(np.int32)
    if data.draw(st.booleans()):
        start = tree.points.T[rng.integers(0, len(tree.counts), len(start))].astype(np.int32)
    before = start.copy()
    found = complete(tree, k, start)
    assert found.shape == (k, 3)
    assert found.flags.c_contiguous
    assert (assigned(tree, found).totals[:, 0] > 0).all()
    assert (start == before).all()


def test_those_that_have_pixels_stay_and_the_others_go_where_the_error_is_largest():
    tree = tree_of(count_colors(np.array([[0, 0, 0], [9, 0, 0], [100, 0, 0], [160, 0, 0]], np.uint8)))
    start = np.array([[64, 0, 0], [16320, 16320, 16320]], np.int32)
    assert complete(tree, 3, start).tolist() == [[64, 0, 0], [160 * 64, 0, 0], [100 * 64, 0, 0]]
