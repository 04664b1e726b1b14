"""What is said of each cluster is what a plain reckoning over its pixels says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.clusters import SWATCHES, describe_clusters
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette


@st.composite
def clusterings(draw):
    """Counts, the cluster of each distinct colour, and how many clusters; none is empty."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 7, 50, 200]))
    pixels = rng.integers(0, draw(st.sampled_from([2, 6, 256])), (n, 3)).astype(np.uint8)
    counts = count_colors(pixels)
    weights = rng.integers(1, draw(st.sampled_from([2, 4, 60])), len(counts))
    k = draw(st.integers(1, min(len(counts), 9)))
    labels = rng.permutation(np.concatenate([np.arange(k), rng.integers(0, k, len(counts) - k)]))
    return ColorCounts(counts.codes, weights), labels.astype(np.int32), k


def members(counts, labels, j):
    """Distinct colours of cluster j (n, 3), and pixels of each."""
    return counts.planes.T[labels == j].astype(np.int64), counts.counts[labels == j]


@given(clusterings())
@settings(deadline=None, max_examples=80)
def test_centroid_median_nearest_and_spread_are_those_of_the_pixels(clustering):
    counts, labels, k = clustering
    found = describe_clusters(counts, labels, k)
    for j in range(k):
        colors, weights = members(counts, labels, j)
        pixels = np.repeat(colors, weights, axis=0)
        mean = pixels.mean(axis=0)
        assert np.allclose(found.centroids[j], mean, atol=1e-9)
        lower_medians = np.sort(pixels, axis=0)[(len(pixels) - 1) // 2]
        assert (found.medians[j] == lower_medians).all()
        distances = np.square(colors - mean).sum(axis=1)
        assert found.nearest[j].tolist() in colors.tolist()
        assert np.square(found.nearest[j] - mean).sum() <= distances.min() + 1e-9
        assert np.isclose(found.spreads[j], np.sqrt(np.square(pixels - mean).sum(axis=1).mean()), atol=1e-9)


@given(clusterings())
@settings(deadline=None, max_examples=80)
def test_swatches_are_the_most_frequent_colors_of_the_cluster(clustering):
    counts, labels, k = clustering
    found = describe_clusters(counts, labels, k)
    for j in range(k):
        colors, weights = members(counts, labels, j)
        shown = min(SWATCHES, len(colors))
        assert found.swatch_counts[j, :shown].tolist() == sorted(weights.tolist(), reverse=True)[:shown]
        pixels_of = dict(zip(map(tuple, colors.tolist()), weights.tolist(), strict=True))
        swatches = [tuple(color) for color in found.swatches[j, :shown].tolist()]
        assert [pixels_of[color] for color in swatches] == found.swatch_counts[j, :shown].tolist()
        assert len(set(swatches)) == shown
        assert not found.swatch_counts[j, shown:].any()
        assert not found.swatches[j, shown:].any()


@given(clusterings(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_numbering_the_clusters_anew_only_permutes_the_rows(clustering, random):
    counts, labels, k = clustering
    rank = np.array(random.sample(range(k), k), np.int32)
    found, again = describe_clusters(counts, labels, k), describe_clusters(counts, rank[labels], k)
    for name in vars(found):
        assert (getattr(found, name) == getattr(again, name)[rank]).all()


def test_every_pixel_alike_has_no_spread():
    found = describe_clusters(count_colors(np.full((9, 3), 77, np.uint8)), np.zeros(1, np.int32), 1)
    assert found.centroids.tolist() == [[77.0] * 3]
    assert found.medians.tolist() == found.nearest.tolist() == [[77] * 3]
    assert found.spreads.tolist() == [0.0]
    assert found.swatches[0, 0].tolist() == [77] * 3
    assert found.swatch_counts.tolist() == [[9] + [0] * (SWATCHES - 1)]


def test_clusters_of_a_palette_round_to_their_colors():
    """In a fitted palette each cluster's mean lies within a few levels of its 8-bit colour."""
    y, x = np.mgrid[0:60, 0:80]
    counts = count_colors(np.stack([3 * x, 4 * y, x + y], axis=2).astype(np.uint8))
    fitted = fit_palette(counts, KMeans(colors=12))
    found = describe_clusters(counts, fitted.labels, 12)
    assert np.abs(found.centroids - fitted.palette.colors).max() < 2
    total = (np.square(found.spreads) * fitted.palette.counts).sum()
    off = np.square(found.centroids - fitted.palette.colors).sum(axis=1)
    assert np.isclose(total + (off * fitted.palette.counts).sum(), fitted.inertia)
