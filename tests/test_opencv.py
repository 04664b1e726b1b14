"""k-means as OpenCV's users call it: its shapes and flags, without its faults."""

import numpy as np
import pytest
from colors import picture
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import quantize
from pipeline.color import opencv
from pipeline.color.opencv import (
    KMEANS_PP_CENTERS,
    KMEANS_RANDOM_CENTERS,
    KMEANS_USE_INITIAL_LABELS,
    TERM_CRITERIA_EPS,
    TERM_CRITERIA_MAX_ITER,
    kmeans,
)

BOTH = TERM_CRITERIA_MAX_ITER + TERM_CRITERIA_EPS
CRITERIA = (BOTH, 30, 1.0)
PIXELS = picture(30, 40).reshape(-1, 3)


def test_the_constants_are_opencvs():
    assert (KMEANS_RANDOM_CENTERS, KMEANS_USE_INITIAL_LABELS, KMEANS_PP_CENTERS) == (0, 1, 2)
    assert (TERM_CRITERIA_MAX_ITER, TERM_CRITERIA_EPS) == (1, 2)


@pytest.mark.parametrize("flags", [KMEANS_RANDOM_CENTERS, KMEANS_PP_CENTERS])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("k", [1, 2, 8, 50])
def test_shapes_and_types_are_opencvs(k, dtype, flags):
    compactness, labels, centers = kmeans(PIXELS.astype(dtype), k, None, CRITERIA, 3, flags)
    assert (labels.shape, labels.dtype) == ((len(PIXELS), 1), np.int32)
    assert (centers.shape, centers.dtype) == ((k, 3), np.float32)
    assert isinstance(compactness, float)
    assert set(np.unique(labels)) == set(range(k))


def test_it_is_used_as_in_the_tutorial():
    """`res = center[label.flatten()]`, as OpenCV's documentation of colour quantization has it."""
    image = picture(30, 40)
    _, label, center = kmeans(np.float32(image.reshape((-1, 3))), 8, None, (BOTH, 10, 1.0), 10, 0)
    shown = np.uint8(center)[label.flatten()].reshape(image.shape)
    error = ((shown.astype(float) - image) ** 2).sum(axis=2).mean()
    assert error <= 1.1 * quantize(image, 8).mse


@pytest.mark.parametrize("flags", [KMEANS_RANDOM_CENTERS, KMEANS_PP_CENTERS])
def test_centers_are_means_and_labels_are_nearest(flags):
    compactness, labels, centers = kmeans(PIXELS, 12, None, CRITERIA, 2, flags)
    labels = labels[:, 0]
    for j in range(12):
        assert centers[j] == pytest.approx(PIXELS[labels == j].mean(axis=0), abs=1)
    squares = ((PIXELS[:, None] - centers.astype(float)) ** 2).sum(axis=2)
    assert (squares[np.arange(len(PIXELS)), labels] == squares.min(axis=1)).all()
    assert compactness == pytest.approx(squares.min(axis=1).sum())


def test_a_seed_gives_the_same_answer_and_another_may_not():
    first = kmeans(PIXELS, 12, None, CRITERIA, 1, KMEANS_RANDOM_CENTERS, seed=1)
    again = kmeans(PIXELS.astype(np.float32), 12, None, CRITERIA, 1, KMEANS_RANDOM_CENTERS, seed=1)
    assert first.compactness == again.compactness
    assert (first.labels == again.labels).all()
    assert (first.centers == again.centers).all()
    others = [kmeans(PIXELS, 12, None, CRITERIA, 1, 0, seed=seed).compactness for seed in range(5)]
    assert len(set(others)) > 1


def test_more_attempts_are_never_worse():
    """But for what rounding to 8 bits does to the best of them."""
    spread = [kmeans(PIXELS, 12, None, CRITERIA, attempts, 0).compactness for attempts in (1, 3, 10)]
    assert spread[1] <= 1.001 * spread[0]
    assert spread[2] <= 1.001 * spread[1]


def test_criteria_bound_the_steps():
    start = np.arange(len(PIXELS)) % 12

    def compactness(*criteria):
        return kmeans(PIXELS, 12, start, criteria, 1, KMEANS_USE_INITIAL_LABELS).compactness

    free = compactness(TERM_CRITERIA_EPS, 1, 0.0)
    assert compactness(TERM_CRITERIA_MAX_ITER, 1, 0.0) > free
    assert compactness(TERM_CRITERIA_MAX_ITER, 1000, 1e9) == free, "epsilon counts only if the type says so"
    assert compactness(TERM_CRITERIA_EPS, 1, 1e9) > free
    assert compactness(BOTH, 1000, 0.0) == free


def test_labels_to_start_from_are_heeded():
    best = kmeans(PIXELS, 6, None, (BOTH, 100, 0.0), 5, KMEANS_PP_CENTERS)
    again = kmeans(PIXELS, 6, best.labels, (BOTH, 100, 0.0), 1, KMEANS_USE_INITIAL_LABELS)
    flat = kmeans(PIXELS, 6, best.labels[:, 0], (BOTH, 100, 0.0), 7, KMEANS_USE_INITIAL_LABELS)
    assert again.compactness <= best.compactness * 1.001
    assert (again.labels == flat.labels).all()
    before = best.labels.copy()
    kmeans(PIXELS, 6, best.labels, (BOTH, 100, 0.0), 1, KMEANS_USE_INITIAL_LABELS)
    assert (best.labels == before).all()


def test_clusters_that_the_labels_leave_empty_are_filled():
    found = kmeans(PIXELS, 6, np.zeros(len(PIXELS), int), CRITERIA, 1, KMEANS_USE_INITIAL_LABELS)
    assert set(np.unique(found.labels)) == set(range(6))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 100))
def test_points_of_any_channels(channels, k, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(80, channels)).astype(np.float32)
    compactness, labels, centers = kmeans(points, k, None, CRITERIA, 1, 0, seed=seed)
    assert (labels.shape, labels.dtype) == ((80, 1), np.int32)
    assert (centers.shape, centers.dtype) == ((k, channels), np.float32)
    assert set(np.unique(labels)) == set(range(k))
    about = ((points - centers[labels[:, 0]]).astype(float) ** 2).sum()
    assert compactness == pytest.approx(about, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    "points",
    [PIXELS.astype(np.float32) + 0.5, PIXELS.astype(np.float32) - 1, PIXELS.astype(np.int32) + 1000],
)
def test_three_channels_that_are_no_levels_are_taken_as_they_are(points):
    _, labels, centers = kmeans(points, 5)
    for j in range(5):
        assert centers[j] == pytest.approx(points[labels[:, 0] == j].mean(axis=0), abs=0.5)


@pytest.mark.parametrize("scale", [1, 1.5])
def test_fewer_points_than_clusters_are_refused(scale):
    points = np.array([[1, 2, 3], [1, 2, 3], [4, 5, 6]]) * scale
    with pytest.raises(ValueError, match="expected 3 distinct points or more, found 2"):
        kmeans(points, 3)
    assert kmeans(points, 2).compactness == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, 1j, "a"])
def test_data_that_is_no_finite_number_is_refused(value):
    data = np.array([[1.0, 2.0, 3.0], [4.0, value, 6.0]] if value != "a" else [["a", "b", "c"]])
    with pytest.raises(ValueError, match=r"expected data of finite real numbers|could not"):
        kmeans(data, 1)


@pytest.mark.parametrize("scale", [1, 1.5])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"attempts": 0}, "attempts must be a whole number from 1 to 100, not 0"),
        ({"criteria": None}, "expected criteria .type, max_iter, epsilon., found None"),
        ({"criteria": "x"}, "expected criteria"),
        ({"flags": 9}, "expected flags of OpenCV's k-means, 0 to 3, found 9"),
        ({"flags": 1}, "KMEANS_USE_INITIAL_LABELS needs best_labels"),
        ({"flags": 1, "best_labels": np.zeros(len(PIXELS))}, "found float64"),
    ],
)
def test_other_arguments_are_refused_whatever_the_data(wrong, told, scale):
    with pytest.raises(ValueError, match=told):
        kmeans(PIXELS * scale, 3, **wrong)


@pytest.mark.parametrize("data", [np.zeros((4, 4, 3)), np.zeros(5), np.zeros((0, 3)), np.zeros((3, 0))])
def test_data_of_another_shape_is_refused(data):
    with pytest.raises(ValueError, match=r"expected data of shape \(n, channels\), found shape"):
        kmeans(data, 1)


@pytest.mark.parametrize("k", [0, -1, 65_537])
@pytest.mark.parametrize("scale", [1, 1.5])
def test_a_number_of_clusters_out_of_range_is_refused(k, scale):
    with pytest.raises(ValueError, match=r"colors|clusters|\bk\b"):
        kmeans(PIXELS * scale, k)


@pytest.mark.parametrize(
    "labels",
    [None, np.zeros(3, int), np.full(len(PIXELS), 4), np.full(len(PIXELS), -1)],
    ids=["none", "few", "large", "negative"],
)
def test_labels_that_cannot_be_started_from_are_refused(labels):
    with pytest.raises(ValueError, match="best_labels"):
        kmeans(PIXELS, 4, labels, CRITERIA, 1, KMEANS_USE_INITIAL_LABELS)


def test_labels_are_not_looked_at_without_the_flag():
    plain = kmeans(PIXELS, 4, None, CRITERIA, 2, KMEANS_PP_CENTERS)
    odd = kmeans(PIXELS, 4, np.full(3, 99), CRITERIA, 2, KMEANS_PP_CENTERS)
    assert (plain.labels == odd.labels).all()


def test_the_data_is_not_written_to():
    for points in (PIXELS.astype(np.float32), PIXELS.astype(np.float32) + 0.25):
        before = points.copy()
        points.setflags(write=False)
        opencv.kmeans(points, 4)
        assert (points == before).all()
