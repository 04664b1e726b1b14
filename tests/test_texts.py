"""Texts: plans, explanations and endings say what is so, in lines that no name can forge."""

import json

import pytest
from builders import digest_of, failed, job, look, noise, plant

from pipeline.jobs.leftovers import Leftovers, find_leftovers
from pipeline.jobs.manifest import Journal, save
from pipeline.jobs.records import Records
from pipeline.jobs.run import run
from pipeline.jobs.survey import Options
from pipeline.jobs.watcher import Watcher
from pipeline.views.texts import (
    explanation,
    other_kinds,
    plan_json,
    plan_lines,
    plan_numbers,
    status_lines,
)

NASTY = "x\x1b[31m\n.png"


@pytest.fixture
def lively(tmp_path):
    """A job with a bit of everything: unchanged, new, cut short, too large, gone, passed over."""
    spec = job(tmp_path, input={"max_megapixels": 0.001})
    for key in ("a.png", "gone\n.png"):
        plant(tmp_path / "in", key)
    whole = (tmp_path / "in/a.png").read_bytes()
    (tmp_path / "in/cut.png").write_bytes(whole[: len(whole) // 2])
    run(spec, Options(), Watcher())
    (tmp_path / "in/gone\n.png").unlink()
    plant(tmp_path / "in", NASTY)
    plant(tmp_path / "in", "large.png", noise(40, 40))
    (tmp_path / "in/link.png").symlink_to(plant(tmp_path, "elsewhere.png"))
    return spec


def test_a_plan_names_all_that_is_not_unchanged(lively):
    *lines, numbers = plan_lines(look(lively), verbose=False)
    assert lines[0] == "keep  cut.png  failed before (TruncatedImage)"
    assert lines[1].startswith("do    large.png  new  refused: TooManyPixels: large.png: ")
    assert "input.max_megapixels" in lines[1]
    assert lines[2] == (r"do    x\x1b[31m\n.png  new  0.0 Mpx, whole")
    assert lines[3] == r"orphan  gone\n.png  input has gone"
    assert lines[4].startswith("passed over  link.png  the link leaves the input root")
    assert len(lines) == 5
    assert numbers == (
        "4 images (2 new, 1 failed before, 1 unchanged): 2 to do, 0.0 Mpx; 1 orphan (see segpipe prune)"
    )


def test_a_plan_names_everything_if_asked_to(lively):
    found = look(lively)
    lines = list(plan_lines(found, verbose=True))
    assert lines[0] == "keep  a.png  unchanged"
    assert ", whole, in a worker of about " in lines[3]
    brief = [line.partition(", in a worker of about ")[0] for line in lines[1:]]
    assert brief == list(plan_lines(found, verbose=False))
    assert all(line.isprintable() for line in lines)


def test_a_plan_in_json_says_the_same(lively):
    found = look(lively)
    content = json.loads(plan_json(found))
    rows = {row["image"]: row for row in content["images"]}
    assert list(rows) == ["a.png", "cut.png", "large.png", NASTY]
    assert [row["work"] for row in content["images"]] == [False, False, True, True]
    assert [row["route"] for row in content["images"]] == [None, None, "refused", "whole"]
    assert [row["reason"] for row in content["images"]] == ["unchanged", "failed before", "new", "new"]
    assert rows["cut.png"]["detail"] == "TruncatedImage"
    assert (rows[NASTY]["width"], rows[NASTY]["height"]) == (7, 6)
    assert rows[NASTY]["peak_bytes"] > 0
    assert "input.max_megapixels" in rows["large.png"]["refusal"]
    assert content["orphans"] == [{"image": "gone\n.png", "why": "input has gone"}]
    assert [row["path"] for row in content["passed_over"]] == ["link.png"]
    assert content["reasons"] == {"new": 2, "failed before": 1, "unchanged": 1}
    assert content["recipe"] == digest_of(lively)


def test_the_numbers_of_a_plan_without_orphans(tmp_path):
    plant(tmp_path / "in", "a.png", noise(1000, 1100))
    assert plan_numbers(look(job(tmp_path))) == "1 image (1 new): 1 to do, 1.1 Mpx"


def test_an_explanation_tells_recorded_and_now(tmp_path):
    plant(tmp_path / "in", "a.png")
    run(job(tmp_path), Options(), Watcher())
    lines = list(explanation(look(job(tmp_path)), "a.png"))
    assert lines[:2] == ["a.png", "  verdict   keep: unchanged"]
    assert any(line.startswith("  quantized quantized/a.png.png: ") for line in lines)
    assert sum("bytes, as recorded" in line for line in lines) == 3
    assert not any("→" in line for line in lines if line.startswith("            "))


def test_an_explanation_tells_what_changed(tmp_path):
    path = plant(tmp_path / "in", "a.png")
    run(job(tmp_path), Options(), Watcher())
    path.write_bytes(b"other")
    (tmp_path / "out/labels/a.png.png").unlink()
    rot = bytearray((tmp_path / "out/quantized/a.png.png").read_bytes())
    rot[-1] ^= 1
    (tmp_path / "out/quantized/a.png.png").write_bytes(rot)
    (tmp_path / "out/palettes/a.png.json").write_bytes(b"{}")
    found = look(job(tmp_path, quantize={"colors": 3}))
    lines = list(explanation(found, "a.png"))
    assert lines[1] == "  verdict   do: recipe changed (quantize.colors: 16 → 3)"
    assert lines[2].endswith("→ 5")
    assert "            quantize.colors: 16 → 3" in lines
    assert "  labels    labels/a.png.png: missing" in lines
    assert any("DAMAGED" in line and "quantized" in line for line in lines)
    assert any(line.endswith("→ 2 bytes") for line in lines)


def test_an_explanation_of_a_failure_tells_it(lively):
    lines = list(explanation(look(lively), "cut.png"))
    assert lines[-1].startswith("  failed    TruncatedImage: cut.png: expected a whole ")


def test_an_explanation_of_a_new_image_and_of_a_broken_link(tmp_path):
    plant(tmp_path / "in", NASTY)
    (tmp_path / "in/b.png").symlink_to("nowhere")
    found = look(job(tmp_path))
    lines = list(explanation(found, NASTY))
    assert lines[:2] == [r"x\x1b[31m\n.png", "  verdict   do: new"]
    assert lines[2].startswith("  way       0.0 Mpx, whole, in a worker of about ")
    assert lines[3].startswith("  bytes     none → ")
    assert all(line.isprintable() for line in lines)
    assert "  sha256    none → BrokenLink: b.png: " in "\n".join(explanation(found, "b.png"))


def test_the_state_of_a_tree(tmp_path, lively):
    (tmp_path / "out/labels/st\nray").write_bytes(b"")
    Journal(tmp_path / "out/.segpipe/journal.jsonl").close()
    with (tmp_path / "out/manifest.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    found = look(lively)
    lines = list(status_lines(found, find_leftovers(found)))
    assert lines[0] == f"{tmp_path}/out: 2 done, 1 failed, 0 skipped"
    assert lines[1].startswith("failed: cut.png: TruncatedImage: ")
    assert lines[2:6] == [
        "a run is at work, or was killed: its journal is not yet in the manifest",
        "damaged  manifest.jsonl:4",
        r"orphan  gone\n.png  input has gone",
        r"stray  labels/st\nray  no record knows it",
    ]
    assert lines[6] == plan_numbers(found)
    assert len(lines) == 7


def test_the_state_of_no_tree(tmp_path):
    plant(tmp_path / "in", "a.png")
    found = look(job(tmp_path))
    assert list(status_lines(found, Leftovers([], []))) == [
        f"{tmp_path}/out: 0 done, 0 failed, 0 skipped",
        "1 image (1 new): 1 to do, 0.0 Mpx",
    ]


def test_skipped_images_are_told_in_the_state(tmp_path):
    spec = job(tmp_path, input={"on_unsupported": "skip"})
    plant(tmp_path / "in", "a.png")
    (tmp_path / "out").mkdir()
    save(tmp_path / "out", Records.of(failed("a.png", "NotAnImage", status="skipped")))
    found = look(spec)
    assert list(status_lines(found, Leftovers([], [])))[:2] == [
        f"{tmp_path}/out: 0 done, 0 failed, 1 skipped",
        "skipped: a.png: NotAnImage: !",
    ]


def test_other_kinds_are_told_most_frequent_first():
    told = other_kinds({".heic": 2, "": 1, ".mp4": 3})
    assert (
        told == "6 other files not looked at (.mp4 3, .heic 2, no extension 1); input.include takes them in"
    )
