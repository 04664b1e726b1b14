"""Shards: each image is in one, all of them together make the tree of one run, and nobody is in the way."""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_lock import end, hold
from trees import Site, contents, debris, picture, plant, segpipe, snapshot

from pipeline.errors import SpecError
from pipeline.files.outputs import Commit
from pipeline.jobs.manifest import Journal
from pipeline.jobs.shards import Shard, shards_in
from pipeline.jobs.tapes import lines_of

KEYS = tuple(f"{folder}{number}.png" for folder in ("", "deep/") for number in range(8))
COUNT = 3


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = Site(tmp_path / "site")
    plant(found.inputs, *KEYS)
    (found.inputs / "bad.png").write_bytes(b"")
    return found


@pytest.fixture
def expected(site: Site) -> dict[str, bytes]:
    """The tree of one plain run, which is taken away again."""
    site.run(code=1)
    tree = contents(site.outputs)
    shutil.rmtree(site.outputs)
    return tree


def shard_run(site: Site, number: int, *arguments: str, count: int = COUNT):
    result = site.call("run", "--shard", f"{number}/{count}", *arguments)
    assert result.exit_code in (0, 1), result.output
    return result


@given(st.text(), st.integers(1, 40))
def test_each_image_is_of_one_shard(key, count):
    assert sum(Shard(number, count).holds(key) for number in range(1, count + 1)) == 1


def test_shards_are_what_they_have_always_been():
    """Runs of one array job may be of machines that were never updated together."""
    found = {key: next(n for n in range(1, 9) if Shard(n, 8).holds(key)) for key in ("a.png", "b/c.jpg", "ä")}
    assert found == {"a.png": 1, "b/c.jpg": 8, "ä": 5}


@pytest.mark.parametrize("word", ["", "3", "0/8", "9/8", "3/0", "-1/8", "1/2/3", "a/b", "٣/٨"])
def test_words_that_name_no_shard_are_refused(word):
    with pytest.raises(SpecError, match="expected a number of a number such as 3/8"):
        Shard.parse(word)


def test_other_folders_are_no_shards(tmp_path):
    assert shards_in(tmp_path) == []
    for name in ("2-of-3", "1-of-12", "x", "0-of-3", "1-of-3.old"):
        (tmp_path / "shards" / name).mkdir(parents=True)
    assert [str(shard) for shard in shards_in(tmp_path)] == ["1/12", "2/3"]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
@pytest.mark.parametrize("by", ["merge", "run"])
def test_shards_make_the_tree_of_one_run(site, expected, order, by):
    for number in order:
        shard_run(site, number)
    assert not site.manifest.exists()
    assert site.reasons() == {}, "a plan sees the parts"
    assert site.call("verify").exit_code == 0
    assert "shard 2/3 has done images" in site.call("status").stdout
    assert site.call(by).exit_code == (1 if by == "run" else 0)
    assert contents(site.outputs) == expected
    assert debris(site.outputs) == []
    assert shards_in(site.state) == []
    before = snapshot(site.outputs)
    site.run(code=1)
    for number in order:
        shard_run(site, number)
    assert site.call("merge").stderr == "0 parts with 0 images merged\n"
    assert snapshot(site.outputs) == before


def test_a_merge_reads_each_part_once(site, monkeypatch):
    for number in (1, 2, 3):
        shard_run(site, number)
    read: list[str] = []

    def noting(path: Path) -> Iterator[tuple[str, bytes]]:
        read.append(path.parent.name)
        return lines_of(path)

    monkeypatch.setattr("pipeline.jobs.manifest.lines_of", noting)
    assert site.call("merge").stderr == "3 parts with 17 images merged\n"
    assert sorted(read) == ["1-of-3", "2-of-3", "3-of-3", site.outputs.name]


def test_a_shard_that_has_nothing_to_do_writes_nothing(site):
    for number in (1, 2, 3):
        shard_run(site, number)
    before = snapshot(site.outputs)
    for number in (1, 2, 3):
        assert "0 done" in shard_run(site, number).stderr
    assert snapshot(site.outputs) == before


def test_a_shard_leaves_all_others_alone(site):
    mine = {key for key in (*KEYS, "bad.png") if Shard(2, COUNT).holds(key)}
    assert {row["image"] for row in site.plan("--shard", "2/3")["images"]} == mine
    site.run(code=1)
    gone = next(key for key in KEYS if key not in mine)
    (site.inputs / gone).unlink()
    for key in KEYS[:2]:
        picture(99).save(site.inputs / key)
    plan = site.plan("--shard", "2/3")
    assert plan["orphans"] == []
    shard_run(site, 2)
    assert gone in site.records()
    assert {row["image"] for row in site.plan()["images"] if row["work"]} == set(KEYS[:2]) - mine - {gone}


def test_shards_replace_what_a_run_and_other_shards_have_done(site, expected):
    other = ("--set", "quantize.colors=3")
    site.run(*other, code=1)
    for number in (2, 1, 3):
        shard_run(site, number)
    reason = site.plan(*other, "--shard", "1/3")["images"][0]
    assert (reason["reason"], reason["detail"]) == ("recipe changed", "quantize.colors: 4 → 3")
    site.call("merge")
    assert contents(site.outputs) == expected
    assert site.plan(*other)["images"][0]["detail"] == "quantize.colors: 4 → 3"


def test_inputs_are_not_read_again_after_a_merge(site, monkeypatch):
    (site.inputs / "bad.png").unlink()
    for number in (1, 2, 3):
        shard_run(site, number)
    read: list[object] = []
    monkeypatch.setattr("pipeline.jobs.evidence.digest_file", read.append)
    shard_run(site, 1)
    site.call("merge")
    site.run()
    assert read == []


def test_every_run_of_a_shard_has_its_record_after_a_merge(site):
    for number in (1, 2, 3):
        shard_run(site, number)
    site.call("merge")
    assert sum(json.loads(path.read_bytes())["planned"] for path in (site.state / "runs").iterdir()) == 17


def test_more_shards_than_images_are_no_error(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    for number in range(1, 6):
        assert shard_run(site, number, count=5).exit_code == 0
    assert site.call("merge").exit_code == 0
    assert set(site.records()) == {"a.png"}
    assert site.call("run", "--shard", "1/5", "--only", "nothing").exit_code == 3


@pytest.mark.parametrize("scope", ["folder", "job"])
def test_shared_palettes_are_refused(tmp_path, scope):
    site = Site(tmp_path, quantize={"scope": scope})
    plant(site.inputs, "a.png")
    result = site.run("--shard", "1/2", code=2)
    assert f"found quantize.scope: {scope}" in result.stderr
    assert not site.outputs.exists()


@pytest.mark.parametrize("command", [("run",), ("merge",), ("prune",)])
def test_a_shard_at_work_bars_runs_of_the_whole(site, command):
    shard_run(site, 1)
    done = [key for key in KEYS if Shard(1, 3).holds(key)]
    (site.inputs / done[0]).unlink()
    process = hold(Shard(2, 3).state(site.state))
    try:
        result = site.call(*command)
        assert result.exit_code == 4
        assert (
            f"2-of-3 is held by another run: process {process.pid} on {socket.gethostname()}" in result.stderr
        )
        shard_run(site, 1)
        assert site.call("run", "--shard", "2/3").exit_code == 4
        assert site.call("run", "--shard", "2/4").exit_code == 4, "has images of several of the three"
        assert site.call("plan").exit_code == 0
    finally:
        end(process)
    assert site.call(*command).exit_code in (0, 1)


def test_a_run_of_the_whole_at_work_bars_shards(site):
    process = hold(site.state)
    try:
        assert f"process {process.pid}" in site.run("--shard", "1/3", code=4).stderr
    finally:
        end(process)
    shard_run(site, 1)
    assert debris(site.outputs) == []


def test_parts_of_another_number_of_shards_are_merged_first(site):
    shard_run(site, 1)
    result = site.call("run", "--shard", "1/2")
    assert result.exit_code == 4
    assert "found one of shard 1/3; merge them first" in result.stderr
    site.call("merge")
    shard_run(site, 1, count=2)


def test_a_link_in_place_of_a_state_folder_is_not_followed(site, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    site.state.mkdir(parents=True)
    (site.state / "shards").symlink_to(tmp_path / "elsewhere")
    assert "remove the link" in site.run("--shard", "1/3", code=4).stderr
    assert not os.listdir(tmp_path / "elsewhere")  # noqa: PTH208 -- short


def test_a_damaged_part_costs_its_images(site, expected):
    for number in (1, 2, 3):
        shard_run(site, number)
    part = Shard(1, COUNT).state(site.state) / "manifest.jsonl"
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join(lines[1:]) + lines[0][:20])
    assert "shards/1-of-3/manifest.jsonl" in site.call("status").stdout
    assert len(site.reasons()) == 1
    site.run(code=1)
    assert contents(site.outputs) == expected


def test_a_shard_sweeps_what_its_own_images_left_and_nothing_else(site):
    """What looks like debris in a folder may be what another shard is about to publish there."""
    mine = next(key for key in KEYS if Shard(1, COUNT).holds(key) and "/" not in key)
    other = next(key for key in KEYS if not Shard(1, COUNT).holds(key) and "/" not in key)
    shard_run(site, 1)
    journal = Journal(Shard(1, COUNT).state(site.state) / "journal.jsonl")
    journal.begin([mine])
    journal.close()
    commit = Commit(site.outputs)
    for key in (mine, other):
        commit.stage(key, {f"{wing}/{key}.png": b"new" for wing in ("quantized", "previews/original")})
    assert len(debris(site.outputs)) == 4
    shard_run(site, 1)
    mark = hashlib.sha256(f"{other}.png".encode()).hexdigest()[:12]
    assert all(f".segpipe-{mark}-" in path for path in debris(site.outputs))
    assert len(debris(site.outputs)) == 2


def test_prune_takes_parts_in(site):
    for number in (1, 2, 3):
        shard_run(site, number)
    (site.inputs / KEYS[3]).unlink()
    assert site.call("prune").exit_code == 0
    assert KEYS[3] not in site.records()
    assert len(site.records()) == 16
    assert site.call("verify").exit_code == 0


def test_help_tells_of_shards():
    assert "--shard" in segpipe("run", "--help").stdout
