"""What lies below an input root that is a folder of this machine; see `pipeline.files.listing`.

- Hidden files and folders (a leading dot) are left out, always.
- A symbolic link is followed while its target lies inside the input root; one that leaves it is
  passed over and named, unless links are asked to be followed. A folder that a link would enter
  from within itself is cut there, and named.
- What can already be seen to fail (a broken link, a name that is not UTF-8, a pipe) is an entry
  with its error, so that it gets its row in the manifest like any other image.
- Only folders are read.
"""

import os
import stat
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import BrokenLink, ImageError, InputError, UnsupportedImage, UnusableName
from pipeline.files.entries import Entry, Skipped
from pipeline.files.folders import contents, has_image_name, is_marked
from pipeline.files.patterns import Patterns
from pipeline.files.printable import utf8


def list_folder(
    root: Path, patterns: Patterns, follow_symlinks: bool
) -> tuple[list[Entry], list[Skipped], dict[str, int]]:
    """List the image files below `root`, and what was passed over, in no order; count others by extension.

    Raises
    ------
    InputError
        When the root is missing, not a folder, or cannot be read.
    """
    walk = _Walk(root, patterns, follow_symlinks)
    walk.run()
    _part_namesakes(walk.entries)
    return walk.entries, walk.skipped, dict(walk.others)


def _part_namesakes(entries: list[Entry]) -> None:
    """Give a name that is not UTF-8 another key if, written down, it is that of another file."""
    keys = {entry.key for entry in entries if not isinstance(entry.error, UnusableName)}
    for place, entry in enumerate(entries):
        if isinstance(entry.error, UnusableName):
            key = entry.key
            while key in keys:
                key += "~"
            keys.add(key)
            entries[place] = entry._replace(key=key)


class _Folder(NamedTuple):
    """A folder still to be read; `prefix` begins the keys of all within."""

    path: str
    prefix: str
    parent: "_Folder | None"


class _Walk:
    """One walk over the tree: a stack of folders, never the call stack."""

    def __init__(self, root: Path, patterns: Patterns, follow_symlinks: bool) -> None:
        self.entries: list[Entry] = []
        self.skipped: list[Skipped] = []
        self.others: Counter[str] = Counter()
        self._patterns = patterns
        self._follow = follow_symlinks
        self._root = os.fspath(root)
        self._real_root = os.path.realpath(root)
        self._folders = [_Folder(self._root, "", None)]

    def run(self) -> None:
        """Read every folder once for each way that leads to it."""
        while self._folders:
            folder = self._folders.pop()
            try:
                with os.scandir(folder.path) as items:
                    for item in items:
                        if not item.name.startswith("."):
                            self._sort_out(item, folder)
            except OSError as error:
                if folder.parent is None:
                    raise _unusable_root(self._root, error) from error
                self._skip(folder.prefix[:-1], f"the folder cannot be read: {error.strerror}")

    def _sort_out(self, item: os.DirEntry[str], folder: _Folder) -> None:
        """Put one item of a folder among the folders, the entries or the skipped."""
        key = folder.prefix + item.name
        if item.is_symlink():
            self._take_link(item, key, folder)
        elif item.is_dir(follow_symlinks=False):
            self._enter(item.path, key, folder)
        elif self._patterns.takes(key, item.name):
            try:
                found = item.stat(follow_symlinks=False)
            except OSError as error:
                self._skip(key, f"went away during the listing: {error.strerror}")
            else:
                self._add(key, found)
        elif not self._patterns.excludes(key):
            self.others[os.path.splitext(item.name)[1].lower()] += 1  # noqa: PTH122 -- the name is a str here

    def _take_link(self, item: os.DirEntry[str], key: str, folder: _Folder) -> None:
        """Follow a link, or tell why not."""
        try:
            found = item.stat()
        except OSError as error:
            if self._patterns.takes(key, item.name):
                self._add(key, None, _broken_link(item.path, key, error))
            return
        is_folder = stat.S_ISDIR(found.st_mode)
        if self._patterns.prunes(key) if is_folder else not self._patterns.takes(key, item.name):
            return
        if not self._follow and not self._is_inside(os.path.realpath(item.path)):
            self._skip(key, "the link leaves the input root; set input.follow_symlinks to follow it")
        elif not is_folder:
            self._add(key, found)
        elif _is_within(found, folder):
            self._skip(key, "the link leads back into a folder that it lies in")
        else:
            self._enter(item.path, key, folder)

    def _is_inside(self, real: str) -> bool:
        """Tell whether a path without links is the root or below it."""
        return real == self._real_root or real.startswith(self._real_root.rstrip(os.sep) + os.sep)

    def _enter(self, path: str, key: str, parent: _Folder) -> None:
        """Put a folder on the stack unless it is excluded as a whole, or one image."""
        if self._patterns.prunes(key):
            return
        if not (has_image_name(key) and is_marked(path)):
            self._folders.append(_Folder(path, f"{key}/", parent))
        elif self._patterns.takes_folder(key):
            self._add_folder(path, key)

    def _add_folder(self, path: str, key: str) -> None:
        """Add the entry of a folder that is one image, unless a link in it leaves the root."""
        if (shown := utf8(key)) != key:
            self.entries.append(Entry(shown, 0, 0, 0, _unusable_name(shown)))
            return
        try:
            held = contents(path, key)
        except ImageError as error:
            self.entries.append(Entry(key, 0, 0, 0, error))
        except OSError as error:
            self._skip(key, f"the folder cannot be read: {error.strerror}")
        else:
            if self._follow or all(self._is_inside(os.path.realpath(link)) for link in held.links):
                self.entries.append(Entry(key, held.bytes, held.mtime_ns, held.inode))
            else:
                self._skip(key, "a link in it leaves the input root; set input.follow_symlinks to follow it")

    def _add(self, key: str, found: os.stat_result | None, error: ImageError | None = None) -> None:
        """Add the entry of one file; `found` is None for a link that leads nowhere."""
        if not key.isascii() and (shown := utf8(key)) != key:
            error = _unusable_name(shown)
            key = shown
        elif found is not None and not stat.S_ISREG(found.st_mode):
            error = UnsupportedImage(
                f"{key}: expected a file, found {_kind(found.st_mode)}; exclude it, or replace it by a file"
            )
        if found is None:
            self.entries.append(Entry(key, 0, 0, 0, error))
        else:
            self.entries.append(Entry(key, found.st_size, found.st_mtime_ns, found.st_ino, error))

    def _skip(self, key: str, reason: str) -> None:
        """Name something that was passed over."""
        self.skipped.append(Skipped(utf8(key), reason))


def _is_within(target: os.stat_result, folder: _Folder) -> bool:
    """Tell whether `target` is `folder` or one of those on the way to it, by device and inode."""
    above: _Folder | None = folder
    while above is not None:
        if os.path.samestat(target, os.stat(above.path)):  # noqa: PTH116 -- the path is a str here
            return True
        above = above.parent
    return False


def _unusable_name(key: str) -> ImageError:
    return UnusableName(f"{key}: expected a file name in UTF-8, found bytes that are not; rename the file")


def _broken_link(path: str, key: str, error: OSError) -> ImageError:
    """Tell where a link that cannot be followed leads."""
    try:
        target = utf8(os.readlink(path))  # noqa: PTH115 -- the path is a str here
    except OSError:
        target = "an unknown place"
    return BrokenLink(
        f"{utf8(key)}: expected a link to a file, found one to {target} that cannot be "
        f"followed ({error.strerror}); restore its target or remove the link"
    )


def _kind(mode: int) -> str:
    """Name a kind of file that is no regular file."""
    kinds = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISDIR, "a folder"))
    return next((name for test, name in kinds if test(mode)), "a device")


def _unusable_root(root: str, error: OSError) -> InputError:
    """Tell why the input root cannot be read, and what to do."""
    found, advice = f"an error ({error.strerror})", "check the disk or the network share"
    if isinstance(error, FileNotFoundError):
        found, advice = "nothing there", "check input.root in the job file, or mount the disk it is on"
    elif isinstance(error, NotADirectoryError):
        found, advice = "a file", "give the folder that holds the images"
    elif isinstance(error, PermissionError):
        found, advice = "one without permission to read", "give this user permission to read and enter it"
    return InputError(f"input root {utf8(root)}: expected a readable folder, found {found}; {advice}")
