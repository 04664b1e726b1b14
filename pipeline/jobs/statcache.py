"""The stat cache: which file states had which content, so that unchanged files need not be read.

A state is size, time of change in nanoseconds and inode. It is trusted only if the file was older
than the run that read it: one changed in the same instant could be changed again without a trace
(the "racy" case of version control systems). Such states are not kept. An object's version in a store
stands in the place of the inode; one changed in the same instant has another, so it is trusted at once.

It is only a cache: deleting it costs time, never correctness.
"""

from contextlib import suppress
from typing import NamedTuple

import msgspec

from pipeline.files.objects import Place
from pipeline.files.writing import write_whole

_CLOCK_TICK = 20_000_000  # ns; file systems stamp files with a clock that ticks every 1 to 10 ms


class FileState(NamedTuple):
    """Size in bytes, time of last change in ns, inode, and the SHA-256 of the content then."""

    bytes: int
    mtime_ns: int
    inode: int
    sha256: str


_decode = msgspec.msgpack.Decoder(dict[str, FileState]).decode
_encode = msgspec.msgpack.Encoder().encode


class StatCache:
    """States of input files by key; `changed` tells whether there is anything to save.

    path : where it is kept. more : others from which to learn, the last one knowing best.
    """

    def __init__(self, path: Place, *more: Place) -> None:
        self._path = path
        self._states: dict[str, FileState] = {}
        for file in (path, *more):
            with suppress(OSError, ValueError):  # missing, torn, of another version: all files are read again
                self._states |= _decode(file.read_bytes())
        self.changed = False

    def digest(self, key: str, size: int, mtime_ns: int, inode: int) -> str | None:
        """The content's SHA-256 if the file is in the state in which it was read, else None."""
        state = self._states.get(key)
        if state is not None and state[:3] == (size, mtime_ns, inode):
            return state.sha256
        return None

    def learn(self, key: str, state: FileState, read_at: int, *, versioned: bool = False) -> None:
        """Remember a state read by a run that started at `read_at` (ns), if that can be trusted.

        versioned : whether another content would be another state, whenever it came.
        """
        old = versioned or state.mtime_ns < read_at - _CLOCK_TICK
        if old and self._states.get(key) != state:
            self._states[key] = state
            self.changed = True

    def forget_all_but(self, keys: set[str]) -> None:
        """Drop the states of files that are gone."""
        for key in self._states.keys() - keys:
            del self._states[key]
            self.changed = True

    def save(self) -> None:
        """Write what was learned since, if anything was."""
        if self.changed:
            write_whole(self._path, _encode(self._states))
            self.changed = False
