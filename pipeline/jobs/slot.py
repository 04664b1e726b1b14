"""Where a lock is kept: one small content that many may look at and that changes hands by comparison.

    seen = slot.read()                   what is there, if anything
    mine = slot.create(data)             only if nothing is there
    mine = slot.replace(seen, data)      only if what is there is still what was seen
    slot.remove(mine)                    the same

A file is one (`lockfile`); an object of a store with conditional writes (If-None-Match, If-Match) is
another. Whatever the storage, of several who do the same at once one is told that it did.
"""

from typing import NamedTuple, Protocol


class Seen(NamedTuple):
    """What a slot held when it was looked at. version : what tells it from any other state of the slot."""

    data: bytes
    version: str


class Slot(Protocol):
    """See the module. `data` is what `Holder.to_bytes` gives; all methods raise OSError.

    Attributes
    ----------
    place : str
        Where the slot is, for people: what they have to remove to break the lock.
    """

    place: str

    def is_marked(self) -> bool:
        """Whether anything is there, if only what one who was killed has left; writes nothing."""

    def read(self) -> Seen | None:
        """What is there, as the storage itself knows it now, and not as a cache does; writes nothing."""

    def create(self, data: bytes) -> Seen | None:
        """Put something where nothing is; None if something is there."""

    def replace(self, seen: Seen, data: bytes) -> Seen | None:
        """Put something in the place of what was seen there; None if that is not there any more."""

    def remove(self, seen: Seen) -> bool:
        """Take away what was seen there; whether it was still there."""

    def age(self, seen: Seen) -> float | None:
        """Seconds since what was seen was written, by the storage's own clock; None if it cannot tell."""
