"""The report's data: all that is recorded, whatever the names, and no more written than has changed."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import test_large
import tifffile
from PIL import Image
from test_large import small_slabs  # noqa: F401 -- a fixture
from trees import Site, age, contents, picture, plant, snapshot

from pipeline.color.falsecolors import false_colors
from pipeline.errors import OutputError
from pipeline.files.strips import webp_strip
from pipeline.jobs import tree as trees_of_jobs
from pipeline.jobs.leftovers import inside, sweep_outputs
from pipeline.jobs.records import OutputFacts, Record
from pipeline.jobs.spec import load_spec
from pipeline.jobs.summary import Summary
from pipeline.views.report import is_current
from pipeline.views.reporthead import last_run
from pipeline.views.reportpalettes import Palette, reduced
from pipeline.views.reportrows import ROWS, page_of

REPO = Path(__file__).parents[1]
ODD = (
    'it\'s "so".png',
    "50%#1?.png",
    "größe/日本 😀.png",
    "&amp;<b>.png",
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = Site(tmp_path / "site", output={"report": True})
    plant(found.inputs, "a.png", "b/c.png")
    return found


def call(data: bytes, name: str) -> list:
    """The arguments of the one call that a file of data is."""
    line = data.decode("ascii").splitlines()[-1]
    assert line.startswith(f"segpipe.{name}(")
    assert line.endswith(");")
    return json.loads(f"[{line.removeprefix(f'segpipe.{name}(').removesuffix(');')}]")


def index(site: Site) -> dict:
    [found] = call((site.outputs / "report/data/index.js").read_bytes(), "index")
    return found


def page(site: Site, number: int = 0) -> list:
    found = call((site.outputs / f"report/data/{number:05}.js").read_bytes(), "page")
    assert found[0] == number
    return found[1]


def strip(site: Site, key: str) -> Image.Image:
    image = Image.open(site.outputs / f"report/thumbs/{key}.webp", formats=["WEBP"])
    image.load()
    return image


def names(site: Site) -> set[str]:
    return {path for path in contents(site.outputs) if path.startswith("report/")}


def many(site: Site, count: int) -> None:
    """Plant images of which all but the first have two colours."""
    for number in range(count):
        path = site.inputs / f"{number:03}.png"
        Image.fromarray(np.array([[[number, 0, 0], [0, number, 9]]], np.uint8)).save(path)
        age(path)


def test_a_run_writes_the_report(site):
    (site.inputs / "bad.png").write_bytes(b"none")
    site.run(code=1)
    told = index(site)
    assert told["title"] == "segpipe: in"
    assert [total[:2] for total in told["totals"]][:3] == [["images", "3"], ["done", "2"], ["failed", "1"]]
    assert told["images"]["name"] == ["a.png", "b/c.png", "bad.png"]
    assert told["pages"] == call((site.outputs / "report/data/00000.js").read_bytes(), "page")[2:]
    assert told["images"]["state"] == [0, 0, 1]
    assert told["images"]["thumb"] == [1, 1, 0]
    assert told["images"]["changed"] == [1, 1, 1]
    assert told["images"]["why"][2].startswith("NotAnImage: bad.png: expected one of")
    assert [len(row["palette"]) for row in page(site)] == [4, 4, 0]
    assert (
        page(site)[2]["error"][2]
        == "Tried again when the file or the recipe changes, or with --retry-failed."
    )
    for row in page(site)[:2]:
        files = [path for _, path, _ in row["files"]]
        assert len(files) == 3
        assert all((site.outputs / path).is_file() for path in files)


def test_a_run_with_nothing_to_do_writes_nothing(site):
    site.run()
    before = snapshot(site.base)
    site.run()
    assert snapshot(site.base) == before


def test_a_job_that_asks_for_none_gets_none_but_by_the_command(tmp_path):
    site = Site(tmp_path / "site")
    plant(site.inputs, "a.png")
    assert "no" in site.call("report").stderr
    assert site.call("report").exit_code == 4
    site.run()
    assert names(site) == set()
    [run] = (site.state / "runs").iterdir()
    assert "changed" not in json.loads(run.read_bytes())
    assert json.loads(run.read_bytes())["pixels"] == 24 * 16
    assert site.call("report").exit_code == 0
    assert index(site)["images"]["thumb"] == [0]
    assert site.reasons() == {}
    assert "0 strays" in site.call("prune").stderr


def test_asking_for_it_later_changes_the_recipe(tmp_path):
    site = Site(tmp_path / "site")
    plant(site.inputs, "a.png")
    site.run()
    site.run("--set", "output.report=true")
    [record] = site.records().values()
    assert record["outputs"]["thumbnail"]["path"] == "report/thumbs/a.png.webp"
    assert site.call("verify").exit_code == 0


def test_a_report_that_a_kill_kept_from_being_whole_is_written_by_the_next_run(site):
    site.run()
    expected = contents(site.outputs)
    for lost in ("report/data/made.json", "report/data/index.js"):
        (site.outputs / lost).unlink()
    site.run()
    assert contents(site.outputs) == expected


@pytest.mark.parametrize("lost", ["index.html", "data/index.js", "data/00000.js", "assets/pages.js"])
def test_a_file_of_the_page_that_has_gone_is_written_by_the_next_run(site, lost):
    site.run()
    expected = contents(site.outputs)
    (site.outputs / "report" / lost).unlink()
    site.run()
    assert contents(site.outputs) == expected


def test_a_palette_that_could_not_be_read_is_read_by_the_next_run(site, monkeypatch):
    site.run()
    expected = contents(site.outputs)
    shutil.rmtree(site.outputs / "report/data")
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.views.report.palette_of", lambda root, record: Palette(read=False))
        site.run()
    assert [len(row["palette"]) for row in page(site)] == [0, 0]
    assert not (site.outputs / "report/data/made.json").exists()
    site.run()
    assert contents(site.outputs) == expected


def test_only_what_changed_is_written_and_told(site):
    many(site, 2 * ROWS)
    site.run()
    first, known = contents(site.outputs), snapshot(site.outputs)
    picture(99).save(site.inputs / "b/c.png")  # the last but none: its page alone
    site.run()
    later = snapshot(site.outputs)
    pages = {path for path in names(site) if "/data/0" in path}
    assert len(pages) == 3
    assert {path for path in pages if later[path] != known[path]} == {"report/data/00002.js"}
    assert index(site)["images"]["changed"] == [0] * (2 * ROWS + 1) + [1]
    assert first["report/data/00000.js"] == contents(site.outputs)["report/data/00000.js"]
    known = contents(site.outputs)
    site.call("report")
    assert contents(site.outputs) == known


def test_pages_of_records_that_stay_are_not_made_anew():
    record = Record("a.png", "done", "r", outputs={"palette": OutputFacts("palettes/a.png.json", 1, "0")})
    color = {"hex": "#010203", "share": 0.75, "count": 3, "swatches": [{"rgb": [1, 2, 3]}]}
    asked = []

    def palettes_of(records):
        asked.append([record.image for record in records])
        return [reduced([color])] * len(records)

    made, bars = page_of(0, [record], b"", palettes_of)
    assert bars == ["0102037500"]
    assert page_of(0, [record], made, palettes_of) == (made, bars)
    assert asked == [["a.png"]]
    damaged = made[:40], made[:-20], made[: made.index(b"\n") + 1], made.replace(b"#010203", b"#010204")
    for known in (*damaged, b"// []\n", b"// {}\n", b"\xff", made.replace(b"records", b"recorts", 1)):
        assert page_of(0, [record], known, palettes_of) == (made, bars)
    assert page_of(1, [record], made, palettes_of)[0] != made


def test_what_has_gone_goes(site):
    many(site, ROWS)
    site.run()
    assert len(index(site)["images"]["name"]) == ROWS + 2
    for key in ("a.png", *(f"{number:03}.png" for number in range(ROWS - 1))):
        (site.inputs / key).unlink()
    assert site.call("prune", "--max-delete", "1000").exit_code == 0
    assert index(site)["images"]["name"] == [f"{ROWS - 1:03}.png", "b/c.png"]
    pages = {path for path in names(site) if "/data/" in path}
    assert pages == {f"report/data/{name}" for name in ("00000.js", "index.js", "made.json")}
    thumbs = {path for path in names(site) if "/thumbs/" in path}
    assert thumbs == {f"report/thumbs/{ROWS - 1:03}.png.webp", "report/thumbs/b/c.png.webp"}
    assert site.call("verify").exit_code == 0


def test_thumbnails_of_no_record_are_strays_and_the_rest_of_the_report_is_not(site):
    site.run()
    (site.outputs / "report/thumbs/x.webp").write_bytes(b"")
    (site.outputs / "report/mine.txt").write_bytes(b"")
    assert site.call("prune").stdout == "report/thumbs/x.webp\n"
    assert (site.outputs / "report/mine.txt").exists()
    assert site.call("prune").stdout == ""
    (site.outputs / "report/thumbs/a.png.webp").unlink()
    assert site.reasons() == {"a.png": "output missing"}


def test_only_thumbnails_are_outputs(tmp_path):
    assert inside(tmp_path, "report/thumbs/a/b.png.webp")
    for path in ("report/index.html", "report/data/index.js", "report/thumbs", "report/thumbs/../index.html"):
        with pytest.raises(OutputError, match="not inside"):
            inside(tmp_path, path)


def test_thumbnails_that_a_killed_run_left_half_written_are_swept(site):
    site.run()
    debris = site.outputs / "report/thumbs/b/.segpipe-0-1.part"
    debris.write_bytes(b"half")
    sweep_outputs(trees_of_jobs.Tree(site.inputs, site.outputs), {"b/c.png"})
    assert not debris.exists()


def test_an_interrupted_run_leaves_the_report_to_the_next(site, monkeypatch):
    def ended(summary):
        return 15

    with monkeypatch.context() as patch:
        patch.setattr(Summary, "signal", property(ended, lambda summary, value: None), raising=False)
        site.run(code=130 + 13)
    assert len(site.records()) == 2
    assert not (site.outputs / "report/index.html").exists()
    site.run()
    assert len(index(site)["images"]["name"]) == 2


def test_a_report_that_cannot_be_written_is_an_error_that_the_next_run_mends(site):
    (site.outputs / "report").mkdir(parents=True)
    (site.outputs / "report/data").write_bytes(b"in the way")
    assert "the report could not be written" in site.run(code=4).stderr
    (site.outputs / "report/data").unlink()
    site.run()
    assert len(index(site)["images"]["name"]) == 2


def test_a_report_that_was_not_finished_is_current_of_no_manifest(site, monkeypatch):
    site.run()
    first = (site.outputs / "manifest.jsonl").read_bytes()
    found = trees_of_jobs.tree_of(load_spec(Path(site.job)))
    assert is_current(found)
    picture(99).save(site.inputs / "a.png")
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.views.report.index_script", lambda _: (_ for _ in ()).throw(OSError("full")))
        assert "the report could not be written" in site.run(code=4).stderr
    second = (site.outputs / "manifest.jsonl").read_bytes()
    assert second != first
    for manifest in (first, second):
        (site.outputs / "manifest.jsonl").write_bytes(manifest)
        assert not is_current(found)


@pytest.mark.parametrize("name", ODD)
def test_names_are_data(site, name):
    plant(site.inputs, name)
    site.run()
    for path in (site.outputs / "report/data").glob("*.js"):
        text = path.read_bytes().decode("ascii")
        assert not set("<>&") & set(text)
    assert name in index(site)["images"]["name"]
    assert strip(site, name).size[0] > 0


def test_the_page_ends_no_script_early(site):
    plant(site.inputs, "<b/<!--</script><script>alert(1).png")
    site.run()
    assert b"</" not in (site.outputs / "report/data/index.js").read_bytes()
    assert any("<script>" in name for name in index(site)["images"]["name"])


def test_a_thumbnail_shows_original_quantized_and_segments(tmp_path):
    site = Site(tmp_path / "site", output={"report": True}, quantize={"colors": 2})
    pixels = np.zeros((400, 1000, 4), np.uint8)
    pixels[:, :500] = 200, 30, 40, 255
    pixels[200:, :500] = 30, 80, 200, 255
    Image.fromarray(pixels).save(site.inputs / "a.png")
    site.run()
    found = strip(site, "a.png")
    assert (found.size, found.mode) == ((3 * 334, 134), "RGBA")
    shown = np.asarray(found).astype(int)
    for third in range(3):
        assert (shown[:, third * 334 + 180 : third * 334 + 330, 3] == 0).all()
        assert (shown[:, third * 334 : third * 334 + 160, 3] == 255).all()
    colors = np.concatenate([np.array([[200, 30, 40], [30, 80, 200]])] * 2)
    palette = [tuple(entry["rgb"]) for entry in json.loads(palette_of(site, "a.png"))["colors"]]
    segments = false_colors(2)[[palette.index((200, 30, 40)), palette.index((30, 80, 200))]]
    for place, color in enumerate([*colors, *segments]):
        third, below = divmod(place, 2)
        spot = shown[30 + 70 * below, third * 334 + 80, :3]
        assert np.abs(spot - color).max() < 16, (place, spot, color)


def palette_of(site: Site, key: str) -> bytes:
    return (site.outputs / f"palettes/{key}.json").read_bytes()


def test_tiny_pictures_are_enlarged():
    one = np.full((1, 2, 3), 255, np.uint8)
    image = Image.open(io.BytesIO(webp_strip([one, 0 * one, one])))
    assert image.size == (6 * 48, 48)
    assert {int(value) for value in np.asarray(image)[24, [24, 144, 264], 0]} <= {0, 1, 254, 255}


@pytest.mark.parametrize(
    "settings", [(), ("quantize.dither=ordered", "output.labels.format=none", "output.quantized.format=none")]
)
def test_windows_change_no_thumbnail(tmp_path, small_slabs, settings):  # noqa: F811 -- the fixture
    site = Site(tmp_path / "site", output={"report": True})
    test_large.plant(site.inputs)
    words = [word for key in settings for word in ("--set", key)]
    site.run(*words, "--set", "output.root=whole")
    site.run(*words, *test_large.WINDOWS)
    made = [
        {path: data for path, data in contents(root).items() if "/data/index" not in path}
        for root in (site.outputs, site.base / "whole")
    ]
    assert made[0] == made[1]
    assert sum("/thumbs/" in path for path in made[0]) == len(test_large.KEYS)


def test_rasters_are_told_as_such(tmp_path):
    site = Site(tmp_path / "site", output={"report": True}, quantize={"method": "segment", "colors": 3})
    tifffile.imwrite(site.inputs / "a.tif", test_large.textured(40, 50))
    site.run()
    assert (index(site)["images"]["thumb"], index(site)["images"]["clusters"]) == ([1], [1])
    assert index(site)["run"][-2] == ["method", "segment, 3 clusters"]


def test_shards_leave_the_report_to_their_merge(site):
    for shard in ("1/2", "2/2"):
        site.run("--shard", shard)
    assert not (site.outputs / "report/index.html").exists()
    assert site.call("merge").exit_code == 0
    assert len(index(site)["images"]["name"]) == 2


def test_runs_that_did_nothing_and_records_that_are_none_are_passed_over(tmp_path):
    runs = tmp_path / ".segpipe/runs"
    runs.mkdir(parents=True)
    tree = trees_of_jobs.Tree(tmp_path / "in", tmp_path)
    assert last_run(tree) == {}
    done = {"done": 1, "failed": 0, "skipped": 0}
    (runs / "20200101T000000Z-a.json").write_text(json.dumps(done))
    (runs / "20200102T000000Z-a.json").write_text(json.dumps(done | {"done": 0}))
    for number, text in enumerate(("", "[]", "{", "{}", "null")):
        (runs / f"20200103T00000{number}Z-a.json").write_text(text)
    assert last_run(tree) == done


def test_of_runs_of_one_second_the_later_is_the_last(tmp_path):
    runs = tmp_path / ".segpipe/runs"
    runs.mkdir(parents=True)
    told = [{"done": 1, "failed": 0, "skipped": 0, "started_ns": 10**18 + number} for number in range(3)]
    for name, run in zip("bca", told, strict=True):
        (runs / f"20200101T000000Z-{name}.json").write_text(json.dumps(run))
    assert last_run(trees_of_jobs.Tree(tmp_path / "in", tmp_path)) == told[2]


def test_what_was_passed_over_is_told(site):
    (site.base / "away.png").write_bytes(b"")
    (site.inputs / "link.png").symlink_to(site.base / "away.png")
    (site.inputs / "notes.txt").write_bytes(b"")
    site.run()
    told = dict(index(site)["run"])
    assert told["passed over"].startswith("link.png: ")
    assert told["other files, not looked at"] == "1 .txt; input.include takes them in"


def test_a_report_whose_thumbnails_are_pruned_is_written_without_them(site):
    site.run()
    without = ("--set", "output.report=false")
    site.run(*without)
    assert index(site)["images"]["thumb"] == [1, 1]
    assert site.call("prune", *without, "--dry-run").exit_code == 0
    assert index(site)["images"]["thumb"] == [1, 1]
    assert "report/thumbs/a.png.webp" in site.call("prune", *without).stdout
    assert index(site)["images"]["thumb"] == [0, 0]
    shutil.rmtree(site.outputs / "report")
    (site.outputs / "quantized/x.png").write_bytes(b"")
    assert site.call("prune", *without).stdout == "quantized/x.png\n"
    assert not (site.outputs / "report").exists()


@pytest.mark.slow
def test_the_wheel_has_the_pages(tmp_path):
    pytest.importorskip("setuptools", "77")
    script = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("cli.py", "pyproject.toml", "README.md", "LICENSE"):
        (clone / name).write_bytes((REPO / name).read_bytes())
    for path in (REPO / "pipeline").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = clone / path.relative_to(REPO)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, os.fspath(tmp_path)],
        cwd=clone, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")
    there = set(zipfile.ZipFile(wheel).namelist())
    assets = {path.relative_to(REPO).as_posix() for path in (REPO / "pipeline/views/assets").iterdir()}
    assert assets
    assert assets <= there
