"""Reports: what programs are told of a run, however it has ended, in a file that is always whole."""

import json
import re
import time
from pathlib import Path

import pytest
from trees import Site, plant, segpipe, snapshot

from pipeline.views.metrics import metrics_text
from pipeline.views.reports import Report

LINE = re.compile(
    r"# HELP (?P<helped>[a-z_]+) [^\n]+|# TYPE (?P<typed>[a-z_]+) gauge"
    r'|(?P<name>[a-z_]+)\{(?P<labels>(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} '
    r"(?P<value>-?[0-9.]+(?:e[+-]?[0-9]+)?)"
)


def parsed(text: str) -> dict[tuple[str, str], float]:
    """Hold a text against the exposition format; give its values by name and status."""
    assert text.endswith("\n")
    helped, typed, found, last = set(), set(), {}, ""
    for line in text[:-1].split("\n"):
        match = LINE.fullmatch(line)
        assert match, line
        if match["helped"]:
            assert match["helped"] not in helped
            helped.add(match["helped"])
        elif match["typed"]:
            assert match["typed"] in helped - typed
            typed.add(last := match["typed"])
        else:
            assert match["name"] == last, "samples of a metric stand together, after its type"
            labels = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match["labels"]))
            key = (match["name"], labels.get("status", ""))
            assert key not in found
            found[key] = float(match["value"])
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        return found
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert {(sample.name, sample.labels.get("status", "")): sample.value for sample in samples} == found
    return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = Site(tmp_path / "site")
    plant(found.inputs, "a.png", "b.png")
    (found.inputs / "bad.png").write_bytes(b"")
    return found


def reported(site: Site, *arguments: str, code: int = 0):
    files = site.base / "summary.json", site.base / "metrics.prom"
    result = site.run("--summary", str(files[0]), "--metrics", str(files[1]), *arguments, code=code)
    assert [path.name for path in site.base.iterdir() if ".part" in path.name] == []
    return json.loads(files[0].read_bytes()), parsed(files[1].read_text(encoding="utf-8")), result


def test_a_run_is_told_in_full(site):
    before = time.time()
    summary, metrics, _ = reported(site, code=1)
    assert summary["images"] == {
        "done": 2,
        "failed": 1,
        "failed_before": 0,
        "skipped": 0,
        "unchanged": 0,
        "left": 0,
    }
    assert summary["reasons"] == {"new": 3}
    assert (summary["exit_code"], summary["error"], summary["shard"]) == (1, None, None)
    assert summary["job"] == str(site.job)
    [failure] = summary["failures"]
    assert (failure["image"], failure["type"]) == ("bad.png", "EmptyFile")
    assert summary["images_per_second"] == pytest.approx(2 / summary["seconds"], rel=0.05)
    assert metrics["segpipe_images", "done"] == 2
    assert metrics["segpipe_images", "failed"] == 1
    assert metrics["segpipe_exit_code", ""] == 1
    assert metrics["segpipe_done_pixels", ""] == 2 * 24 * 16
    assert before - 1 <= metrics["segpipe_last_completion_timestamp_seconds", ""] <= time.time() + 1
    assert metrics["segpipe_run_seconds", ""] >= 0


def test_a_run_with_nothing_to_do_is_told_and_changes_no_output(site):
    (site.inputs / "bad.png").unlink()
    site.run()
    before = snapshot(site.outputs)
    summary, metrics, result = reported(site, "-q")
    assert summary["images"]["unchanged"] == metrics["segpipe_images", "unchanged"] == 2
    assert metrics["segpipe_exit_code", ""] == 0
    assert result.output == ""
    assert snapshot(site.outputs) == before


def test_work_that_is_left_is_told(site):
    summary, metrics, _ = reported(site, "--time-limit", "0", code=7)
    assert summary["images"]["left"] == metrics["segpipe_images", "left"] == 2
    assert summary["meaning"] == "the time was over and work is left"


def test_an_error_of_the_whole_run_is_told(site):
    site.state.mkdir(parents=True)
    (site.state / "lock").write_text("1\nelsewhere\n")
    summary, metrics, result = reported(site, code=4)
    assert summary["exit_code"] == metrics["segpipe_exit_code", ""] == 4
    assert "process 1 on elsewhere" in summary["error"]
    assert "process 1 on elsewhere" in result.stderr
    assert "images" not in summary
    assert ("segpipe_images", "done") not in metrics
    summary, metrics, _ = reported(site, "--set", "quantize.colours=3", code=2)
    assert summary["exit_code"] == metrics["segpipe_exit_code", ""] == 2


def test_a_bug_is_told(site, monkeypatch):
    monkeypatch.setattr("pipeline.jobs.run.survey", lambda *_: 1 // 0)
    path = site.base / "summary.json"
    assert segpipe("run", site.job, "--summary", path).exit_code == 70
    assert json.loads(path.read_bytes())["exit_code"] == 70


@pytest.mark.parametrize("option", ["--summary", "--metrics"])
def test_a_report_without_a_place_is_refused_before_the_run(site, option):
    for path in (site.base / "nowhere/x", site.base):
        result = site.run(option, str(path), code=2)
        assert f"{option} {path}: expected a file in a folder that is there" in result.stderr
    assert not site.outputs.exists()


def test_a_report_that_cannot_be_written_is_an_error_after_the_run(site, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.views.reports.write_whole", refuse)
    result = site.run("--metrics", str(site.base / "m.prom"), code=4)
    assert "--metrics" in result.stderr
    assert "No space left on device" in result.stderr
    assert set(site.records()) == {"a.png", "b.png", "bad.png"}


def test_a_shard_says_which_it_is(site):
    files = site.base / "s.json", site.base / "m.prom"
    site.call("run", "--shard", "1/2", "--summary", str(files[0]), "--metrics", str(files[1]))
    assert json.loads(files[0].read_bytes())["shard"] == "1/2"
    assert 'shard="1/2"' in files[1].read_text()


def test_no_name_can_forge_a_metric():
    report = Report()
    text = metrics_text(report, 'a"b\\c\nsegpipe_exit_code 0\udcff', "")
    assert parsed(text)["segpipe_exit_code", ""] == 70
    assert r'job_file="a\"b\\c\nsegpipe_exit_code 0?"' in text
