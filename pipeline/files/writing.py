"""Writing to a place, be it a folder of this machine or in an object store."""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import OutputNotWritable
from pipeline.files import wholefiles
from pipeline.files.objects import ObjectPath, Place
from pipeline.files.outputs import Commit, Guard, allowed
from pipeline.files.storecalls import head, read, remove_all
from pipeline.files.uploads import ObjectCommit, write_object

_SMALL = 1 << 24  # bytes of an object that is read by one request
AnyCommit = Commit | ObjectCommit


def commit_at(root: Place, guard: Guard = allowed) -> AnyCommit:
    """A group commit of outputs below a root. guard : see `Commit`."""
    return ObjectCommit(root, guard) if isinstance(root, ObjectPath) else Commit(root, guard)


def write_whole(path: Place, data: bytes) -> bool:
    """Replace a file's content at once, durably, unless it has that content already.

    Returns whether anything was written. Raises OSError.
    """
    return write_object(path, data) if isinstance(path, ObjectPath) else wholefiles.write_whole(path, data)


def write_parts(path: Place, parts: Iterable[bytes]) -> bool:
    """Do the same with content that need not be in memory at once, on a disk of this machine."""
    if isinstance(path, ObjectPath):
        return write_object(path, b"".join(parts))
    return wholefiles.write_parts(path, parts)


def put(path: Place, write: Callable[[BinaryIO], object]) -> None:
    """Have `write` write a file that is no output, whole or absent.

    Raises OutputNotWritable, or what `write` raises, leaving nothing behind.
    """
    if not isinstance(path, ObjectPath):
        wholefiles.put(path, write)
        return
    file = BytesIO()
    write(file)
    try:
        path.write_bytes(file.getvalue())
    except OSError as error:
        raise OutputNotWritable(f"{path.name} could not be written: {error.strerror}; run again") from error


def digest_of_file(path: Place) -> str:
    """The SHA-256 of a file's content. Raises OSError."""
    if isinstance(path, ObjectPath):
        found = head(path)
        if found is not None and found.size <= _SMALL:
            return hashlib.sha256(read(path)).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Place, finals: Iterable[str] | None = None) -> int:
    """Remove what killed writers left in a folder; returns the number of files removed. See `wholefiles`.

    Writers to a store leave nothing but what workers are shown, see `inspection`.
    """
    if not isinstance(folder, ObjectPath):
        return wholefiles.sweep(folder, finals)
    debris = list(folder.glob(wholefiles.DEBRIS)) if finals is None else []
    remove_all(debris)
    return len(debris)


def flush_folder(folder: Place) -> None:
    """Make the names in a folder durable; those in a store are."""
    if not isinstance(folder, ObjectPath):
        wholefiles.flush_folder(folder)


def remove_tree(folder: Place) -> None:
    """Remove a folder and all within, as far as that can be."""
    if not isinstance(folder, ObjectPath):
        shutil.rmtree(folder, ignore_errors=True)
        return
    with suppress(OSError):
        remove_all([folder / name for name, _ in folder.walk()])


def remove_if_empty(folder: Place) -> None:
    """Remove a folder in which there is nothing; a store has none."""
    if isinstance(folder, Path):
        with suppress(OSError):
            folder.rmdir()
