"""What a run says while it goes on: a progress bar for people, JSON lines for programs.

All of it goes to stderr. File names are shown with their control characters escaped: a name cannot
move the cursor or forge a line.
"""

import json
import sys
import time
from typing import Any

from tqdm import tqdm

from pipeline.jobs.records import Record
from pipeline.jobs.survey import Survey
from pipeline.jobs.watcher import Watcher


def plain(text: str) -> str:
    """Escape what a terminal would obey or could not show."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def told(record: Record) -> str:
    """What came of an image, and why if it was not done, in one line."""
    why = f": {record.error.type}: {record.error.message}" if record.error else ""
    return plain(f"{record.status}: {record.image}{why}")


class Bar(Watcher):
    """A progress bar if stderr is a terminal, and lines above it.

    verbose : a line for every image, not for failures alone.
    """

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._bar: Any = None
        self._large: Any = None
        self._step = ("", "")

    def planned(self, found: Survey) -> None:
        for line in found.manifest.damaged:
            self.say(f"{line} could not be read; its image is done anew")
        for skipped in found.listing.skipped:
            self.say(f"passed over {plain(skipped.path)}: {skipped.reason}")

    def started(self, images: int, megapixels: float) -> None:
        self._bar = tqdm(total=images, unit="img", disable=None, file=sys.stderr, dynamic_ncols=True)

    def progressed(self, key: str, step: str, done: int, total: int) -> None:
        """A bar of its own for a large image: megapixels through with a step, their rate, the time left."""
        if self._step != (key, step):
            self._close_large()
            self._step = (key, step)
            self._large = tqdm(
                total=round(total / 1e6, 1),
                unit="Mpx",
                desc=f"{plain(key)} {step}",
                disable=None,
                file=sys.stderr,
                dynamic_ncols=True,
                leave=False,
            )
        if not self._large.disable:
            self._large.update(round(done / 1e6, 1) - self._large.n)
        if done == total:
            self._close_large()

    def finished(self, record: Record) -> None:
        if self._verbose or record.error is not None:
            self.say(told(record))
        if self._bar is not None:
            self._bar.update()

    def say(self, text: str) -> None:
        tqdm.write(f"segpipe: {text}", file=sys.stderr)

    def close(self) -> None:
        """Leave the terminal in order."""
        self._close_large()
        if self._bar is not None:
            self._bar.close()

    def _close_large(self) -> None:
        if self._large is not None:
            self._large.close()
            self._large = None
            self._step = ("", "")


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
