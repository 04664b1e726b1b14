"""A lock that is an object of a store: a `Slot` that is made and replaced under the store's conditions.

Two makers in the same instant: the store's own condition lets one of them through. Of stores that
heed no conditions both may believe it for a moment; who reads back what is not its own gives way.
"""

from pipeline.files import storecalls
from pipeline.files.objects import ObjectPath
from pipeline.jobs.slot import Seen


class ObjectSlot:
    """See the module. A version is the object's ETag."""

    def __init__(self, path: ObjectPath) -> None:
        self.place = str(path)
        self._path = path

    def is_marked(self) -> bool:
        """Whether there is a lock."""
        return storecalls.head(self._path) is not None

    def read(self) -> Seen | None:
        """What it says."""
        found = storecalls.head(self._path)
        if found is None:
            return None
        try:
            return Seen(storecalls.read(self._path), found.etag)  # replaced since: too old a version
        except FileNotFoundError:
            return None

    def create(self, data: bytes) -> Seen | None:
        """Make it, if it is not there."""
        if storecalls.head(self._path) is not None or not storecalls.create(self._path, data):
            return None
        return self._mine(data)

    def replace(self, seen: Seen, data: bytes) -> Seen | None:
        """Replace it, if it is still what was seen."""
        return self._mine(data) if storecalls.replace(self._path, data, seen.version) else None

    def remove(self, seen: Seen) -> bool:
        """Remove it, if it still says what was seen."""
        if self._mine(seen.data) is None:
            return False
        self._path.unlink(missing_ok=True)
        return True

    def age(self, seen: Seen) -> float | None:
        """By the store's clock, if it tells the time with its answers."""
        found = storecalls.head(self._path)
        return found.age if found is not None and found.etag == seen.version else None

    def _mine(self, data: bytes) -> Seen | None:
        seen = self.read()
        return seen if seen is not None and seen.data == data else None
