"""ColorQuantizer: scikit-learn's own checks, all of them, and what it promises beyond."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipeline import ColorQuantizer, quantize
from pipeline.color.counts import count_colors
from pipeline.library.weights import repeated, weighted_colors, whole

RNG = np.random.default_rng(5)
COLORS = RNG.integers(0, 256, (400, 3)).astype(np.uint8)
POINTS = RNG.normal(size=(400, 5))


@parametrize_with_checks([ColorQuantizer(), ColorQuantizer(3, method="minibatch", random_state=1)])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@pytest.mark.parametrize("space", ["srgb", "oklab"])
@pytest.mark.parametrize("method", ["kmeans", "minibatch"])
def test_on_colors_it_is_quantize(method, space):
    found = ColorQuantizer(9, method=method, color_space=space).fit(COLORS)
    expected = quantize(COLORS[None], 9, method=method, color_space=space)
    assert np.array_equal(found.cluster_centers_, expected.cluster_centers_)
    assert np.array_equal(found.labels_, expected.labels_)
    assert found.inertia_ == pytest.approx(expected.inertia_)
    assert found.n_features_in_ == 3
    assert np.array_equal(found.predict(COLORS.astype(np.float32)), found.labels_)
    away = found.transform(COLORS)
    assert np.square(away.min(axis=1)).sum() == pytest.approx(found.inertia_)
    painted = found.cluster_centers_[found.labels_]
    assert np.array_equal(found.inverse_transform(away), painted)


def test_on_points_it_is_about_as_good_as_kmeans():
    found = ColorQuantizer(6).fit(POINTS)
    peer = KMeans(6, n_init=10, random_state=0).fit(POINTS)
    assert found.inertia_ <= 1.02 * peer.inertia_
    assert found.inertia_ == pytest.approx(np.square(found.transform(POINTS).min(axis=1)).sum())
    assert np.array_equal(found.labels_, found.transform(POINTS).argmin(axis=1))


@pytest.mark.parametrize("data", [COLORS, POINTS], ids=["colors", "points"])
def test_neither_order_nor_ways_of_saying_the_same_weight_matter(data):
    weights = RNG.integers(0, 4, len(data))
    order = RNG.permutation(len(data))
    plain = ColorQuantizer(7).fit(np.repeat(data, weights, axis=0)).cluster_centers_
    for points, sample_weight in [
        (data, weights),
        (data, 0.5 * 8 * weights),
        (data[order], weights[order].tolist()),
    ]:
        found = ColorQuantizer(7).fit(points, sample_weight=sample_weight)
        assert np.array_equal(found.cluster_centers_, plain)
        assert np.array_equal(found.labels_, found.predict(points))


def test_weights_are_whole_in_the_same_ratios():
    assert whole(np.array([2.0, 4.0, 0.0]), 100).tolist() == [1, 2, 0]
    assert whole(np.array([1e-9, 1.0]), 1 << 20).tolist() == [1, 1 << 20]
    assert whole(np.array([1e12, 3e12]), 1000).tolist() == [1, 3]
    assert len(repeated(POINTS, RNG.random(400))) == pytest.approx(1 << 20, rel=1e-3)
    weights = RNG.integers(0, 3, 400).astype(np.float64)
    found = weighted_colors(COLORS, weights)
    expected = count_colors(np.repeat(COLORS, weights.astype(int), axis=0))
    assert np.array_equal(found.codes, expected.codes)
    divisor = np.gcd.reduce(weights[weights > 0].astype(int))
    assert np.array_equal(found.counts * divisor, expected.counts)


def test_chance_is_seeded_as_scikit_learn_seeds_it():
    def centers(state):
        return ColorQuantizer(9, method="minibatch", random_state=state).fit(POINTS).cluster_centers_

    assert np.array_equal(centers(3), centers(np.int64(3)))
    assert np.array_equal(centers(None), centers(0))
    assert not np.array_equal(centers(3), centers(4))
    assert np.array_equal(centers(np.random.RandomState(2)), centers(np.random.RandomState(2)))


def test_it_works_within_a_pipeline_and_is_cloned_with_its_parameters():
    steps = make_pipeline(StandardScaler(), ColorQuantizer(4)).fit(POINTS)
    assert len(np.unique(steps.predict(POINTS))) == 4
    names = steps.get_feature_names_out().tolist()
    assert names == [f"colorquantizer{j}" for j in range(4)]
    twin = clone(ColorQuantizer(5, method="minibatch", color_space="lab", random_state=7))
    assert twin.get_params() == {
        "color_space": "lab",
        "method": "minibatch",
        "n_colors": 5,
        "random_state": 7,
    }


def test_data_with_fewer_distinct_points_have_one_cluster_for_each():
    assert len(ColorQuantizer(8).fit(np.repeat(COLORS[:3], 5, axis=0)).cluster_centers_) == 3
    assert len(ColorQuantizer(8).fit(np.repeat(POINTS[:3], 5, axis=0)).cluster_centers_) == 3


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: ColorQuantizer(method="palette").fit(COLORS), "method must be one of kmeans, minibatch"),
        (lambda: ColorQuantizer(0).fit(COLORS), "from 1 to 65536, not 0"),
        (lambda: ColorQuantizer(0).fit(POINTS), "from 1 to 65536, not 0"),
        (lambda: ColorQuantizer(color_space="hsv").fit(COLORS), "color_space must be"),
        (lambda: ColorQuantizer(color_space="lab").fit(POINTS), "'lab' is for 8-bit colours: expected three"),
        (lambda: ColorQuantizer(color_space="lab").fit(COLORS).predict([[0.5, 1, 2]]), "expected 8-bit colo"),
        (lambda: ColorQuantizer().fit(COLORS, sample_weight=-np.ones(400)), "numbers of at least zero"),
        (lambda: ColorQuantizer().fit(COLORS, sample_weight=[1.0]), r"expected sample_weight \(400,\)"),
        (lambda: ColorQuantizer(4).fit(COLORS).inverse_transform([[1, 2]]), r"4 centres, .* \(1, 2\)"),
    ],
)
def test_what_is_wrong_is_told_with_what_was_expected(call, shown):
    with pytest.raises(ValueError, match=shown):
        call()
