"""The only writer of an image's outputs: groups of files that become final together.

    commit = Commit(root)
    files = commit.stage("a.jpg", {"quantized/a.jpg.png": data, …})      beside the final names
    failed = commit.publish()                                            fsync, then replace

A file is written under a temporary name in its final folder, flushed to the disk, and moved over
its final name: whoever is killed at whatever instant, a final name is either the old file or the
whole new one. A file that already has the bytes asked for is not touched at all.
"""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import OutputNotWritable

DEBRIS = ".segpipe-*.part"
_ADVICE = {
    errno.ENAMETOOLONG: "shorten the image's name",
    errno.EISDIR: "a folder has the name of an output: remove it",
    errno.ENOTDIR: "a file has the name of an output folder: remove it",
}
_FLUSHERS = 16  # threads; a disk's journal takes the flushes of many files at once, in a quarter of the time


class OutputFile(NamedTuple):
    """A file of the output tree: its path relative to the root, with slashes, and its content's facts."""

    path: str
    bytes: int
    sha256: str


class _Move(NamedTuple):
    """A file on its way to its final name."""

    temporary: Path
    final: Path


Guard = Callable[[], None]


def allowed() -> None:
    """Let everything become final."""


class Commit:
    """Output files of some images under one root.

    guard : raises OutputNotWritable if they must not become final; asked just before they do.
    """

    def __init__(self, root: Path, guard: Guard = allowed) -> None:
        self._root = root
        self._guard = guard
        self._groups: dict[str, list[_Move]] = {}
        self._folders: set[Path] = set()

    def stage(self, key: str, files: Mapping[str, bytes]) -> list[OutputFile]:
        """Write the files of image `key` beside their final names.

        Raises OutputNotWritable, leaving nothing of this image behind.
        """
        with self._whole_group(key) as group:
            for path, data in files.items():
                self._stage(group, self._root / path, data)
        return [OutputFile(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()]

    def stage_written(self, key: str, path: str, write: Callable[[BinaryIO], None]) -> OutputFile:
        """Have `write` write one more file of image `key`, of any size, beside its final name.

        Raises OutputNotWritable, or what `write` raises, leaving nothing of this image behind.
        """
        with self._whole_group(key) as group:
            final = self._root / path
            temporary = self._temporary(final)
            group.append(_Move(temporary, final))
            with temporary.open("x+b") as file:
                write(file)
            size, digest = temporary.stat().st_size, _digest(temporary)
            if _has_digest(final, size, digest):
                group.pop()
                temporary.unlink()
        return OutputFile(path, size, digest)

    @contextmanager
    def _whole_group(self, key: str) -> Iterator[list[_Move]]:
        """The moves of an image, which are taken back if one more cannot be made."""
        try:
            yield self._groups.setdefault(key, [])
        except BaseException as error:  # whatever it is, half a group must not become final
            self.discard(key)
            if isinstance(error, OSError):
                raise _not_writable(error) from error
            raise

    def discard(self, key: str) -> None:
        """Take back what was staged for image `key`."""
        for move in self._groups.pop(key, []):
            with suppress(OSError):  # a disk that has become read-only keeps it; a later run sweeps
                move.temporary.unlink()

    def publish(self) -> dict[str, OutputNotWritable]:
        """Make all staged files final, image by image; returns the images for which that failed.

        Of such an image some files may be new and some old: its record must not be written.
        """
        failed: dict[str, OutputNotWritable] = {}
        folders: dict[Path, list[str]] = {}
        errors = _flush_all([move.temporary for moves in self._groups.values() for move in moves])
        refusal = refused(self._guard)
        for key, moves in self._groups.items():
            if refusal is not None:
                failed[key] = refusal
                continue
            try:
                for move in moves:
                    if move.temporary in errors:
                        raise errors[move.temporary]
                for move in moves:
                    move.temporary.replace(move.final)
                    folders.setdefault(move.final.parent, []).append(key)
            except OSError as error:
                failed[key] = _not_writable(error)
        for folder, keys in sorted(folders.items()):
            try:
                flush_folder(folder)
            except OSError as error:
                failed |= dict.fromkeys(keys, _not_writable(error))
        for key in failed:
            self.discard(key)
        self._groups.clear()
        return failed

    def _stage(self, group: list[_Move], final: Path, data: bytes) -> None:
        temporary = self._temporary(final)
        if _has_content(final, data):
            return
        group.append(_Move(temporary, final))
        with temporary.open("xb") as file:
            file.write(data)

    def _temporary(self, final: Path) -> Path:
        """A new name beside a file."""
        return self._folder(final.parent) / DEBRIS.replace("*", f"{_mark(final.name)}-{secrets.token_hex(4)}")

    def _folder(self, folder: Path) -> Path:
        """Make a folder below the root, refusing one that a link has moved elsewhere."""
        if folder not in self._folders:
            if not folder.resolve().is_relative_to(self._root.resolve()):
                raise OutputNotWritable(
                    f"{folder.relative_to(self._root)}: expected a folder inside the output root, found a "
                    f"link to {folder.resolve()}; remove the link"
                )
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        return folder


def refused(guard: Guard) -> OutputNotWritable | None:
    """Why a guard lets nothing become final, or None if it does."""
    try:
        guard()
    except OutputNotWritable as error:
        return error
    return None


def write_whole(path: Path, data: bytes) -> bool:
    """Replace a file's content at once, durably, unless it has that content already.

    Returns whether anything was written. Raises OSError.
    """
    return not _has_content(path, data) and write_parts(path, [data])


def write_parts(path: Path, parts: Iterable[bytes]) -> bool:
    """Do what `write_whole` does with content that need not be in memory at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / DEBRIS.replace("*", f"{path.name}-{secrets.token_hex(4)}")
    digest, size = hashlib.sha256(), 0
    try:
        with temporary.open("xb") as file:
            for part in parts:
                size += file.write(part)
                digest.update(part)
            file.flush()
            os.fsync(file.fileno())
        if _has_digest(path, size, digest.hexdigest()):
            temporary.unlink()
            return False
        temporary.replace(path)
    except BaseException:  # Ctrl-C too
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)
    return True


def put(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Have `write` write a file that is no output, whole or absent; the disk may take it when it likes.

    Raises OutputNotWritable, or what `write` raises, leaving nothing behind.
    """
    temporary = path.parent / DEBRIS.replace("*", f"{path.name}-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            write(file)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise _not_writable(error) from error
        raise


def sweep(folder: Path, finals: Iterable[str] | None = None) -> int:
    """Remove what killed writers left in a folder; returns the number of files removed.

    finals : remove only what was to become an output of one of these names; looked at if there is anything.
    """
    debris = list(folder.glob(DEBRIS))
    if debris and finals is not None:
        marks = {_mark(name) for name in finals}
        debris = [path for path in debris if path.name.split("-")[1] in marks]
    for path in debris:
        path.unlink(missing_ok=True)
    return len(debris)


def _mark(name: str) -> str:
    """What stands for a file's name in that of its temporary file: itself may be too long."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:12]


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


def _flush_all(paths: list[Path]) -> dict[Path, OSError]:
    """Have the disk take some files; returns the errors met."""
    if len(paths) <= 1:
        found: Iterator[OSError | None] = map(_flush, paths)
    else:
        with ThreadPoolExecutor(_FLUSHERS) as flushers:
            found = flushers.map(_flush, paths)
    return {path: error for path, error in zip(paths, found, strict=True) if error is not None}


def _flush(path: Path) -> OSError | None:
    try:
        handle = os.open(path, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        return error
    return None


def _has_content(path: Path, data: bytes) -> bool:
    """Tell whether a regular file with just these bytes is there."""
    try:
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _has_digest(path: Path, size: int, digest: str) -> bool:
    """Tell whether a regular file of this size and SHA-256 is there."""
    try:
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_size == size and _digest(path) == digest
    except OSError:
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_writable(error: OSError) -> OutputNotWritable:
    advice = _ADVICE.get(error.errno or 0, "make room or rights in the output root and run again")
    return OutputNotWritable(
        f"outputs could not be written: {error.strerror or type(error).__name__}; {advice}"
    )
