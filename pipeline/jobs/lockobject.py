"""Where a lock lies in an object store: one object, made and replaced under conditions.

Two makers in the same instant: the store's own condition lets one of them through. Of stores that
heed no conditions both may believe it for a moment; who reads back what is not its own gives way.
"""

from typing import NamedTuple

from pipeline.files import storecalls
from pipeline.files.objects import ObjectPath


class Seen(NamedTuple):
    """What a lock says, and the version that says it."""

    data: bytes
    version: str


class LockObject:
    """The object of a lock. What is put into it has to be its maker's alone: it tells who was first."""

    def __init__(self, path: ObjectPath) -> None:
        self._path = path

    def create(self, data: bytes) -> bool:
        """Make it, if it is not there; whether it was made. Raises OSError."""
        if storecalls.head(self._path) is not None:
            return False
        return storecalls.create(self._path, data) and self._says(data)

    def read(self) -> Seen | None:
        """What it says, or None if it is not there. Raises OSError."""
        found = storecalls.head(self._path)
        if found is None:
            return None
        try:
            return Seen(storecalls.read(self._path), found.etag)  # replaced since: too old a version
        except FileNotFoundError:
            return None

    def replace(self, data: bytes, seen: Seen) -> bool:
        """Replace it, if it is still what was seen; whether it was replaced. Raises OSError."""
        return storecalls.replace(self._path, data, seen.version)

    def remove(self, data: bytes) -> None:
        """Remove it, if it says this still. Raises OSError."""
        if self._says(data):
            self._path.unlink(missing_ok=True)

    def _says(self, data: bytes) -> bool:
        seen = self.read()
        return seen is not None and seen.data == data
