"""What a run came to, and its record for operators."""

import json
import platform
import secrets
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from pipeline import __version__
from pipeline.errors import ExitCode, ImageError
from pipeline.files.entries import Skipped
from pipeline.files.objects import Place
from pipeline.files.writing import write_whole
from pipeline.jobs.plan import Orphan, Reason, summarize
from pipeline.jobs.records import Record
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.survey import Survey

_LIBRARIES = ("numpy", "numba", "pillow", "zlib-ng", "dask", "msgspec")
_SHOWN = 100  # of what was passed over; a run's record stays small


@dataclass
class Summary:
    """What a run came to.

    reasons : images by the reason of their decision. failing : those that were left alone because
    they must fail again. damaged : unreadable lines of the manifest or journal. signal, over : see `Stop`.
    pixels : of the images that were done. seen : whether the run came to know what there is to do.
    changed : the images that something came of. passed_over : links and folders that were not entered.
    others : files that were not looked at, by extension.
    """

    reasons: dict[str, int]
    failing: list[Record]
    orphans: list[Orphan]
    damaged: list[str]
    unchanged: int
    planned: int
    done: int = 0
    failures: list[Record] = field(default_factory=list)
    skipped: int = 0
    seconds: float = 0.0
    signal: int | None = None
    over: bool = False
    pixels: int = 0
    seen: bool = True
    changed: list[str] = field(default_factory=list)
    passed_over: list[Skipped] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Survey) -> "Summary":
        """The summary of a run that has done nothing yet."""
        records = found.manifest.records
        left = [decision for decision in found.plan.decisions if not decision.work]
        return cls(
            reasons=summarize(found.plan.decisions),
            failing=[
                record
                for decision in left
                if decision.reason is Reason.FAILED_BEFORE
                and (record := records[decision.entry.key]).status == "failed"
            ],
            orphans=found.plan.orphans,
            damaged=found.manifest.damaged,
            unchanged=sum(decision.reason is Reason.UNCHANGED for decision in left),
            planned=len(found.plan.work),
            passed_over=found.listing.skipped,
            others=found.listing.others,
        )

    @classmethod
    def unseen(cls, signal: int | None, *, over: bool) -> "Summary":
        """The summary of a run that was ended before it knew what there is to do."""
        return cls({}, [], [], [], 0, 0, signal=signal, over=over, seen=False)

    def count(self, record: Record) -> None:
        """Take in what came of one image."""
        self.changed.append(record.image)
        self.done += record.status == "done"
        if record.status == "done" and record.input is not None:
            self.pixels += (record.input.width or 0) * (record.input.height or 0)
        self.skipped += record.status == "skipped"
        if record.status == "failed":
            self.failures.append(record)

    def spare(self, images: int) -> None:
        """Note that some images had no need of work after all."""
        self.unchanged += images
        self.planned -= images

    @property
    def left(self) -> int:
        """Images that were to be done but were not begun: the run was ended before."""
        return self.planned - self.done - self.skipped - len(self.failures)

    @property
    def exit_code(self) -> ExitCode:
        """What the process should tell its caller."""
        if self.signal is not None:
            return ExitCode.TERMINATED if self.signal == 15 else ExitCode.INTERRUPTED
        kinds = [
            ImageError.named(record.error.type).exit_code
            for record in (*self.failures, *self.failing)
            if record.error
        ]
        worst = max(kinds, default=ExitCode.DONE)
        if self.over and (self.left or not self.seen) and worst <= ExitCode.IMAGES_FAILED:
            return ExitCode.WORK_LEFT  # who failed is told again by the run that does the rest
        return worst


def write_runlog(state: Place, spec: JobSpec, summary: Summary, started: int) -> None:
    """Write `runs/<run id>.json`: times, host, versions and numbers live here, not in the manifest."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started / 1e9))
    content: dict[str, Any] = {
        "started": stamp,
        "started_ns": started,
        "seconds": round(summary.seconds, 3),
        "host": socket.gethostname(),
        "exit_code": int(summary.exit_code),
        "planned": summary.planned,
        "done": summary.done,
        "failed": len(summary.failures),
        "skipped": summary.skipped,
        "unchanged": summary.unchanged,
        "left": summary.left,
        "orphans": len(summary.orphans),
        "pixels": summary.pixels,
        "reasons": summary.reasons,
        "passed_over": len(summary.passed_over),
        "passed_over_first": [skipped._asdict() for skipped in summary.passed_over[:_SHOWN]],
        "others": dict(Counter(summary.others).most_common(_SHOWN)),
        "versions": {
            "segpipe": __version__,
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "job": spec.model_dump(mode="json"),
    }
    if spec.output.report:  # which shows them; of others the record stays small
        content["changed"] = sorted(summary.changed)
    # Names are in the order of the runs: one with little to do ends within a second.
    name = f"{stamp[:-1]}.{started // 10**6 % 1000:03}Z"
    write_whole(_new_name(state / "runs", name), json.dumps(content, indent=1).encode() + b"\n")


def _new_name(folder: Place, stamp: str) -> Place:
    """A name that no run has had: tasks of an array start in one second, and clocks are set back."""
    while (path := folder / f"{stamp}-{secrets.token_hex(4)}.json").exists():
        pass
    return path
