"""The lock: one run at a time, its holder is named, and the dead hold nothing."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from builders import tree

from pipeline.errors import OutputError, OutputLocked
from pipeline.jobs import lock
from pipeline.jobs.lock import is_marked, locked

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
    before, time = tree(tmp_path), tmp_path.stat().st_mtime_ns
    assert not is_marked(tmp_path)
    assert (tree(tmp_path), tmp_path.stat().st_mtime_ns) == (before, time)


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
