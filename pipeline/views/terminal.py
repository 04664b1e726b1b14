"""What is shown in a terminal, and what a run says to programs: JSON lines, or nothing.

All of it goes to stderr. File names are shown with their control characters escaped: a name cannot
move the cursor or forge a line.
"""

import json
import sys
import time
from typing import Any

from pipeline.files.printable import plain
from pipeline.jobs.records import Record
from pipeline.jobs.survey import Survey
from pipeline.jobs.watcher import Watcher


def told(record: Record) -> str:
    """What came of an image, and why if it was not done, in one line."""
    why = f": {record.error.type}: {record.error.message}" if record.error else ""
    return plain(f"{record.status}: {record.image}{why}")


class JsonLines(Watcher):
    """One JSON object a line for everything that happens."""

    def planned(self, found: Survey) -> None:
        self._log("planned", work=len(found.plan.work), images=len(found.plan.decisions))
        for line in found.manifest.damaged:
            self._log("damaged", line=line)
        for skipped in found.listing.skipped:
            self._log("passed over", path=skipped.path, reason=skipped.reason)

    def started(self, images: int, megapixels: float) -> None:
        self._log("started", images=images, megapixels=round(megapixels, 3))

    def progressed(self, key: str, step: str, done: int, total: int) -> None:
        self._log("progressed", image=key, step=step, pixels=done, of=total)

    def finished(self, record: Record) -> None:
        error = {"type": record.error.type, "message": record.error.message} if record.error else None
        self._log("finished", image=record.image, status=record.status, error=error)

    def say(self, text: str) -> None:
        self._log("message", text=text)

    def close(self) -> None:
        """Nothing is open."""

    def _log(self, event: str, **facts: Any) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stderr.write(json.dumps({"time": stamp, "event": event, **facts}) + "\n")


class Quiet(Watcher):
    """Says nothing: for cron, which mails what is said. Errors are told by the command itself."""

    def close(self) -> None:
        """Nothing is open."""
