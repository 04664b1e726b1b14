"""The threshold is kept, all colours are covered, and a lower threshold gives no fewer colours."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_distances import REFERENCES

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.distances import METRICS, differences
from pipeline.color.dynamic import Dynamic, grow

REPRESENTATIVES = ("centroid", "median", "nearest", "mean_of_percentile")
RED_BLUE_GREY = np.array([[255, 0, 0], [0, 0, 255], [47, 47, 47]], np.uint8)


def counted(colors, weights):
    counts = count_colors(np.asarray(colors, np.uint8))
    return ColorCounts(counts.codes, np.asarray(weights[: len(counts)], np.int64))


@st.composite
def color_counts(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 3, 12, 70, 150]))
    colors = rng.integers(0, draw(st.sampled_from([2, 4, 20, 256])), (n, 3))
    return counted(colors, rng.integers(1, draw(st.sampled_from([2, 9, 1000])), n))


ways = st.one_of(
    st.builds(
        dict,
        metric=st.sampled_from(METRICS),
        criterion=st.sampled_from(["radius", "diameter"]),
        representative=st.sampled_from(REPRESENTATIVES),
    ),
    st.builds(dict, split_on=st.just("white"), representative=st.sampled_from(REPRESENTATIVES)),
)
thresholds = st.sampled_from([0, 0.5, 1.5, 3, 7, 12.5, 30, 100])
caps = st.sampled_from([1, 2, 5, 40, 65_536])


def spread(colors, representative, asked):
    """The criterion of one cluster, reckoned plainly from all its colours or all their pairs."""
    reference = REFERENCES[asked.metric]
    if asked.split_on == "white":
        return np.ptp(reference(colors, np.full_like(colors, 255)))
    if asked.criterion == "radius":
        return reference(colors, np.broadcast_to(representative, colors.shape)).max()
    n = len(colors)
    return reference(np.repeat(colors, n, axis=0), np.tile(colors, (n, 1))).max()


@given(color_counts(), ways, thresholds, caps)
@settings(deadline=None, max_examples=250)
def test_all_colors_are_covered_within_the_threshold(counts, way, threshold, cap):
    asked = Dynamic(threshold=threshold, max_colors=cap, **way)
    found = grow(counts, asked)
    k = len(found.colors)
    assert k <= cap
    assert len(np.unique(found.colors, axis=0)) == k
    assert (found.labels.dtype, len(found.labels)) == (np.int32, len(counts))
    assert np.unique(found.labels).tolist() == list(range(k))
    planes = counts.planes.T
    spreads = [spread(planes[found.labels == j], found.colors[j], asked) for j in range(k)]
    assert found.widest == pytest.approx(max(spreads), abs=1e-4)
    assert found.capped == (found.widest > threshold)
    assert k == cap or not found.capped
    leaves = found.nodes.left < 0
    assert found.nodes.spread[leaves] == pytest.approx(spreads, abs=1e-4)


@given(color_counts(), ways, thresholds, caps)
@settings(deadline=None, max_examples=80)
def test_the_table_is_a_tree_whose_leaves_are_the_palette(counts, way, threshold, cap):
    found = grow(counts, Dynamic(threshold=threshold, max_colors=cap, **way))
    nodes = found.nodes
    assert len(nodes) == 2 * len(found.colors) - 1
    assert nodes.parent[0] == -1
    assert nodes.counts[0] == counts.total
    for i in range(len(nodes)):
        halves = nodes.left[i], nodes.right[i]
        if nodes.label[i] >= 0:
            assert halves == (-1, -1)
            assert nodes.color[i].tolist() == found.colors[nodes.label[i]].tolist()
            assert nodes.counts[i] == counts.counts[found.labels == nodes.label[i]].sum()
        else:
            assert all(nodes.parent[half] == i for half in halves)
            assert nodes.counts[i] == nodes.counts[list(halves)].sum()
    assert nodes.label[nodes.left < 0].tolist() == list(range(len(found.colors)))
    rows = json.loads(json.dumps(nodes.plain()))
    assert [row["parent"] for row in rows] == nodes.parent.tolist()
    assert [row["id"] for row in rows] == list(range(len(nodes)))
    assert rows[0]["color"] == nodes.color[0].tolist()


@given(color_counts(), ways, caps)
@settings(deadline=None, max_examples=80)
def test_the_higher_the_threshold_the_fewer_the_colors(counts, way, cap):
    numbers = [
        len(grow(counts, Dynamic(threshold=threshold, max_colors=cap, **way)).colors)
        for threshold in (0, 0.7, 1.9, 4, 8, 15, 30, 60, 300)  # CIE76 goes to 259
    ]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == 1


@given(color_counts(), ways, thresholds)
@settings(deadline=None, max_examples=80)
def test_a_higher_threshold_stops_the_same_tree_sooner(counts, way, threshold):
    low, high = (
        grow(counts, Dynamic(threshold=t, max_colors=65_536, **way)) for t in (threshold, threshold + 5)
    )

    def sets(found):
        """Which colours the leaves hold."""
        return [frozenset(np.flatnonzero(found.labels == j).tolist()) for j in range(len(found.colors))]

    above = sets(high)
    for below in sets(low):
        assert sum(below <= leaf for leaf in above) == 1
    if way.get("criterion") != "diameter":  # its spreads are bounds, so that its splits may change places
        size = len(high.nodes)
        assert np.array_equal(low.nodes.parent[:size], high.nodes.parent)
        assert np.array_equal(low.nodes.counts[:size], high.nodes.counts)


@given(color_counts(), ways, thresholds, caps, st.sampled_from([2, 3, 7, 1_000_003]))
@settings(deadline=None, max_examples=80)
def test_only_the_proportions_of_the_counts_matter(counts, way, threshold, cap, times):
    asked = Dynamic(threshold=threshold, max_colors=cap, **way)
    found, more = grow(counts, asked), grow(ColorCounts(counts.codes, times * counts.counts), asked)
    assert np.array_equal(found.colors, more.colors)
    assert np.array_equal(found.labels, more.labels)
    assert (found.widest, found.capped) == (more.widest, more.capped)
    assert np.array_equal(times * found.nodes.counts, more.nodes.counts)
    assert np.array_equal(found.nodes.centroid, more.nodes.centroid)


@given(color_counts(), st.sampled_from(METRICS), st.sampled_from(REPRESENTATIVES), caps)
@example(counted([[0, 0, 0], [0, 0, 1]], [1, 1]), "cie76", "median", 2)
@settings(deadline=None, max_examples=60)
def test_threshold_0_keeps_every_color(counts, metric, representative, cap):
    asked = Dynamic(threshold=0, metric=metric, representative=representative, max_colors=cap)
    found = grow(counts, asked)
    assert len(found.colors) == min(len(counts), cap)
    assert found.capped == (len(counts) > cap)
    if not found.capped:
        assert np.array_equal(found.colors[found.labels], counts.planes.T)
        assert found.widest == 0.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("criterion", ["radius", "diameter"])
def test_unlike_colors_are_told_apart(metric, criterion):
    found = grow(count_colors(RED_BLUE_GREY), Dynamic(threshold=5, metric=metric, criterion=criterion))
    assert sorted(found.colors.tolist()) == sorted(RED_BLUE_GREY.tolist())


def test_as_far_from_white_is_alike_to_the_published_idea():
    found = grow(count_colors(RED_BLUE_GREY), Dynamic(threshold=5, split_on="white"))
    assert len(found.colors) == 1
    assert found.widest == pytest.approx(84.99 - 81.57, abs=0.01)


@pytest.mark.parametrize("split_on", ["color", "white"])
def test_a_half_that_is_alike_already_is_kept(split_on):
    """The published code adds a half to its tree only if it is to be split again, and loses the rest."""
    alike = np.array([[250, 250, 250], [251, 250, 250]])
    ramp = np.repeat(np.arange(0, 120, 8)[:, None], 3, axis=1)
    counts = counted(np.concatenate([alike, ramp]), [5] * 17)
    found = grow(counts, Dynamic(threshold=10, split_on=split_on))
    leaves = found.nodes.left < 0
    assert found.nodes.counts[leaves].sum() == counts.total == 85
    assert (found.nodes.spread[leaves] <= 10).all()
    assert 2 in np.bincount(found.labels)
    assert found.labels.min() == 0


@given(color_counts(), st.sampled_from(REPRESENTATIVES[:3]))
@settings(deadline=None, max_examples=60)
def test_one_color_is_the_mean_median_or_nearest_of_all(counts, representative):
    found = grow(counts, Dynamic(threshold=0, representative=representative, max_colors=1))
    pixels = np.repeat(counts.planes.T.astype(float), counts.counts, axis=0)
    mean = pixels.mean(axis=0)
    median = np.sort(pixels, axis=0)[(len(pixels) - 1) // 2]
    assert found.nodes.centroid[0] == pytest.approx(mean)
    assert found.nodes.median[0].tolist() == median.tolist()
    squares = np.square(counts.planes.T - mean).sum(axis=1)
    assert np.square(found.nodes.nearest[0] - mean).sum() <= squares.min() + 1e-9
    if representative == "centroid":
        assert np.abs(found.colors[0] - mean).max() <= 0.5 + 1e-9
    else:
        assert found.colors[0].tolist() == getattr(found.nodes, representative)[0].tolist()


@given(color_counts(), st.sampled_from(METRICS))
@settings(deadline=None, max_examples=40)
def test_real_colors_are_of_their_cluster(counts, metric):
    found = grow(counts, Dynamic(threshold=8, metric=metric, representative="nearest"))
    for j, color in enumerate(found.colors.tolist()):
        assert color in counts.planes.T[found.labels == j].tolist()


def test_sets_of_one_mean_get_two_colors():
    """The grey is the mean of the others, which are as far from white as each other, but farther than it."""
    colors = [[100, 100, 100], [156, 11, 188], [44, 189, 12]]
    found = grow(count_colors(np.array(colors, np.uint8)), Dynamic(threshold=0.1, split_on="white"))
    leaves = found.nodes.left < 0
    assert found.nodes.centroid[leaves].tolist() == [[100, 100, 100]] * 2
    assert len(np.unique(found.colors, axis=0)) == 2
    assert found.widest < 0.1


MISLEADING = {
    "redmean": (
        70,
        [[77, 27, 30], [8, 43, 191], [85, 215, 166], [250, 15, 227], [134, 228, 144], [243, 245, 231]],
    ),
    "oklab": (
        46,
        [[24, 13, 237], [118, 15, 213], [59, 198, 255], [160, 44, 22], [240, 121, 63], [159, 62, 131]],
    ),
    "cie76": (
        140,
        [
            *([77, 205, 94], [26, 201, 171], [194, 31, 4], [155, 93, 228]),
            *([204, 109, 186], [134, 182, 227], [185, 234, 226]),
        ],
    ),
    "ciede2000": (70, [[19, 112, 115], [92, 193, 199], [160, 78, 31], [131, 36, 247], [128, 164, 16]]),
}
"""Colours whose diameter is above this threshold, while going to the farthest and on stops below it."""


@pytest.mark.parametrize("metric", METRICS)
def test_the_widest_pair_decides_even_if_it_is_hard_to_find(metric):
    threshold, colors = MISLEADING[metric]
    asked = Dynamic(threshold=threshold, metric=metric, criterion="diameter")
    counts = count_colors(np.array(colors, np.uint8))
    found = grow(counts, asked)
    assert spread(counts.planes.T, None, asked) > threshold
    assert len(found.colors) > 1
    assert found.widest <= threshold
    assert not found.capped


ROUNDED = [[0, 3, 4], [3, 1, 4], [5, 0, 0], [5, 0, 3], [4, 2, 3], [4, 1, 5], [4, 3, 4]]
MEDIANS = [[0, 2, 2], [3, 2, 3], [0, 0, 5], [3, 3, 4], [2, 5, 1], [3, 5, 3], [4, 0, 1], [5, 2, 3]]


@pytest.mark.parametrize("threshold", [0.4, 0.6])
@pytest.mark.parametrize(
    ("representative", "colors", "pixels"),
    [("centroid", ROUNDED, [3, 3, 1, 3, 3, 1, 4]), ("median", MEDIANS, [2, 2, 2, 1, 2, 2, 3, 1])],
)
def test_a_representative_does_not_stray_into_another_set(representative, colors, pixels, threshold):
    """Rounding, or a median, would take that of one set to another's; and a substitute be too far off."""
    pixels_of = dict(zip(map(tuple, colors), pixels, strict=True))
    counts = count_colors(np.array(colors, np.uint8))
    counts = ColorCounts(counts.codes, np.array([pixels_of[tuple(c)] for c in counts.planes.T.tolist()]))
    asked = Dynamic(threshold=threshold, representative=representative)
    found = grow(counts, asked)
    assert len(np.unique(found.colors, axis=0)) == len(found.colors)
    planes = counts.planes.T
    spreads = [spread(planes[found.labels == j], color, asked) for j, color in enumerate(found.colors)]
    assert found.nodes.spread[found.nodes.left < 0] == pytest.approx(spreads, abs=1e-6)
    assert max(spreads) <= threshold


def test_the_widest_node_is_split_first():
    rng = np.random.default_rng(5)
    counts = count_colors(rng.integers(0, 256, (3000, 3), dtype=np.uint8))
    found = grow(counts, Dynamic(threshold=0, max_colors=60))
    nodes = found.nodes
    parents = nodes.parent[1::2]  # in the order of the splits
    for i, parent in enumerate(parents.tolist()):
        waiting = [j for j in range(2 * i + 1) if j not in parents[:i].tolist()]
        assert parent == max(waiting, key=lambda j: (nodes.spread[j], -j))


def test_no_color_is_too_far_from_a_made_up_one_that_stands_for_alike_ones():
    """A median of channels may lie outside its colours, farther away than they are from one another."""
    colors = np.array([[0, 0, 0], [60, 60, 0], [60, 0, 60], [0, 60, 60]], np.uint8)
    counts = count_colors(np.repeat(colors, [1, 10, 10, 10], axis=0))
    threshold = 35.287174
    found = grow(counts, Dynamic(threshold, "oklab", criterion="diameter", representative="median"))
    assert len(found.colors) == 1
    stands = found.colors[found.labels]
    assert differences(np.ascontiguousarray(counts.planes.T), stands, "oklab").max() <= threshold


@pytest.mark.parametrize("way", [{"metric": metric} for metric in METRICS] + [{"split_on": "white"}])
def test_one_color_needs_one_color(way):
    found = grow(counted([[12, 200, 7]], [77]), Dynamic(threshold=0, **way))
    assert found.colors.tolist() == [[12, 200, 7]]
    assert (found.labels.tolist(), found.widest, found.capped, len(found.nodes)) == ([0], 0.0, False, 1)


def test_nothing_counted_is_refused():
    with pytest.raises(ValueError, match="no pixels to fit"):
        grow(count_colors(np.empty((0, 3), np.uint8)), Dynamic())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"threshold": -1}, "threshold must be a number of at least 0, not -1"),
        ({"threshold": float("nan")}, "not nan"),
        ({"threshold": float("inf")}, "not inf"),
        ({"threshold": "10"}, "not '10'"),
        ({"threshold": True}, "not True"),
        ({"metric": "cie94"}, "metric must be 'redmean', .* or 'ciede2000', not 'cie94'"),
        ({"split_on": "black"}, "split_on must be 'color' or 'white', not 'black'"),
        (
            {"split_on": "white", "metric": "oklab"},
            "by metric 'redmean', not 'oklab'",
        ),
        ({"criterion": "mean"}, "criterion must be 'radius' or 'diameter', not 'mean'"),
        ({"representative": "mode"}, "representative must be 'centroid', "),
        ({"percentile": 0}, "percentile must be a number above 0, not 0"),
        ({"percentile": 100.1}, "not 100.1"),
        ({"max_colors": 0}, "max_colors must be a whole number from 1 to 65536, not 0"),
        ({"max_colors": 65_537}, "not 65537"),
        ({"max_colors": 16.0}, "not 16.0"),
        ({"max_colors": True}, "not True"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        Dynamic(**wrong)
