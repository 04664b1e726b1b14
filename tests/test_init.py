"""`segpipe init`: a job file fitted to the folder that it is given, which loads and runs as it stands."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import maps
import numpy as np
import pytest
import yaml
from PIL import Image
from stores import Store, serving
from trees import picture, plant, segpipe, snapshot

from pipeline.files.kinds import told_kinds
from pipeline.files.objects import place
from pipeline.jobs import glance as glances
from pipeline.jobs.glance import glance
from pipeline.jobs.proposal import remarks_on, settings_for
from pipeline.jobs.spec import load_spec

REPO = Path(__file__).parents[1]
BARE = {**os.environ, "PYTHONPATH": str(REPO), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is worked in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(*arguments: str | Path, code: int = 0) -> str:
    """The job file that is written, and what is said."""
    result = segpipe("init", *arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    return result.stderr


def test_photographs_need_no_more_than_a_report(desk):
    plant(desk / "photos", "a.png", "b/c.PNG")
    said = written("photos").splitlines()
    assert said == [
        "job.yaml: 2 images (1 .PNG, 1 .png), 0.0 Mpx.",
        f"from {desk}/photos to {desk}/photos-segpipe, in 16 colours (quantize.colors)",
        "job.schema.json: the schema, for editors",
        "next: segpipe plan job.yaml, then segpipe run job.yaml",
    ]
    assert yaml.safe_load((desk / "job.yaml").read_text())["output"]["report"] is True
    assert "# 2 images (1 .PNG, 1 .png), 0.0 Mpx.\n" in (desk / "job.yaml").read_text()
    spec = load_spec(desk / "job.yaml")
    assert (spec.input.include, spec.input.exclude, spec.input.max_megapixels) == ([], [], 170)
    assert segpipe("plan", "job.yaml").exit_code == 0
    assert segpipe("run", "job.yaml").exit_code == 0
    assert (desk / "photos-segpipe/report/index.html").exists()


def test_what_is_commented_out_means_the_same_as_what_is_left_out(desk):
    maps.save(desk / "in/a.tif", maps.clusters(4, np.uint16)[0])
    written("in")
    text = (desk / "job.yaml").read_text()
    brief = load_spec(desk / "job.yaml")
    (desk / "job.yaml").write_text(re.sub(r"(?m)^( *)#(?=\w)", r"\1", text))
    assert load_spec(desk / "job.yaml") == brief


@pytest.mark.parametrize(
    "name", ["my: photos", "it's #1", "ä ö 日本", '"q" \\ %', "a\nb", "-r", "{x}", "[a-c]*"]
)
def test_odd_names_are_quoted_and_the_next_command_can_be_pasted(desk, name):
    plant(desk / name, "a.png")
    said = written("--", f"{desk}/{name}", f"{name}.yaml")
    spec = load_spec(desk / f"{name}.yaml")
    assert spec.input.root == str(desk / name)
    assert spec.output.root == str(desk / f"{name}-segpipe")
    assert "then segpipe run '" in said or name == "-r"


def test_rasters_are_segmented(desk):
    maps.save(desk / "in/a.tif", maps.clusters(4, np.uint16)[0])
    maps.save(desk / "in/b.tif", maps.clusters(4, np.uint16)[0])
    written("in")
    spec = load_spec(desk / "job.yaml")
    assert (spec.quantize.method, spec.output.labels.format) == ("segment", "tiff")
    assert "of uint16." in (desk / "job.yaml").read_text()
    assert segpipe("run", "job.yaml").exit_code == 0
    plant(desk / "in", "c.png")
    written("in", "mixed.yaml")
    assert load_spec(desk / "mixed.yaml").quantize.method == "kmeans"
    assert "2 of 3 that were looked at are rasters" in " ".join((desk / "mixed.yaml").read_text().split())


def test_images_that_are_too_large_raise_the_limit(desk):
    (desk / "in").mkdir()
    Image.new("1", (20_000, 10_001)).save(desk / "in/large.png")
    written("in")
    assert load_spec(desk / "job.yaml").input.max_megapixels == 210
    assert segpipe("plan", "job.yaml").exit_code == 0


def test_images_by_another_name_are_included_and_others_named(desk):
    plant(desk / "in", "a.png", "sub/b.PNG")
    picture(3).save(desk / "in/c.jpg_large", "JPEG")
    picture(4).save(desk / "in/camera.dng", "TIFF")
    (desk / "in/notes.txt").write_text("no image")
    (desk / "in/README").write_text("no image")
    written("in")
    spec = load_spec(desk / "job.yaml")
    assert spec.input.include == ["*.PNG", "*.jpg_large", "*.png"]
    assert "1 without extension, 1 .dng, 1 .txt." in (desk / "job.yaml").read_text()
    assert "3 images" in segpipe("plan", "job.yaml").stdout


def test_patterns_take_names_as_they_are(desk):
    plant(desk / "in", "a.png")
    picture(3).save(desk / "in/c.[1]", "JPEG")
    written("in")
    assert "2 images" in segpipe("plan", "job.yaml").stdout


def test_a_disk_that_fills_leaves_no_torn_file(desk):
    plant(desk / "in", "a.png")
    limit = ["bash", "-c", 'ulimit -f 1; "$@"', "-", sys.executable, "-m", "cli", "init", "in"]
    done = subprocess.run(limit, capture_output=True, text=True, check=False, env=BARE)
    assert done.returncode == 4, done.stderr
    assert "job.yaml: could not be written: File too large" in done.stderr
    assert [path.name for path in desk.iterdir()] == ["in"]


def test_a_schema_that_is_there_stays_and_one_that_cannot_be_is_told(desk):
    plant(desk / "in", "a.png")
    schema = desk / "job.schema.json"
    written("in", "a.yaml")
    assert "job.schema.json: the schema, for editors, was there" in written("in", "b.yaml")
    schema.write_text("mine")
    assert "job.schema.json: left as it is, though not this version's" in written("in", "c.yaml")
    assert schema.read_text() == "mine"
    schema.unlink()
    schema.symlink_to("nowhere")
    assert "left as it is" in written("in", "d.yaml")
    assert schema.is_symlink()


def test_a_folder_without_images_names_what_is_there(desk):
    (desk / "in").mkdir()
    assert "expected images, found no files" in written("in", code=3)
    for name in ("a.txt", "b.TXT", "c.mp4", "Makefile"):
        (desk / "in" / name).write_text("no image")
    before = snapshot(desk)
    said = written("in", code=3)
    assert f"{desk}/in: expected images, found 2 .txt, 1 without extension, 1 .mp4; check the path" in said
    assert snapshot(desk) == before


def test_outputs_of_jobs_are_left_out(desk):
    plant(desk / "in", "a.png")
    written("in")
    assert segpipe("run", "job.yaml").exit_code == 0
    assert "found the outputs of a job" in written("in-segpipe", "again.yaml", code=2)
    (desk / "in/old [1]").mkdir()
    shutil.move(desk / "in-segpipe", desk / "in/old [1]/out")
    written("in", "next.yaml")
    assert segpipe("plan", "next.yaml").stdout.splitlines()[-1].startswith("1 image (1 new)")
    assert not (desk / "again.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (("gone",), "expected a folder of images, found none; check the path", 3),
        (("in/a.png",), "expected a folder of images, found a file", 3),
        (("in", "there.yaml"), "there.yaml: expected a new file, found one", 2),
        (("in", "in"), "in: expected a new file, found one", 2),
        (("in", "broken.yaml"), "broken.yaml: expected a new file, found one", 2),
        (("in", "--output", "in/out"), "lies inside input.root", 2),
        (("in", "--output", "."), "contains input.root", 2),
        (("in", "--output", "in"), "is the same folder as input.root", 2),
        (("in", "no/such/folder.yaml"), "No such file or directory", 4),
        (("/",), "--output PATH", 2),
        (("s3://",), "expected a bucket", 2),
        (("nope://bucket/photos",), "nope", 2),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_written(desk, arguments, told, code):
    plant(desk / "in", "a.png")
    (desk / "there.yaml").write_text("mine")
    (desk / "broken.yaml").symlink_to("nowhere.yaml")
    before = snapshot(desk / "in"), sorted(desk.iterdir()), (desk / "there.yaml").read_text()
    said = written(*arguments, code=code)
    assert told in said
    assert "Traceback" not in said
    assert (snapshot(desk / "in"), sorted(desk.iterdir()), (desk / "there.yaml").read_text()) == before


def test_of_many_images_the_largest_and_some_others_are_looked_at(desk, monkeypatch):
    asked: list[str] = []
    looked = glances.read_header
    monkeypatch.setattr(glances, "_LOOKED_AT", 6)
    monkeypatch.setattr(
        glances, "read_header", lambda path, *limits: (asked.append(path.name), looked(path, *limits))[1]
    )
    plant(desk / "in", *(f"{place:02}.png" for place in range(30)))
    picture(1, 300, 200).save(desk / "in/17.png")
    found = glance(desk / "in")
    assert len(set(asked)) == len(asked) == 6
    assert "17.png" in asked
    assert max(int(name[:2]) for name in asked) - min(int(name[:2]) for name in asked) > 15
    assert found.images == 30
    assert next(remarks_on(found)).startswith("30 images (30 .png); the 6 looked at have 0.1 Mpx.")


def test_a_bad_image_is_no_reason_to_stop(desk):
    plant(desk / "in", "a.png")
    (desk / "in/b.png").write_bytes(b"no image")
    (desk / "in/c.png").symlink_to("nowhere")
    found = glance(desk / "in")
    assert len(found.read) == 1
    assert "Of 3 that were looked at, 2 could not be read; runs will name them." in list(remarks_on(found))
    assert settings_for(found).keys() == {"output.report"}


def test_kinds_are_told_most_frequent_first_and_no_name_obeys():
    assert told_kinds({".a": 1, "": 2, ".b\x1b[2J\n": 1}) == r"2 without extension, 1 .a, 1 .b\x1b[2J\n"
    assert told_kinds({f".{letter}": 1 for letter in "abcdefgh"}).endswith(".f, …")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


def test_a_store_is_looked_at_likewise(desk, store):
    plant(desk / "in", "a.png", "b.png")
    for name in ("a.png", "b.png"):
        store.put(f"photos/{name}", (desk / "in" / name).read_bytes())
    store.put("photos/notes.txt", b"no image")
    said = written(f"{store.url}/photos/")
    assert said.splitlines()[0] == "job.yaml: 2 images (2 .png), 0.0 Mpx."
    spec = load_spec(desk / "job.yaml")
    assert (spec.input.root, spec.output.root) == (f"{store.url}/photos", f"{store.url}/photos-segpipe")
    assert "1 .txt" in (desk / "job.yaml").read_text()
    assert segpipe("run", "job.yaml").exit_code == 0
    assert store.get("photos-segpipe/report/index.html")
    assert "found nothing there" in written(f"{store.url}/none", "other.yaml", code=3)
    assert glance(place(f"{store.url}/photos")).images == 2
