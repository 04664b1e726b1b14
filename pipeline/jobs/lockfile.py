"""A lock that is a file: a `Slot` in a folder that machines may share.

File systems cannot compare and replace, but they can make a name that must not be there yet, on
network file systems too (a link to a file that is whole already). So a lock `lock` whose holder has
the token T is taken over by making `lock.T`: only one can. That one then moves its file up to `lock`.
Whoever is killed in between has left a chain, whose end is the lock; whatever is no part of it is void.

A holder gives its signs of life in the file that it made, which it keeps open, and looks afterwards
whether it is still the end of the chain: what it writes can never land in another's lock. A taker
makes its claim first, and looks afterwards whether the holder has given a sign. One of the two notices.
"""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from pipeline.files.wholefiles import DEBRIS
from pipeline.jobs.holder import token_of
from pipeline.jobs.slot import Seen

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)
_TRIES = 3
_MUCH = 4096  # bytes; a lock has a few hundred
_LONGEST = 100  # links of a chain; each was left by one who was killed while taking over
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MAKE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class FileSlot:
    """See the module. A version is the name of the file that was the end of the chain."""

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self._handle: int | None = None
        self._token = ""

    def is_marked(self) -> bool:
        """Whether there is a lock, or a part of one."""
        try:
            names = os.listdir(self._path.parent)  # noqa: PTH208 -- a string is what is looked at
        except OSError:
            return os.path.lexists(self._path)
        return any(name == self._path.name or name.startswith(f"{self._path.name}.") for name in names)

    def read(self) -> Seen | None:
        """The end of the chain."""
        chain = self._chain()
        return chain[-1] if chain else None

    def create(self, data: bytes) -> Seen | None:
        """Begin a chain."""
        if not self._make(self._path, data):
            return None
        self._sweep()
        return Seen(data, self._path.name)

    def replace(self, seen: Seen, data: bytes) -> Seen | None:
        """Renew what is ours in place, or take over what is another's."""
        if self._handle is not None and token_of(seen.data) == self._token:
            self._renew(self._handle, data)
            return self._mine(data)
        claim = self._next(seen)
        if not self._make(claim, data):
            return None
        chain = self._chain()
        if [link.data for link in chain[-2:]] != [seen.data, data]:
            self._withdraw(claim)
            return None
        self._move_up([self._path.parent / link.version for link in chain])
        mine = self._mine(data)
        if mine is None:
            self._forget()
        else:
            self._sweep()
        return mine

    def remove(self, seen: Seen) -> bool:
        """End the chain. After a sign of life: then nobody can be about to take it over unnoticed."""
        found = self._mine(seen.data)
        self._forget()  # some systems remove no file that is open
        if found is None:
            return False
        (self._path.parent / found.version).unlink(missing_ok=True)
        return True

    def age(self, seen: Seen) -> float | None:
        """By the times that the file system stamps on the lock and on a file made now beside it."""
        probe = self._temporary()
        try:
            written = (self._path.parent / seen.version).lstat().st_mtime_ns
            handle = _write_new(probe, b"now")
            try:
                now = os.fstat(handle).st_mtime_ns
            finally:
                os.close(handle)
        except FileNotFoundError:
            return None
        finally:
            _discard(probe)
        return (now - written) / 1e9 if now >= written else None  # else somebody has set that clock

    def _chain(self) -> list[Seen]:
        chain: list[Seen] = []
        path = self._path
        while len(chain) < _LONGEST and (data := _read(path)) is not None:
            chain.append(Seen(data, path.name))
            path = self._next(chain[-1])
        return chain

    def _next(self, seen: Seen) -> Path:
        return self._path.with_name(f"{self._path.name}.{token_of(seen.data)}")

    def _mine(self, data: bytes) -> Seen | None:
        """What is ours, if it is the end of the chain."""
        found = self.read()
        return found if found is not None and token_of(found.data) == token_of(data) else None

    def _make(self, path: Path, data: bytes) -> bool:
        """Make a file that must not be there, and keep it open; it is never there without its content."""
        for left in reversed(range(_TRIES)):
            temporary = self._temporary()
            handle = _write_new(temporary, data)
            try:
                made = _link(temporary, path)
            except FileNotFoundError:  # swept away by a run that holds the lock
                os.close(handle)
                if not left:
                    raise
                continue
            except OSError as error:
                os.close(handle)
                if error.errno not in _NO_LINKS:
                    raise
                return self._make_at_once(path, data)
            finally:
                _discard(temporary)
            if made:
                self._keep(handle, data)
            else:
                os.close(handle)
            return made
        return False

    def _make_at_once(self, path: Path, data: bytes) -> bool:
        """The same where files have one name; for an instant it is there and says nothing."""
        try:
            self._keep(_write_new(path, data), data)
        except FileExistsError:
            return False
        return True

    def _temporary(self) -> Path:
        """A new name beside the lock; what is left there is swept with all that killed runs leave."""
        return self._path.with_name(DEBRIS.replace("*", f"{self._path.name}-{secrets.token_hex(4)}"))

    def _renew(self, handle: int, data: bytes) -> None:
        try:
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, data)
            os.fsync(handle)
        except OSError:  # a server that has been away may have forgotten that it is open
            found = self._mine(data)
            if found is not None:
                handle = os.open(self._path.parent / found.version, os.O_RDWR | getattr(os, "O_BINARY", 0))
                if token_of(os.read(handle, _MUCH)) == self._token:
                    self._keep(handle, data)
                else:
                    os.close(handle)
            raise

    def _move_up(self, chain: list[Path]) -> None:
        """Put the end of a chain in the place of its beginning, link by link.

        So one in the middle of it, that was held for dead and goes on, moves ours and not its own.
        """
        for below, above in zip(chain[:0:-1], chain[-2::-1], strict=True):
            with suppress(FileNotFoundError):
                below.replace(above)

    def _withdraw(self, claim: Path) -> None:
        if token_of(_read(claim) or b"") == self._token:
            claim.unlink(missing_ok=True)
        self._forget()

    def _sweep(self) -> None:
        """Remove claims on locks that are no more. Needs the lock; one on our own may be rightful."""
        with suppress(OSError):
            for path in self._path.parent.glob(f"{self._path.name}.*"):
                if not path.name.endswith(f".{self._token}"):
                    path.unlink(missing_ok=True)

    def _keep(self, handle: int, data: bytes) -> None:
        self._forget()
        self._handle, self._token = handle, token_of(data)

    def _forget(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):
                os.close(handle)


def _read(path: Path) -> bytes | None:
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        return None
    try:
        return os.read(handle, _MUCH)
    finally:
        os.close(handle)


def _write_new(path: Path, data: bytes) -> int:
    """Write a file that must not be there, to the disk; it stays open."""
    handle = os.open(path, _MAKE, 0o644)
    try:
        if os.write(handle, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)
    except BaseException:
        os.close(handle)
        _discard(path)
        raise
    return handle


def _discard(path: Path) -> None:
    with suppress(OSError):  # a disk that has become read-only keeps it; a later run sweeps
        path.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> bool:
    """Give a file a second name that must not be there yet."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # The answer of a server that was asked twice, for its first answer was lost.
        return temporary.stat().st_nlink == 2
    return True
