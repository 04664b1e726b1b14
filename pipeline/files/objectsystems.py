"""The systems of fsspec that objects are in: their connections, their stats, their errors."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from pipeline.errors import SpecError
from pipeline.files.objectfiles import ObjectStat, Replaced

_TRIES = 6  # of a request that fails by no fault of ours, with growing pauses: half a minute in all
_CONNECTING = 10.0  # seconds
_ANSWERING = 60.0  # seconds; a store under load may take that long
_VERSION_WORDS = ("ETag", "etag", "md5Hash", "content_md5", "generation", "version_id")
_TIME_WORDS = ("LastModified", "last_modified", "mtime", "updated", "created")
S3 = ("s3", "s3a")
_SECOND = 1_000_000_000
_NUMBERS = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    FileExistsError: errno.EEXIST,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
    TimeoutError: errno.ETIMEDOUT,
}


@contextmanager
def asked() -> Iterator[None]:
    """Ask a store: what goes wrong, be it credentials, names or the connection, is an OSError with a number.

    Also to decorate a function with. Raises SpecError when the store's package is missing.
    """
    try:
        yield
    except SpecError:
        raise
    except Exception as error:
        words = " ".join(str(getattr(error, "strerror", None) or error).split())
        if type(error).__name__ == "FileExpired":  # s3fs's, which may not be there
            raise Replaced(words) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise
        number = next((number for kind, number in _NUMBERS.items() if isinstance(error, kind)), None)
        if number is None:
            number, words = errno.EIO, f"{type(error).__name__}: {words}"
        raise OSError(number, words) from error  # of the kind that has this number


def stat_of(info: Mapping[str, Any]) -> ObjectStat:
    """What fsspec tells of an object, in our words."""
    version = next((str(info[word]).strip('"') for word in _VERSION_WORDS if info.get(word)), "")
    when = _nanoseconds(next((info[word] for word in _TIME_WORDS if info.get(word)), None))
    if not version:
        return ObjectStat(int(info["size"] or 0), when, 0)
    digest = int.from_bytes(sha256(version.encode()).digest()[:8], "big") >> 1 or 1
    return ObjectStat(int(info["size"] or 0), when - when % _SECOND, digest)


def _nanoseconds(when: object) -> int:
    """A time as a store tells it, in ns since 1970."""
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            return 0
    if isinstance(when, datetime):
        when = when.timestamp()
    return round(when * 1e6) * 1000 if isinstance(when, int | float) else 0


_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", **dict.fromkeys(("abfs", "abfss", "az"), "adlfs")}


def system_of(protocol: str) -> Any:
    """The file system of fsspec for a protocol; SpecError if there is none."""
    return _system_of(protocol, os.getpid())


@lru_cache(maxsize=8)
def _system_of(protocol: str, process: int) -> Any:
    """The file system of fsspec; `process`, for a copy of a process cannot go on with its connections."""
    import fsspec

    try:
        kind = fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        package = _PACKAGES.get(protocol, "the package that it names")
        advice = "pip install 'segpipe[s3]'" if protocol in S3 else f"pip install {package}"
        raise SpecError(
            f"{protocol}://: expected fsspec's package for it, found none ({error}); {advice}"
        ) from error
    except ValueError as error:
        raise SpecError(
            f"{protocol}://: expected a protocol that fsspec knows, found another: {error}"
        ) from error
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if protocol in S3:
        told = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        tries = {"retries": {"total_max_attempts": _TRIES, "mode": "standard"}}
        times = {"connect_timeout": _CONNECTING, "read_timeout": _ANSWERING}
        options["config_kwargs"] = tries | times | told
    return kind(**options)
