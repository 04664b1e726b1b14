"""A job from its first run to its hundredth: what is done, what is left alone, and why."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from PIL import Image
from trees import Site, age, contents, debris, plant, snapshot

KEYS = ("a.png", "b.jpg", "deep/er/c.bmp")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Three images that were not run yet."""
    site = Site(tmp_path / "site")
    plant(site.inputs, *KEYS)
    return site


@pytest.fixture
def ran(site: Site) -> Site:
    """Three images after their first run."""
    site.run()
    return site


def test_the_first_run_writes_the_tree_and_nothing_else(site):
    before = snapshot(site.inputs)
    result = site.run()
    assert result.stdout == ""
    *_, numbers, where = result.stderr.splitlines()
    assert numbers.startswith("3 done in ")
    assert where == f"outputs: {site.outputs}"
    assert set(contents(site.outputs)) == {"manifest.jsonl"} | {
        name for key in KEYS for name in (f"quantized/{key}.png", f"labels/{key}.png", f"palettes/{key}.json")
    }
    assert debris(site.outputs) == []
    assert snapshot(site.inputs) == before
    assert sorted(path.name for path in site.base.iterdir()) == ["in", "job.yaml", "out"]


def test_the_manifest_tells_of_every_image(ran):
    records = ran.records()
    assert list(records) == sorted(KEYS)
    for key, record in records.items():
        assert record["status"] == "done"
        assert record["colors"] == {"asked": 4, "found": 4}
        assert record["input"]["bytes"] == (ran.inputs / key).stat().st_size
        for output in record["outputs"].values():
            assert (ran.outputs / output["path"]).stat().st_size == output["bytes"]
    text = ran.manifest.read_text()
    assert str(ran.base) not in text
    assert os.uname().nodename not in text


def test_outputs_agree_with_each_other(ran):
    for key in KEYS:
        palette = json.loads((ran.outputs / f"palettes/{key}.json").read_bytes())
        with (
            Image.open(ran.outputs / f"quantized/{key}.png") as quantized,
            Image.open(ran.outputs / f"labels/{key}.png") as labels,
        ):
            assert quantized.size == labels.size == (24, 16)
            colors = [tuple(entry["rgb"]) for entry in palette["colors"]]
            painted = [colors[label] for label in labels.tobytes()]
            assert painted == list(zip(*[iter(quantized.convert("RGB").tobytes())] * 3, strict=True))


def test_a_run_with_nothing_to_do_writes_nothing(ran):
    before = snapshot(ran.outputs)
    result = ran.run()
    assert "0 done, 3 unchanged" in result.stderr
    for command in ("plan", "status", "verify"):
        assert ran.call(command).exit_code == 0
    assert snapshot(ran.outputs) == before


def test_a_moved_site_has_nothing_to_do(ran, tmp_path):
    shutil.move(ran.base, tmp_path / "elsewhere")
    moved = Site(tmp_path / "elsewhere")
    assert moved.reasons() == {}


@pytest.mark.parametrize("command", [("run", "--dry-run"), ("plan",), ("plan", "--json"), ("status",)])
def test_looking_writes_nothing(site, command):
    before = snapshot(site.base)
    assert site.call(*command).exit_code == 0
    assert snapshot(site.base) == before
    assert not site.outputs.exists()


def test_a_changed_input_is_done_again_alone(ran):
    before = snapshot(ran.outputs)
    plant(ran.inputs, "a.png", seed=99)
    assert ran.reasons() == {"a.png": "input changed"}
    ran.run()
    after = snapshot(ran.outputs)
    for key in KEYS:
        for name in (f"quantized/{key}.png", f"labels/{key}.png", f"palettes/{key}.json"):
            assert (after[name] == before[name]) is (key != "a.png")


def test_a_change_that_keeps_the_size_is_seen(ran):
    path = ran.inputs / "deep/er/c.bmp"
    data = bytearray(path.read_bytes())
    data[-1] ^= 255
    path.write_bytes(data)
    row = next(row for row in ran.plan()["images"] if row["work"])
    assert (row["image"], row["reason"]) == ("deep/er/c.bmp", "input changed")
    assert row["detail"].startswith("sha256: ")
    assert " → " in row["detail"]


def test_a_touched_input_is_read_but_not_done(ran):
    before = contents(ran.outputs)
    age(ran.inputs / "a.png", by=1800 * 10**9)
    assert ran.reasons() == {}
    ran.run()  # remembers the new time
    assert contents(ran.outputs) == before
    quiet = snapshot(ran.outputs)
    ran.run()
    assert snapshot(ran.outputs) == quiet


def test_a_new_image_renames_nothing(ran):
    before = snapshot(ran.outputs)
    plant(ran.inputs, "a.jpg", "a.png.png")
    assert ran.reasons() == {"a.jpg": "new", "a.png.png": "new"}
    ran.run()
    after = snapshot(ran.outputs)
    assert all(after[name] == before[name] for name in before if name.endswith((".png", ".json")))


def test_a_changed_recipe_is_told_with_its_values(ran):
    rows = ran.plan("--set", "quantize.colors=5", "--set", "quantize.seed=7")["images"]
    assert {row["reason"] for row in rows} == {"recipe changed"}
    assert {row["detail"] for row in rows} == {"quantize.colors: 4 → 5, quantize.seed: 0 → 7"}
    ran.run("--set", "quantize.colors=5")
    assert {record["colors"]["found"] for record in ran.records().values()} == {5}


def test_a_recipe_of_an_unknown_past_is_told_by_its_digest(ran):
    shutil.rmtree(ran.state / "recipes")
    assert ran.reasons() == {}
    [detail] = {row["detail"] for row in ran.plan("--set", "quantize.colors=5")["images"]}
    assert " → " in detail


def test_there_and_back_gives_the_first_bytes(ran):
    before = contents(ran.outputs)
    ran.run("--set", "quantize.colors=5")
    assert contents(ran.outputs) != before
    ran.run()
    assert contents(ran.outputs) == before


def test_what_changes_no_output_changes_no_plan(ran):
    for override in ("compute.workers=3", "compute.cluster=threads", "input.max_megapixels=9"):
        assert ran.reasons("--set", override) == {}


def test_formats_that_the_job_lists_later_are_done_then(site):
    site.run("--set", "input.formats=[jpeg]", code=1)
    assert site.errors() == {"a.png": "UnlistedFormat", "deep/er/c.bmp": "UnlistedFormat"}
    site.run()
    assert site.errors() == {}


def test_a_missing_output_is_made_again(ran):
    before = contents(ran.outputs)
    (ran.outputs / "labels/b.jpg.png").unlink()
    [row] = [row for row in ran.plan()["images"] if row["work"]]
    assert (row["image"], row["reason"], row["detail"]) == (
        "b.jpg",
        "output missing",
        "labels/b.jpg.png",
    )
    ran.run()
    assert contents(ran.outputs) == before


def test_missing_outputs_of_all_images_are_made_again(ran):
    before = contents(ran.outputs)
    for wing in ("quantized", "labels", "palettes"):
        shutil.rmtree(ran.outputs / wing)
    ran.run()
    assert contents(ran.outputs) == before


def test_an_output_of_another_size_is_made_again(ran):
    before = contents(ran.outputs)
    path = ran.outputs / "palettes/a.png.json"
    path.write_bytes(path.read_bytes()[:-1])
    assert ran.reasons() == {"a.png": "output damaged"}
    ran.run()
    assert contents(ran.outputs) == before


def test_an_output_of_the_same_size_is_made_again_if_asked_for(ran):
    before = contents(ran.outputs)
    flip(ran.outputs / "quantized/a.png.png")
    assert ran.reasons() == {}
    assert ran.reasons("--check-outputs") == {"a.png": "output damaged"}
    ran.run("--check-outputs")
    assert contents(ran.outputs) == before


def flip(path: Path, at: int = -9) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_removed_input_leaves_an_orphan(ran):
    before = snapshot(ran.outputs)
    (ran.inputs / "a.png").unlink()
    assert ran.plan()["orphans"] == [{"image": "a.png", "why": "input has gone"}]
    result = ran.run()
    assert "1 image has outputs but no input" in result.stderr
    assert snapshot(ran.outputs) == before
    plant(ran.inputs, "a.png")  # it comes back
    assert ran.reasons() == {}


def test_an_excluded_input_is_told_from_one_that_has_gone(ran):
    found = ran.plan("--set", "input.exclude=[a.*]")
    assert found["orphans"] == [{"image": "a.png", "why": "left out by the job's patterns"}]


def test_force_does_everything_and_changes_nothing(ran):
    before = snapshot(ran.outputs)
    assert set(ran.reasons("--force")) == set(KEYS)
    result = ran.run("--force")
    assert "3 done" in result.stderr
    after = snapshot(ran.outputs)
    for name in contents(ran.outputs):
        assert after[name] == before[name]


def test_only_some(site):
    site.run("--only", "deep/**")
    assert list(site.records()) == ["deep/er/c.bmp"]
    site.run("--only", "*.png", "--only", "*.jpg")
    assert list(site.records()) == sorted(KEYS)
    alone = contents(site.outputs)
    shutil.rmtree(site.outputs)
    site.run()
    assert contents(site.outputs) == alone


def test_a_failure_is_told_again_but_not_tried_again(ran):
    (ran.inputs / "bad.png").write_bytes(b"no image")
    age(ran.inputs / "bad.png")
    ran.run(code=1)
    assert ran.errors() == {"bad.png": "NotAnImage"}
    before = snapshot(ran.outputs)
    result = ran.run(code=1)
    assert "bad.png" in result.stderr
    assert snapshot(ran.outputs) == before
    assert ran.reasons("--retry-failed") == {"bad.png": "failed before"}
    plant(ran.inputs, "bad.png")
    ran.run()
    assert ran.errors() == {}


def test_unsupported_files_may_be_passed_over(ran):
    (ran.inputs / "bad.png").write_bytes(b"no image")
    age(ran.inputs / "bad.png")
    skipping = ("--set", "input.on_unsupported=skip")
    ran.run(*skipping)
    before = snapshot(ran.outputs)
    ran.run(*skipping)
    assert snapshot(ran.outputs) == before
    assert ran.records()["bad.png"]["status"] == "skipped"
    ran.run(code=1)  # another verdict now


def test_pipes_may_be_passed_over_too(ran):
    os.mkfifo(ran.inputs / "pipe.png")
    ran.run("--set", "input.on_unsupported=skip")
    assert ran.records()["pipe.png"]["status"] == "skipped"


def test_fail_fast_leaves_the_rest_for_the_next_run(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, *(f"{number:03}.png" for number in range(70)))  # more than one bundle
    for path in site.inputs.iterdir():
        path.write_bytes(b"no image")
    result = site.run("--fail-fast", code=1)
    assert "not begun" in result.stderr
    assert 0 < len(site.records()) < 70
    site.run(code=1)
    assert len(site.records()) == 70


def test_the_state_folder_is_only_memory(ran):
    before = contents(ran.outputs)
    shutil.rmtree(ran.state)
    looked = snapshot(ran.outputs)
    result = ran.run()
    assert "0 done, 3 unchanged" in result.stderr
    assert snapshot(ran.outputs) == looked
    plant(ran.inputs, "d.png")
    ran.run()
    (ran.inputs / "d.png").unlink()
    ran.call("prune")
    assert contents(ran.outputs) == before


def test_without_its_manifest_a_tree_is_made_anew_with_the_same_bytes(ran):
    before = contents(ran.outputs)
    ran.manifest.unlink()
    assert set(ran.reasons().values()) == {"new"}
    ran.run()
    assert contents(ran.outputs) == before


GARBAGE = [
    b"",
    b"\n",
    b"{",
    b"\xff\xfe\x00",
    b"null\n",
    b"[1, 2]\n",
    b'{"image": 3}\n',
    b'{"begun": "x"}\n',
    os.urandom(300),
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_in_the_state_folder_is_recovered(ran, garbage):
    before = contents(ran.outputs)
    plant(ran.inputs, "d.png")
    [recipe] = (ran.state / "recipes").iterdir()
    for path in (recipe, ran.state / "stats.msgpack", ran.state / "journal.jsonl", ran.state / "lost"):
        path.write_bytes(garbage)
    ran.run()
    assert "d.png" in ran.records()
    (ran.inputs / "d.png").unlink()
    ran.call("prune")
    assert contents(ran.outputs) == before
    assert debris(ran.outputs) == []
    assert json.loads(recipe.read_bytes())["quantize.colors"] == 4


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_in_the_journal_alone_is_recovered(ran, garbage):
    before = contents(ran.outputs)
    (ran.state / "journal.jsonl").write_bytes(garbage)
    ran.run()
    assert contents(ran.outputs) == before
    assert debris(ran.outputs) == []
    quiet = snapshot(ran.outputs)
    ran.run()
    assert snapshot(ran.outputs) == quiet


@pytest.mark.parametrize("garbage", [b"", b"\n", b"12", b"x\ny\n", b"\xff\xfe"])
def test_a_lock_file_that_names_no_holder_does_not_lock_for_good(ran, garbage):
    """A run that is killed between making its lock and writing its name there leaves an empty file."""
    plant(ran.inputs, "d.png")
    (ran.state / "lock").write_bytes(garbage)
    age(ran.state / "lock")
    ran.run()
    assert debris(ran.outputs) == []


def test_a_lock_of_another_machine_is_respected(ran):
    plant(ran.inputs, "d.png")
    (ran.state / "lock").write_bytes(b"4242\nelsewhere\n")
    result = ran.run(code=4)
    assert "process 4242 on elsewhere" in result.stderr
    assert str(ran.state / "lock") in result.stderr


@pytest.mark.parametrize("damage", [b"", b"\n", b"{\n", b"\xff\xff\n", b"null\n", b'{"image": "b.jpg"}\n'])
def test_a_damaged_line_of_the_manifest_costs_one_image(ran, damage):
    before = contents(ran.outputs)
    lines = ran.manifest.read_bytes().splitlines(keepends=True)
    ran.manifest.write_bytes(lines[0] + damage + lines[2])
    assert ran.reasons() == {"b.jpg": "new"}
    ran.run()
    assert contents(ran.outputs) == before


def test_a_torn_end_of_the_manifest_costs_one_image(ran):
    before = contents(ran.outputs)
    ran.manifest.write_bytes(ran.manifest.read_bytes()[:-20])
    ran.run()
    assert contents(ran.outputs) == before


def test_a_line_too_many_in_the_manifest_is_taken_out(ran):
    before = contents(ran.outputs)
    ran.manifest.write_bytes(ran.manifest.read_bytes() + b"garbage\n")
    assert ran.call("verify").exit_code == 6
    ran.run()
    assert contents(ran.outputs) == before
    assert ran.call("verify").exit_code == 0


def test_a_line_of_brackets_is_no_bug(ran):
    before = contents(ran.outputs)
    ran.manifest.write_bytes(b'{"odd": ' + b"[" * 100_000 + b"\n" + ran.manifest.read_bytes())
    ran.run("--force")
    assert contents(ran.outputs) == before


def test_every_run_that_did_something_has_its_record(ran):
    ran.run()
    [record] = (ran.state / "runs").iterdir()
    content = json.loads(record.read_bytes())
    assert (content["done"], content["failed"], content["exit_code"]) == (3, 0, 0)
    assert content["reasons"] == {"new": 3}
    assert content["job"]["quantize"]["colors"] == 4
    assert "segpipe" in content["versions"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 7)]
)
@pytest.mark.parametrize("place", ["survey", "held"])
def test_a_signal_ends_the_look_at_the_trees_and_the_wait_for_the_lock(
    site, monkeypatch, place, number, code
):
    began = time.monotonic()

    def slow(*arguments, **options):
        os.kill(os.getpid(), number)
        time.sleep(20)

    monkeypatch.setattr(f"pipeline.jobs.run.{place}", slow)
    site.run(code=code)
    assert time.monotonic() - began < 10
    assert not site.outputs.exists()
    monkeypatch.undo()
    site.run()
    assert len(site.records()) == 3
