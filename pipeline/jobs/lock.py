"""One run at a time on an output root, whichever machines share it.

A lock says who holds it, and its holder gives a sign of life every few seconds (`holder`). Who wants it
takes it over from a holder that is dead (`taking`). A holder that was held for dead and was not, for its
machine slept, finds out at its next sign of life, and before it replaces what the other may have
written since: it has lost the lock, and stops.

Why no library: filelock's soft locks trust a process number of an equal host name, or never end on
another machine; its leases wait for dead ones of this machine too. And all are files.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import OutputError, OutputLocked
from pipeline.files.objects import ObjectPath, Place
from pipeline.jobs.holder import BEAT, Holder, token_of
from pipeline.jobs.lockfile import FileSlot
from pipeline.jobs.lockobject import ObjectSlot
from pipeline.jobs.processes import uptime
from pipeline.jobs.slot import Seen, Slot
from pipeline.jobs.taking import GLANCE, Attempt

_LOOKS = 3  # at a lock that seems to be another's: one who is about to take it over may yet withdraw

Say = Callable[[str], None]


def slot_of(state: Place) -> Slot:
    """Where the lock of a state folder is kept."""
    path = state / "lock"
    return ObjectSlot(path) if isinstance(path, ObjectPath) else FileSlot(path)


def is_marked(state: Place) -> bool:
    """Whether there is a lock, held or left behind."""
    return slot_of(state).is_marked()


def who_is_at_work(state: Place) -> str | None:
    """Who holds the lock, in words, unless nobody does or the holder is known to be dead; writes nothing."""
    slot = slot_of(state)
    try:
        seen = slot.read()
        holder = None if seen is None else Holder.from_bytes(seen.data)
        if seen is None or holder is None or (holder.is_near and not holder.is_alive):
            return None
        return holder.told(None)  # its last sign of life could be told by writing alone
    except OSError:
        return None


@contextmanager
def locked(state: Place, say: Say = lambda text: None) -> Iterator["Hold"]:
    """Hold the lock of an output root whose state folder is `state`, making the folder if need be.

    say : told when it is not clear whether the holder is dead, and takes up to a minute to find out.
    Raises OutputLocked, naming the holder, or OutputError if the folder cannot be written.
    """
    wanted = Wanted(state, say)
    while (hold := wanted.look()) is None:
        time.sleep(GLANCE)
    with hold:
        yield hold


class Wanted:
    """The lock of a state folder, which is made if need be, that somebody wants; see `locked`."""

    def __init__(self, state: Place, say: Say = lambda text: None) -> None:
        self._state = state
        self._what = str(state if state.parent.name == "shards" else state.parent)
        self._slot = slot_of(state)
        self._me = Holder.me()
        self._attempt = Attempt(self._slot, self._me, self._what, say)

    def look(self) -> "Hold | None":
        """Take the lock if nobody holds it; None: look again after a `GLANCE`. Raises as `locked`."""
        try:
            if isinstance(self._state, Path) and self._state.is_symlink():
                raise OutputError(
                    f"{self._state}: expected a folder, found a link to {self._state.resolve()}; "
                    "remove the link"
                )
            self._state.mkdir(parents=True, exist_ok=True)
            mine = self._attempt.look()
        except OSError as error:
            raise OutputError(f"output root {self._state.parent}: {_expected(self._state, error)}") from error
        return None if mine is None else Hold(self._slot, self._me, mine, self._what)


class Hold:
    """A lock that is held, until the end of the `with` block. `lost`: how it was lost, if it was."""

    def __init__(self, slot: Slot, me: Holder, mine: Seen, what: str) -> None:
        self.lost = ""
        self._slot = slot
        self._me = me
        self._mine = mine
        self._what = what
        self._told: Callable[[], None] = lambda: None
        self._beaten = uptime()
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._keep_beating, name="segpipe-lock", daemon=True)

    @property
    def token(self) -> str:
        """What tells it from all others."""
        return self._me.token

    def __enter__(self) -> "Hold":
        self._heart.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._heart.join()
        with suppress(OSError):  # what cannot be removed now is found to be a dead one's
            with suppress(OSError):
                self._beat()
            if not self.lost:
                self._slot.remove(self._mine)

    def tell_of_loss(self, told: Callable[[], None]) -> None:
        """Have somebody told, from another thread, when the lock has been lost."""
        self._told = told

    def expect(self) -> None:
        """Raise OutputLocked if the lock is known to be lost; it is looked at if that is long ago."""
        if uptime() - self._beaten > 2 * BEAT:  # this machine has slept, or the disk takes nothing
            with suppress(OSError):
                self._beat()
        if self.lost:
            raise OutputLocked(self.lost)

    def confirm(self) -> None:
        """Look whether the lock is still held; raises OutputLocked if not, OSError if that is not known."""
        try:
            self._beat()
        except OSError:  # a full disk can still be looked at
            self._look()
        self.expect()

    def _keep_beating(self) -> None:
        while not (self.lost or self._ended.wait(BEAT)):
            with suppress(OSError):  # the next one may succeed; only another's lock is the end
                self._beat()

    def _beat(self) -> None:
        """Give a sign of life, and look whether the lock is still ours."""
        with self._turn:
            if self.lost:
                return
            self._me = self._me.beaten()
            mine = self._slot.replace(self._mine, self._me.to_bytes())
            if mine is not None:
                self._mine, self._beaten = mine, uptime()
                return
        self._look()

    def _look(self) -> None:
        """Find out whose the lock is; what is not ours at the first look may be at the second."""
        with self._turn:
            for left in reversed(range(_LOOKS)):
                seen = self._slot.read()
                if seen is not None and token_of(seen.data) == self._me.token:
                    self._mine, self._beaten = seen, uptime()
                    return
                if left:
                    time.sleep(GLANCE / 2)
            self.lost = self._loss(seen)
        self._told()

    def _loss(self, seen: Seen | None) -> str:
        if seen is None:
            return (
                f"{self._what}: the lock of this run, {self._slot.place}, has been removed while it was at "
                "work; it has stopped, for another may be at work; run again: what was finished is kept"
            )
        other = Holder.from_bytes(seen.data)
        name = other.told(None) if other else "of no name"
        return (
            f"{self._what} has been taken over by another run: {name}; "
            "this one had given no sign of life (its machine slept, or could not reach the file system) and "
            "has stopped; wait for the other to end and run again"
        )


def _expected(state: Place, error: OSError) -> str:
    if isinstance(state, ObjectPath):
        return (
            f"expected a store to write to, found: {error.strerror}; check the URL, the credentials and "
            "their rights"
        )
    return (
        f"expected a folder to write to, found: {error.strerror}; check its permissions, and that the disk "
        "is neither full nor read-only"
    )
