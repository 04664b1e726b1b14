"""The last words of a run: what came of it, the reasons, and where to look, in lines no name can forge."""

import pytest
from builders import done, failed
from trees import Site, plant

from pipeline.files.objects import place
from pipeline.jobs.plan import Orphan
from pipeline.jobs.summary import Summary
from pipeline.jobs.tree import Tree
from pipeline.views.closing import Where, closing_lines, duration, look_at


def ended(where=None, told_already=False, quiet=False, **given):
    facts = {"reasons": {}, "failing": [], "orphans": [], "damaged": [], "unchanged": 0, "planned": 0}
    return list(closing_lines(Summary(**(facts | given)), where, told_already=told_already, quiet=quiet))


def test_they_name_what_is_not_nil_and_always_what_was_done():
    assert ended(seconds=1.26) == ["0 done in 1.3 s: nothing to do"]
    assert ended(done=2, unchanged=3, planned=7, skipped=1, pixels=3_000_000, seconds=2) == [
        "2 done, 3 unchanged, 1 skipped, 4 not begun in 2.0 s (3.0 Mpx; 1.0 images/s, 1.5 Mpx/s)",
        "4 images left to do: run again to go on",
    ]
    assert ended(failing=[failed("a")])[0] == "0 done, 1 failed in 0.0 s: nothing new to do"
    assert ended(seen=False) == ["ended after 0.0 s, before it was known what there is to do"]


def test_they_name_five_failures_and_count_the_rest():
    new, old = [failed(f"n{i}\n") for i in range(4)], [failed(f"o{i}") for i in range(3)]
    lines = ended(failures=new, failing=old, planned=4)
    assert lines[0] == "0 done, 7 failed in 0.0 s"
    assert lines[1] == r"failed: n0\n: TruncatedImage: !"
    assert lines[5] == "failed: o0: TruncatedImage: !"
    assert lines[6] == "… and 2 more; `segpipe status` lists them"
    assert len(lines) == 7
    assert len(ended(failures=new, planned=4)) == 5


def test_the_first_of_each_kind_comes_first():
    kinds = ["TruncatedImage"] * 6 + ["NotAnImage", "EmptyFile"]
    lines = ended(failures=[failed(f"n{i}", kind) for i, kind in enumerate(kinds)], planned=8)
    assert [line.split(": ")[1] for line in lines[1:6]] == ["n0", "n6", "n7", "n1", "n2"]


def test_what_was_said_a_moment_ago_is_not_said_again():
    facts = {"failures": [failed("new")], "failing": [failed("old")], "planned": 1}
    assert ended(told_already=True, **facts)[1:] == ["failed: old: TruncatedImage: !"]
    assert len(ended(told_already=True, seconds=300, **facts)) == 3
    many = [failed(f"n{i}") for i in range(9)]
    assert len(ended(told_already=True, failures=many, planned=9)) == 7


def test_who_asked_for_quiet_hears_only_what_is_not_well():
    facts = {"unchanged": 9, "done": 1, "planned": 4, "orphans": [Orphan(done("b"), "input has gone")]}
    where = Where(Tree(place("/in"), place("/out")), report=True)
    assert ended(where, quiet=True, failures=[failed("a")], **facts) == [
        "1 failed, 2 not begun",
        "failed: a: TruncatedImage: !",
        "every failure, with its reason: /out/manifest.jsonl",
        "2 images left to do: run again to go on",
    ]
    assert ended(where, quiet=True, unchanged=9) == []


def test_they_point_to_prune():
    assert ended(orphans=[Orphan(done("a"), "input has gone")])[-1] == (
        "1 image has outputs but no input; see `segpipe prune`"
    )
    gone = [Orphan(record, "input has gone") for record in (done("a"), done("b"), failed("c"))]
    assert ended(orphans=gone)[-1] == (
        "2 images have outputs but no input, 1 record without input; see `segpipe prune`"
    )
    assert ended(orphans=gone[2:])[-1] == "1 record without input; see `segpipe prune`"


@pytest.mark.parametrize(
    ("outputs", "report", "told"),
    [
        ("/data/my out", False, "outputs: /data/my out"),
        ("/data/o\x1b[2J", True, r"report: /data/o\x1b[2J/report/index.html"),
        ("s3://bucket/out", False, "outputs: s3://bucket/out"),
        (
            "s3://bucket/out",
            True,
            "report: s3://bucket/out/report/index.html (open it where the store is served, or in a copy)",
        ),
    ],
)
def test_they_say_where_to_look(outputs, report, told):
    where = Where(Tree(place("/in"), place(outputs)), report)
    assert look_at(where) == told
    assert ended(where, done=1, planned=1, seconds=1)[-1] == told
    assert ended(where) == ["0 done in 0.0 s: nothing to do"], "there is nothing there"
    lines = ended(where, failures=[failed("a")], planned=1)
    assert lines[2].startswith("every failure, with its reason: ")
    assert lines[2].endswith("/manifest.jsonl")
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (99.9, "99.9 s"), (100, "1 min 40 s"), (5999, "99 min 59 s"), (6000, "1 h 40 min")],
)
def test_times_are_said_as_people_do(seconds, told):
    assert duration(seconds) == told


def test_a_run_ends_in_two_lines_that_say_what_was_done_and_where_it_is(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "b.png")
    first = site.run().stderr.splitlines()
    assert first[-2].startswith("2 done in ")
    assert first[-1] == f"outputs: {site.outputs}"
    again = site.run().stderr.splitlines()
    assert again[0].startswith("0 done, 2 unchanged in ")
    assert again[0].endswith(": nothing to do")
    assert again[1:] == [f"outputs: {site.outputs}"]
    assert site.run("-q").output == ""


def test_a_run_with_a_report_ends_with_its_page(tmp_path):
    site = Site(tmp_path, output={"report": True})
    plant(site.inputs, "a.png")
    page = site.outputs / "report/index.html"
    assert site.run().stderr.splitlines()[-1] == f"report: {page}"
    assert page.exists()
    (site.inputs / "bad.png").write_bytes(b"")
    lines = site.run(code=1).stderr.splitlines()
    assert lines[-3].startswith("0 done, 1 unchanged, 1 failed in ")
    assert lines[-2:] == [f"every failure, with its reason: {site.manifest}", f"report: {page}"]


def test_last_words_come_though_the_report_cannot_be_written(tmp_path):
    site = Site(tmp_path, output={"report": True})
    plant(site.inputs, "a.png")
    (site.outputs / "report").mkdir(parents=True)
    (site.outputs / "report/data").write_bytes(b"in the way")
    result = site.run(code=4)
    assert "1 done in " in result.stderr
    assert f"outputs: {site.outputs}" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("segpipe: error: output root ")
