"""Rasters of any depth and number of bands: labels are the nearest centres, no data stays no data."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.points import nearest
from pipeline.color.rasters import segment

TYPES = ["uint8", "int16", "uint16", "int64", "float16", "float32", "float64", ">f4", ">u2"]


def blobs(bands, dtype, k=5, side=120):
    """Return a raster of k well separated groups of values, and the group of each pixel."""
    rng = np.random.default_rng([bands, k])
    truth = rng.integers(0, k, (side, side))
    middles = rng.permutation(np.linspace(1000, 60_000, k))[:, None] * np.ones(bands)
    middles[:, 1::2] = middles[::-1, 1::2] / 3
    noise = rng.normal(0, 600, (side, side, bands))
    return (np.clip(middles[truth] + noise, 0, 65_535)).astype(dtype), truth


def adjusted_rand(one, other):
    """Hubert & Arabie 1985, from the contingency table."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one.ravel(), other.ravel()), 1)
    pairs = [(part * (part - 1) / 2).sum() for part in (table, table.sum(axis=1), table.sum(axis=0))]
    expected = pairs[1] * pairs[2] / (table.sum() * (table.sum() - 1) / 2)
    return (pairs[0] - expected) / ((pairs[1] + pairs[2]) / 2 - expected)


def check(raster, found, missing):
    """Hold a result against a plain reckoning over all pixels; `missing` (h, w) have no data."""
    bands = np.asarray(raster)[:, :, None] if raster.ndim == 2 else np.asarray(raster)
    k = len(found.centers)
    highest = k if missing.any() else k - 1
    assert found.labels.dtype == (np.uint8 if highest < 256 else np.uint16)
    assert found.labels.shape == missing.shape
    assert ((found.labels == k) == missing).all()
    values = bands[~missing].astype(np.float64)
    labels = found.labels[~missing].astype(np.int64)
    points = np.ascontiguousarray((values - found.offsets) / found.scales)
    centers = (found.centers - found.offsets) / found.scales
    least = nearest(np.ascontiguousarray(points.T), centers)[1]
    own = np.square(points - centers[labels])
    own = sum(own[:, c] for c in range(own.shape[1]))
    assert (own == least).all()
    assert np.isclose(found.inertia, least.sum(), rtol=1e-10, atol=0)
    assert (found.counts == np.bincount(labels, minlength=k)).all()
    assert found.counts.min() > 0
    keys = [(-count, *center) for count, center in zip(found.counts, found.centers.tolist(), strict=True)]
    assert keys == sorted(keys)
    assert (found.labels_ == found.labels.ravel()).all()
    assert found.labels_.dtype == np.int32
    assert (found.cluster_centers_ == found.centers).all()
    assert found.inertia_ == found.inertia


@st.composite
def rasters(draw):
    """Small rasters of few or many values, of any type, with no-data pixels in some."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(1, 1), (1, 40), (30, 1), (17, 23), (3, 5, 1), (16, 9, 4), (40, 30, 7)]))
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    raster = rng.integers(0, draw(st.sampled_from([1, 2, 4, 100])), shape).astype(dtype)
    missing = np.zeros(shape[:2], bool)
    if dtype.kind == "f" and draw(st.booleans()):
        holes = rng.random(shape) < 0.2
        holes.reshape(-1)[0] = False
        raster[holes] = np.nan
        missing = holes if holes.ndim == 2 else holes.any(axis=2)
    return raster, missing


@given(
    rasters(),
    st.sampled_from([1, 2, 3, 8, 200, 256, 300]),
    st.sampled_from(["none", "std", "range"]),
    st.sampled_from([None, True, False]),
)
@settings(deadline=None, max_examples=100)
def test_labels_are_the_nearest_centers(case, k, scale, refine):
    raster, missing = case
    if missing.all():
        return
    found = segment(raster, k, scale=scale, refine=refine, batch_pixels=400, max_steps=5)
    check(raster, found, missing)
    bands = raster[:, :, None] if raster.ndim == 2 else raster
    distinct = np.unique(bands[~missing].astype(np.float64), axis=0)
    assert len(found.centers) == min(k, len(distinct))
    assert found.asked == k
    if len(distinct) <= k:
        assert (np.unique(found.centers, axis=0) == distinct).all()
        assert (found.inertia, found.steps, found.converged) == (0.0, 0, True)


@pytest.mark.parametrize("bands", [1, 4, 7])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("refine", [False, True])
def test_separate_groups_are_found(bands, dtype, refine):
    raster, truth = blobs(bands, dtype)
    for scale in ("none", "std", "range"):
        found = segment(raster, 5, scale=scale, refine=refine)
        assert adjusted_rand(found.labels.astype(np.int64), truth) >= 0.95


@pytest.mark.parametrize("share", [0.001, 0.0002])
def test_small_clusters_are_not_deleted(share):
    rng = np.random.default_rng(3)
    raster = rng.normal(0, 1, (400, 500, 3)).astype(np.float32)
    raster[:, 250:] += 40
    few = rng.random((400, 500)) < share
    raster[few] = rng.normal(-90, 1, (few.sum(), 3))
    for seed in range(3):
        found = segment(raster, 3, seed=seed, refine=False)
        assert ((found.labels == 2) == few).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_neither_memory_order_nor_type_of_the_same_values_matters(dtype):
    values = np.random.default_rng(5).integers(0, 250, (90, 70, 3)).astype("uint8")
    values[5:9, 3:40] = 7
    raster = values.astype(dtype)
    wide = np.zeros((180, 70, 6), dtype)
    wide[::2, ::-1, 1::2] = raster
    views = [raster, np.asfortranarray(raster), wide[::2, ::-1, 1::2], raster.transpose(2, 0, 1).copy()]
    views[3] = views[3].transpose(1, 2, 0)
    first = segment(values, 6, nodata=7, max_steps=10, refine=False)
    assert (first.labels == 6).any()
    for view in views:
        before = view.tobytes()
        found = segment(view, 6, nodata=7, max_steps=10, refine=False)
        assert view.tobytes() == before
        assert found.labels.tobytes() == first.labels.tobytes()
        assert found.centers.tobytes() == first.centers.tobytes()
        assert found.inertia == first.inertia


def test_a_seed_gives_the_same_bytes_and_another_others():
    raster, _ = blobs(4, "uint16", k=40)
    runs = [segment(raster, 9, seed=seed, refine=False) for seed in (1, 1, 2)]
    assert runs[0].labels.tobytes() == runs[1].labels.tobytes()
    assert runs[0].centers.tobytes() == runs[1].centers.tobytes()
    assert runs[0].centers.tobytes() != runs[2].centers.tobytes()


def test_exact_steps_lower_the_inertia_and_end_at_the_means():
    raster, _ = blobs(3, "float32", k=30)
    rough, fine = (segment(raster, 12, refine=refine, tol=1e-9) for refine in (False, True))
    assert fine.inertia <= rough.inertia
    assert fine.converged
    means = np.array([raster[fine.labels == j].mean(axis=0, dtype=np.float64) for j in range(12)])
    assert np.allclose(fine.centers, means, rtol=1e-3)


def test_no_data_in_any_band_and_of_any_kind():
    raster = np.arange(60.0).reshape(4, 5, 3) % 7
    raster[0, 0, 1] = np.nan
    raster[1, 2, 0] = -9999
    raster[2, 4] = -np.inf
    masked = np.ma.MaskedArray(raster, raster == -np.inf)
    missing = np.zeros((4, 5), bool)
    missing[[0, 1, 2], [0, 2, 4]] = True
    check(raster, segment(masked, 4, nodata=-9999), missing)
    raster[2, 4] = -9999
    check(raster, segment(raster, 4, nodata=-9999), missing)


@pytest.mark.parametrize(
    ("dtype", "nodata", "held"),
    [
        ("uint8", 255, 255),
        ("uint8", 255.0, 255),
        ("int16", -32768, -32768),
        ("uint64", 2**64 - 1, 2**64 - 1),
        ("float32", 0.1, 0.1),
        ("float32", -3.4028234663852886e38, -3.4028234663852886e38),
        ("float64", np.float32(-3.4e38), np.float32(-3.4e38)),
        ("float32", np.inf, np.inf),
        ("float64", np.nan, np.nan),
    ],
)
def test_no_data_values_of_each_type(dtype, nodata, held):
    raster = np.arange(30).reshape(5, 6).astype(dtype)
    raster[2, 3] = held
    missing = np.zeros((5, 6), bool)
    missing[2, 3] = True
    check(raster, segment(raster, 3, nodata=nodata), missing)


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("uint8", -1),
        ("uint8", 300),
        ("uint8", 0.5),
        ("float32", 1e300),
        ("int16", 10**12),
        ("float64", 10**400),
    ],
)
def test_no_data_values_that_cannot_occur(dtype, nodata):
    raster = np.arange(30).reshape(5, 6).astype(dtype)
    check(raster, segment(raster, 3, nodata=nodata), np.zeros((5, 6), bool))


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (5, 1, 6), (2, 70_000)])
def test_constant_rasters_have_one_cluster(shape):
    found = segment(np.full(shape, 0.1), 8)
    assert found.centers.tolist() == [[0.1] * (shape[2] if len(shape) == 3 else 1)]
    assert (found.asked, found.inertia, found.converged) == (8, 0.0, True)
    assert not found.labels.any()
    assert (found.scales == 1).all()


def test_scales_are_those_of_the_pixels_with_data():
    rng = np.random.default_rng(8)
    raster = rng.normal(5e6, [1, 50, 0], (300, 300, 3))
    raster[rng.random((300, 300)) < 0.3] = -1
    values = raster[raster[..., 0] != -1]
    std = segment(raster, 3, nodata=-1)
    assert np.allclose(std.offsets, values.mean(axis=0), rtol=1e-12)
    assert np.allclose(std.scales, [*values.std(axis=0)[:2], 1], rtol=1e-6)
    ranged = segment(raster, 3, scale="range", nodata=-1)
    assert (ranged.offsets == values.min(axis=0)).all()
    assert np.allclose(ranged.scales, [*np.ptp(values, axis=0)[:2], 1], rtol=1e-12)
    plain = segment(raster, 3, scale="none", nodata=-1)
    assert not plain.offsets.any()
    assert (plain.scales == 1).all()


def test_bands_of_unlike_units_count_alike():
    """Without a scale the band of large numbers would decide alone."""
    rng = np.random.default_rng(9)
    truth = rng.integers(0, 2, (80, 80))
    raster = np.stack([truth + rng.normal(0, 0.05, (80, 80)), rng.uniform(0, 3000, (80, 80))], axis=2)
    plain, scaled = (segment(raster, 2, scale=scale) for scale in ("none", "std"))
    assert adjusted_rand(plain.labels.astype(np.int64), truth) < 0.1
    assert adjusted_rand(scaled.labels.astype(np.int64), truth) > 0.95


@pytest.mark.parametrize("k", [255, 256, 257])
@pytest.mark.parametrize("hole", [False, True])
def test_labels_widen_when_they_must(k, hole):
    raster = np.random.default_rng(k).normal(size=(60, 70))
    missing = np.zeros((60, 70), bool)
    missing[3, 4] = hole
    raster[missing] = np.nan
    found = segment(raster, k)
    assert len(found.centers) == k
    check(raster, found, missing)


def test_memory_beside_the_raster_is_a_few_blocks():
    rng = np.random.default_rng(11)
    raster = rng.random((2000, 2000, 4), np.float32)
    raster[:700, :900, 2] = np.nan
    segment(raster[-300:, -300:], 8, refine=True)
    tracemalloc.start()
    try:
        found = segment(raster, 8, refine=True, max_steps=5, tol=0.01)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - found.labels.nbytes < raster.nbytes / 4


@pytest.mark.parametrize(
    ("raster", "told"),
    [
        (np.zeros(5), "found shape"),
        (np.zeros((2, 2, 2, 2)), "found shape"),
        (np.zeros((0, 5)), "expected a raster with pixels"),
        (np.zeros((5, 5, 0)), "expected a raster with pixels"),
        (np.zeros((3, 3), np.complex128), "of complex128"),
        (np.zeros((3, 3), object), "of object"),
        (np.full((3, 3), np.nan), "none has data"),
        (np.array([[1.0, np.inf]]), "found infinite"),
        (np.array([[1.0, -np.inf]]), "found infinite"),
        (np.array([[1.0, 1e200]]), "found values up to 1e\\+200"),
        (np.array([[0.0, 1e-200]]), "ranges \\[1e-200\\]"),
    ],
)
def test_bad_rasters_are_told(raster, told):
    with pytest.raises(ValueError, match=told):
        segment(raster)


def test_bad_parameters_are_told():
    raster = np.arange(12.0).reshape(3, 4)
    for clusters in (0, -3, 65_537, 2.5, None, True):
        with pytest.raises(ValueError, match="clusters must be a whole number from 1 to 65536"):
            segment(raster, clusters)
    with pytest.raises(ValueError, match="scale must be 'none', 'std' or 'range', not 'minmax'"):
        segment(raster, 2, scale="minmax")
    with pytest.raises(ValueError, match="nodata must be a number or None, not 'x'"):
        segment(raster, 2, nodata="x")
    with pytest.raises(ValueError, match="tol must be"):
        segment(raster, 2, tol=-1)
    with pytest.raises(TypeError, match="patients"):
        segment(raster, 2, patients=1)
