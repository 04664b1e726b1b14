"""Runs on Zarr folders: what comes out is what the same pixels in a file give."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from trees import Site, age, contents, segpipe, snapshot

from pipeline.jobs import parted, slabs, slabtasks

zarr = pytest.importorskip("zarr")


def textured(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    grain = np.random.default_rng(height).integers(0, 9, (height, width))
    return np.stack([x + grain, y // 2 + grain, (x + y) // 5 + 2 * grain], axis=2).astype(np.uint8)


def save(path: Path, values: np.ndarray, **how: Any) -> None:
    """Save an array as if made an hour ago."""
    how = {"chunks": tuple(min(40, size) for size in values.shape)} | how
    array = zarr.create_array(path, shape=values.shape, dtype=values.dtype, **how)
    array[...] = values
    settle(path)


def settle(path: Path) -> None:
    for item in [path, *path.rglob("*")]:
        age(item)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A picture as PNG and as Zarr, grey and with holes."""
    site = Site(tmp_path, output={"palette": {"formats": ["json", "gpl"]}})
    image = textured(110, 90)
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[20:50, 30:60] = 0
    alpha[70:80] = 90
    kinds = {"rgb": image, "grey": image[..., 0], "holes": np.dstack([image, alpha])}
    for name, values in kinds.items():
        Image.fromarray(values).save(site.inputs / f"{name}.png")
        age(site.inputs / f"{name}.png")
        save(site.inputs / f"a/{name}.zarr", values, zarr_format=2 if name == "grey" else 3)
    return site


@pytest.mark.parametrize("job", ["", "quantize.dither=ordered", "quantize.alpha=flatten output.preview=50"])
def test_a_zarr_gives_what_a_png_gives(site, monkeypatch, job):
    monkeypatch.setattr(slabs.slabs_of, "__defaults__", (3000,))
    monkeypatch.setattr(slabtasks, "_PATCH", 1000)
    settings = [word for key in job.split() for word in ("--set", key)]
    assert {row["image"]: row["route"] for row in site.plan(*settings)["images"]}["a/rgb.zarr"] == "windows"
    site.run(*settings)
    made = contents(site.outputs)
    for name in ("rgb", "grey", "holes"):
        for wing in ("quantized", "labels"):
            assert made[f"{wing}/a/{name}.zarr.png"] == made[f"{wing}/{name}.png.png"]
        gpl = [made[f"palettes/{key}.gpl"].splitlines()[2:] for key in (f"a/{name}.zarr", f"{name}.png")]
        assert gpl[0] == gpl[1]
    record, other = (site.records()[key] for key in ("a/rgb.zarr", "rgb.png"))
    assert (record["input"]["format"], record["metrics"]["mse"]) == ("zarr", other["metrics"]["mse"])
    before = snapshot(site.base)
    site.run(*settings)
    assert snapshot(site.base) == before
    assert site.call("verify").exit_code == 0
    explained = segpipe("explain", site.job, "a/rgb.zarr", *settings)
    assert "unchanged" in explained.output


def test_folders_share_palettes(site):
    site.run("--set", "quantize.scope=job")
    assert {record["status"] for record in site.records().values()} == {"done"}
    assert site.reasons("--set", "quantize.scope=job") == {}


def test_a_changed_chunk_is_a_changed_input(site):
    site.run()
    path = site.inputs / "a/rgb.zarr"
    zarr.open_array(path)[100, 80, 1] = 77
    settle(path)
    assert site.reasons() == {"a/rgb.zarr": "input changed"}
    site.run()
    assert site.reasons() == {}
    chunk = max(
        (item for item in path.rglob("c/**/*") if item.is_file()), key=lambda item: item.stat().st_size
    )
    chunk.unlink()
    assert site.reasons() == {"a/rgb.zarr": "input changed"}
    site.run()
    data = path / "c/0/0/0"
    data.write_bytes(data.read_bytes()[:-3])
    site.run(code=1)
    assert site.errors() == {"a/rgb.zarr": "DamagedImage"}
    assert "rows 0 to 39" in site.records()["a/rgb.zarr"]["error"]["message"]
    settle(path)
    assert site.reasons() == {}


def test_folders_that_are_gone_or_left_out_are_orphans(site):
    site.run()
    found = site.call("status", "--set", "input.exclude=['*.zarr']").output
    assert "left out by the job's patterns" in found


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ("quantize.dither=floyd-steinberg", "floyd-steinberg"),
        ("output.ssim=true", "ssim"),
        ("regions.min_area=5", "regions"),
    ],
)
def test_what_needs_all_pixels_at_once_is_refused(site, job, why):
    site.run("--set", job, code=1)
    assert set(site.errors().values()) == {"UnsupportedImage"}
    assert site.errors().keys() == {"a/rgb.zarr", "a/grey.zarr", "a/holes.zarr"}
    message = site.records()["a/rgb.zarr"]["error"]["message"]
    assert "the only way to read zarr" in message
    assert why in message
    assert site.reasons("--set", job) == {}


def test_formats_admit_and_refuse(site):
    site.run("--set", "input.formats=[zarr]", code=1)
    assert site.errors() == dict.fromkeys(("rgb.png", "grey.png", "holes.png"), "UnlistedFormat")
    site.run("--set", "input.formats=[png]", code=1)
    assert site.errors().keys() == {"a/rgb.zarr", "a/grey.zarr", "a/holes.zarr"}


def test_what_is_no_picture_fails_alone(site):
    save(site.inputs / "deep.zarr", textured(50, 60).astype("u2"))
    (site.inputs / "bad.zarr").mkdir()
    (site.inputs / "bad.zarr/zarr.json").write_bytes(b"{")
    site.run(code=1)
    assert site.errors() == {"deep.zarr": "UnsupportedImage", "bad.zarr": "DamagedImage"}
    assert site.reasons() == {}


def test_without_the_package(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    site.run(code=1)
    assert "pip install 'segpipe[zarr]'" in site.records()["a/rgb.zarr"]["error"]["message"]
    assert site.records()["rgb.png"]["status"] == "done"
    monkeypatch.undo()
    site.run()


@pytest.mark.parametrize("picture", ["png", "tiff"])
def test_segments_of_a_zarr_are_those_of_a_tiff(tmp_path, picture):
    site = Site(tmp_path, quantize={"method": "segment"}, output={"labels": {"format": picture}})
    rng = np.random.default_rng(3)
    bands = (rng.normal(size=(5, 90, 110)) + 4 * (np.arange(110) // 37)).astype(np.float32)
    bands[:, 10:20, 30:50] = -1
    save(site.inputs / "a/b.zarr", bands, chunks=(2, 32, 48))
    zarr.open_array(site.inputs / "a/b.zarr").attrs["_FillValue"] = -1.0
    settle(site.inputs)
    tags = [(42113, "s", 0, "-1", True)]
    tifffile.imwrite(site.inputs / "b.tif", bands, tile=(32, 48), planarconfig="separate",
                     photometric="minisblack", extratags=tags)  # fmt: skip
    age(site.inputs / "b.tif")
    site.run()
    made = contents(site.outputs)
    ending = {"png": "png", "tiff": "tif"}[picture]
    assert made[f"labels/a/b.zarr.{ending}"] == made[f"labels/b.tif.{ending}"]
    records = site.records()
    assert records["a/b.zarr"]["input"]["format"] == "zarr"
    assert records["a/b.zarr"]["input"]["mode"] == records["b.tif"]["input"]["mode"] == "5 × float32"
    assert records["a/b.zarr"]["inertia"] == records["b.tif"]["inertia"]
    before = snapshot(site.base)
    site.run()
    assert snapshot(site.base) == before
    site.run("--set", "input.formats=[tiff]", code=1)
    assert site.errors() == {"a/b.zarr": "UnlistedFormat"}
    assert site.reasons("--set", "input.formats=[tiff]") == {}


def test_a_change_during_a_run(site, monkeypatch):
    real = parted.digest_of

    def meanwhile(settings, image):
        if image.key == "a/rgb.zarr":
            (site.inputs / image.key / "c/0/0/0").write_bytes(b"other bytes")
        return real(settings, image)

    monkeypatch.setattr("pipeline.jobs.large.digest_of", meanwhile)
    site.run(code=1)
    assert site.errors() == {"a/rgb.zarr": "ChangedWhileReading"}
