"""Places in an object store: of what pathlib's paths can do, that which jobs need. Over fsspec.

    root = place("s3://bucket/photos")         a folder of this machine gives a Path
    (root / "a/b.jpg").read_bytes()

A store has objects and no folders: making one does nothing, and one is there while an object's name
goes on from it. Objects are replaced as a whole; who reads sees the old one or the new. Nothing is
cached: each question is a request. Credentials come from the environment, in the ways that fsspec and
the store's own library know (for S3: variables, profiles, roles; `FSSPEC_S3_ANON=true` for none).
"""

import errno
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from pipeline.files.objectfiles import ObjectFile, ObjectStat
from pipeline.files.objectsystems import S3, asked, stat_of, system_of

_PART = 1 << 23  # bytes; of files of twice that or more, which are sent in parts
_PARTS = 5000  # of a file, at most
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+")  # one letter is a drive
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "webp": "image/webp",
}


class ObjectPath:
    """An object, or the beginning of objects' names, by its URL."""

    __slots__ = ("_key", "protocol")

    def __init__(self, url: str) -> None:
        self.protocol, _, key = url.partition("://")
        self._key = key.rstrip("/")

    def __truediv__(self, part: str | PurePosixPath) -> "ObjectPath":
        return ObjectPath(f"{self}/{part}")

    def __str__(self) -> str:
        return f"{self.protocol}://{self._key}"

    def __repr__(self) -> str:
        return f"ObjectPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __lt__(self, other: "ObjectPath") -> bool:
        return str(self) < str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    @property
    def name(self) -> str:
        """What follows the last slash."""
        return self._key.rpartition("/")[2]

    @property
    def parent(self) -> "ObjectPath":
        """What precedes it."""
        return ObjectPath(f"{self.protocol}://{self._key.rpartition('/')[0]}")

    def relative_to(self, other: "ObjectPath") -> PurePosixPath:
        """The rest of a place below another; ValueError if it is not."""
        return PurePosixPath(str(self)).relative_to(PurePosixPath(str(other)))

    def stat(self) -> ObjectStat:
        """Size, time and version; FileNotFoundError if there is no object of this name."""
        with asked():
            info = system_of(self.protocol).info(str(self))
        if info["type"] != "file":
            raise _none(self)
        return stat_of(info)

    def exists(self) -> bool:
        """Whether there is an object of this name, or one whose name goes on from it."""
        with asked():
            return bool(system_of(self.protocol).exists(str(self)))

    def is_file(self) -> bool:
        """Whether there is an object of this name."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Whether there is no object of this name, but one whose name goes on from it."""
        try:
            with asked():
                return bool(system_of(self.protocol).info(str(self))["type"] == "directory")
        except FileNotFoundError:
            return False

    def is_symlink(self) -> bool:
        """There are none."""
        return False

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing."""

    def walk(self) -> Iterator[tuple[str, ObjectStat]]:
        """All objects below, in no order: the rest of each one's name, and its stat. By listing alone."""
        system = system_of(self.protocol)
        with asked():
            found = system.find(str(self), detail=True)
        above = system._strip_protocol(str(self)) + "/"  # of fsspec's, for all kinds of systems
        for name, info in found.items():
            if name.startswith(above) and info["type"] == "file":
                yield name.removeprefix(above), stat_of(info)

    def iterdir(self) -> Iterator["ObjectPath"]:
        """The next parts of names; FileNotFoundError if no name goes on from here."""
        with asked():
            found = system_of(self.protocol).ls(str(self), detail=False)
        names = (name.rstrip("/").rpartition("/")[2] for name in found)
        yield from (self / name for name in names if name)

    def glob(self, pattern: str) -> Iterator["ObjectPath"]:
        """Those of `iterdir` whose name matches; none if there are none."""
        try:
            yield from [path for path in self.iterdir() if fnmatchcase(path.name, pattern)]
        except FileNotFoundError:
            return

    @contextmanager
    def open(self, mode: str = "rb") -> Iterator[io.BufferedIOBase]:
        """Open for reading in parts, as `opened` does."""
        if mode != "rb":
            raise ValueError(f"objects are opened to be read ('rb'), not {mode!r}")
        with self.opened() as raw, io.BufferedReader(raw) as file:
            yield file

    @contextmanager
    def opened(self) -> Iterator[ObjectFile]:
        """Open for reading by ranges, of the version that is there now; FileNotFoundError if none is.

        A store that cannot be asked for a version gives the newest; `again` then tells what is there.
        """
        with (self._pinned if self.protocol in S3 else self._newest)() as file:
            yield file

    @contextmanager
    def _newest(self) -> Iterator[ObjectFile]:
        system = system_of(self.protocol)

        @asked()
        def fetch(start: int, end: int) -> bytes:
            return bytes(system.cat_file(str(self), start=start, end=end))

        with ObjectFile(fetch, self.stat(), self.stat) as file:
            yield file

    @contextmanager
    def _pinned(self) -> Iterator[ObjectFile]:
        """Of s3fs each request says of which version the answer must be."""
        with asked():
            remote = system_of(self.protocol).open(str(self), "rb", cache_type="none")
        if remote.details["type"] != "file":
            raise _none(self)
        stat = stat_of(remote.details)

        @asked()
        def fetch(start: int, end: int) -> bytes:
            remote.seek(start)
            return bytes(remote.read(end - start))

        with remote, ObjectFile(fetch, stat, lambda: stat) as file:
            yield file

    def read_bytes(self) -> bytes:
        """All of it, of one version."""
        with self.opened() as file:
            return file.readall()

    def read_text(self, encoding: str = "utf-8") -> str:
        """All of it, decoded."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Replace it, as a whole."""
        with asked():
            system_of(self.protocol).pipe_file(str(self), data, **self._told())

    def _told(self) -> dict[str, str]:
        """What a store is told of its content, so that browsers show it and do not save it."""
        kind = _TYPES.get(self.name.rpartition(".")[2]) if self.protocol in S3 else None
        return {} if kind is None else {"ContentType": kind}

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        """Replace it by encoded text."""
        self.write_bytes(text.encode(encoding))

    def create(self, data: bytes) -> None:
        """Make it, if it is not there: of many who try one succeeds, the others get FileExistsError."""
        with asked():
            system_of(self.protocol).pipe_file(str(self), data, mode="create")

    def upload(self, file: Path) -> None:
        """Replace it by a file of this machine, of any size, as a whole."""
        system = system_of(self.protocol)
        parts = {}
        if self.protocol in S3:  # few small parts at once: a worker's memory is bounded
            parts = {"chunksize": max(_PART, -(-file.stat().st_size // _PARTS)), "max_concurrency": 4}
        with asked():
            system.put_file(os.fspath(file), str(self), **parts)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove it; most stores do not tell whether it was there."""
        try:
            with asked():
                system_of(self.protocol).rm_file(str(self))
        except FileNotFoundError:
            if not missing_ok:
                raise


Place = Path | ObjectPath
"""Where inputs or outputs lie."""


def is_url(text: str) -> bool:
    """Whether a root is in an object store; a drive's letter, or `file://`, is no store."""
    scheme, separator, _ = text.partition("://")
    return bool(separator and _SCHEME.fullmatch(scheme)) and scheme.lower() != "file"


def place(text: str) -> Place:
    """The place that a root of a job means."""
    return ObjectPath(text) if is_url(text) else Path(text)


def without_roots(text: str, roots: Iterable[Place]) -> str:
    """A text without the roots before names: records hold no absolute paths."""
    for root in roots:
        separator = "/" if isinstance(root, ObjectPath) else os.sep
        text = text.replace(f"{root}{separator}", "")
    return text


def _none(path: ObjectPath) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, f"there is no object {path}")
