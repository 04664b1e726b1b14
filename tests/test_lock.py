"""The lock: one run at a time, its holder is named, and the dead hold nothing."""

import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import tree
from locks import ELSEWHERE, forge, haste, put, read

from pipeline.errors import OutputError, OutputLocked
from pipeline.jobs import lock
from pipeline.jobs.holder import Holder
from pipeline.jobs.lock import is_marked, locked, who_is_at_work
from pipeline.jobs.lockfile import FileSlot

HOLDER = """
import sys, pathlib
from pipeline.jobs.lock import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(state):
    """Hold the lock in another process."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(lock.__file__).parents[2],
    )
    assert process.stdout.readline().strip() == b"held"
    return process


def end(process):
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_lock_makes_its_folder_and_leaves_only_that(tmp_path):
    state = tmp_path / "out/.segpipe"
    with locked(state):
        assert (state / "lock").exists()
    assert list(state.iterdir()) == []
    with locked(state):
        pass


def test_the_lock_is_given_back_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="odd"), locked(tmp_path):
        raise ValueError("odd")
    with locked(tmp_path):
        pass


def test_a_second_holder_in_this_process_is_refused_by_name(tmp_path):
    words = rf"{tmp_path} is held by another run: process {os.getpid()} \(this very process\) on "
    with locked(tmp_path / ".segpipe"):
        with pytest.raises(OutputLocked, match=words), locked(tmp_path / ".segpipe"):
            pass
        assert is_marked(tmp_path / ".segpipe")
        assert (tmp_path / ".segpipe/lock").exists()


def test_a_living_holder_is_named_and_a_killed_one_is_followed(tmp_path):
    process = hold(tmp_path)
    try:
        words = rf"process {process.pid} on {socket.gethostname()} since \d{{4}}-.*remove .*lock$"
        with pytest.raises(OutputLocked, match=words), locked(tmp_path):
            pass
        assert is_marked(tmp_path)
    finally:
        end(process)
    assert (tmp_path / "lock").exists()
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text().split()[0] == str(os.getpid())


def test_who_is_at_work_is_told_without_writing(tmp_path):
    assert who_is_at_work(tmp_path / "none") is None
    process = hold(tmp_path)
    before = tree(tmp_path)
    assert f"process {process.pid} on " in who_is_at_work(tmp_path)
    assert tree(tmp_path) == before
    end(process)
    assert who_is_at_work(tmp_path) is None
    put(tmp_path / "lock", **ELSEWHERE)
    assert "node7.example" in who_is_at_work(tmp_path)
    (tmp_path / "lock").write_bytes(b"garbage")
    assert who_is_at_work(tmp_path) is None


def test_a_holder_on_another_machine_is_not_judged(tmp_path):
    (tmp_path / "lock").write_text("1\nelsewhere.example\n")
    with pytest.raises(OutputLocked, match=r"process 1 on elsewhere\.example"), locked(tmp_path):
        pass
    assert (tmp_path / "lock").exists()


def test_a_lock_that_names_nobody_is_taken_over_after_an_instant(tmp_path):
    """Its maker was killed before it could say who it is; a living one says so at once."""
    (tmp_path / "lock").write_text("")
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text().split()[0] == str(os.getpid())


def test_looking_for_a_lock_writes_nothing(tmp_path):
    assert not is_marked(tmp_path / "out/.segpipe")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_bytes(b"")
    before, stamp = tree(tmp_path), tmp_path.stat().st_mtime_ns
    assert not is_marked(tmp_path)
    assert (tree(tmp_path), tmp_path.stat().st_mtime_ns) == (before, stamp)


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_root(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    words = rf"output root {tmp_path}/out: expected a folder to write to, found: Not a directory"
    with pytest.raises(OutputError, match=words), locked(tmp_path / "out/.segpipe"):
        pass


def test_a_disk_that_takes_nothing_is_an_error_that_names_the_root(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"output root .*Read-only"), locked(tmp_path / "out/.segpipe"):
        pass
    assert issubclass(OutputLocked, OutputError)


def wait_until(true, seconds=10.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def overtake(state):
    """Take a lock as one of another machine would that holds its holder for dead."""
    slot = FileSlot(state / "lock")
    holder = Holder(7, "node7.example", "another", "node7.example/x/y", since="2026-01-02 03:04:05+0000")
    assert slot.replace(slot.read(), holder.to_bytes()) is not None
    return holder


def test_a_lock_says_who_holds_it_and_gives_signs_of_life(tmp_path, monkeypatch):
    haste(monkeypatch)
    with locked(tmp_path):
        first, size = read(tmp_path / "lock"), (tmp_path / "lock").stat().st_size
        assert (first.pid, first.host, first.is_near) == (os.getpid(), socket.gethostname(), True)
        wait_until(lambda: read(tmp_path / "lock").beat >= 3)
        now = read(tmp_path / "lock")
        assert (now.token, now.since, now.born) == (first.token, first.since, first.born)
        assert now.at > first.at
        assert (tmp_path / "lock").stat().st_size == size
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    with locked(tmp_path):
        assert read(tmp_path / "lock").token != first.token


@pytest.mark.parametrize("how", ["by itself", "when asked", "on waking"])
def test_a_lock_that_was_taken_over_is_lost(tmp_path, monkeypatch, how):
    if how == "by itself":
        haste(monkeypatch)
    told = []
    state = tmp_path / ".segpipe"
    with locked(state) as hold:
        hold.tell_of_loss(lambda: told.append(hold.lost))
        hold.expect()
        hold.confirm()
        other = overtake(state)
        if how == "by itself":
            wait_until(lambda: told)
        elif how == "on waking":
            hold.expect()  # nobody knows yet
            now = lock.uptime()
            monkeypatch.setattr(lock, "uptime", lambda: now + 3600)
        with pytest.raises(OutputLocked, match=rf"^{tmp_path} has been taken over by .*process 7 on node7"):
            hold.confirm() if how == "when asked" else hold.expect()
        with pytest.raises(OutputLocked, match="stopped; wait for the other to end and run again"):
            hold.expect()
        assert told == [hold.lost]
    assert (state / "lock").read_bytes() == other.to_bytes(), "what is the other's is left to it"


def test_a_lock_that_somebody_removed_is_lost(tmp_path):
    with locked(tmp_path / ".segpipe") as hold:
        (tmp_path / ".segpipe/lock").unlink()
        with pytest.raises(OutputLocked, match=r"the lock of this run, .*lock, has been removed while"):
            hold.confirm()
        with locked(tmp_path / ".segpipe") as other:
            other.confirm()
            with pytest.raises(OutputLocked, match="has been removed"):
                hold.confirm()
            other.confirm()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.ESTALE])
def test_signs_of_life_that_fail_are_no_loss(tmp_path, monkeypatch, code):
    haste(monkeypatch, 0.05)
    failed, replace = [], FileSlot.replace

    def fail(slot, seen, data):
        failed.append(data)
        raise OSError(code, os.strerror(code))

    with locked(tmp_path) as hold:
        monkeypatch.setattr(FileSlot, "replace", fail)
        wait_until(lambda: len(failed) > 4)
        hold.expect()
        hold.confirm()
        before = read(tmp_path / "lock").beat
        monkeypatch.setattr(FileSlot, "replace", replace)
        wait_until(lambda: read(tmp_path / "lock").beat > before)
        assert hold.lost == ""
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_even_be_looked_at_is_not_confirmed(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    with locked(tmp_path) as hold, monkeypatch.context() as away:
        away.setattr(FileSlot, "replace", fail)
        away.setattr(FileSlot, "read", fail)
        with pytest.raises(OSError, match="Input/output"):
            hold.confirm()
        hold.expect()
    assert list(tmp_path.iterdir()) == []


def test_a_taker_that_withdraws_has_taken_nothing(tmp_path):
    """Its claim is there for an instant; then it sees that the holder lives."""
    with locked(tmp_path) as hold:
        claim = tmp_path / f"lock.{read(tmp_path / 'lock').token}"
        claim.write_bytes(Holder.me().to_bytes())
        looks, look = [], FileSlot.read

        def withdraw(slot):
            looks.append(look(slot))
            claim.unlink(missing_ok=True)
            return looks[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FileSlot, "read", withdraw)
            hold.confirm()
        assert len(looks) > 1
        assert hold.lost == ""


@pytest.mark.parametrize("day", [-86400, 86400])
def test_a_wall_clock_that_jumps_loses_no_lock(tmp_path, monkeypatch, day):
    haste(monkeypatch)
    true = time.time
    with locked(tmp_path) as hold:
        monkeypatch.setattr(time, "time", lambda: true() + day)
        os.utime(tmp_path / "lock", (true() - day, true() - day))
        beat = read(tmp_path / "lock").beat
        wait_until(lambda: read(tmp_path / "lock").beat > beat + 1)
        hold.confirm()
        with pytest.raises(OutputLocked, match="this very process"), locked(tmp_path):
            pass


def test_parts_of_a_lock_are_looked_after_and_swept(tmp_path):
    """What one leaves that was killed while it took over or gave back."""
    (tmp_path / "lock.0123456789abcdef").write_bytes(Holder.me().to_bytes())
    assert is_marked(tmp_path)
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert not is_marked(tmp_path)


def test_a_refusal_writes_nothing(tmp_path):
    process = hold(tmp_path)
    try:
        before, stamp = tree(tmp_path), tmp_path.stat().st_mtime_ns
        with pytest.raises(OutputLocked, match=r"last sign of life \d+ s ago"), locked(tmp_path):
            pass
        assert (tree(tmp_path), tmp_path.stat().st_mtime_ns) == (before, stamp)
    finally:
        end(process)


def test_a_killed_one_of_another_machine_is_followed_after_a_while(tmp_path, monkeypatch):
    end(hold(tmp_path))
    forge(tmp_path / "lock")
    haste(monkeypatch)
    told = []
    time.sleep(0.6)
    with locked(tmp_path, told.append) as found:
        found.confirm()
    assert len(told) == 1
    put(tmp_path / "lock", **ELSEWHERE)
    monkeypatch.undo()
    words = r"on node7\.example since .* last sign of life 0 s ago"
    with pytest.raises(OutputLocked, match=words), locked(tmp_path):
        pass
