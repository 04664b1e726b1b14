"""Segmenting rasters in jobs: no data, odd rasters, files that cannot be done, what commands say of them."""

import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from maps import HEIGHT, TILED, WIDTH, centers_of, clusters, hold, labels_of, save, segmenting, shrink
from trees import Site, age, contents, debris, picture

from pipeline.errors import DamagedImage, SpecError
from pipeline.jobs import rasterlabels, rastertasks
from pipeline.jobs.spec import load_spec


@pytest.fixture(autouse=True)
def _small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


def odd(base: Path, pixels, nodata=None, job=None, **quantize) -> Site:
    """A job on one raster that has been run. nodata : the file's; job : the job's."""
    site = segmenting(base, quantize={"nodata": job} | quantize)
    save(site.inputs / "a.tif", pixels, nodata=nodata, **TILED)
    site.call("run")
    return site


def test_no_data_of_the_file_and_of_the_job(tmp_path):
    pixels = clusters(4, np.uint16)[0]
    pixels[30:60, 40:90] = 0
    pixels[100:110, 200:210, 2] = 7
    zeros, sevens = (pixels == 0).any(axis=2), (pixels == 7).any(axis=2)
    hold(odd(tmp_path / "tag", pixels, nodata=0), pixels, zeros)
    hold(odd(tmp_path / "job", pixels, job=7), pixels, sevens)
    hold(odd(tmp_path / "both", pixels, nodata=0, job=7.0), pixels, sevens)
    hold(odd(tmp_path / "none", pixels, job=-5, colors=7), pixels)


@pytest.mark.parametrize("lowest", [-3.4028234663852886e38, -9999.5, np.nan, -np.inf])
def test_no_data_of_floats(tmp_path, lowest):
    pixels = clusters(3, np.float32)[0]
    pixels[30:60, 40:90, 1] = lowest
    pixels[5, 5, 0] = np.nan
    missing = np.zeros(pixels.shape[:2], bool)
    missing[30:60, 40:90] = missing[5, 5] = True
    hold(odd(tmp_path, pixels, nodata=lowest), pixels, missing)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_rare_values_of_64_bits(tmp_path, monkeypatch, dtype):
    """A raster's largest number is none of float64."""
    monkeypatch.setattr(rastertasks, "RASTER_SAMPLE_PIXELS", 50)
    limits = np.iinfo(dtype)
    pixels = np.full((90, 80, 1), 5, dtype)
    pixels[3, 4], pixels[70, 60] = limits.max, limits.min
    site = odd(tmp_path, pixels, colors=3, scale="range")
    assert sorted(np.bincount(labels_of(site).ravel()).tolist()) == [1, 1, 7198]


def test_a_raster_that_is_nearly_empty_is_drawn_from_again(tmp_path, monkeypatch):
    monkeypatch.setattr(rastertasks, "RASTER_SAMPLE_PIXELS", 2000)
    pixels, truth = clusters(4, np.uint16)
    keep = np.random.default_rng(1).random(truth.shape) < 0.005
    pixels[~keep] = 0
    wanted = []
    real = rastertasks.survey_path
    monkeypatch.setattr(rastertasks, "survey_path", lambda *said: (wanted.append(said[2]), real(*said))[1])
    site = odd(tmp_path, pixels, nodata=0)
    assert sorted({*wanted}) == [2000, HEIGHT * WIDTH]
    hold(site, pixels, ~keep)
    assert centers_of(site)["drawn"] == keep.sum()
    labels = labels_of(site)[keep]
    assert len({*zip(labels.tolist(), truth[keep].tolist(), strict=True)}) == 5


def test_rasters_without_data_are_told(tmp_path):
    empty = {"zero": np.zeros((60, 70, 2), np.uint8), "nan": np.full((60, 70, 2), np.nan)}
    for name, pixels in empty.items():
        site = odd(tmp_path / name, pixels, nodata=0)
        assert site.errors() == {"a.tif": "NothingVisible"}
        assert not (site.state / "large").exists()
        assert contents(site.outputs).keys() == {"manifest.jsonl"}
        assert site.reasons() == {}


@pytest.mark.parametrize(
    ("far", "told"), [(np.inf, "infinite"), (-np.inf, "infinite"), (1e200, "within"), (1.7e308, "within")]
)
def test_values_that_cannot_be_reckoned_with_are_told(tmp_path, far, told):
    pixels = clusters(2, np.float64)[0]
    pixels[3, 4], pixels[290, 4], pixels[150:] = far, -far, far
    site = odd(tmp_path, pixels)
    assert site.errors() == {"a.tif": "UnsupportedImage"}
    assert told in site.records()["a.tif"]["error"]["message"]
    assert site.records()["a.tif"]["error"]["message"].startswith("a.tif: ")
    assert site.reasons() == {}


@pytest.mark.parametrize(
    ("pixels", "k", "found"),
    [
        (np.full((300, 90, 3), 77, np.uint16), 5, 1),
        (np.full((300, 90, 1), 0.1), 5, 1),
        (np.full((1, 1, 4), -3, np.int32), 300, 1),
        (np.arange(4, dtype=np.float32).reshape(2, 2, 1), 65_536, 4),
        (np.arange(250 * 300, dtype=np.int16).reshape(250, 300, 1) % 7 - 3, 9, 7),
        (np.arange(250 * 300, dtype=np.int16).reshape(250, 300, 1) % 7 - 3, 7, 7),
    ],
)
@pytest.mark.parametrize("hole", [False, True])
def test_few_distinct_pixels_are_kept_all(tmp_path, pixels, k, found, hole):
    missing = np.zeros(pixels.shape[:2], bool)
    if hole and missing.size > 1:
        pixels = pixels.copy()
        pixels[0, 0] = -99 if pixels.min() < 0 else 9999
        missing[0, 0] = True
    site = odd(tmp_path, pixels, job=-99 if pixels.min() < 0 else 9999, colors=k)
    hold(site, pixels, missing)
    told = centers_of(site)
    left = found - (hole and found == 4)  # of four pixels, all of other values
    assert (told["clusters_found"], told["clusters_asked"], told["inertia"]) == (left, k, 0)
    assert told["converged"]


@pytest.mark.parametrize("k", [6, 40])
def test_rare_values_that_no_draw_meets_are_clusters_if_there_is_room(tmp_path, monkeypatch, k):
    monkeypatch.setattr(rastertasks, "RASTER_SAMPLE_PIXELS", 60)
    pixels = np.full((HEIGHT, WIDTH, 2), 10, np.uint16)
    pixels[:, 200:] = 3000
    for number in range(k - 2):
        pixels[7 * number, 9 * number] = 100 + number
    site = odd(tmp_path, pixels, colors=k)
    hold(site, pixels)
    assert centers_of(site)["clusters_found"] == k
    assert centers_of(site)["inertia"] == 0
    more = odd(tmp_path / "more", pixels, colors=k - 1)
    hold(more, pixels)
    assert centers_of(more)["clusters_found"] == k - 1


def test_more_clusters_than_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(rastertasks, "RASTER_SAMPLE_PIXELS", 100)
    pixels = np.random.default_rng(0).normal(size=(100, 120, 2)).astype(np.float32)
    site = odd(tmp_path, pixels, colors=300)
    hold(site, pixels)
    assert centers_of(site)["clusters_found"] == 300


@pytest.mark.parametrize(
    ("bands", "dtype", "low"),
    [(7, "int16", -9000), (1, "uint8", 0), (1, "float16", 0), (12, "int8", -128), (3, "float64", 1e9)],
)
def test_other_kinds_of_rasters(tmp_path, bands, dtype, low):
    rng = np.random.default_rng(bands)
    groups = rng.integers(0, 3, (HEIGHT, WIDTH, 1)) * 60
    pixels = (groups + rng.integers(0, 9, (HEIGHT, WIDTH, bands)) + low).astype(dtype)
    site = segmenting(tmp_path, quantize={"colors": 3})
    if bands == 1:
        tifffile.imwrite(site.inputs / "a.tif", pixels[..., 0], rowsperstrip=11)
    else:
        save(site.inputs / "a.tif", pixels)
    site.run()
    hold(site, pixels)
    assert (centers_of(site)["bands"], centers_of(site)["type"]) == (bands, dtype)
    assert len({*zip(labels_of(site).ravel().tolist(), groups.ravel().tolist(), strict=True)}) == 3


@pytest.mark.parametrize("verdict", ["failed", "skipped"])
def test_what_is_no_tiff_is_a_row(tmp_path, verdict):
    on = {"on_unsupported": "skip" if verdict == "skipped" else "fail"}
    site = segmenting(tmp_path, clusters(3, np.uint16)[0], input=on)
    for name in ("b.png", "c.jpg", "liar.tif"):
        picture(1).save(site.inputs / name, "JPEG" if name != "b.png" else "PNG")
    site.inputs.joinpath("empty.tif").write_bytes(b"")
    picture(2).quantize(8).save(site.inputs / "palette.tif")
    site.call("run")
    records = site.records()
    assert {key: record["status"] for key, record in records.items()} == {
        **dict.fromkeys(("b.png", "c.jpg", "liar.tif", "palette.tif"), verdict),
        "a.tif": "done",
        "empty.tif": "failed",
    }
    assert {*site.errors().values()} == {"UnsupportedImage", "EmptyFile"}
    assert site.errors()["empty.tif"] == "EmptyFile"
    assert "expected a TIFF, found a PNG; for photographs use kmeans" in records["b.png"]["error"]["message"]
    assert site.reasons() == {}


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_cut_raster_is_a_row(tmp_path, share):
    site = segmenting(tmp_path, clusters(3, np.uint16)[0])
    save(site.inputs / "cut.tif", clusters(3, np.uint16)[0], **TILED)
    data = (site.inputs / "cut.tif").read_bytes()
    (site.inputs / "cut.tif").write_bytes(data[: int(len(data) * share)])
    age(site.inputs / "cut.tif")
    site.run(code=1)
    assert site.errors() == {"cut.tif": "TruncatedImage"}
    assert site.reasons() == {}


def test_a_damaged_tile_is_a_row(tmp_path):
    site = segmenting(tmp_path)
    save(site.inputs / "a.tif", clusters(3, np.uint16)[0], **TILED)
    data = bytearray((site.inputs / "a.tif").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    (site.inputs / "a.tif").write_bytes(data)
    site.run(code=1)
    assert site.errors() == {"a.tif": "DamagedImage"}
    assert debris(site.outputs) == []
    assert not (site.state / "large").exists()
    assert contents(site.outputs).keys() == {"manifest.jsonl"}


@pytest.mark.parametrize("cluster", ["inline", "threads"])
def test_of_several_damages_the_topmost_is_told_whoever_meets_it_first(tmp_path, monkeypatch, cluster):
    def failing(settings, task):
        time.sleep(0.02 * (9 - task.slab.number))
        raise DamagedImage(f"slab {task.slab.number}")

    monkeypatch.setattr("pipeline.jobs.rasters.survey_slab", failing)
    site = segmenting(tmp_path, clusters(3, np.uint16)[0])
    site.run("--cluster", cluster, "--workers", "3", code=1)
    assert site.records()["a.tif"]["error"] == {"type": "DamagedImage", "message": "slab 0"}


def test_a_raster_that_changes_while_it_is_read_is_tried_again(tmp_path, monkeypatch):
    site = segmenting(tmp_path, clusters(3, np.uint16)[0])
    real = rasterlabels.label_part

    def changing(*arguments):
        age(site.inputs / "a.tif", by=7 * 10**9)
        return real(*arguments)

    monkeypatch.setattr(rasterlabels, "label_part", changing)
    site.run(code=1)
    assert site.errors() == {"a.tif": "ChangedWhileReading"}
    monkeypatch.undo()
    site.run()


def test_what_is_too_large_is_refused_with_the_numbers(tmp_path):
    site = segmenting(tmp_path, clusters(3, np.uint16)[0])
    site.run("--set", "input.max_megapixels=0.1", code=1)
    assert site.errors() == {"a.tif": "TooManyPixels"}
    site.run("--set", "compute.memory_per_worker=300MB", code=1)
    assert site.errors() == {"a.tif": "TooMuchMemory"}
    message = site.records()["a.tif"]["error"]["message"]
    assert "a.tif: 400 × 300 pixels need about" in message
    assert "a worker has 300 MB" in message
    [row] = site.plan("--set", "compute.memory_per_worker=300MB", "--set", "quantize.seed=3")["images"]
    assert row["route"] == "refused"
    site.run("--set", "compute.memory_per_worker=500MB")


def test_formats_that_leave_tiff_out(tmp_path):
    site = segmenting(tmp_path, clusters(3, np.uint16)[0], input={"formats": ["png", "jpeg"]})
    site.run(code=1)
    assert site.errors() == {"a.tif": "UnlistedFormat"}
    assert site.reasons() == {}
    site.run("--set", "input.formats=[tiff]")


def test_all_commands_know_segmented_rasters(tmp_path):
    site = segmenting(tmp_path, clusters(3, np.uint16)[0])
    [row] = site.plan()["images"]
    assert (row["route"], row["width"], row["height"], row["refusal"]) == ("windows", WIDTH, HEIGHT, None)
    site.run()
    assert site.call("verify").exit_code == 0
    assert "1 done" in site.call("status").output
    told = site.call("explain", "a.tif").output
    assert "labels/a.tif.png" in told
    assert "centers/a.tif.json" in told
    assert "quantize.scale: std" in told
    (site.outputs / "centers/a.tif.json").write_bytes(b"{}")
    assert site.call("verify").exit_code == 6
    assert site.reasons() == {"a.tif": "output damaged"}
    save(site.inputs / "b.tif", np.ones((3, 4, 1), np.uint8))
    site.run()
    (site.inputs / "a.tif").unlink()
    assert site.call("prune").exit_code == 0
    assert contents(site.outputs).keys() == {"centers/b.tif.json", "labels/b.tif.png", "manifest.jsonl"}


def test_what_makes_other_outputs_is_another_recipe(tmp_path):
    site = segmenting(tmp_path, clusters(3, np.uint16)[0])
    site.run()
    for change in (
        *("quantize.scale=range", "quantize.nodata=0", "quantize.colors=4", "quantize.batch_pixels=999"),
        *("quantize.refine=false", "quantize.seed=1"),
        *("output.labels.format=tiff", "output.labels.format=none"),
    ):
        assert site.reasons("--set", change) == {"a.tif": "recipe changed"}, change
    for change in (
        *("output.palette.formats=[json,gpl]", "output.palette.tree=true", "output.quantized.format=tiff"),
        *("quantize.max_iter=9", "quantize.color_space=oklab", "quantize.threshold=3", "large.window=64"),
        *("quantize.background='#000000'", "large.above_megapixels=1", "compute.workers=3"),
    ):
        assert site.reasons("--set", change) == {}, change


def test_from_colors_to_clusters_and_back(tmp_path):
    site = segmenting(tmp_path, clusters(3, np.uint8)[0], quantize={"method": "kmeans"})
    site.run()
    colors = contents(site.outputs)
    site.run("--set", "quantize.method=segment")
    segment = ("--set", "quantize.method=segment")
    assert site.call("prune", *segment).exit_code == 0
    assert contents(site.outputs).keys() == {"centers/a.tif.json", "labels/a.tif.png", "manifest.jsonl"}
    site.run()
    assert "centers/a.tif.json" in contents(site.outputs)
    assert site.call("prune").exit_code == 0
    assert contents(site.outputs) == colors


NO_COLORS = "quantize.method 'segment' knows no colours"


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("scope: job", f"3:36: quantize.scope: {NO_COLORS}"),
        ("dither: ordered", f"3:37: quantize.dither: {NO_COLORS}"),
        ("alpha: flatten", f"3:36: quantize.alpha: {NO_COLORS}"),
        ("colors: auto", "3:37: quantize.colors: 'auto' is for quantize.method 'kmeans'"),
        ("colors: 9, batch_pixels: 8", "3:54: quantize.batch_pixels: expected at least one pixel per"),
        ("scale: unit", "3:36: quantize.scale: expected 'std', 'range' or 'none', found 'unit'"),
        ("nodata: none", "3:37: quantize.nodata: expected a number, or null, found 'none'"),
        ("nodata: .nan", "3:37: quantize.nodata: expected a number, or null, found nan"),
        ("palette: x.gpl", "3:38: quantize.palette: given, but quantize.method is not 'palette'"),
        ("seed: 1}\nregions: {min_area: 4", f"4:10: regions: {NO_COLORS}"),
        ("seed: 1}\nlarge: {}\nregions:\n {boundaries: true", f"6:2: regions: {NO_COLORS}"),
    ],
)
def test_mistakes_have_their_place(tmp_path, section, told):
    job = tmp_path / "job.yaml"
    job.write_text(f"input: {{root: in}}\noutput: {{root: out}}\nquantize: {{method: segment, {section}}}\n")
    with pytest.raises(SpecError) as refused:
        load_spec(job)
    assert str(refused.value).startswith(f"{job}:{told}")


def test_similarity_has_its_place_too(tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text("input: {root: in}\noutput: {root: out, ssim: true}\nquantize: {method: segment}\n")
    with pytest.raises(SpecError) as refused:
        load_spec(job)
    assert str(refused.value).startswith(f"{job}:2:27: output.ssim: {NO_COLORS}")
