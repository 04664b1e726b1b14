"""Files of this machine that are replaced as a whole: who is killed leaves the old one or the new one.

Each is written under a temporary name beside its own, and moved over it. What killed writers leave
has a name of `DEBRIS`, and is swept by a later run.
"""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import OutputNotWritable

DEBRIS = ".segpipe-*.part"
_ADVICE = {
    errno.ENAMETOOLONG: "shorten the image's name",
    errno.EISDIR: "a folder has the name of an output: remove it",
    errno.ENOTDIR: "a file has the name of an output folder: remove it",
}


def write_whole(path: Path, data: bytes) -> bool:
    """Replace a file's content at once, durably, unless it has that content already.

    Returns whether anything was written. Raises OSError.
    """
    return not has_content(path, data) and write_parts(path, [data])


def write_parts(path: Path, parts: Iterable[bytes]) -> bool:
    """Do what `write_whole` does with content that need not be in memory at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with _taken_back(temporary_beside(path)) as temporary:
        with temporary.open("xb") as file:
            for part in parts:
                size += file.write(part)
                digest.update(part)
            file.flush()
            os.fsync(file.fileno())
        if has_digest(path, size, digest.hexdigest()):
            temporary.unlink()
            return False
        temporary.replace(path)
    flush_folder(path.parent)
    return True


def put(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Have `write` write a file that is no output, whole or absent; the disk may take it when it likes.

    Raises OutputNotWritable, or what `write` raises, leaving nothing behind.
    """
    try:
        with _taken_back(temporary_beside(path)) as temporary:
            with temporary.open("xb") as file:
                write(file)
            temporary.replace(path)
    except OSError as error:
        raise not_writable(error) from error


def write_new(path: Path, data: bytes, check: Callable[[Path], object]) -> None:
    """Write a file that is not there yet, whole or not at all.

    check : looks at the file before it has its name, and raises if it is not to be.
    Raises OSError: FileExistsError if the name is taken, by a broken link too.
    """
    with _taken_back(temporary_beside(path)) as temporary:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        check(temporary)
        try:
            os.link(temporary, path)  # unlike a rename, never over another's file
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            temporary.rename(path)
        else:
            temporary.unlink()
    flush_folder(path.parent)


def sweep(folder: Path, finals: Iterable[str] | None = None) -> int:
    """Remove what killed writers left in a folder; returns the number of files removed.

    finals : remove only what was to become a file of one of these names; looked at if there is anything.
    """
    debris = list(folder.glob(DEBRIS))
    if debris and finals is not None:
        marks = {_mark(name) for name in finals}
        debris = [path for path in debris if path.name.split("-")[1] in marks]
    for path in debris:
        path.unlink(missing_ok=True)
    return len(debris)


def temporary_beside(path: Path) -> Path:
    """A new name for what is to become a file, in the same folder; `sweep` knows it by the file's."""
    return path.parent / DEBRIS.replace("*", f"{_mark(path.name)}-{secrets.token_hex(4)}")


def _mark(name: str) -> str:
    """What stands for a file's name in that of its temporary file: itself may be too long."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:12]


@contextmanager
def _taken_back(temporary: Path) -> Iterator[Path]:
    """Remove a temporary file if it does not become final."""
    try:
        yield temporary
    except BaseException:  # Ctrl-C too
        with suppress(OSError):  # what went wrong first is told; a disk that is read-only by now keeps it
            temporary.unlink()
        raise


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":
        return  # folders cannot be opened there; NTFS journals its names
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(handle)


def has_content(path: Path, data: bytes) -> bool:
    """Tell whether a regular file with just these bytes is there."""
    try:
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def has_digest(path: Path, size: int, digest: str) -> bool:
    """Tell whether a regular file of this size and SHA-256 is there."""
    try:
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_size == size and digest_of(path) == digest
    except OSError:
        return False


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def not_writable(error: OSError) -> OutputNotWritable:
    """Say what it means that an image's outputs could not be written."""
    advice = _ADVICE.get(error.errno or 0, "make room or rights in the output root and run again")
    return OutputNotWritable(
        f"outputs could not be written: {error.strerror or type(error).__name__}; {advice}"
    )
