"""Summaries: every image is counted once, and the worst failure names the exit code."""

import json
import signal

import pytest
from builders import done, failed, job, look, plant
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ExitCode, ImageError
from pipeline.files.entries import Skipped
from pipeline.jobs.manifest import save
from pipeline.jobs.records import Records
from pipeline.jobs.run import run
from pipeline.jobs.summary import Summary, write_runlog
from pipeline.jobs.survey import Options
from pipeline.jobs.tree import tree_of
from pipeline.jobs.watcher import Watcher
from pipeline.views.reporthead import last_run


def summary(planned=0, failing=()):
    return Summary({}, list(failing), [], [], 0, planned)


def skipped(key):
    return failed(key, "NotAnImage", status="skipped")


@given(st.lists(st.sampled_from([done, failed, skipped]), max_size=20), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_every_record_is_counted_once_and_the_rest_was_not_begun(kinds, rest):
    found = summary(len(kinds) + rest)
    for number, kind in enumerate(kinds):
        found.count(kind(f"{number}"))
    assert (found.done, found.skipped) == (kinds.count(done), kinds.count(skipped))
    assert len(found.failures) == kinds.count(failed)
    assert found.left == rest
    assert found.exit_code == (ExitCode.IMAGES_FAILED if failed in kinds else ExitCode.DONE)


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ([], [], 0),
        (["TruncatedImage"], [], 1),
        ([], ["TruncatedImage"], 1),
        (["TruncatedImage", "OutputNotWritable", "WorkerKilled"], [], 4),
        (["TruncatedImage"], ["OutputNotWritable"], 4),
        (["AnErrorOfALaterVersion"], [], 1),
    ],
)
def test_the_worst_failure_names_the_exit_code(new, old, expected):
    found = summary(len(new), [failed("b", kind) for kind in old])
    for kind in new:
        found.count(failed("a", kind))
    assert found.exit_code == expected


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_beats_every_failure(number, expected):
    found = summary(1)
    found.count(failed("a", "OutputNotWritable"))
    found.signal = number
    assert found.exit_code == expected


@pytest.mark.parametrize(
    ("kinds", "left", "expected"),
    [
        ([], 1, 7),
        ([], 0, 0),
        (["TruncatedImage"], 1, 7),
        (["TruncatedImage"], 0, 1),
        (["OutputNotWritable"], 1, 4),
    ],
)
def test_work_that_time_has_left_is_told_unless_there_is_worse(kinds, left, expected):
    found = summary(len(kinds) + left)
    for kind in kinds:
        found.count(failed("a", kind))
    found.over = True
    assert found.exit_code == expected


def test_a_fresh_summary_says_what_the_plan_says(tmp_path):
    spec = job(tmp_path, input={"on_unsupported": "skip"})
    for key in ("a.png", "b.png"):
        plant(tmp_path / "in", key)
    whole = (tmp_path / "in/a.png").read_bytes()
    (tmp_path / "in/cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/text.png").write_bytes(b"words")
    first = Summary.of(look(spec))
    assert (first.planned, first.unchanged, first.failing, first.left) == (4, 0, [], 4)
    assert first.reasons == {"new": 4}
    run(spec, Options(), Watcher())
    plant(tmp_path / "in", "new.png")
    (tmp_path / "in/b.png").unlink()
    again = Summary.of(look(spec))
    assert (again.planned, again.unchanged, again.left) == (1, 1, 1)
    assert [record.image for record in again.failing] == ["cut.png"]
    assert [orphan.record.image for orphan in again.orphans] == ["b.png"]
    assert again.reasons == {"new": 1, "failed before": 2, "unchanged": 1}
    assert again.exit_code == ExitCode.IMAGES_FAILED


def test_damaged_lines_are_handed_on(tmp_path):
    spec = job(tmp_path)
    plant(tmp_path / "in", "a.png")
    (tmp_path / "out").mkdir()
    save(tmp_path / "out", Records.of())
    (tmp_path / "out/manifest.jsonl").write_bytes(b"garbage\n")
    assert Summary.of(look(spec)).damaged == ["manifest.jsonl:1"]


def test_no_run_log_takes_the_place_of_another(tmp_path, monkeypatch):
    """A thousand tasks of an array start in one second; a clock that was set back goes through it again."""
    spec, names = job(tmp_path), iter(["aaaaaaaa", "aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])

    def put(path, data):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)

    monkeypatch.setattr("pipeline.jobs.summary.secrets.token_hex", lambda size: next(names))
    monkeypatch.setattr("pipeline.jobs.summary.write_whole", put)
    write_runlog(tmp_path, spec, summary(3), 1_700_000_000_000_000_000)
    [first] = (tmp_path / "runs").iterdir()
    before = first.read_bytes()
    write_runlog(tmp_path, spec, summary(4), 1_700_000_000_000_999_000)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "20231114T221320.000Z-aaaaaaaa.json",
        "20231114T221320.000Z-bbbbbbbb.json",
    ]
    assert first.read_bytes() == before


def test_the_last_of_several_runs_within_a_second_is_the_last(tmp_path):
    """The report shows what the last run has done."""
    spec, second = job(tmp_path), 1_700_000_000_000_000_000
    for place in (3, 1, 12, 7, 10, 2):  # whatever the order in which they end
        found = summary(place)
        found.count(done("a"))
        write_runlog(tmp_path / "out/.segpipe", spec, found, second + place * 10**6)
    assert last_run(tree_of(spec))["planned"] == 12


def test_the_run_log_says_when_where_with_what_and_how_it_ended(tmp_path):
    spec = job(tmp_path, quantize={"colors": 7})
    found = summary(3)
    found.count(done("a"))
    found.count(failed("b"))
    found.seconds = 1.23456
    write_runlog(tmp_path, spec, found, 1_700_000_000_000_000_000)
    write_runlog(tmp_path, spec, found, 1_700_000_000_000_000_000)
    first, second = (tmp_path / "runs").iterdir()
    assert first.name.startswith("20231114T221320.000Z-")
    content = json.loads(first.read_bytes())
    assert content == json.loads(second.read_bytes())
    assert content["started"] == "20231114T221320Z"
    assert content["seconds"] == 1.235
    assert (content["planned"], content["done"], content["failed"], content["left"]) == (3, 1, 1, 1)
    assert content["exit_code"] == 1
    assert {"segpipe", "python", "platform", "numpy", "pillow"} <= content["versions"].keys()
    assert content["job"]["quantize"]["colors"] == 7


def test_the_run_log_says_what_was_passed_over_and_stays_small(tmp_path):
    found = summary(1)
    found.passed_over = [Skipped(f"{number:03}.png", "it leads out") for number in range(250)]
    found.others = {f".{number}": number + 1 for number in range(250)}
    write_runlog(tmp_path, job(tmp_path), found, 1_700_000_000_000_000_000)
    [path] = (tmp_path / "runs").iterdir()
    content = json.loads(path.read_bytes())
    assert content["passed_over"] == 250
    assert content["passed_over_first"][99:] == [{"path": "099.png", "reason": "it leads out"}]
    assert len(content["others"]) == 100
    assert content["others"][".249"] == 250


def test_every_failure_has_an_exit_code_of_an_image():
    assert {kind.exit_code for kind in ImageError.__subclasses__()} == {
        ExitCode.IMAGES_FAILED,
        ExitCode.OUTPUT_UNWRITABLE,
    }
