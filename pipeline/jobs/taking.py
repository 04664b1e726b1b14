"""Taking a lock: look whether its holder is at work, and take it over from one who is not.

One of this machine is judged by its process, at once. One of another machine is judged by its signs of
life: it is silent if what it wrote has not changed while we looked at it, again and again, for longer
than it would go without one. That is measured by our own clock, which nobody sets; two machines'
clocks are never compared, and time in which we could not look (a machine asleep, a server away) is
not counted.
"""

import time
from collections.abc import Callable

from pipeline.errors import OutputLocked
from pipeline.jobs.holder import BEAT, Holder, spell, token_of
from pipeline.jobs.processes import uptime
from pipeline.jobs.slot import Seen, Slot

PATIENCE = 4 * BEAT
"""Seconds of silence after which a holder on another machine is held for dead."""
FRESH = 1.5
"""So many beats ago, at the most, a holder that is at work has given a sign of life."""
GLANCE = 0.5
"""Seconds between two looks."""
INSTANT = 2.0
"""Seconds between making a lock and saying in it who made it, at the very most, where that is not one."""


class Attempt:
    """One who wants a lock.

    what : which folder it locks, for people. say : told when the wait takes its time.
    """

    def __init__(self, slot: Slot, me: Holder, what: str, say: Callable[[str], None]) -> None:
        self._slot = slot
        self._me = me
        self._what = what
        self._say = say
        self._watched: Seen | None = None
        self._quiet = 0.0
        self._looked = 0.0

    def look(self) -> Seen | None:
        """Take the lock if nobody is at work; None: look again after a `GLANCE`.

        Raises OutputLocked, naming the holder, if it is at work; OSError.
        """
        seen = self._slot.read()
        if seen is None:
            return self._slot.create(self._me.to_bytes())
        holder = Holder.from_bytes(seen.data)
        if holder is not None and holder.is_near:
            if holder.is_alive:
                raise self._held(holder, uptime() - holder.at if holder.at else None)
        elif not self._is_silent(seen, holder):
            return None
        return self._slot.replace(seen, self._me.to_bytes())

    def _is_silent(self, seen: Seen, holder: Holder | None) -> bool:
        """Whether one who cannot be asked has been silent for so long that it must be dead."""
        now, before = time.monotonic(), self._watched
        if before is None or before.data != seen.data:
            self._watched, self._quiet = None, 0.0
            if holder is not None:
                self._expect_silence(seen, holder, before)
            self._watched = seen
        else:
            self._quiet += min(now - self._looked, 2 * GLANCE)
        self._looked = now
        return self._quiet >= (INSTANT if holder is None else PATIENCE)

    def _expect_silence(self, seen: Seen, holder: Holder, before: Seen | None) -> None:
        """Raise OutputLocked if a holder has just given a sign of life, or never gives any."""
        age = self._slot.age(seen)
        beaten = before is not None and token_of(before.data) == token_of(seen.data)
        if beaten or not holder.token or (age is not None and age < FRESH * BEAT):
            raise self._held(holder, 0.0 if beaten else age)
        silent = "" if age is None else f" for {spell(age)}"
        self._say(
            f"{self._what} is held by {holder.told(age)}, which has given no sign of life{silent}: "
            f"taking over if it gives none for {spell(PATIENCE)}"
        )

    def _held(self, holder: Holder, age: float | None) -> OutputLocked:
        return OutputLocked(
            f"{self._what} is held by another run: {holder.told(age)}; wait for it to end, or, if that "
            f"process is gone for good, remove {self._slot.place}"
        )
