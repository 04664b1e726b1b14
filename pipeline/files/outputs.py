"""The only writer of an image's outputs: groups of files that become final together.

    commit = Commit(root)
    files = commit.stage("a.jpg", {"quantized/a.jpg.png": data, …})      beside the final names
    failed = commit.publish()                                            fsync, then replace

A file is written under a temporary name in its final folder, flushed to the disk, and moved over
its final name: whoever is killed at whatever instant, a final name is either the old file or the
whole new one. A file that already has the bytes asked for is not touched at all.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import OutputNotWritable
from pipeline.files.wholefiles import (
    digest_of,
    flush_folder,
    has_content,
    has_digest,
    not_writable,
    temporary_beside,
)

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

    def stage_written(self, key: str, path: str, write: Callable[[BinaryIO], object]) -> OutputFile:
        """Have `write` write one more file of image `key`, of any size, beside its final name.

        Raises OutputNotWritable, or what `write` raises, leaving nothing of this image behind.
        """
        with self._whole_group(key) as group:
            final = self._root / path
            temporary = self._temporary(final)
            group.append(_Move(temporary, final))
            with temporary.open("x+b") as file:
                write(file)
            size, digest = temporary.stat().st_size, digest_of(temporary)
            if has_digest(final, size, digest):
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
                raise not_writable(error) from error
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
                failed[key] = not_writable(error)
        for folder, keys in sorted(folders.items()):
            try:
                flush_folder(folder)
            except OSError as error:
                failed |= dict.fromkeys(keys, not_writable(error))
        for key in failed:
            self.discard(key)
        self._groups.clear()
        return failed

    def _stage(self, group: list[_Move], final: Path, data: bytes) -> None:
        temporary = self._temporary(final)
        if has_content(final, data):
            return
        group.append(_Move(temporary, final))
        with temporary.open("xb") as file:
            file.write(data)

    def _temporary(self, final: Path) -> Path:
        """A new name beside a file, in a folder that is there."""
        self._make_folder(final.parent)
        return temporary_beside(final)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder below the root, refusing one that a link has moved elsewhere."""
        if folder not in self._folders:
            if not folder.resolve().is_relative_to(self._root.resolve()):
                raise OutputNotWritable(
                    f"{folder.relative_to(self._root)}: expected a folder inside the output root, found a "
                    f"link to {folder.resolve()}; remove the link"
                )
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)


def refused(guard: Guard) -> OutputNotWritable | None:
    """Why a guard lets nothing become final, or None if it does."""
    try:
        guard()
    except OutputNotWritable as error:
        return error
    return None


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
