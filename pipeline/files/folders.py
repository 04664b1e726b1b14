"""Folders that are one image: which they are, what tells their states apart, and their digest.

A folder's state is that of all that lies in it, at any depth, hidden files too and links followed. One
that cannot be followed is an error: a reader would take the piece for one that was left out. In an
object store a folder is what the objects in it have in common: the beginning of their names.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import BrokenLink, UnsupportedImage
from pipeline.files.ahead import mapped_ahead
from pipeline.files.objectfiles import ObjectStat
from pipeline.files.objects import ObjectPath, Place
from pipeline.files.printable import utf8

_SUFFIX = ".zarr"
_MARKS = ("zarr.json", ".zarray", ".zgroup")
_STEP = 1 << 20  # bytes read at once
_WHOLE = 8 << 20  # bytes of an object that is read at once, and ahead
_THREADS = 8


class Contents(NamedTuple):
    """What a folder holds.

    Attributes
    ----------
    bytes : int
        The sum of all files' sizes.
    mtime_ns, ctime_ns : int
        The latest of all files and folders in it, its own included.
    inode : int
        The folder's; of objects a hash of the versions of all, 0 if they have none.
    files : list of tuple of str and int
        Path below the folder, with slashes, and size of each file; in no order.
    links : list of str
        The paths of all symbolic links in it.
    """

    bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    files: list[tuple[str, int]]
    links: list[str]


def has_image_name(name: str) -> bool:
    """Tell whether a folder of that name may be an image."""
    return name.lower().endswith(_SUFFIX)


def marks_image(name: str) -> bool:
    """Tell whether a file of that name makes the folder that it lies in an image."""
    return name in _MARKS


def is_marked(path: str) -> bool:
    """Tell whether a folder holds what makes one of its name an image; for listings."""
    return any(os.path.lexists(os.path.join(path, mark)) for mark in _MARKS)  # noqa: PTH118 -- a str here


def is_image_folder(path: Place) -> bool:
    """Tell whether a listed path is that of a folder, whatever has become of what it holds."""
    if not has_image_name(path.name):
        return False
    if isinstance(path, Path):
        return os.path.isdir(path)  # noqa: PTH112 -- Path's own may raise
    try:
        return path.is_dir()
    except OSError:  # who opens it is told
        return False


def contents(path: str | Place, name: str) -> Contents:
    """Look at everything in a folder; no file is opened.

    Parameters
    ----------
    path : str, Path or ObjectPath
        The folder.
    name : str
        What messages call it.

    Raises
    ------
    BrokenLink
        When a link in it leads nowhere, or into a folder that it lies in.
    UnsupportedImage
        When it holds a pipe, a socket or a device.
    OSError
        When a folder cannot be read.
    """
    if isinstance(path, ObjectPath):
        return _contents_of(path)
    path = os.fspath(path)
    own = os.stat(path)  # noqa: PTH116 -- the path is a str here
    size, mtime, ctime = 0, own.st_mtime_ns, own.st_ctime_ns
    files: list[tuple[str, int]] = []
    links: list[str] = []
    for relative, item, found in _walk(path, own, name):
        mtime, ctime = max(mtime, found.st_mtime_ns), max(ctime, found.st_ctime_ns)
        if item.is_symlink():
            links.append(item.path)
        if stat.S_ISREG(found.st_mode):
            size += found.st_size
            files.append((relative, found.st_size))
    return Contents(size, mtime, ctime, own.st_ino, files, links)


def held_by(objects: Iterable[tuple[str, ObjectStat]]) -> Contents:
    """What a folder holds that is the beginning of objects' names: told by the rest of each, and its stat."""
    known = sorted(objects)
    version = hashlib.sha256(repr([(name, *stat) for name, stat in known]).encode()).digest()
    latest = max((stat.st_mtime_ns for _, stat in known), default=0)
    return Contents(
        bytes=sum(stat.st_size for _, stat in known),
        mtime_ns=latest,
        ctime_ns=latest,
        inode=int.from_bytes(version[:8], "big") >> 1 if all(stat.st_ino for _, stat in known) else 0,
        files=[(name, stat.st_size) for name, stat in known if not name.endswith("/")],
        links=[],
    )


def digest(path: Place, found: Contents) -> str:
    """Give the SHA-256 of what a folder holds, in hexadecimal.

    It is over all files, ordered by the bytes of their paths below the folder. Each is told as: the
    path's length in bytes as 8 bytes, least first; the path, with slashes; the size as 8 bytes, least
    first; the content. Folders without files, times and rights have no part in it; a link counts as
    the file that it leads to.

    Raises
    ------
    OSError
        When a file cannot be read.
    """
    sha256 = hashlib.sha256()
    files = sorted((os.fsencode(relative), size) for relative, size in found.files)
    for (name, size), pieces in zip(files, _read(path, files), strict=True):
        sha256.update(len(name).to_bytes(8, "little") + name + size.to_bytes(8, "little"))
        for piece in pieces:
            sha256.update(piece)
    return sha256.hexdigest()


def _read(path: Place, files: Sequence[tuple[bytes, int]]) -> Iterable[Iterable[bytes]]:
    """The content of files in a folder, each in pieces; of objects the next few are read ahead."""

    def parts(file: Path | ObjectPath) -> Iterator[bytes]:
        with file.open("rb") as opened:
            while piece := opened.read(_STEP):
                yield piece

    def whole(file: tuple[bytes, int]) -> Iterable[bytes]:
        place = path / os.fsdecode(file[0])
        return [place.read_bytes()] if file[1] <= _WHOLE else parts(place)

    if isinstance(path, ObjectPath):
        return mapped_ahead(whole, files, _THREADS)
    return (parts(path / os.fsdecode(name)) for name, _ in files)


def _contents_of(path: ObjectPath) -> Contents:
    objects = list(path.walk())
    if not objects:
        raise FileNotFoundError(errno.ENOENT, f"there is nothing below {path}")
    return held_by(objects)


def _walk(
    path: str, own: os.stat_result, name: str
) -> Iterator[tuple[str, os.DirEntry[str], os.stat_result]]:
    """Everything in a folder but itself: its path below, and its stat; a link's target's."""
    folders: list[tuple[str, str, tuple[tuple[int, int], ...]]] = [(path, "", ((own.st_dev, own.st_ino),))]
    while folders:
        folder, prefix, above = folders.pop()
        with os.scandir(folder) as items:
            for item in items:
                relative = prefix + item.name
                found = _stat(item, relative, name)
                yield relative, item, found
                if stat.S_ISDIR(found.st_mode):
                    identity = (found.st_dev, found.st_ino)
                    if identity in above:
                        raise _broken(name, relative, "that leads back into a folder that it lies in")
                    folders.append((item.path, f"{relative}/", (*above, identity)))
                elif not stat.S_ISREG(found.st_mode):
                    raise UnsupportedImage(
                        f"{name}: expected files and folders in it, found a pipe or device at "
                        f"{utf8(relative)}; remove it, or exclude the image"
                    )


def _stat(item: os.DirEntry[str], relative: str, name: str) -> os.stat_result:
    try:
        return item.stat(follow_symlinks=True)
    except OSError as error:
        if not item.is_symlink():
            raise
        raise _broken(name, relative, f"that cannot be followed ({error.strerror})") from error


def _broken(name: str, relative: str, why: str) -> BrokenLink:
    return BrokenLink(
        f"{name}: expected links in it to lead to files, found one at {utf8(relative)} {why}; "
        "restore its target or remove the link"
    )
