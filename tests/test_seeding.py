"""First centroids: cuts are always the same; chance depends on the seed alone."""

import numpy as np
from colors import assigned, inertia, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.seeding import seed_by_chance, seed_by_cuts
from pipeline.color.spaces import SPACES
from pipeline.color.tree import condense

SCALE = 64


def rows(centroids):
    return set(map(tuple, centroids.tolist()))


def bins_of(counts, space="srgb"):
    """Bins of 8 levels a side; the colours themselves if all are in one."""
    tree = tree_of(counts, space)
    return condense(tree, 0) if len(tree.start) > 2 else tree


def cells(tree):
    """The cells that are told apart: 32 a side."""
    return rows(tree.points.T // (tree.extent // 32))


@st.composite
def trees(draw, spaces=("srgb",)):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 10, 100, 400]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([2, 12, 60, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    weights = rng.integers(1, draw(st.sampled_from([2, 10, 10**4])), len(counts))
    return bins_of(ColorCounts(counts.codes, weights), draw(st.sampled_from(spaces)))


@given(trees(), st.integers(1, 300))
@settings(deadline=None, max_examples=60)
def test_cuts_make_as_many_boxes_as_asked_or_one_for_each_bin(tree, k):
    centroids = seed_by_cuts(tree, k)
    assert len(centroids) == len(rows(centroids)) == min(k, len(cells(tree)))
    assert (centroids >= tree.box[-1, :3]).all()
    assert (centroids <= tree.box[-1, 3:]).all()


@given(trees(sorted(SPACES)), st.integers(1, 300))
@settings(deadline=None, max_examples=60)
def test_in_other_spaces_cuts_make_no_more_boxes_than_asked_and_all_differ(tree, k):
    """Cells of a space may take several bins, which then are not cut from one another."""
    centroids = seed_by_cuts(tree, k)
    assert 1 <= len(centroids) == len(rows(centroids)) <= min(k, len(cells(tree)))
    assert (centroids >= tree.box[-1, :3]).all()
    assert (centroids <= tree.box[-1, 3:]).all()


@given(trees(), st.integers(1, 60))
@settings(deadline=None, max_examples=30)
def test_cuts_give_the_same_answer_every_time(tree, k):
    assert (seed_by_cuts(tree, k) == seed_by_cuts(tree, k)).all()


@given(trees(), st.integers(1, 60))
@settings(deadline=None, max_examples=60)
def test_boxes_part_the_pixels(tree, k):
    """Each box holds pixels, and weighted by them the boxes' means make up the mean of all."""
    centroids = seed_by_cuts(tree, k)
    if k == 1:
        assert np.abs(centroids[0] - tree.sums[-1] / tree.weight[-1]).max() <= 0.5 + 1e-6
    fewer = seed_by_cuts(tree, max(1, k - 1))
    assert len(rows(centroids) - rows(fewer)) <= 2  # one box was cut in two
    assert len(rows(fewer) - rows(centroids)) <= 1


def test_the_first_cut_parts_two_far_groups():
    pixels = np.array([[10, 10, 10]] * 5 + [[20, 10, 10]] + [[240, 200, 10]] * 3, np.uint8)
    low, high = sorted(seed_by_cuts(bins_of(count_colors(pixels)), 2).tolist())
    assert low == [round(70 / 6 * SCALE), 10 * SCALE, 10 * SCALE]
    assert high == [240 * SCALE, 200 * SCALE, 10 * SCALE]


@given(trees(sorted(SPACES)), st.data(), st.integers(0, 2**40))
@settings(deadline=None, max_examples=60)
def test_chance_picks_distinct_bins_as_long_as_there_are(tree, data, seed):
    k = data.draw(st.integers(1, len(tree.counts)))
    centroids = seed_by_chance(tree, k, seed)
    assert len(rows(centroids)) == k
    assert rows(centroids) <= rows(tree.points.T)


@given(trees(), st.integers(1, 30), st.integers(0, 2**40))
@settings(deadline=None, max_examples=30)
def test_chance_depends_on_the_seed_alone(tree, k, seed):
    first = seed_by_chance(tree, k, seed)
    seed_by_chance(tree, k, seed + 1)
    np.random.seed(0)
    assert (seed_by_chance(tree, k, seed) == first).all()


def test_other_seeds_give_other_picks():
    rng = np.random.default_rng(1)
    tree = bins_of(count_colors(rng.integers(0, 256, (2000, 3), dtype=np.uint8)))
    starts = {tuple(seed_by_chance(tree, 4, seed).ravel().tolist()) for seed in range(50)}
    assert len(starts) == 50


def test_the_first_pick_has_a_chance_by_weight():
    pixels = np.repeat(np.array([[0, 0, 0], [100, 0, 0], [200, 0, 0]], np.uint8), [1, 3, 6], axis=0)
    tree = bins_of(count_colors(pixels))
    picked = [seed_by_chance(tree, 1, seed)[0, 0] // (100 * SCALE) for seed in range(4000)]
    shares = np.bincount(picked, minlength=3) / 4000
    assert np.abs(shares - [0.1, 0.3, 0.6]).max() < 0.03


def test_chance_prefers_what_is_far_away():
    """Ten thousand dark pixels do not keep the few bright ones from being found."""
    pixels = np.repeat(
        np.array([[9, 9, 9], [20, 9, 9], [250, 250, 250]], np.uint8), [9000, 1000, 100], axis=0
    )
    tree = bins_of(count_colors(pixels))
    found = [250 * SCALE in seed_by_chance(tree, 2, seed) for seed in range(200)]
    assert np.mean(found) > 0.98


def test_both_are_far_better_than_random_pixels():
    rng = np.random.default_rng(2)
    centres = rng.integers(0, 256, (16, 3))
    pixels = np.clip(np.repeat(centres, 300, axis=0) + rng.normal(0, 4, (4800, 3)), 0, 255).astype(np.uint8)
    tree = bins_of(count_colors(pixels))
    plain = np.median([inertia(tree, rng.permutation(pixels)[:16] * np.int32(SCALE)) for _ in range(20)])
    assert inertia(tree, seed_by_cuts(tree, 16)) < plain / 2
    assert np.median([inertia(tree, seed_by_chance(tree, 16, seed)) for seed in range(20)]) < plain / 2


def test_seeding_serves_a_step():
    """Centroids come as a step over the tree wants them: int32, scaled, in bounds."""
    tree = bins_of(count_colors(np.array([[0, 0, 0], [255, 255, 255], [128, 0, 64]], np.uint8)))
    for centroids in (seed_by_cuts(tree, 3), seed_by_chance(tree, 3, 0)):
        assert centroids.dtype == np.int32
        assert assigned(tree, centroids).totals[:, 0].tolist() == [1, 1, 1]
