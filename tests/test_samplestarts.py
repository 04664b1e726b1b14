"""First centres: distinct points, far apart; near ones are merged before small ones."""

import numpy as np
import pytest

from pipeline.color.chance import draw_shares
from pipeline.color.points import nearest
from pipeline.color.samplestarts import best_start, merge_nearest, seed_one_by_one

RNG = np.random.default_rng(31)


def test_seeds_are_distinct_points_far_apart():
    corners = np.array([[0.0, 0, 9, 9], [0, 9, 0, 9]])
    points = np.repeat(corners, [500, 1, 30, 7], axis=1)
    for seed in range(20):
        shares = np.empty(4 * 3)
        draw_shares(seed, 0, shares)
        found = seed_one_by_one(points, 4, 3, shares)
        assert sorted(found.tolist()) == sorted(corners.T.tolist())


def ward(centers, seen, k):
    """Merge the pair of least rise until k are left, by looking at every pair each time."""
    clusters = [
        (tuple(center), weight) for center, weight in zip(centers.tolist(), seen.tolist(), strict=True)
    ]
    while len(clusters) > k:
        pairs = [(i, j) for j in range(len(clusters)) for i in range(j)]
        rises = [
            np.square(np.subtract(clusters[i][0], clusters[j][0])).sum()
            * clusters[i][1]
            * clusters[j][1]
            / (clusters[i][1] + clusters[j][1])
            for i, j in pairs
        ]
        i, j = pairs[int(np.argmin(rises))]
        (one, first), (other, second) = clusters[i], clusters[j]
        mean = (np.multiply(one, first) + np.multiply(other, second)) / (first + second)
        clusters = [c for n, c in enumerate(clusters) if n not in (i, j)] + [(tuple(mean), first + second)]
    return sorted((weight, *center) for center, weight in clusters)


@pytest.mark.parametrize("k", [1, 2, 7, 29, 30])
def test_merging_takes_the_pair_that_costs_least_each_time(k):
    for channels in (1, 3):
        centers, seen = RNG.normal(size=(30, channels)), RNG.integers(1, 500, 30)
        expected = ward(centers, seen, k)
        merge_nearest(centers, seen, k)
        found = sorted(
            (weight, *center) for center, weight in zip(centers[:k].tolist(), seen[:k].tolist(), strict=True)
        )
        assert np.allclose(found, expected)


def test_centers_that_saw_nothing_are_merged_first():
    centers = np.array([[0.0], [5.0], [5.1], [90.0], [70.0]])
    seen = np.array([3, 4, 5, 0, 0])
    merge_nearest(centers, seen, 3)
    assert sorted(zip(seen[:3].tolist(), centers[:3, 0].tolist(), strict=True)) == [
        (3, 0.0),
        (4, 5.0),
        (5, 5.1),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_small_far_clusters_are_found_beside_large_ones(seed):
    """Splitting one of the large groups takes off half as much as finding one of the small ones."""
    middles = np.repeat([[40.0, 200, 40, 200], [40, 200, 200, 40]], [8000, 8000, 20, 20], axis=1)
    sample = middles + RNG.uniform(-9, 9, middles.shape)
    centers = best_start(sample, sample, 4, seed, 1e-3)
    labels = nearest(sample, centers)[0]
    assert sorted(np.bincount(labels, minlength=4).tolist()) == [20, 20, 8000, 8000]


def test_fewer_distinct_points_than_centers_do_no_harm():
    sample = np.repeat([[1.0, 2.0, 9.0]], 50, axis=0).reshape(1, -1)
    for k in (5, 1100):
        centers = best_start(sample, sample, k, 0, 1e-3)
        assert centers.shape == (k, 1)
        assert set(centers[:, 0].tolist()) == {1.0, 2.0, 9.0}
