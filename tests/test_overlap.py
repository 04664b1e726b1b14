"""Runs that overlap, night after night, on one machine and on many: one works, and the tree is one run's."""

import os
import shutil
import signal
import time

import pytest
from locks import ELSEWHERE, dead_pid, forge, haste, put, read
from test_crash import KEYS, OTHER, calm, fast, job, kill, start, wait_for_records  # noqa: F401
from test_lock import end, hold
from trees import Site, contents, debris, plant, snapshot

from pipeline.errors import ExitCode
from pipeline.files.outputs import Commit
from pipeline.jobs.shards import Shard


@pytest.fixture
def site(tmp_path):
    found = Site(tmp_path / "site")
    plant(found.inputs, *KEYS)
    return found


@pytest.fixture
def expected(site):
    """The tree of one plain run, which is taken away again."""
    site.run()
    tree = contents(site.outputs)
    shutil.rmtree(site.outputs)
    return tree


def old(path, by=60.0):
    then = path.stat().st_mtime - by
    os.utime(path, (then, then))


def test_a_run_that_finds_another_at_work_touches_nothing(site):
    site.run()
    plant(site.inputs, "new.png", seed=9)
    process = hold(site.state)
    try:
        before = snapshot(site.outputs)
        for command in ("run", "prune"):
            result = site.call(command)
            if command == "run":
                assert result.exit_code == ExitCode.OUTPUT_UNWRITABLE
                assert (
                    f"is held by another run: process {process.pid} on {os.uname().nodename}" in result.stderr
                )
                assert "last sign of life" in result.stderr
            assert snapshot(site.outputs) == before
        assert site.call("plan").exit_code == site.call("status").exit_code == 0
        assert snapshot(site.outputs) == before
    finally:
        end(process)
    site.run()
    assert "new.png" in site.records()


def test_plan_and_status_do_not_touch_a_lock_that_was_left(site):
    site.run()
    put(site.state / "lock", **ELSEWHERE)
    (site.state / "lock.0123456789abcdef").write_bytes(b"")
    before = snapshot(site.outputs)
    for command in ("plan", "status", "verify"):
        assert site.call(command).exit_code == 0
    assert snapshot(site.outputs) == before


def test_a_run_with_nothing_to_do_clears_the_lock_of_a_dead_machine(site, monkeypatch):
    site.run()
    put(site.state / "lock", **ELSEWHERE)
    old(site.state / "lock")
    haste(monkeypatch)
    result = site.run()
    assert "which has given no sign of life for 60 s: taking over" in result.stderr
    assert debris(site.outputs) == []


@pytest.mark.parametrize("command", [("run",), ("merge",), ("prune",)])
def test_shards_that_died_with_their_machines_are_watched_all_at_once(site, expected, monkeypatch, command):
    haste(monkeypatch)
    shards = [Shard(number, 6) for number in range(1, 7)]
    for shard in shards:
        put(shard.state(site.state) / "lock", **ELSEWHERE)
        old(shard.state(site.state) / "lock")
    monkeypatch.setattr("pipeline.jobs.taking.PATIENCE", 2.0)
    began = time.monotonic()
    result = site.call(*command)
    took = time.monotonic() - began
    assert result.exit_code == 0, result.output
    if command != ("prune",):  # which had nothing to remove
        assert 2 <= took < 6 * 2
        assert result.stderr.count("which has given no sign of life") == 6
        assert not any((shard.state(site.state) / "lock").exists() for shard in shards)
    site.run()
    assert contents(site.outputs) == expected
    assert debris(site.outputs) == []


def test_a_shard_of_another_machine_that_lives_bars_the_whole(site):
    lock = Shard(2, 3).state(site.state) / "lock"
    put(lock, **ELSEWHERE)
    result = site.run(code=4)
    assert "2-of-3 is held by another run: process" in result.stderr
    assert "on node7.example" in result.stderr
    assert lock.exists()
    assert not site.manifest.exists()
    assert not (site.state / "lock").exists()


def test_a_run_whose_lock_is_taken_stops_and_leaves_the_books_to_the_other(site, expected, monkeypatch):
    """Taken while its first image is on its way: nothing more is begun, nothing is recorded."""
    site.run(*OTHER)
    before = contents(site.outputs)
    publish, taken = Commit.publish, []

    def late(commit):
        if not taken:
            taken.append((site.state / "lock").read_bytes())
            (site.state / "lock").unlink()
            put(site.state / "lock", **ELSEWHERE)
            (site.state / "journal.jsonl").rename(site.state / "theirs")
            (site.state / "journal.jsonl").write_bytes(b"theirs")
        return publish(commit)

    haste(monkeypatch, 0.1)
    monkeypatch.setattr("pipeline.jobs.bundles.bundle", lambda routes: [[route] for route in routes])
    monkeypatch.setattr(Commit, "publish", lambda commit: (late(commit), time.sleep(0.5))[0])
    result = site.run(code=4)
    assert "has been taken over by another run: process" in result.stderr
    assert "on node7.example" in result.stderr
    assert len(taken) == 1
    assert site.manifest.read_bytes() == before["manifest.jsonl"]
    assert (site.state / "journal.jsonl").read_bytes() == b"theirs"
    assert read(site.state / "lock").host == "node7.example"
    assert sum(data != before[path] for path, data in contents(site.outputs).items()) <= 3, "of one image"
    monkeypatch.undo()
    (site.state / "theirs").replace(site.state / "journal.jsonl")
    haste(monkeypatch)
    old(site.state / "lock")
    site.run()
    assert contents(site.outputs) == expected
    assert debris(site.outputs) == []


@pytest.mark.parametrize("day", [-86400, 86400])
def test_a_clock_that_is_set_in_the_midst_of_a_run_changes_nothing(site, expected, monkeypatch, day):
    haste(monkeypatch, 0.1)
    publish, true, shift = Commit.publish, time.time, [0]

    def late(commit):
        shift[0] = day
        time.sleep(0.3)
        return publish(commit)

    monkeypatch.setattr(time, "time", lambda: true() + shift[0])
    monkeypatch.setattr(time, "time_ns", lambda: int((true() + shift[0]) * 1e9))
    monkeypatch.setattr(Commit, "publish", late)
    site.run()
    assert contents(site.outputs) == expected
    assert debris(site.outputs) == []
    before = snapshot(site.outputs)
    site.run()
    assert snapshot(site.outputs) == before


@pytest.mark.slow
def test_killed_at_every_point_of_taking_over(kill, fast):  # noqa: F811
    """A run that clears the lock of one that was killed, and does the work that is left."""
    site = Site(fast / "site")
    plant(site.inputs, *KEYS)
    site.run()
    expected = contents(site.outputs)
    plant(site.inputs, "a.png", seed=50)
    put(site.state / "lock", pid=dead_pid())
    shutil.copytree(site.outputs, fast / "before")
    site.run()
    expected = contents(site.outputs)
    number, wrong, passed = 1, [], []
    while True:
        shutil.rmtree(site.outputs)
        shutil.copytree(fast / "before", site.outputs)
        answer = kill(number, site.outputs, "run", site.job)
        if answer["signal"] is None:
            assert answer["exit"] == 0
            break
        assert answer["signal"] == signal.SIGKILL
        passed += answer["points"]
        result = site.call("run")
        left = [path.name for path in site.state.iterdir() if path.name.startswith("lock")]
        if result.exit_code or contents(site.outputs) != expected or debris(site.outputs) or left:
            wrong.append(f"{answer['points']}: {result.stderr} {debris(site.outputs)} {left}")
        number += 1
    assert not wrong, "\n".join(wrong)
    points = " ".join(passed)
    assert number > 50
    for landmark in ("os.link", "/lock.", "os.rename", "os.remove"):
        assert landmark in points


@pytest.mark.slow
def test_the_next_night_follows_one_that_was_killed_on_another_machine(calm, job, monkeypatch):  # noqa: F811
    first = start(job)
    wait_for_records(job, first)
    first.kill()
    first.communicate(timeout=30)
    assert first.returncode == -signal.SIGKILL
    forge(job.state / "lock")
    haste(monkeypatch)
    monkeypatch.setattr("pipeline.jobs.taking.PATIENCE", 3.0)
    old(job.state / "lock")
    began = time.monotonic()
    result = job.run()
    assert time.monotonic() - began > 3
    assert "on node7.example" in result.stderr
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["inline", "local"])
def test_a_machine_that_slept_through_the_end_of_its_run_stops(calm, job, monkeypatch, cluster):  # noqa: F811
    """Held for dead, followed by another that ends the work; then it wakes."""
    first = start(job, "--cluster", cluster, "--workers", "1", start_new_session=True)
    wait_for_records(job, first)
    os.killpg(first.pid, signal.SIGSTOP)
    try:
        forge(job.state / "lock")
        old(job.state / "lock")
        haste(monkeypatch)
        job.run()
        assert contents(job.outputs) == calm[1]
        before = snapshot(job.outputs)
        monkeypatch.undo()
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    _, told = first.communicate(timeout=120)
    assert first.returncode == 4, told
    assert "Traceback" not in told
    assert "has been removed while it was at work" in told, "the other has come and gone"
    assert contents(job.outputs) == calm[1]
    after = snapshot(job.outputs)
    same = ("manifest.jsonl", ".segpipe/stats.msgpack", ".segpipe/runs")
    assert [after[path] for path in same] == [before[path] for path in same]
    job.run()
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []


@pytest.mark.slow
def test_nights_that_overlap_end_in_one_tree(calm, job):  # noqa: F811
    """One run after the other is started, whatever has become of those before; some are killed."""
    nights = [start(job, "--cluster", "inline")]
    wait_for_records(job, nights[0])
    for number in range(4):
        nights.append(start(job, "--cluster", "inline"))
        time.sleep(1.0)
        if number == 1:
            nights[0].kill()
    ends = [(night.communicate(timeout=120)[1], night.returncode) for night in nights]
    assert all(code in (0, 4, -signal.SIGKILL) for _, code in ends), ends
    assert not any("Traceback" in told for told, _ in ends)
    job.run()
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []
