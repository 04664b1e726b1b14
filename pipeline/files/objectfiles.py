"""An object that is open: read by ranges, of one version of it, ahead of who reads on.

Who reads here and there gets little more than what is asked for; who reads on gets more and more at
once, up to a bound: a request takes longer than a megabyte does.
"""

import errno
import io
import os
from collections.abc import Callable
from typing import NamedTuple

_FIRST = 64 << 10  # bytes asked for at once where nothing is known of who reads; most headers are shorter
_MOST = 4 << 20
_TAIL = 16 << 10  # beyond a long read: a buffered reader takes the last of it by a read of its own


class ObjectStat(NamedTuple):
    """What is known of an object, under the names that `os.stat_result` has for it.

    st_mtime_ns : in whole seconds where there is a version: listing and asking differ in the rest.
    st_ino : 63 bits of a hash of what the store calls this version (S3: the ETag); 0 if it tells none.
    """

    st_size: int
    st_mtime_ns: int
    st_ino: int

    @property
    def st_ctime_ns(self) -> int:
        """An object's time cannot be set back."""
        return self.st_mtime_ns


class Replaced(OSError):
    """An object is of another version than the one that was opened."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ESTALE, f"{name} was replaced while it was read")


class ObjectFile(io.RawIOBase):
    """Reads an object; for one thread. From `ObjectPath.opened`.

    fetch : gives the bytes from one place to another, or raises OSError. stat : of what was opened.
    again : asks for the stat anew.
    """

    def __init__(
        self, fetch: Callable[[int, int], bytes], stat: ObjectStat, again: Callable[[], ObjectStat]
    ) -> None:
        self.stat = stat
        self.again = again
        self._fetch = fetch
        self._place = 0
        self._kept = memoryview(b"")
        self._kept_from = 0
        self._ahead = _FIRST

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, without a request."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.stat.st_size}[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, f"there is no place {start + offset}")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """Where the next read begins."""
        return self._place

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fill a buffer with what follows, by one request at most; 0 at the end."""
        wanted = min(len(buffer), self.stat.st_size - self._place)
        if wanted <= 0:
            return 0
        if not self._kept_from <= self._place < self._kept_from + len(self._kept):
            self._ask(wanted)
        first = self._place - self._kept_from
        found = self._kept[first : first + wanted]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)

    def readall(self) -> bytes:
        """All that follows, by one request."""
        start, self._place = self._place, max(self._place, self.stat.st_size)
        return self.part(start, self.stat.st_size)

    def part(self, start: int, stop: int) -> bytes:
        """The bytes from one place to another, which lie within it, by one request."""
        if start >= stop:
            return b""
        data = self._fetch(start, stop)
        if len(data) != stop - start:
            raise OSError(errno.EIO, f"{stop - start} bytes were asked for, {len(data)} came")
        return data

    def _ask(self, wanted: int) -> None:
        """Keep what follows: more if the last request ended about here."""
        end = self._kept_from + len(self._kept)
        on = bool(self._kept) and end <= self._place < end + self._ahead
        self._ahead = min(2 * self._ahead, _MOST) if on else _FIRST
        tail = _TAIL if wanted >= _FIRST else 0
        self._kept = memoryview(b"")  # before there is more
        stop = min(self._place + max(wanted + tail, self._ahead), self.stat.st_size)
        self._kept, self._kept_from = memoryview(self.part(self._place, stop)), self._place
