"""An input that is open: a file of this machine, or an object in a store, which is read likewise."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

from pipeline.errors import EmptyFile, UnsupportedImage
from pipeline.files.failures import failed_reading
from pipeline.files.objectfiles import ObjectFile, ObjectStat
from pipeline.files.objects import ObjectPath, Place

RawFile = FileIO | ObjectFile
"""An input that is open, unbuffered."""

Stat = os.stat_result | ObjectStat
"""What is known of one."""


@contextmanager
def open_regular(path: Place) -> Iterator[tuple[RawFile, Stat]]:
    """Open a file that has content; errors of the system while it is open are told in our words.

    Yields
    ------
    tuple of binary file and stat result
        The file, unbuffered, and its stat at the beginning.

    Raises
    ------
    EmptyFile, UnsupportedImage, UnreadableFile, VanishedFile
        See `pipeline.files.failures`.
    ChangedWhileReading
        When an object is replaced while it is open.
    """
    name = shown(path)
    try:
        with _opened(path) as file:
            found = file.stat if isinstance(file, ObjectFile) else os.fstat(file.fileno())
            if not isinstance(found, ObjectStat) and not stat.S_ISREG(found.st_mode):
                raise UnsupportedImage(f"{name}: expected a file, found a pipe or device; exclude it")
            check_content(found, name)
            yield file, found
    except OSError as error:
        raise failed_reading(error, name) from error


@contextmanager
def _opened(path: Place) -> Iterator[RawFile]:
    if isinstance(path, ObjectPath):
        with path.opened() as remote:
            yield remote
        return
    with FileIO(path, "rb", opener=_at_once) as file:  # which refuses a folder, and closes it
        yield file


def _at_once(path: str, flags: int) -> int:
    """Open a file; a pipe without a writer must not hold us up."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def stat_again(file: RawFile) -> Stat:
    """What is known of an open file now."""
    return file.again() if isinstance(file, ObjectFile) else os.fstat(file.fileno())


def check_content(found: Stat, name: str) -> None:
    """Raise EmptyFile if there are no bytes."""
    if found.st_size == 0:
        raise EmptyFile(f"{name}: expected an image, found 0 bytes; restore it from its source")


def shown(path: Place) -> str:
    """Give a file's name, without its folders, in a form that can be written down."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")
