"""Clocks that are wrong, or are set: what they say of a file never stands for its content."""

import os
import time

import pytest
from trees import Site, contents, picture, plant, snapshot

DAY = 86400 * 10**9


@pytest.fixture
def site(tmp_path):
    found = Site(tmp_path / "site")
    plant(found.inputs, "a.png", "b.png")
    return found


def set_clock(monkeypatch, by):
    """Let this process believe in another time; the disk stamps files as it always does."""
    true = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true() + by)
    monkeypatch.setattr(time, "time", lambda: (true() + by) / 1e9)


def stamp(path, by):
    then = time.time_ns() + by
    os.utime(path, ns=(then, then))
    return then


def change(path, seed):
    """Another content of the same size, in the same file, with the same time."""
    before = path.stat()
    picture(seed).save(path, compress_level=0)
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    return before


@pytest.mark.parametrize("by", [-DAY, 0, DAY])
def test_an_input_from_the_future_is_read_each_time(site, monkeypatch, by):
    """Even one of the same size, time and inode as before."""
    path = site.inputs / "a.png"
    picture(0).save(path, compress_level=0)
    stamp(path, 2 * DAY)
    set_clock(monkeypatch, by)
    site.run()
    assert site.reasons() == {}
    before = change(path, 7)
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    )
    assert site.reasons() == {"a.png": "input changed"}


def test_a_run_that_starts_before_its_inputs_were_written_trusts_none_of_them(site, monkeypatch):
    """Its machine's clock is behind that of the one that wrote them, or was set back since."""
    path = site.inputs / "a.png"
    picture(0).save(path, compress_level=0)
    set_clock(monkeypatch, -DAY)
    site.run()
    before = snapshot(site.outputs)
    site.run()
    assert snapshot(site.outputs) == before
    change(path, 7)
    assert site.reasons() == {"a.png": "input changed"}


@pytest.mark.parametrize("by", [-DAY, DAY])
def test_a_change_after_the_clock_was_set_is_seen(site, monkeypatch, by):
    """Whatever was learned by the wrong clock, and whichever time the new content has."""
    site.run()
    with monkeypatch.context() as patch:
        set_clock(patch, by)
        site.run("--force")
        assert site.reasons() == {}
        picture(7).save(site.inputs / "a.png")
    assert site.reasons() == {"a.png": "input changed"}
    site.run()
    picture(8).save(site.inputs / "a.png")
    stamp(site.inputs / "a.png", by)
    assert site.reasons() == {"a.png": "input changed"}


def test_every_run_keeps_its_record_whatever_the_clock_says(site, monkeypatch):
    site.run()
    [first] = (site.state / "runs").iterdir()
    data = first.read_bytes()
    started = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: started - 5 * 10**9)
    for _ in range(3):
        site.run("--force")
    assert len(list((site.state / "runs").iterdir())) == 4
    assert first.read_bytes() == data


def test_a_merge_keeps_every_run_that_has_had_one_name(site, monkeypatch):
    """Shards that started in one second on machines whose dice fell alike."""
    monkeypatch.setattr("pipeline.jobs.summary.secrets.token_hex", lambda size: "0" * 2 * size)
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    plant(site.inputs, *(f"{number}.png" for number in range(8)))
    for number in (1, 2, 3):
        site.run("--shard", f"{number}/3")
    assert site.call("merge").exit_code == 0
    names = sorted(path.stem.partition("-")[2] for path in (site.state / "runs").iterdir())
    assert names == ["00000000", "00000000-2-of-3", "00000000-3-of-3"]
    monkeypatch.undo()
    tree = contents(site.outputs)
    site.run()
    assert contents(site.outputs) == tree
