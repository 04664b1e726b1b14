"""One run at a time on an output root."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLock, Timeout

from pipeline.errors import OutputError, OutputLocked


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Hold the lock of an output root whose state folder is `state`, making the folder if need be.

    The lock is a file that names its holder; one left by a killed run of this machine is taken over.
    Raises OutputLocked, naming the holder, or OutputError if the folder cannot be written.
    """
    lock = SoftFileLock(_path(state), timeout=0)
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OutputLocked(_held(state)) from None
    except OSError as error:
        raise OutputError(
            f"output root {state.parent}: expected a folder to write to, found: {error.strerror}; "
            "check its permissions, and that the disk is neither full nor read-only"
        ) from error
    try:
        yield
    finally:
        lock.release()


def refuse_if_locked(state: Path) -> None:
    """Raise OutputLocked if a run holds the lock; writes nothing if there is none."""
    if _path(state).exists():
        with locked(state):
            pass


def _path(state: Path) -> Path:
    return state / "lock"


def _held(state: Path) -> str:
    """Name the holder: the lock file says its process and host, its age says since when."""
    path = _path(state)
    try:
        pid, host = path.read_text().split()[:2]
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(path.stat().st_mtime))
    except (OSError, ValueError):
        return f"{state.parent} is held by another run; wait for it to end"
    mine = " (this very process)" if pid == str(os.getpid()) else ""
    return (
        f"{state.parent} is held by another run: process {pid}{mine} on {host} since {since}; "
        f"wait for it to end, or, if that process is gone for good, remove {path}"
    )
