"""Whether a worker is fit for the run: the same versions, and the same folders under the same paths."""

import os
import platform
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from pipeline import __version__
from pipeline.errors import SpecError, WorkersLost
from pipeline.files.objects import ObjectPath, Place, is_url, place
from pipeline.files.wholefiles import DEBRIS
from pipeline.jobs.recipe import ALGORITHM_VERSION

_DECISIVE = ("numpy", "pillow", "numba", "msgspec", "zlib-ng", "imagecodecs", "tifffile", "pyvips")
"""What decodes, computes and compresses: another version may give other bytes."""

_SIGHT = 5.0  # seconds that a file may take to be seen on another machine

Versions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Folders:
    """The input root, and a file below the output root that only this run can have made."""

    inputs: str
    token: str


@dataclass(frozen=True)
class Wanted:
    """What a worker is held against; `folders` is None if it runs on the same machine by its nature."""

    versions: Versions
    folders: Folders | None = None


@contextmanager
def marked(inputs: Place, state: Place) -> Iterator[Folders]:
    """Put a file into the state folder by which workers know it; it is removed at the end."""
    token = state / DEBRIS.replace("*", f"seen-{secrets.token_hex(8)}")
    if isinstance(token, ObjectPath):
        token.write_bytes(b"")
    else:
        token.touch(exist_ok=False)
    try:
        yield Folders(str(inputs), str(token))
    finally:
        with suppress(OSError):  # then the next run removes it
            token.unlink()


@cache
def versions() -> Versions:
    """Of the program, of Python, and of the packages that decide what comes out."""
    return (
        ("segpipe", __version__),
        ("algorithm", str(ALGORITHM_VERSION)),
        ("python", ".".join(platform.python_version_tuple()[:2])),
        *((name, _version(name)) for name in _DECISIVE),
    )


def inspect(wanted: Wanted) -> str:
    """Say what is wrong with this process as a worker; nothing if it is fit."""
    host = socket.gethostname()
    here = dict(versions())
    wrong = [(name, there) for name, there in wanted.versions if here.get(name) != there]
    if wrong:
        asked = ", ".join(f"{name} {there}" for name, there in wrong)
        found = ", ".join(f"{name} {here.get(name, 'unknown')}" for name, _ in wrong)
        return f"on {host}: expected {asked}, found {found}; install the same versions on every worker"
    return _blind_to(wanted.folders, host) if wanted.folders else ""


class Guarded:
    """A function that does nothing where the worker is not fit: one that came late may get a task first."""

    def __init__(self, function: Callable[[Any], Any], wanted: Wanted) -> None:
        self._function = function
        self._wanted = wanted

    def __call__(self, item: Any) -> Any:
        """Call the function; raises WorkersLost instead if this is no place for it."""
        wrong = _inspected(self._wanted)
        if wrong:
            raise WorkersLost(f"a worker {wrong}")
        return self._function(item)


@cache
def _inspected(wanted: Wanted) -> str:
    return inspect(wanted)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _blind_to(folders: Folders, host: str) -> str:
    outputs = os.path.dirname(os.path.dirname(folders.token))  # noqa: PTH120 -- text, of another machine
    advice = "mount the same folders under the same paths on every worker"
    if is_url(folders.token):
        advice = "give every worker the credentials of this one, in its environment"
    end = time.monotonic() + _SIGHT
    while not _sees(folders.token):
        if time.monotonic() > end:
            return f"on {host}: expected to see output.root {outputs}, found another folder or none; {advice}"
        time.sleep(_SIGHT / 50)
    if not is_url(outputs) and not os.access(outputs, os.W_OK):
        return f"on {host}: expected to write to output.root {outputs}, found no right to; {advice}"
    if isinstance(inputs := place(folders.inputs), ObjectPath):
        return _blind_to_objects(inputs, host)
    try:
        if any(True for _ in place(folders.inputs).iterdir()):
            return ""
        found = "an empty folder"
    except OSError as error:
        found = str(error.strerror)
    return f"on {host}: expected images in input.root {folders.inputs}, found: {found}; {advice}"


def _sees(token: str) -> bool:
    try:
        return place(token).exists()
    except OSError:
        return False


def _blind_to_objects(inputs: ObjectPath, host: str) -> str:
    """The same of an object store: whether this process may look into it, asked by a request or two."""
    try:
        if inputs.exists():
            return ""
        found = "nothing there"
    except (OSError, SpecError) as error:
        found = getattr(error, "strerror", None) or str(error)
    return (
        f"on {host}: expected images in input.root {inputs}, found: {found}; give every worker the same "
        "endpoint, credentials and packages for it"
    )
