"""One run at a time on an output root."""

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import SoftFileLock, Timeout

from pipeline.errors import OutputError, OutputLocked
from pipeline.files.objects import ObjectPath, Place
from pipeline.jobs.lockobject import LockObject

_INSTANT = 2.0  # seconds between making a lock file and writing into it, at the very most


@contextmanager
def locked(state: Place) -> Iterator[None]:
    """Hold the lock of an output root whose state folder is `state`, making the folder if need be.

    The lock is a file that names its holder; one left by a killed run of this machine is taken over.
    Raises OutputLocked, naming the holder, or OutputError if the folder cannot be written.
    """
    if isinstance(state, ObjectPath):
        with _locked_object(state):
            yield
        return
    lock = SoftFileLock(state / "lock", timeout=0)
    try:
        if state.is_symlink():
            raise OutputError(
                f"{state}: expected a folder, found a link to {state.resolve()}; remove the link"
            )
        state.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            if not _names_nobody(state):
                raise
            lock.break_lock()
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


@contextmanager
def _locked_object(state: ObjectPath) -> Iterator[None]:
    """The same in a store; one left by a killed run stays until it is removed."""
    lock = LockObject(state / "lock")
    own = f"{os.getpid()}\n{socket.gethostname()}\n{secrets.token_hex(8)}\n".encode()
    try:
        if not lock.create(own):
            raise OutputLocked(_held(state))
    except OSError as error:
        with suppress(OSError):
            lock.remove(own)  # it may have been made all the same
        raise OutputError(
            f"output root {state.parent}: expected a store to write to, found: {error.strerror}; check the "
            "URL, the credentials and their rights"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # who cannot reach the store any more has told so
            lock.remove(own)


def is_marked(state: Place) -> bool:
    """Whether there is a lock, held or left behind."""
    path = _path(state)
    return path.is_file() if isinstance(path, ObjectPath) else path.exists()


def _names_nobody(state: Path) -> bool:
    """Whether the lock says nothing of its holder, who was killed in the moment of taking it.

    A living one says it within an instant; it is given that long.
    """
    end = time.monotonic() + _INSTANT
    while _holder(state) is None and _path(state).exists():
        if time.monotonic() > end:
            return True
        time.sleep(_INSTANT / 20)
    return False


def _path(state: Place) -> Place:
    return state / "lock"


def _holder(state: Place) -> tuple[str, str] | None:
    """Process and host, as the lock file says them."""
    try:
        pid, host, *_ = _path(state).read_text().split("\n")
    except (OSError, ValueError):
        return None
    return (pid, host) if pid.isdigit() and host else None


def _held(state: Place) -> str:
    path = _path(state)
    what = state if state.parent.name == "shards" else state.parent
    holder = _holder(state)
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(path.stat().st_mtime_ns / 1e9))
    except OSError:
        holder = None
    if holder is None:
        return f"{what} is held by another run (its lock is {path}); wait for it to end"
    pid, host = holder
    mine = " (this very process)" if pid == str(os.getpid()) else ""
    return (
        f"{what} is held by another run: process {pid}{mine} on {host} since {since}; "
        f"wait for it to end, or, if that process is gone for good, remove {path}"
    )
