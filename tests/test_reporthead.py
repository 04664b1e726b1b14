"""The head of the report: what was done, and how it was asked for."""

import pytest
from builders import job

from pipeline.jobs.records import Record
from pipeline.jobs.tree import Tree
from pipeline.views.reporthead import head_of

RUN = {"started": "20260102T030405Z", "seconds": 2.5, "exit_code": 1, "pixels": 5_000_000}
RUN |= {"done": 3, "failed": 1, "skipped": 2, "unchanged": 4, "orphans": 7, "reasons": {"new": 6}}


@pytest.mark.parametrize(
    ("started", "told"), [("20260102T030405Z", "2026-01-02 03:04:05 UTC"), ("long ago", "long ago"), (7, "7")]
)
def test_the_head_tells_of_the_last_run(tmp_path, started, told):
    (tmp_path / "in").mkdir()
    tree = Tree(tmp_path / "in", tmp_path / "out")
    records = [Record(f"{n}.png", status, "r") for n, status in enumerate(["done", "failed", "skipped"])]
    head = head_of(tree, records, RUN | {"started": started}, job(tmp_path, quantize={"colors": 5}))
    told_of_run = dict(line for line in head["run"])
    assert told_of_run["last run"] == f"began {told}, took 2.5 s, ended with exit code 1"
    assert told_of_run["images in it"] == "3 done, 1 failed, 2 skipped, 4 left as they were"
    assert told_of_run["because"] == "new: 6"
    assert told_of_run["orphans"] == "7 recorded without input; segpipe prune removes them"
    totals = {name: value for name, value, _ in head["totals"]}
    assert totals["skipped: no supported images"] == "1"
    assert totals["Mpx/s in the last run"] == "2.0"


@pytest.mark.parametrize(
    ("quantize", "words"),
    [
        ({"colors": 5}, "kmeans, 5 colours, in srgb"),
        ({"method": "dynamic", "threshold": 12.5}, "dynamic, threshold 12.5"),
        ({"method": "segment", "colors": 3}, "segment, 3 clusters"),
        ({"method": "palette", "palette": "two.hex", "color_space": "lab"}, "palette, a given one, in lab"),
    ],
)
def test_the_head_tells_what_a_method_heeds_first(tmp_path, quantize, words):
    if "palette" in quantize:
        quantize = quantize | {"palette": str(tmp_path / "two.hex")}
        (tmp_path / "two.hex").write_text("102030\nff0000\n", encoding="ascii")
    spec = job(tmp_path, quantize=quantize)
    tree = Tree(tmp_path / "in", tmp_path / "out")
    assert dict(head_of(tree, [], {}, spec)["run"])["method"] == words
