"""Segmenting rasters in jobs: right labels, in all formats, the same bytes whatever workers and kills."""

import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from maps import (
    STRIPED,
    TILED,
    TRANSFORM,
    centers_of,
    clusters,
    hold,
    labels_of,
    save,
    segmenting,
    shrink,
)
from rasterio.windows import Window
from trees import Site, contents, debris, peak_of_run, snapshot

from pipeline.files.rasters import RasterLayout, raster_layout
from pipeline.jobs import needs, rasterlabels, rastertasks, slabs
from pipeline.jobs.here import Inline

REPO = Path(__file__).parents[1]


def adjusted_rand(one, other):
    """Hubert & Arabie 1985, from the contingency table."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one.ravel(), other.ravel()), 1)
    pairs = [(part * (part - 1) / 2).sum() for part in (table, table.sum(axis=1), table.sum(axis=0))]
    expected = pairs[1] * pairs[2] / (table.sum() * (table.sum() - 1) / 2)
    return (pairs[0] - expected) / ((pairs[1] + pairs[2]) / 2 - expected)


def holed():
    """Clusters of float32 with NaN in some band here and there."""
    pixels, truth = clusters(3, np.float32)
    pixels[40:90, 100:180, 1] = np.nan
    pixels[np.random.default_rng(1).random(pixels.shape) < 0.01] = np.nan
    return pixels, truth


@pytest.fixture
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A job with a tiled 16-bit raster, and a striped one of floats with holes."""
    site = segmenting(tmp_path / "site")
    save(site.inputs / "sub/deep.tif", clusters(4, np.uint16)[0], **TILED)
    save(site.inputs / "holes.tif", holed()[0], **STRIPED)
    return site


def bytes_of(site: Site, *arguments: str) -> dict[str, bytes]:
    """What a run leaves in a fresh output root."""
    root = site.base / f"out{len(list(site.base.iterdir()))}"
    site.run(*arguments, "--set", f"output.root={root.name}")
    assert debris(root) == []
    assert not (root / ".segpipe/large").exists()
    return contents(root)


@pytest.mark.parametrize("scale", ["std", "range", "none"])
def test_clusters_are_found_and_told(site, small_slabs, scale):
    site.run("--set", f"quantize.scale={scale}")
    assert sorted(contents(site.outputs)) == [
        *("centers/holes.tif.json", "centers/sub/deep.tif.json"),
        *("labels/holes.tif.png", "labels/sub/deep.tif.png", "manifest.jsonl"),
    ]
    for key, (pixels, truth) in {"sub/deep.tif": clusters(4, np.uint16), "holes.tif": holed()}.items():
        missing = np.isnan(pixels).any(axis=2) if pixels.dtype.kind == "f" else False
        hold(site, pixels, missing, key)
        valid = ~np.broadcast_to(missing, truth.shape)
        labels = labels_of(site, key)[valid].astype(int)
        assert adjusted_rand(labels, truth[valid]) >= 0.99
        told = centers_of(site, key)
        assert told["converged"]
        assert (told["bands"], told["type"], told["scale"]) == (pixels.shape[2], pixels.dtype.name, scale)
        means = [pixels[valid][labels == label].mean(axis=0, dtype=float) for label in range(5)]
        assert np.allclose([cluster["center"] for cluster in told["clusters"]], means, rtol=1e-3)
        assert (np.diff([cluster["count"] for cluster in told["clusters"]]) <= 0).all()
        record = site.records()[key]
        assert (record["status"], record["recipe"]) == ("done", site.records()["holes.tif"]["recipe"])
        facts = record["input"]
        assert (facts["width"], facts["height"], facts["format"]) == (400, 300, "tiff")
        assert facts["mode"] == f"{pixels.shape[2]} × {pixels.dtype.name}"


def test_labels_are_those_of_scikit_learn(site):
    sklearn = pytest.importorskip("sklearn.cluster")
    site.run()
    for key, (pixels, _) in {"sub/deep.tif": clusters(4, np.uint16), "holes.tif": holed()}.items():
        valid = ~np.isnan(pixels.astype(np.float32)).any(axis=2)
        values, labels = pixels[valid].astype(float), labels_of(site, key)[valid].astype(int)
        some = np.random.default_rng(0).choice(len(values), 5000, replace=False)
        scaled = (values - values.mean(axis=0)) / values.std(axis=0)
        expected = sklearn.KMeans(5, n_init=10, random_state=0).fit_predict(scaled[some])
        assert adjusted_rand(labels[some], expected) >= 0.95


def test_all_readers_see_the_same_labels_at_the_same_place(site, small_slabs):
    site.run("--set", "output.labels.format=tiff", "--set", "output.overviews=true")
    tiffs = {key: labels_of(site, key, ".tif") for key in site.records()}
    for key, labels in tiffs.items():
        path = site.outputs / f"labels/{key}.tif"
        assert (tifffile.imread(path) == labels).all()
        with rasterio.open(path) as opened:
            assert (opened.read(1) == labels).all()
            assert opened.crs.to_epsg() == 32632
            assert opened.transform == TRANSFORM
            assert opened.nodata == (5 if key == "holes.tif" else None)
            if key == "holes.tif":
                assert ((opened.read_masks(1) == 0) == np.isnan(holed()[0]).any(axis=2)).all()
            shown = opened.colormap(1)
            assert len({shown[label] for label in range(5)}) == 5
    site.run("--set", "output.labels.format=png")
    assert all((labels_of(site, key) == labels).all() for key, labels in tiffs.items())


def test_labels_lie_as_the_stored_rows_do_whatever_the_orientation(tmp_path, small_slabs):
    """So the place that the file tells, which is that of its stored rows, holds for them."""
    pixels = clusters(2, np.int16, height=90, width=120)[0]
    site = segmenting(tmp_path, output={"labels": {"format": "tiff"}})
    place = [(33550, 12, 3, (10.0, 10.0, 0.0), True), (33922, 12, 6, (0.0, 0.0, 0.0, 5e5, 54e5, 0.0), True)]
    turned = {"extratags": [*place, (274, 3, 1, 6, True)], "resolution": ((10, 1), (20, 1))}
    form = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(site.inputs / "a.tif", pixels, **form, **turned)
    site.run()
    hold(site, pixels, ending=".tif")
    with rasterio.open(site.outputs / "labels/a.tif.tif") as opened:
        assert opened.transform == TRANSFORM
        assert (opened.tags()["TIFFTAG_XRESOLUTION"], opened.tags()["TIFFTAG_YRESOLUTION"]) == ("10", "20")


def test_many_clusters_take_sixteen_bits(tmp_path, small_slabs):
    pixels = np.random.default_rng(4).integers(0, 60_000, (90, 110, 2)).astype(np.uint16)
    pixels[3:9, 4:7] = 65_535
    site = segmenting(tmp_path, pixels, quantize={"colors": 300, "nodata": 65_535})
    for ending, kind in ((".png", "png"), (".tif", "tiff")):
        site.run("--set", f"output.labels.format={kind}")
        labels = labels_of(site, ending=ending)
        assert labels.max() == 300
        hold(site, pixels, (pixels == 65_535).any(axis=2), ending=ending)
    assert labels.dtype == np.uint16
    with rasterio.open(site.outputs / "labels/a.tif.tif") as opened:
        assert (opened.nodata, opened.dtypes[0]) == (300, "uint16")


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("k", [255, 256])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_labels_widen_when_they_must(tmp_path, small_slabs, k, clear, kind):
    pixels = np.arange(100 * 90, dtype=np.int32).reshape(100, 90, 1) % k - 7
    site = segmenting(
        tmp_path, pixels, quantize={"colors": k, "nodata": -999}, output={"labels": {"format": kind}}
    )
    if clear:
        pixels[5, 6] = -999
        save(site.inputs / "a.tif", pixels)
    site.run()
    hold(site, pixels, (pixels == -999)[..., 0], ending=".png" if kind == "png" else ".tif")
    assert centers_of(site)["clusters_found"] == k
    assert centers_of(site)["inertia"] == 0


def test_a_run_without_labels_tells_the_centers_alone(site, small_slabs):
    site.run()
    expected = {key: centers_of(site, key) for key in site.records()}
    found = bytes_of(site, "--set", "output.labels.format=none")
    assert sorted(found) == ["centers/holes.tif.json", "centers/sub/deep.tif.json", "manifest.jsonl"]
    site.run("--set", "output.labels.format=none")
    for key, told in expected.items():
        assert told["clusters"] == centers_of(site, key)["clusters"]


def test_neither_threads_nor_the_order_of_slabs_change_a_byte(site, small_slabs, monkeypatch):
    expected = bytes_of(site)
    for workers in (1, 3):
        assert bytes_of(site, "--cluster", "threads", "--workers", str(workers)) == expected
    real = Inline.map
    monkeypatch.setattr(Inline, "map", lambda self, work, items: real(self, work, [*items][::-1]))
    assert bytes_of(site) == expected


def test_windows_as_high_as_the_files_pieces_change_no_label(site, small_slabs, monkeypatch):
    found = [bytes_of(site)]
    monkeypatch.setattr(rastertasks, "RASTER_PATCH_BYTES", 1)
    found.append(bytes_of(site))
    monkeypatch.setattr(slabs.slabs_of, "__defaults__", (1 << 24,))
    found.append(bytes_of(site))
    labels = [{key: data for key, data in one.items() if key.startswith("labels/holes")} for one in found]
    assert [*labels[0]] == ["labels/holes.tif.png"]
    site.run()
    hold(site, holed()[0], np.isnan(holed()[0]).any(axis=2), "holes.tif")
    hold(site, clusters(4, np.uint16)[0], key="sub/deep.tif")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_processes_give_the_same_bytes(site, workers):
    assert bytes_of(site, "--cluster", "local", "--workers", str(workers)) == bytes_of(site)


@pytest.mark.parametrize(
    ("step", "when"), [("survey_part", 20), ("fit_sample", 3), ("label_part", 20), ("centers_json", 1)]
)
def test_a_run_that_was_stopped_goes_on(site, small_slabs, monkeypatch, step, when):
    """Getting ready calls each of the first three twice."""
    expected = bytes_of(site)
    surveyed: list[int] = []
    place = rasterlabels if step in ("label_part", "centers_json") else rastertasks
    real_survey, real = rastertasks.survey_slab, getattr(place, step)
    calls: list[int] = []

    def stopping(*arguments, **named):
        calls.append(1)
        if len(calls) == when:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(place, step, stopping)
    if step == "label_part":
        monkeypatch.setattr(rastertasks, step, stopping)
    assert site.call("run").exit_code != 0
    made = {path: path.stat() for path in (site.state / "large").rglob("survey-*.npz")}
    assert len(made) >= 2
    written = {*contents(site.outputs)} - {*debris(site.outputs)}
    assert not [path for path in written if path.endswith((".png", ".json"))]
    monkeypatch.setattr(place, step, real)
    if step == "label_part":
        monkeypatch.setattr(rastertasks, step, real)

    def counting(settings, task):
        before = rastertasks.survey_path(task.image, task.slab, task.wanted).exists()
        surveyed.append(not before)
        return real_survey(settings, task)

    monkeypatch.setattr("pipeline.jobs.rasters.survey_slab", counting)
    keep = rastertasks.keep
    kept: list[Path] = []
    monkeypatch.setattr(rastertasks, "keep", lambda path, **arrays: (kept.append(path), keep(path, **arrays)))
    site.run()
    assert surveyed.count(False) == len(made)
    assert not {*kept} & {*made}
    assert contents(site.outputs) == expected
    assert debris(site.outputs) == []
    assert not (site.state / "large").exists()


def test_a_survey_that_a_failing_machine_has_torn_is_made_again(site, small_slabs, monkeypatch):
    expected = bytes_of(site)
    real = rastertasks.label_type
    monkeypatch.setattr(rastertasks, "label_type", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    site.call("run")
    monkeypatch.setattr(rastertasks, "label_type", real)
    torn = sorted((site.state / "large").rglob("survey-*.npz"))
    torn[0].write_bytes(torn[0].read_bytes()[:300])
    torn[1].write_bytes(b"")
    site.run()
    assert contents(site.outputs) == expected


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_a_second_run_writes_nothing(site, small_slabs, kind):
    job = ("--set", f"output.labels.format={kind}")
    site.run(*job)
    before = snapshot(site.base)
    site.run(*job)
    assert snapshot(site.base) == before
    site.run(*job, "--force")
    assert contents(site.outputs) == {
        key: data for key, (*_, data) in sorted(before.items()) for key in [key.removeprefix("out/")]
        if data is not None and (site.outputs / key).is_file() and ".segpipe" not in key
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="maximum RSS is in other units elsewhere")
@pytest.mark.parametrize("share", [1.0, 0.05, 0.6])
def test_memory_is_as_foretold(tmp_path, share):
    """Of 64 million pixels some have data: with few, nearly all are drawn the second time."""
    side = 8000
    site = segmenting(tmp_path, quantize={"nodata": 0})
    rows = int(side * share)
    rng = np.random.default_rng(0)
    form = {"height": side, "width": side, "count": 4, "dtype": "uint16", "transform": TRANSFORM}
    packed = {"tiled": True, "compress": "deflate", "zlevel": 1, "sparse_ok": True}
    with rasterio.open(site.inputs / "a.tif", "w", driver="GTiff", **form, **packed) as target:
        for top in range(0, rows, 256):
            high = min(256, rows - top)
            values = rng.integers(1, 6, (1, high, side)) * np.array([9, 700, 80, 5000])[:, None, None]
            target.write(values.astype(np.uint16), window=Window(0, top, side, high))
    layout = raster_layout(site.inputs / "a.tif")
    peak = peak_of_run(site)
    assert centers_of(site)["pixels"] == rows * side
    assert peak <= needs.WORKER_BYTES + needs.raster_bytes(layout)


def test_memory_that_is_foretold_minds_size_bands_pieces_and_batches():
    """A thumbnail is not refused where little is left; what is costly is not underrated."""

    def need(side, bands, unit=256, batch=65_536):
        layout = RasterLayout(side, side, bands, "uint16", (unit, unit), 40 << 20, None, 0, ())
        return needs.raster_bytes(layout, batch)

    assert need(1, 1) < need(1, 200) < 120e6
    assert need(3000, 4) < 300e6
    assert need(3000, 200) > 800e6
    assert need(9000, 4) < need(90_000, 4) < 600e6
    assert need(9000, 4, unit=9000) > need(9000, 4) + 1200e6
    assert need(9000, 4, batch=1 << 22) > 4 * 8 * 4 * (1 << 22)
    assert need(9000, 4, batch=1 << 24) == need(9000, 4, batch=1 << 22)  # no more are drawn
