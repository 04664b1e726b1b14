"""Large images: what comes out is what a whole run gives, whatever the windows, workers and kills."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from trees import Site, age, contents, debris, peak_of_run, picture, snapshot

from pipeline.files.layouts import Layout
from pipeline.jobs import slabpictures, slabs, slabtasks
from pipeline.jobs.needs import WORKER_BYTES, window_bytes
from pipeline.jobs.spec import JobSpec

WINDOWS = ("--set", "large.above_megapixels=0.001")
KEYS = ("a/tiled.tif", "grey.png", "half.png", "holes.png", "photo.jpg", "strips.tif", "w.webp")


def textured(height: int, width: int) -> np.ndarray:
    """Ramps with grain: hundreds of colours, some of them common."""
    y, x = np.mgrid[0:height, 0:width]
    grain = np.random.default_rng(height).integers(0, 9, (height, width))
    return np.stack([x // 3 + grain, y // 2 + grain, (x + y) // 5 + 2 * grain], axis=2).astype(np.uint8)


def plant(root: Path) -> None:
    """Images of every kind that can be read in parts, as if made an hour ago."""
    image = textured(310, 420)
    (root / "a").mkdir(parents=True)
    tifffile.imwrite(root / "a/tiled.tif", image, tile=(64, 48), compression="zlib", photometric="rgb")
    tifffile.imwrite(root / "strips.tif", image, rowsperstrip=7, compression="lzw", photometric="rgb")
    Image.fromarray(image[..., 0]).save(root / "grey.png")
    Image.fromarray(image).save(root / "photo.jpg", quality=92)
    Image.fromarray(image).save(root / "w.webp", lossless=True)
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[20:200, 30:90] = 0
    Image.fromarray(np.dstack([image, alpha])).save(root / "holes.png")
    alpha[250:260] = 90
    Image.fromarray(np.dstack([image, alpha])).save(root / "half.png")
    for path in root.rglob("*.*"):
        age(path)


@pytest.fixture
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slabs and patches as small as they come, so that small images have several."""
    monkeypatch.setattr(slabs.slabs_of, "__defaults__", (20_000,))
    monkeypatch.setattr(slabtasks, "_PATCH", 9_000)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "site", output={"palette": {"formats": ["json", "gpl", "png"]}})
    plant(site.inputs)
    return site


def whole(site: Site, *arguments: str) -> dict[str, bytes]:
    """What a run gives that does every image whole."""
    site.run(*arguments, "--set", "output.root=whole")
    return contents(site.base / "whole")


@pytest.mark.parametrize(
    "job",
    [
        "",
        "output.quantized.format=tiff output.labels.format=tiff output.overviews=true",
        "quantize.colors=300",
        "quantize.colors=300 output.quantized.format=tiff output.labels.format=tiff",
        "quantize.alpha=flatten quantize.background=#204060 quantize.colors=2",
        "quantize.dither=ordered output.labels.format=none",
        "output.palette.formats=[json,ase,act,hex,txt,css] output.palette.names=css",
        "quantize.method=dynamic output.quantized.format=none",
        "quantize.method=minibatch quantize.refine=false",
        "quantize.scope=job output.preview=50",
        "output.labels.format=none output.quantized.format=none output.preview=99",
        "quantize.scope=folder quantize.method=dynamic",
        "output.comparison.layout=side-by-side output.comparison.height=40",
        "output.comparison.layout=overlay output.quantized.format=none output.labels.format=none",
        "output.comparison.layout=strip output.comparison.height=77 quantize.dither=ordered",
        "output.quantized.format=none output.labels.format=none",
    ],
)
def test_windows_change_nothing(site, small_slabs, job):
    settings = [word for key in job.split() for word in ("--set", key)]
    expected = whole(site, *settings)
    site.run(*settings, *WINDOWS, "--set", "large.window=100")
    assert contents(site.outputs) == expected
    assert not (site.state / "large").exists()
    assert site.reasons(*settings) == {}
    before = snapshot(site.base)
    site.run(*settings, *WINDOWS)
    assert snapshot(site.base) == before


@pytest.mark.parametrize("window", [64, 128, 1000])
def test_any_window_gives_the_same(site, small_slabs, window):
    expected = whole(site)
    site.run(*WINDOWS, "--set", f"large.window={window}")
    assert contents(site.outputs) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("cluster", "workers"), [("threads", 3), ("local", 1), ("local", 2)])
def test_any_workers_give_the_same(site, cluster, workers):
    expected = whole(site)
    site.run(*WINDOWS, "--cluster", cluster, "--workers", str(workers))
    assert contents(site.outputs) == expected


def test_the_plan_tells_the_way(site):
    rows = {row["image"]: row for row in site.plan(*WINDOWS)["images"]}
    assert {key: row["route"] for key, row in rows.items()} == {
        "a/tiled.tif": "windows",
        "grey.png": "bands",
        "half.png": "bands",
        "holes.png": "bands",
        "photo.jpg": "bands",
        "strips.tif": "windows",
        "w.webp": "bands",
    }
    assert {row["route"] for row in site.plan()["images"]} == {"whole"}
    for need in (
        "quantize.dither=floyd-steinberg",
        "output.ssim=true",
        "regions.min_area=9",
    ):
        assert {row["route"] for row in site.plan(*WINDOWS, "--set", need)["images"]} == {"whole"}


def test_what_fits_only_in_windows_goes_in_windows(tmp_path):
    site = Site(tmp_path / "site")
    site.inputs.joinpath("flat.png").write_bytes(b"")
    Image.new("RGB", (9000, 9000)).save(site.inputs / "flat.png")
    Image.new("RGB", (9000, 9000)).save(site.inputs / "slow.jpg", progressive=True)
    rows = {row["image"]: row for row in site.plan("--set", "compute.memory_per_worker=1300MB")["images"]}
    assert rows["flat.png"]["route"] == "bands"
    assert rows["slow.jpg"]["route"] == "refused"
    assert "progressive" in rows["slow.jpg"]["refusal"]


def test_a_run_that_was_stopped_goes_on_with_its_counts(site, small_slabs, monkeypatch):
    expected = whole(site)
    only = ("--only", "a/tiled.tif", *WINDOWS)
    calls: list[int] = []
    real = slabtasks.Tally.add

    def stopping(self, pixels, alpha=None):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        real(self, pixels, alpha)

    monkeypatch.setattr(slabtasks.Tally, "add", stopping)
    assert site.call("run", *only).exit_code != 0
    assert len(list((site.state / "large").rglob("counts-*.npz"))) == 3
    calls[:] = [1] * 4  # from now on it does not stop
    site.run(*only)
    assert len(calls) - 4 == len(slabs.slabs_of(310, 420, 64)) - 3
    site.run(*WINDOWS)
    assert contents(site.outputs) == expected
    assert debris(site.outputs) == []
    assert not (site.state / "large").exists()


def test_what_a_stopped_run_left_of_an_image_that_has_gone_is_removed(site, small_slabs, monkeypatch):
    def stopping(self, pixels, alpha=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(slabtasks.Tally, "add", stopping)
    site.call("run", "--only", "a/tiled.tif", *WINDOWS)
    monkeypatch.undo()
    assert (site.state / "large").exists()
    (site.inputs / "a/tiled.tif").unlink()
    site.run(*WINDOWS)
    assert not (site.state / "large").exists()


@pytest.mark.parametrize("key", ["a/tiled.tif", "grey.png", "photo.jpg", "strips.tif"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_image_is_a_row(site, small_slabs, key, damage):
    path = site.inputs / key
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) * 2 // 3]
    else:
        middle = 1500 if path.suffix != ".jpg" else len(data) // 2
        data[middle : middle + 40] = bytes(reversed(data[middle : middle + 40]))
    path.write_bytes(data)
    age(path)
    result = site.call("run", *WINDOWS)
    record = site.records()[key]
    if record["status"] == "failed":
        assert result.exit_code == 1
        assert record["error"]["type"] in ("DamagedImage", "TruncatedImage", "NotAnImage")
        assert not list(site.outputs.rglob(f"*{Path(key).name}*"))
    else:  # nobody can tell: Pillow reads the same pixels
        assert (
            record["outputs"]
            == json.loads(whole(site)["manifest.jsonl"].splitlines()[sorted(KEYS).index(key)])["outputs"]
        )
    assert len(site.records()) == len(KEYS)
    assert debris(site.outputs) == []
    assert not (site.state / "large").exists()


def test_an_image_that_changes_while_it_is_read_is_tried_again(site, small_slabs, monkeypatch):
    path = site.inputs / "strips.tif"
    real = slabtasks.Tally.add

    def changing(self, pixels, alpha=None):
        age(path, by=7 * 10**9)
        real(self, pixels, alpha)

    monkeypatch.setattr(slabtasks.Tally, "add", changing)
    site.run(*WINDOWS, "--only", "strips.tif", code=1)
    assert site.errors() == {"strips.tif": "ChangedWhileReading"}
    monkeypatch.undo()
    site.run(*WINDOWS, "--only", "strips.tif")
    assert site.errors() == {}


def test_an_image_without_visible_pixels_fails_as_it_does_whole(tmp_path):
    site = Site(tmp_path / "site")
    picture(1).convert("RGBA").point(lambda value: 0).resize((64, 64)).save(site.inputs / "clear.png")
    site.run("--set", "large.above_megapixels=0.0001", code=1)
    assert site.errors() == {"clear.png": "NothingVisible"}


def test_progress_is_told(site, small_slabs):
    result = site.run(*WINDOWS, "--log-json", "--only", "photo.jpg")
    rows = [json.loads(line) for line in result.stderr.splitlines()]
    told = [(row["step"], row["pixels"], row["of"]) for row in rows if row["event"] == "progressed"]
    assert {row[0] for row in told} == {"counted", "mapped"}
    assert [row for row in told if row[1] == row[2] == 310 * 420] != []
    assert len(told) > 4


def test_a_run_without_the_image_leaves_its_counts_alone(site, small_slabs, monkeypatch):
    def stopping(*arguments):
        raise KeyboardInterrupt

    only = ("--only", "a/tiled.tif", *WINDOWS)
    with monkeypatch.context() as patch:
        patch.setattr(slabpictures, "fit_palette", stopping)
        site.call("run", *only)
    for others in (("--only", "grey.png"), ("--only", "photo.jpg", *WINDOWS)):
        site.run(*others)
        assert len(list((site.state / "large").rglob("counts-*.npz"))) > 1
    monkeypatch.setattr(slabtasks.Tally, "add", stopping)  # nothing is counted again
    site.run(*only)
    assert not (site.state / "large").exists()


@pytest.mark.parametrize("way", [(), ("--shard", "1/1", *WINDOWS)], ids=["whole", "a shard"])
def test_counts_of_an_image_that_was_done_in_another_way_are_removed(site, small_slabs, monkeypatch, way):
    def stopping(*arguments):
        raise KeyboardInterrupt

    only = ("--only", "a/tiled.tif")
    with monkeypatch.context() as patch:
        patch.setattr(slabpictures, "fit_palette", stopping)
        site.call("run", *only, *WINDOWS)
    assert (site.state / "large").exists()
    site.run(*only, *way)
    site.run(*WINDOWS)
    assert not (site.state / "large").exists()


def test_what_a_worker_needs_is_told_by_method_and_width():
    def need(width, height, **quantize):
        layout = Layout("windows", height, width, (512, 512), 60_000_000, False)
        roots = {"input": {"root": "/in"}, "output": {"root": "/out"}}
        return window_bytes(layout, JobSpec.model_validate(roots | {"quantize": quantize})) + WORKER_BYTES

    assert 1.02e9 < need(65_000, 65_000) < 1 << 30  # what noise of all colours was measured to take
    assert need(200_000, 5_000) < 1 << 30
    methods = ("kmeans", "minibatch", "dynamic")
    needs = [need(65_000, 65_000, method=method) for method in methods]
    assert needs == sorted(needs)
    assert need(65_000, 65_000, small_areas=0.5) > 1.7e9


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="maximum RSS is in other units elsewhere")
@pytest.mark.parametrize(
    "job", ["method=kmeans", "method=minibatch", "method=dynamic", "small_areas=0.5", "scope=job"]
)
def test_memory_is_as_foretold(tmp_path, job):
    """Of an image that has every colour there is."""
    site = Site(tmp_path / "site", quantize={"colors": 64})
    shuffled = np.random.default_rng(0).permutation(1 << 24).reshape(4096, 4096)
    image = np.stack([shuffled >> 16, shuffled >> 8 & 255, shuffled & 255], axis=2).astype(np.uint8)
    path = site.inputs / "all.tif"
    tifffile.imwrite(path, image, tile=(512, 512), photometric="rgb")
    arguments = ("--set", "large.above_megapixels=1", "--set", f"quantize.{job}")
    [row] = site.plan(*arguments)["images"]
    assert row["route"] == "windows"
    assert peak_of_run(site, *arguments) <= WORKER_BYTES + row["peak_bytes"]
