"""The command line: words, exit codes, and which stream says what."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trees import Site, age, contents, plant, segpipe, snapshot

from cli import main
from pipeline import __version__
from pipeline.errors import ExitCode
from pipeline.jobs.lock import locked
from pipeline.jobs.spec import load_spec

REPO = Path(__file__).parents[1]


@pytest.fixture
def ran(tmp_path: Path) -> Site:
    """Two images after their first run."""
    site = Site(tmp_path / "site")
    plant(site.inputs, "a.png", "b/c.png")
    site.run()
    return site


def test_help_names_every_command_and_every_exit_code():
    result = segpipe("--help")
    assert result.exit_code == 0
    for word in (
        "run",
        "plan",
        "explain",
        "status",
        "verify",
        "prune",
        "schema",
        "init",
        "palette",
        "compare",
    ):
        assert f"\n  {word} " in result.stdout
    for code in ExitCode:
        assert str(int(code)) in result.stdout


def test_help_cuts_no_sentence():
    commands = segpipe("--help").stdout.partition("Commands:")[2].partition("Exit codes")[0]
    assert "..." not in commands
    assert [command for command in main.commands.values() if len(command.short_help or "") > 60] == []


def test_version():
    assert segpipe("--version").stdout == f"segpipe, version {__version__}\n"


def test_it_runs_as_a_program(ran):
    done = subprocess.run(
        [sys.executable, REPO / "cli.py", "run", ran.job], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 unchanged" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("walk",),
        ("run",),
        ("run", "job.yaml", "--workers", "0"),
        ("run", "job.yaml", "--colour"),
        ("plan", "no-such.yaml"),
        ("run", "."),
        ("explain", "job.yaml"),
    ],
)
def test_a_wrong_command_line_is_2(tmp_path, monkeypatch, arguments):
    Site(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = segpipe(*arguments)
    assert result.exit_code == 2
    assert result.stdout == "" or not arguments
    assert "Traceback" not in result.stderr


def test_a_wrong_job_is_2_and_says_where(ran):
    ran.job.write_text("input: {root: in}\noutput: {root: out}\nquantize: {colours: 4}\n")
    for command in ("run", "plan", "status", "verify", "prune"):
        result = ran.call(command)
        assert result.exit_code == 2
        assert "job.yaml:3:12" in result.stderr
        assert "colors" in result.stderr
    assert ran.call("run", "--set", "quantize.colors=0").exit_code == 2
    assert ran.call("run", "--cluster", "moon").exit_code == 2
    assert ran.call("run", "--cluster", "address").exit_code == 2


def test_no_images_is_3(tmp_path):
    site = Site(tmp_path)
    result = site.call("run")
    assert result.exit_code == 3
    assert "found none" in result.stderr
    assert not site.outputs.exists()


def test_a_missing_input_root_is_3_and_touches_nothing(ran):
    before = snapshot(ran.outputs)
    shutil.move(ran.inputs, ran.base / "away")
    for command in ("run", "plan", "status", "prune"):
        assert ran.call(command).exit_code == 3
    ran.inputs.mkdir()  # a disk that is not mounted
    for command in ("run", "plan", "prune"):
        assert ran.call(command).exit_code == 3
    assert snapshot(ran.outputs) == before


def test_only_what_is_not_there_is_3(ran):
    result = ran.call("run", "--only", "*.gif")
    assert result.exit_code == 3
    assert "--only *.gif" in result.stderr


def test_plan_says_what_and_why_and_ends_with_the_numbers(ran):
    plant(ran.inputs, "a.png", seed=5)
    lines = ran.call("plan").stdout.splitlines()
    assert lines[0].startswith("do    a.png  input changed")
    assert lines[1].startswith("2 images (1 input changed, 1 unchanged): 1 to do")
    assert "keep  b/c.png  unchanged" in ran.call("plan", "-v").stdout


def test_run_dry_is_plan(ran):
    plant(ran.inputs, "a.png", seed=5)
    assert ran.call("run", "--dry-run").stdout == ran.call("plan").stdout


@pytest.mark.parametrize("command", ["plan", "status"])
def test_a_run_that_is_at_work_is_told(ran, command):
    with locked(ran.state):
        found = ran.call(command)
    assert "segpipe: a run is at work: process " in found.stderr
    assert found.exit_code == 0
    assert "at work" not in ran.call(command).stderr


def test_plan_as_json_tells_sizes_and_memory(ran):
    plant(ran.inputs, "a.png", seed=5)
    found = ran.plan()
    assert found["reasons"] == {"input changed": 1, "unchanged": 1}
    row = found["images"][0]
    assert (row["image"], row["route"], row["width"], row["height"]) == ("a.png", "whole", 24, 16)
    assert row["peak_bytes"] > 24 * 16 * 3


def test_plan_check_is_6_while_there_is_work(ran):
    assert ran.call("plan", "--check").exit_code == 0
    plant(ran.inputs, "new.png")
    assert ran.call("plan", "--check").exit_code == 6
    assert ran.call("plan", "--check", "--json").exit_code == 6


def test_explain_shows_old_and_new(ran):
    result = ran.call("explain", "b/c.png", "--set", "quantize.colors=9")
    assert result.exit_code == 0
    assert "recipe changed (quantize.colors: 4 → 9)" in result.stdout
    assert "            quantize.colors: 4 → 9" in result.stdout.splitlines()
    path = ran.outputs / "labels/b/c.png.png"
    path.write_bytes(bytes(path.stat().st_size))
    assert "DAMAGED" in ran.call("explain", "b/c.png").stdout
    path.unlink()
    assert "missing" in ran.call("explain", "b/c.png").stdout


def test_explain_of_an_unknown_image_is_2(ran):
    result = ran.call("explain", "c.png")
    assert result.exit_code == 2
    assert "c.png" in result.stderr


def test_explain_of_every_kind_of_image(ran):
    (ran.inputs / "bad.png").write_bytes(b"")
    (ran.inputs / "loop.png").symlink_to("loop.png")
    plant(ran.inputs, "new.png")
    for key in ("bad.png", "loop.png", "new.png", "a.png"):
        assert ran.call("explain", key).exit_code == 0
    ran.run(code=1)
    assert "EmptyFile" in ran.call("explain", "bad.png").stdout
    assert "BrokenLink" in ran.call("explain", "loop.png").stdout


def test_status_names_failures_orphans_and_strays(ran):
    (ran.inputs / "bad.png").write_bytes(b"")
    ran.run(code=1)
    (ran.inputs / "a.png").unlink()
    (ran.outputs / "labels/stray.png").write_bytes(b"")
    result = ran.call("status")
    assert result.exit_code == 0
    for line in (
        "2 done, 1 failed",
        "failed: bad.png: EmptyFile",
        "orphan  a.png",
        "stray  labels/stray.png",
    ):
        assert line in result.stdout


def test_verify_finds_a_flipped_byte(ran):
    assert ran.call("verify").exit_code == 0
    path = ran.outputs / "quantized/a.png.png"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    before = snapshot(ran.outputs)
    result = ran.call("verify")
    assert result.exit_code == 6
    assert "quantized/a.png.png  sha256: " in result.stdout
    assert "6 files compared, 1 difference" in result.stderr
    path.unlink()
    result = ran.call("verify")
    assert result.exit_code == 6
    assert "missing" in result.stdout
    assert before.keys() - snapshot(ran.outputs).keys() == {"quantized/a.png.png"}


@pytest.mark.parametrize("path", ["../escape.png", "/etc/hostname"])
def test_a_manifest_that_points_outside_is_4(ran, path):
    line = ran.records()["a.png"]
    line["outputs"]["labels"]["path"] = path
    line["image"] = "gone.png"
    ran.manifest.write_bytes(ran.manifest.read_bytes() + json.dumps(line).encode() + b"\n")
    outside = ran.base / "escape.png"
    outside.write_bytes(b"mine")
    assert ran.call("verify").exit_code == 4
    assert ran.call("prune").exit_code == 4
    assert outside.read_bytes() == b"mine"


def test_prune_removes_orphans_and_strays_with_their_empty_folders(ran):
    (ran.inputs / "b/c.png").unlink()
    (ran.outputs / "labels/stray.png").write_bytes(b"")
    before = snapshot(ran.outputs)
    dry = ran.call("prune", "--dry-run")
    assert snapshot(ran.outputs) == before
    names = sorted(
        ["labels/stray.png", "quantized/b/c.png.png", "labels/b/c.png.png", "palettes/b/c.png.json"]
    )
    assert sorted(dry.stdout.splitlines()) == names
    wet = ran.call("prune")
    assert wet.exit_code == 0
    assert wet.stdout == dry.stdout
    assert "1 orphan, 1 stray, 4 files removed" in wet.stderr
    assert list(ran.records()) == ["a.png"]
    assert not (ran.outputs / "labels/b").exists()
    assert ran.call("verify").exit_code == 0
    before = snapshot(ran.outputs)
    assert ran.call("prune").stdout == ""
    assert snapshot(ran.outputs) == before


def test_prune_names_records_that_have_no_files(ran):
    (ran.inputs / "bad.png").write_bytes(b"")
    ran.run(code=1)
    (ran.inputs / "bad.png").unlink()
    assert "orphan  bad.png  input has gone; a record without outputs" in ran.call("plan").stdout
    result = ran.call("prune")
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "record without input: bad.png",
        "1 orphan, 0 strays, 0 files removed",
    ]


def test_an_error_moves_no_cursor(tmp_path):
    result = segpipe("run", tmp_path / "a\x1b[2J\n.yaml")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert r"a\x1b[2J" in result.stderr


def test_prune_of_too_much_is_refused(ran):
    (ran.inputs / "a.png").unlink()
    before = snapshot(ran.outputs)
    result = ran.call("prune", "--max-delete", "2")
    assert result.exit_code == 2
    assert "--max-delete 3" in result.stderr
    assert snapshot(ran.outputs) == before
    assert ran.call("prune", "--max-delete", "3").exit_code == 0


def test_prune_removes_a_stray_link_and_never_its_target(ran):
    target = ran.base / "precious.png"
    target.write_bytes(b"mine")
    (ran.outputs / "labels/link.png").symlink_to(target)
    assert ran.call("prune").exit_code == 0
    assert not (ran.outputs / "labels/link.png").is_symlink()
    assert target.read_bytes() == b"mine"


def test_an_orphan_that_only_the_journal_knows_stays_pruned(ran):
    """As after a run that was killed before it folded its journal into the manifest."""
    (ran.state / "journal.jsonl").write_bytes(ran.manifest.read_bytes())
    ran.manifest.unlink()
    (ran.inputs / "a.png").unlink()
    assert ran.call("prune").exit_code == 0
    ran.run()
    assert list(ran.records()) == ["b/c.png"]
    assert ran.plan()["orphans"] == []


@pytest.mark.parametrize(
    ("arguments", "code"), [(("plan", "-v"), 0), (("plan", "--check"), 6), (("verify",), 6)]
)
def test_a_reader_that_has_seen_enough_does_not_end_a_command(ran, arguments, code):
    """Nor does it change the exit code: `plan | head -1` under pipefail."""
    (ran.outputs / "quantized/a.png.png").write_bytes(b"")
    reading, writing = os.pipe()
    os.close(reading)
    name, *options = arguments
    done = subprocess.run(
        [sys.executable, REPO / "cli.py", name, ran.job, *options],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.returncode == code, done.stderr
    assert "rror" not in done.stderr


def test_quiet_and_verbose_and_json_logs(ran):
    assert ran.call("run", "-q").output == ""
    assert "done: a.png" in ran.call("run", "--force", "-v").stderr
    result = ran.call("run", "--force", "--log-json")
    assert result.stdout == ""
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert [event["event"] for event in events][:2] == ["planned", "started"]
    assert {event["image"] for event in events if event["event"] == "finished"} == {"a.png", "b/c.png"}
    (ran.inputs / "bad.png").write_bytes(b"")
    assert "bad.png" in ran.call("run", "-q").stderr  # cron mails this


def test_quiet_says_what_ends_in_a_code(ran):
    """What failed and is left alone, too, and no less with JSON logs."""
    (ran.inputs / "bad.png").write_bytes(b"")
    for words in ((), ("--log-json",), ()):
        result = ran.call("run", "-q", *words)
        assert (result.exit_code, "bad.png" in result.stderr) == (1, True)
        assert "1 failed" in result.stderr
        assert "unchanged" not in result.stderr
        assert "outputs:" not in result.stderr


def test_no_time_does_nothing_and_says_so(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "b.png")
    result = site.run("--time-limit", "0", code=7)
    assert "the time is over" in result.stderr
    assert "0 done, 2 not begun" in result.stderr
    assert site.run("--time-limit", "1.5h").exit_code == 0
    assert site.run("--time-limit", "0s").exit_code == 0, "nothing is left"


@pytest.mark.parametrize("word", ["", "-1", "1d", "m", "1h30", "nan"])
def test_a_time_limit_that_is_none_is_refused(tmp_path, word):
    result = Site(tmp_path).call("run", "--time-limit", word)
    assert (result.exit_code, "5.5h" in result.stderr) == (2, True)


def test_file_names_cannot_forge_lines(tmp_path):
    site = Site(tmp_path)
    name = "a\x1b[2Jb\nfailed: c.png"
    (site.inputs / f"{name}.png").write_bytes(b"")
    for result in (site.call("run", "-v"), site.call("plan", "-v"), site.call("status")):
        assert "\x1b" not in result.output
        assert "\nfailed: c.png" not in result.output


def test_schema_is_the_committed_one():
    committed = (REPO / "configs/job.schema.json").read_text(encoding="utf-8")
    assert segpipe("schema").stdout == committed


def test_init_then_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plant(tmp_path / "my: photos", "a.png")
    result = segpipe("init", "my: photos")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "job.schema.json").exists()
    assert segpipe("run", "job.yaml").exit_code == 0
    assert (tmp_path / "my: photos-segpipe/quantized/a.png.png").exists()
    before = snapshot(tmp_path)
    assert segpipe("init", "my: photos").exit_code == 2  # never over a job file that is there
    assert snapshot(tmp_path) == before


def test_init_elsewhere(tmp_path):
    plant(tmp_path / "in", "a.png")
    (tmp_path / "jobs").mkdir()
    job = tmp_path / "jobs/nightly.yaml"
    assert segpipe("init", tmp_path / "in", job, "--output", tmp_path / "out").exit_code == 0
    spec = load_spec(job)
    assert (spec.input.root, spec.output.root) == (str(tmp_path / "in"), str(tmp_path / "out"))
    assert segpipe("init", tmp_path / "in", tmp_path / "no/such/folder.yaml").exit_code == 4


def test_init_that_fails_leaves_no_job_file(tmp_path):
    plant(tmp_path / "in", "a.png")
    job = tmp_path / "job.yaml"
    result = segpipe("init", tmp_path / "in", job, "--output", tmp_path / "in/out")
    assert result.exit_code == 2, result.output
    assert not job.exists()


def test_overrides_beat_the_job_file(ran):
    out = ran.base / "other"
    assert ran.run("--set", "output.root=other", "--set", "quantize.colors=2").exit_code == 0
    record = json.loads((out / "manifest.jsonl").read_bytes().splitlines()[0])
    assert record["colors"]["asked"] == 2
    assert set(contents(out)) == set(contents(ran.outputs))


def test_workers_and_cluster_change_nothing_but_the_way(ran):
    before = contents(ran.outputs)
    for arguments in (("--workers", "2"), ("--cluster", "threads"), ("--cluster", "inline")):
        result = ran.run("--force", *arguments)
        assert "2 done" in result.stderr
        assert contents(ran.outputs) == before


def test_a_bug_is_70_with_a_traceback(ran, monkeypatch):
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("pipeline.jobs.survey.survey", broken)
    result = segpipe("plan", ran.job)
    assert result.exit_code == 70
    assert "ZeroDivisionError: by design" in result.stderr
    assert "report it" in result.stderr


def test_a_run_over_known_failures_still_tells_of_them(ran):
    (ran.inputs / "bad.png").write_bytes(b"")
    age(ran.inputs / "bad.png")
    for _ in range(2):
        assert ran.call("run").exit_code == 1
    assert ran.call("plan").exit_code == 0  # there is nothing to do, and a plan does not fail
