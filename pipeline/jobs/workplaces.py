"""Work folders: where tasks on an image that is done in parts hand on what they have found out.

One lies below the output root's state, named after the state of the image's file and all that its
pixels depend on: a run that was killed goes on with what it had found out of the pixels. All else lies
in a folder in it that is a run's own: a worker that outlives its driver must not write into what the
next run makes.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from pipeline.errors import ChangedWhileReading, ImageError
from pipeline.files.listing import Entry
from pipeline.files.objects import Place
from pipeline.files.sources import FileStat, stamp_of
from pipeline.files.writing import remove_if_empty, remove_tree, sweep
from pipeline.jobs.recipe import ALGORITHM_VERSION

_NAME = "[0-9a-f]" * 24
_KEY = "image"  # the file in a work folder that names it


class Working(Protocol):
    """An image that has a work folder."""

    @property
    def work(self) -> Place:
        """The folder."""


class Folders:
    """The work folders of a run's images. What killed runs have left of other states of them is removed."""

    def __init__(self, folder: Place, images: Mapping[str, Working | ImageError]) -> None:
        self._folder = folder
        self._ours = {key: image.work for key, image in images.items() if not isinstance(image, ImageError)}
        for work, key in _left(folder):
            if key in images and work != self._ours.get(key):
                remove_tree(work)

    def forget(self) -> None:
        """Remove what is left of them: there is nothing more to do."""
        for work in self._ours.values():
            remove_tree(work)
        remove_if_empty(self._folder)


def forget_gone(folder: Place, keys: set[str]) -> None:
    """Remove what killed runs have left of images that are not among `keys`. folder : of all work folders."""
    for work, key in _left(folder):
        if key not in keys:
            remove_tree(work)
    remove_if_empty(folder)


def _left(folder: Place) -> list[tuple[Place, str]]:
    """The work folders that are there, nothing else (a link to a larger disk may be), and their images."""
    found = []
    for work in folder.glob(_NAME):
        try:
            found.append((work, (work / _KEY).read_text("utf-8")))
        except (OSError, ValueError):
            found.append((work, ""))
    return found


class Workplace(NamedTuple):
    """The state of an image's file, its work folder, and the folder in it that is this run's alone."""

    stat: FileStat
    work: Place
    scratch: Place


def workplace(folder: Place, root: Place, entry: Entry, *said: Any) -> Workplace:
    """Where to work on an image. folder : of all work folders. said : what else its pixels depend on.

    Raises ImageError if its file cannot be opened, or is not the one that was listed.
    """
    stat, ctime_ns = stamp_of(root / entry.key)
    if stat[:2] != (entry.bytes, entry.mtime_ns) or entry.inode not in (0, stat.inode):  # 0: not listed
        raise ChangedWhileReading(
            f"{entry.key}: expected the file that was listed, of {entry.bytes} bytes, found one that was "
            f"changed since, of {stat.bytes}; run again once nothing writes to it"
        )
    # The time of the last change of any kind too: who writes into a file may set its other time back.
    all_said = (entry.key, *stat, ctime_ns, *said, ALGORITHM_VERSION)
    work = folder / hashlib.sha256(repr(all_said).encode()).hexdigest()[:24]
    return Workplace(stat, work, work / f"run-{secrets.token_hex(4)}")


def furnish(key: str, work: Place, scratch: Place) -> None:
    """Make an image's work folder, or clear the one that is there of what was a killed run's own."""
    work.mkdir(parents=True, exist_ok=True)
    (work / _KEY).write_text(key, "utf-8")
    sweep(work)
    for other in work.glob("run-*"):
        remove_tree(other)
    scratch.mkdir()
