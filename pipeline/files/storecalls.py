"""Requests to object stores that fsspec's own words for files have no names for.

What is created or replaced is so under a condition that the store itself checks (S3: `If-None-Match`,
`If-Match`). Protocols without conditions do their best: they look before, and read back what is there
then.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from pipeline.files.objects import ObjectPath
from pipeline.files.objectsystems import asked, system_of

ABREAST = 16  # requests at once: each takes long, and a store answers many
_AT_ONCE = 1000  # objects that S3 removes by one request
_UNKNOWN = ("NotImplemented", "501")
_UNMET = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class Head(NamedTuple):
    """Size in bytes and ETag of an object; "" from stores that have none.

    age : seconds since it was written, by the store's clock; None of stores that do not tell.
    """

    size: int
    etag: str
    age: float | None = None


def head(path: ObjectPath) -> Head | None:
    """What a store says of an object by one request, or None if there is none."""
    system = system_of(path.protocol)
    try:
        with asked():
            if not _is_s3(system):
                found = system.info(str(path))
                return Head(found["size"], str(found.get("ETag", ""))) if found["type"] == "file" else None
            bucket, key, _ = system.split_path(str(path))
            found = system.call_s3("head_object", Bucket=bucket, Key=key)
    except FileNotFoundError:
        return None
    return Head(found["ContentLength"], found.get("ETag", ""), _age(found))


def _age(found: dict[str, Any]) -> float | None:
    """Between the two times, of whole seconds, that an answer of S3 tells."""
    try:
        now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        return float((now - found["LastModified"]).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None


def create(path: ObjectPath, data: bytes) -> bool:
    """Make an object; False if there is one, unless it has the same bytes.

    These are our own, of a request whose answer was lost and that was sent again.
    """
    try:
        path.create(data)
    except OSError as error:
        if isinstance(error, FileExistsError) or _says(error, _UNMET):
            return _reads(path) == data
        if not _says(error, _UNKNOWN):
            raise
        return _create_unconditionally(path, data)
    return True


def replace(path: ObjectPath, data: bytes, etag: str) -> bool:
    """Replace an object that is still the version `etag`; False if it is not."""
    system = system_of(path.protocol)
    if not _is_s3(system):
        if head(path) is None:
            return False
        path.write_bytes(data)
        return _reads(path) == data
    bucket, key, _ = system.split_path(str(path))
    try:
        with asked():
            system.call_s3("put_object", Bucket=bucket, Key=key, Body=data, IfMatch=etag)
    except FileNotFoundError:
        return False
    except OSError as error:
        if not _says(error, _UNMET):
            raise
        return _reads(path) == data
    return True


def remove_all(paths: Iterable[ObjectPath]) -> None:
    """Remove objects of one store, in no order; those that are not there are no matter."""
    found = list(paths)
    if not found:
        return
    system = system_of(found[0].protocol)
    with ThreadPoolExecutor(ABREAST) as removers:
        if _is_s3(system):
            batches = [found[first : first + _AT_ONCE] for first in range(0, len(found), _AT_ONCE)]
            list(removers.map(lambda some: _remove_batch(system, some), batches))
        else:
            list(removers.map(lambda path: path.unlink(missing_ok=True), found))


def _remove_batch(system: Any, paths: list[ObjectPath]) -> None:
    split = [system.split_path(str(path)) for path in paths]
    wanted = {"Objects": [{"Key": key} for _, key, _ in split], "Quiet": True}
    with asked():
        answer = system.call_s3("delete_objects", Bucket=split[0][0], Delete=wanted)
    for error in answer.get("Errors", []):
        if error.get("Code") != "NoSuchKey":
            raise OSError(None, f"{error.get('Code')}: {error.get('Message')} ({error.get('Key')})")


def read(path: ObjectPath) -> bytes:
    """All of an object by one request, whatever its version. Raises OSError."""
    with asked():
        return bytes(system_of(path.protocol).cat_file(str(path)))


def _reads(path: ObjectPath) -> bytes | None:
    try:
        return read(path)
    except FileNotFoundError:
        return None


def _create_unconditionally(path: ObjectPath, data: bytes) -> bool:
    """The same in a store that knows no conditions."""
    if head(path) is not None:
        return False
    path.write_bytes(data)
    return _reads(path) == data


def _says(error: OSError, codes: tuple[str, ...]) -> bool:
    """Whether a store refused with one of these."""
    cause: BaseException | None = error
    while cause is not None:
        if (getattr(cause, "response", None) or {}).get("Error", {}).get("Code") in codes:
            return True
        cause = cause.__cause__
    return False


def _is_s3(system: Any) -> bool:
    return hasattr(system, "call_s3")
