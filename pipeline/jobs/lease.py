"""What a run lends its workers with each task: to write outputs while it holds the lock.

A worker may outlive its run: one of a cluster that goes on with a task whose driver was killed, or has
lost its lock. It must not write over what the next run makes, with another recipe perhaps.
"""

import time
from typing import NamedTuple

from pipeline.errors import OutputNotWritable
from pipeline.files.objects import Place
from pipeline.jobs.holder import token_of
from pipeline.jobs.lock import slot_of

_SIGHT = 5.0  # seconds that a lock may take to be seen on another machine
_GLANCE = 0.1


class Lease(NamedTuple):
    """The lock of a state folder, as the run has it that lends it."""

    state: Place
    token: str

    def check(self) -> None:
        """Raise OutputNotWritable unless the run still holds the lock."""
        slot = slot_of(self.state)
        end = time.monotonic() + _SIGHT
        while True:
            try:
                seen = slot.read()
            except OSError as error:
                seen, why = None, f"cannot be read ({error.strerror or error})"
            else:
                why = "is another's" if seen else "is gone"
            if seen is not None and token_of(seen.data) == self.token:
                return
            if time.monotonic() > end:
                raise OutputNotWritable(
                    "outputs were not written: expected to see the lock of the run that asked for them, "
                    f"found that it {why}; run again"
                )
            time.sleep(_GLANCE)
