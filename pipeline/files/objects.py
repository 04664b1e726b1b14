"""Places in an object store: of what pathlib's paths can do, that which jobs need. Over fsspec.

    root = place("s3://bucket/photos")         a folder of this machine gives a Path
    (root / "a/b.jpg").read_bytes()

A store has objects and no folders: making one does nothing, and one is there while an object's name
goes on from it. Objects are replaced as a whole; who reads sees the old one or the new. Nothing is
cached: each question is a request. Credentials come from the environment, in the ways that fsspec and
the store's own library know (for S3: variables, profiles, roles; `FSSPEC_S3_ANON=true` for none).
"""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pipeline.errors import SpecError

_TRIES = 6  # of a request that fails by no fault of ours, with growing pauses: half a minute in all
_CONNECTING = 10.0  # seconds
_ANSWERING = 60.0  # seconds; a store under load may take that long
_BLOCK = 1 << 20  # bytes that are asked for at once where a file is read in parts
_PART = 1 << 23  # bytes; of files of twice that or more, which are sent in parts
_PARTS = 5000  # of a file, at most
_VERSION_WORDS = ("ETag", "etag", "md5Hash", "content_md5", "generation", "version_id", "mtime", "created")
_TIME_WORDS = ("LastModified", "last_modified", "mtime", "updated", "created")


class ObjectStat(NamedTuple):
    """What is known of an object, under the names that `os.stat_result` has for it.

    st_ino : 63 bits of a hash of what the store calls this version (S3: the ETag); 0 if it tells none.
    """

    st_size: int
    st_mtime_ns: int
    st_ino: int

    @property
    def st_ctime_ns(self) -> int:
        """An object's time cannot be set back."""
        return self.st_mtime_ns


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
        with _told():
            info = _system(self.protocol).info(str(self))
        if info["type"] != "file":
            raise FileNotFoundError(f"{self} is no object")
        return _stat(info)

    def exists(self) -> bool:
        """Whether there is an object of this name, or one whose name goes on from it."""
        with _told():
            return bool(_system(self.protocol).exists(str(self)))

    def is_file(self) -> bool:
        """Whether there is an object of this name."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_symlink(self) -> bool:
        """There are none."""
        return False

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing."""

    def walk(self) -> Iterator[tuple[str, ObjectStat]]:
        """All objects below, in no order: the rest of each one's name, and its stat. By listing alone."""
        system = _system(self.protocol)
        with _told():
            found = system.find(str(self), detail=True)
        above = system._strip_protocol(str(self)) + "/"  # of fsspec's, for all kinds of systems
        for name, info in found.items():
            if name.startswith(above) and info["type"] == "file":
                yield name.removeprefix(above), _stat(info)

    def iterdir(self) -> Iterator["ObjectPath"]:
        """The next parts of names; FileNotFoundError if no name goes on from here."""
        with _told():
            found = _system(self.protocol).ls(str(self), detail=False)
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
        """Open for reading in parts: each is asked for as a range, of the version that was opened."""
        if mode != "rb":
            raise ValueError(f"objects are opened to be read ('rb'), not {mode!r}")
        with _told(), _system(self.protocol).open(str(self), "rb", block_size=_BLOCK) as file:
            yield file

    def read_bytes(self) -> bytes:
        """All of it, in one request."""
        with _told():
            data: bytes = _system(self.protocol).cat_file(str(self))
        return data

    def read_text(self, encoding: str = "utf-8") -> str:
        """All of it, decoded."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Replace it, as a whole."""
        with _told():
            _system(self.protocol).pipe_file(str(self), data)

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        """Replace it by encoded text."""
        self.write_bytes(text.encode(encoding))

    def create(self, data: bytes) -> None:
        """Make it, if it is not there: of many who try one succeeds, the others get FileExistsError."""
        with _told():
            _system(self.protocol).pipe_file(str(self), data, mode="create")

    def upload(self, file: Path) -> None:
        """Replace it by a file of this machine, of any size, as a whole."""
        with _told():
            system = _system(self.protocol)
            parts = {}
            if hasattr(system, "call_s3"):  # few small parts at once: a worker's memory is bounded
                parts = {"chunksize": max(_PART, -(-file.stat().st_size // _PARTS)), "max_concurrency": 4}
            system.put_file(os.fspath(file), str(self), **parts)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove it; most stores do not tell whether it was there."""
        try:
            with _told():
                _system(self.protocol).rm_file(str(self))
        except FileNotFoundError:
            if not missing_ok:
                raise


Place = Path | ObjectPath
"""Where inputs or outputs lie."""


def is_url(text: str) -> bool:
    """Whether a root is in an object store; a drive's letter, or `file://`, is no store."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and len(scheme) > 1 and scheme.lower() != "file"


def place(text: str) -> Place:
    """The place that a root of a job means."""
    return ObjectPath(text) if is_url(text) else Path(text)


def without_roots(text: str, roots: Iterable[Place]) -> str:
    """A text without the roots before names: records hold no absolute paths."""
    for root in roots:
        separator = "/" if isinstance(root, ObjectPath) else os.sep
        text = text.replace(f"{root}{separator}", "")
    return text


def system_of(path: ObjectPath) -> Any:
    """The file system of fsspec that an object is in, for what has no name here."""
    return _system(path.protocol)


@contextmanager
def asked() -> Iterator[None]:
    """Ask a store for something: what goes wrong is an OSError that tells its `strerror`."""
    with _told():
        yield


@contextmanager
def _told() -> Iterator[None]:
    """Make OSErrors of all that goes wrong with a store: credentials, names, the connection."""
    try:
        yield
    except (SpecError, ValueError, GeneratorExit):
        raise
    except OSError as error:
        if error.strerror is None:  # whoever tells of an OSError tells its `strerror`
            error.strerror = " ".join(str(error).split()) or type(error).__name__
        raise
    except Exception as error:
        words = " ".join(str(error).split())
        raise OSError(None, f"{type(error).__name__}: {words}") from error


def _stat(info: Mapping[str, Any]) -> ObjectStat:
    version = next((str(info[word]) for word in _VERSION_WORDS if info.get(word)), "")
    when = next((info[word] for word in _TIME_WORDS if info.get(word)), None)
    digest = int.from_bytes(sha256(version.encode()).digest()[:8], "big") >> 1 if version else 0
    return ObjectStat(int(info["size"] or 0), _nanoseconds(when), digest)


def _nanoseconds(when: object) -> int:
    """A time as a store tells it, in ns since 1970."""
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            return 0
    if isinstance(when, datetime):
        return int(when.timestamp() * 1_000_000) * 1000
    return int(when * 1e9) if isinstance(when, int | float) else 0


def _system(protocol: str) -> Any:
    return _system_of(protocol, os.getpid())


@lru_cache(maxsize=8)
def _system_of(protocol: str, process: int) -> Any:
    """The file system of fsspec; `process`, for a copy of a process cannot go on with its connections."""
    import fsspec

    try:
        kind = fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        raise SpecError(f"{protocol}:// needs a package that is not there: {error}") from error
    except ValueError as error:
        raise SpecError(
            f"{protocol}://: expected a protocol that fsspec knows, found another: {error}"
        ) from error
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if protocol in ("s3", "s3a"):
        told = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        tries = {"retries": {"total_max_attempts": _TRIES, "mode": "standard"}}
        times = {"connect_timeout": _CONNECTING, "read_timeout": _ANSWERING}
        options["config_kwargs"] = tries | times | told
    return kind(**options)
