"""What a run came to, for programs: a summary in JSON, however the run has ended."""

import json
import time
from pathlib import Path
from typing import Any

from pipeline.errors import ExitCode, OutputError, SpecError
from pipeline.files.wholefiles import write_whole
from pipeline.jobs.summary import Summary

_SHOWN = 20  # failures; the manifest has them all


class Report:
    """A run seen from outside: its summary, or the error that ended it as a whole."""

    def __init__(self) -> None:
        self._started, self._clock = time.time(), time.monotonic()
        self.summary: Summary | None = None
        self.exit_code = ExitCode.BUG
        self.error = ""
        self.seconds = 0.0

    def end(self, summary: Summary | None, exit_code: ExitCode, error: str = "") -> None:
        """Note how the run has ended."""
        self.summary, self.exit_code, self.error = summary, exit_code, error
        self.seconds = time.monotonic() - self._clock

    @property
    def images(self) -> dict[str, int]:
        """Images by what became of them."""
        found = self.summary
        if found is None:
            return {}
        return {
            "done": found.done,
            "failed": len(found.failures),
            "failed_before": len(found.failing),
            "skipped": found.skipped,
            "unchanged": found.unchanged,
            "left": found.left,
        }

    def json(self, job: str, shard: str) -> bytes:
        """The summary as a JSON object."""
        content: dict[str, Any] = {
            "job": job,
            "shard": shard or None,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._started)),
            "seconds": round(self.seconds, 3),
            "exit_code": int(self.exit_code),
            "meaning": self.exit_code.meaning,
            "error": self.error or None,
        }
        if self.summary is not None:
            seconds = max(self.seconds, 1e-3)  # a clock may not have ticked
            failures = [*self.summary.failures, *self.summary.failing]
            content |= {
                "images": self.images,
                "reasons": self.summary.reasons,
                "orphans": len(self.summary.orphans),
                "images_per_second": round(self.summary.done / seconds, 3),
                "megapixels_per_second": round(self.summary.pixels / 1e6 / seconds, 3),
                "failures": [
                    {"image": record.image, "type": record.error.type, "message": record.error.message}
                    for record in failures[:_SHOWN]
                    if record.error
                ],
                "more_failures": max(0, len(failures) - _SHOWN),
            }
        return json.dumps(content, indent=1).encode() + b"\n"


def expect_place(path: Path, option: str) -> None:
    """Raise SpecError if a report could not have its place: better now than after the run."""
    if not path.absolute().parent.is_dir() or path.is_dir():
        raise SpecError(
            f"{option} {path}: expected a file in a folder that is there; make it, or name another"
        )


def write_report(path: Path, data: bytes, option: str) -> None:
    """Replace a report at once; OutputError if that cannot be."""
    try:
        write_whole(path.absolute(), data)
    except OSError as error:
        raise OutputError(
            f"{option} {path}: could not be written: {error.strerror}; check its folder and run again"
        ) from error
