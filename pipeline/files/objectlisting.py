"""What lies below an input root in an object store; see `pipeline.files.listing`.

All names come from one listing, a thousand a request; no object is asked for. A store has no links and
no folders: what some programs put there to stand for one, a name with a slash at its end, is left out.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping

from pipeline.errors import ImageError, InputError, UnusableName
from pipeline.files.entries import Entry
from pipeline.files.folders import has_image_name, held_by, marks_image
from pipeline.files.objectfiles import ObjectStat
from pipeline.files.objects import ObjectPath
from pipeline.files.patterns import Patterns

_LONGEST = 255  # bytes of a folder's name, on all common file systems


def list_objects(root: ObjectPath, patterns: Patterns) -> tuple[list[Entry], dict[str, int]]:
    """List the image files below `root`, in no order, and count the others by extension.

    Raises
    ------
    InputError
        When there is nothing below the root, or it cannot be listed.
    """
    try:
        found = dict(root.walk())
        lone = not found and root.is_file()
    except OSError as error:
        raise _unusable_root(root, error) from error
    if not found:
        what = "an object; give what its name begins with"
        if not lone:
            what = "nothing there; check input.root in the job file"
        raise InputError(f"input root {root}: expected objects below it, found {what}")
    folders = _image_folders(found)
    entries: list[Entry] = []
    others: Counter[str] = Counter()
    for key, stat in found.items():
        name = key.rpartition("/")[2]
        if not name or _is_hidden(key) or _image_above(key, folders):
            continue
        if patterns.takes(key, name):
            entries.append(Entry(key, *stat, _odd_name(key)))
        elif not patterns.excludes(key):
            others[os.path.splitext(name)[1].lower()] += 1  # noqa: PTH122 -- the name is a str here
    entries += _folder_entries(found, folders, patterns)
    return entries, dict(others)


def _image_folders(found: Mapping[str, ObjectStat]) -> set[str]:
    """The names that end in a folder that is one image, and lie in no other one."""
    marked = {key.rpartition("/")[0] for key in found if marks_image(key.rpartition("/")[2])}
    folders = {folder for folder in marked if has_image_name(folder)}
    return {folder for folder in folders if not _image_above(folder, folders) and not _is_hidden(folder)}


def _image_above(key: str, folders: set[str]) -> str:
    """The image folder that a key lies in, if one."""
    if not folders:
        return ""
    return next((folder for folder in _above(key) if folder in folders), "")


def _above(key: str) -> Iterator[str]:
    """The folders that a key lies in, from the top."""
    place = key.find("/")
    while place >= 0:
        yield key[:place]
        place = key.find("/", place + 1)


def _folder_entries(
    found: Mapping[str, ObjectStat], folders: set[str], patterns: Patterns
) -> Iterator[Entry]:
    held: dict[str, list[tuple[str, ObjectStat]]] = {
        folder: [] for folder in folders if patterns.takes_folder(folder) and not _pruned(folder, patterns)
    }
    for key, stat in found.items() if held else ():
        folder = _image_above(key, folders)
        if folder in held:
            held[folder].append((key[len(folder) + 1 :], stat))
    for folder, objects in held.items():
        contents = held_by(objects)
        yield Entry(folder, contents.bytes, contents.mtime_ns, contents.inode, _odd_name(folder))


def _pruned(key: str, patterns: Patterns) -> bool:
    return any(patterns.prunes(folder) for folder in _above(key))


def _is_hidden(key: str) -> bool:
    return key.startswith(".") or "/." in key


def _odd_name(key: str) -> ImageError | None:
    """What is wrong with a name that a store has and no folder can have."""
    folders = key.split("/")[:-1]
    if "" in folders:
        found = "one with nothing between two slashes"
    elif any(len(folder.encode()) > _LONGEST for folder in folders):
        found = f"one with a part of more than {_LONGEST} bytes"
    elif "\0" in key:
        found = "one with a null character"
    else:
        return None
    return UnusableName(f"{key}: expected a name that a file can have, found {found}; rename the object")


def _unusable_root(root: ObjectPath, error: OSError) -> InputError:
    found, advice = f"an error ({error.strerror})", "check the connection, the endpoint and the credentials"
    if isinstance(error, FileNotFoundError):
        found, advice = "no such bucket", "check input.root in the job file"
    elif isinstance(error, PermissionError):
        found, advice = f"no right to list it ({error.strerror})", "grant that, or give other credentials"
    return InputError(f"input root {root}: expected objects below it, found {found}; {advice}")
