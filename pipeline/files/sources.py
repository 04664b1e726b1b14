"""A file's bytes, read once, with what tells them from any other state of the file.

Of a folder that is one image (see `folders`) state and digest alone: it is read piece by piece.
An object in a store is a file like any other, but each read is a request: see `objectfiles`.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import NamedTuple

from pipeline.errors import ChangedWhileReading, ImageError, TooMuchMemory
from pipeline.files.failures import failed_reading
from pipeline.files.folders import Contents, contents, digest, is_image_folder
from pipeline.files.objectfiles import ObjectFile, ObjectStat
from pipeline.files.objects import ObjectPath, Place
from pipeline.files.openfiles import RawFile, Stat, check_content, open_regular, shown, stat_again

_STEP = 4 << 20  # bytes of an object that are asked for at once where all are wanted in parts


class FileStat(NamedTuple):
    """What tells one state of a file from another.

    Of a folder that is one image: the sum of its files' sizes, the latest time of all files and
    folders in it, and the folder's inode. Of objects the inode is the version's, see `ObjectStat`.
    """

    bytes: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Source:
    """A file's content.

    Attributes
    ----------
    name : str
        The file's name without its folders, fit to be written down.
    data : bytes
        All of it.
    sha256 : str
        Of `data`, in hexadecimal.
    stat : FileStat
        The same before and after reading.
    """

    name: str
    data: bytes
    sha256: str
    stat: FileStat


def read_source(path: Place) -> Source:
    """Read all bytes of a file, once.

    Raises
    ------
    EmptyFile, UnsupportedImage, UnreadableFile, VanishedFile, TooMuchMemory
        See `pipeline.files.failures`.
    ChangedWhileReading
        When its size or time after reading is not what it was before.
    """
    with open_regular(path) as (file, before):
        return _whole(file, before, shown(path))


def read_small(path: Place, most: int) -> Source | None:
    """Do the same unless the file has more bytes than `most`; None if it has."""
    with open_regular(path) as (file, before):
        return None if before.st_size > most else _whole(file, before, shown(path))


def _whole(file: RawFile, before: Stat, name: str) -> Source:
    try:
        data = file.readall()
    except MemoryError as error:
        raise TooMuchMemory(
            f"{name}: expected memory for its {before.st_size} bytes, found too little; "
            "raise compute.memory_per_worker"
        ) from error
    after = stat_again(file)
    found = FileStat(len(data), before.st_mtime_ns, before.st_ino)
    if any(state != found for state in (_state(before), _state(after))):
        raise _changed(name, before, after)
    return Source(name, data, hashlib.sha256(data).hexdigest(), found)


def digest_file(path: Place) -> tuple[FileStat, str]:
    """Give a file's state and the SHA-256 of its content, without holding the content.

    Of a folder that is one image, the digest that `folders.digest` tells.

    Raises
    ------
    ImageError
        As `read_source` does.
    """
    if is_image_folder(path):
        return _digest_folder(path)
    with open_regular(path) as (file, before):
        source = BufferedReader(file, _STEP) if isinstance(file, ObjectFile) else file
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        after = stat_again(file)
    if _state(before) != _state(after):
        raise _changed(shown(path), before, after)
    return _state(before), sha256


def state_of(path: Place) -> FileStat:
    """Give a file's state.

    Raises
    ------
    EmptyFile, UnsupportedImage, UnreadableFile, VanishedFile
        See `pipeline.files.failures`.
    BrokenLink
        When a link within a folder that is one image cannot be followed.
    """
    return stamp_of(path)[0]


def stamp_of(path: Place) -> tuple[FileStat, int]:
    """Give a file's state, and the time of its last change of any kind in ns; errors as `state_of`."""
    if is_image_folder(path):
        held = _contents(path)
        return _folder_state(held), held.ctime_ns
    if isinstance(path, ObjectPath):
        found = _object_stat(path)
        return _state(found), found.st_ctime_ns
    with open_regular(path) as (_, status):
        return _state(status), status.st_ctime_ns


@contextmanager
def at_rest(path: Place, stat: FileStat, key: str) -> Iterator[None]:
    """Refuse what is read of a file that changes meanwhile; what fails then is no fault of its content.

    Raises
    ------
    ChangedWhileReading
        When its state is not `stat` at the end.
    """
    try:
        yield
    except ImageError as error:
        if state_of(path) != stat:
            raise changed(key) from error
        raise
    if state_of(path) != stat:
        raise changed(key)


def changed(key: str) -> ChangedWhileReading:
    """Make the error of a file that was written to while it was read."""
    return ChangedWhileReading(
        f"{key}: expected a file at rest, found one that changed while it was read; run again once "
        "nothing writes to it"
    )


def _object_stat(path: ObjectPath) -> ObjectStat:
    """What is known of an object, without opening it; errors as `open_regular`."""
    try:
        found = path.stat()
    except OSError as error:
        raise failed_reading(error, shown(path)) from error
    check_content(found, shown(path))
    return found


def unchanged(found: Stat, size: int, name: str) -> None:
    """Refuse a file whose size is not that of which its header told.

    Raises
    ------
    ChangedWhileReading
        When it is not.
    """
    if found.st_size != size:
        raise ChangedWhileReading(
            f"{name}: expected {size} bytes as when its header was read, found {found.st_size}; "
            "run again once nothing writes to it"
        )


def _changed(name: str, before: Stat, after: Stat) -> ChangedWhileReading:
    return ChangedWhileReading(
        f"{name}: expected {before.st_size} bytes at rest, found {after.st_size} and a file that "
        "changed while it was read; run again once nothing writes to it"
    )


def _contents(path: Place) -> Contents:
    """Look into a folder that is one image."""
    try:
        return contents(path, shown(path))
    except OSError as error:
        raise failed_reading(error, shown(path)) from error


def _folder_state(held: Contents) -> FileStat:
    return FileStat(held.bytes, held.mtime_ns, held.inode)


def _digest_folder(path: Place) -> tuple[FileStat, str]:
    before = _contents(path)
    try:
        sha256 = digest(path, before)
    except OSError as error:
        raise failed_reading(error, shown(path)) from error
    if _folder_state(_contents(path)) != _folder_state(before):
        raise changed(shown(path))
    return _folder_state(before), sha256


def _state(found: Stat) -> FileStat:
    """Keep of a stat result what tells one state of the file from another."""
    return FileStat(found.st_size, found.st_mtime_ns, found.st_ino)
