"""The plan: for each image what is to be done, and why. Pure: it is told what the disk holds."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

from pipeline import __version__
from pipeline.errors import ImageError, NotAnImage, UnlistedFormat, UnsupportedImage
from pipeline.files.formats import admits
from pipeline.files.listing import Entry, Listing
from pipeline.jobs.manifest import Manifest
from pipeline.jobs.records import InputFacts, Record

PASSED_OVER = (NotAnImage.__name__, UnlistedFormat.__name__, UnsupportedImage.__name__)
"""The failures that `input.on_unsupported: skip` passes over."""


def verdict(failure: str, skip_unsupported: bool) -> Literal["failed", "skipped"]:
    """The status of an image that could not be done, by the name of its error."""
    return "skipped" if skip_unsupported and failure in PASSED_OVER else "failed"


class Reason(StrEnum):
    """Why an image is done, or left alone."""

    NEW = "new"
    INPUT_CHANGED = "input changed"
    RECIPE_CHANGED = "recipe changed"
    ALGORITHM_CHANGED = "algorithm changed"
    PALETTE_CHANGED = "palette changed"
    OUTPUT_MISSING = "output missing"
    OUTPUT_DAMAGED = "output damaged"
    FAILED_BEFORE = "failed before"
    INTERRUPTED = "interrupted before"
    FORCED = "forced"
    UNCHANGED = "unchanged"


class Decision(NamedTuple):
    """What becomes of one image. `detail` says the reason with old → new values."""

    entry: Entry
    work: bool
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else str(self.reason)


class Orphan(NamedTuple):
    """A recorded image that the job no longer has."""

    record: Record
    why: str


class Evidence(Protocol):
    """How the plan learns what the disk holds; `pipeline.jobs.evidence` answers for a real one."""

    def input_digest(self, entry: Entry) -> str | ImageError:
        """The SHA-256 of an input file, or the error met in reading it."""

    def input_exists(self, key: str) -> bool:
        """Whether an input that is not listed is there all the same."""

    def output_size(self, path: str) -> int | None:
        """Bytes of an output file; None if it is missing."""

    def output_digest(self, path: str) -> str:
        """The SHA-256 of an output file; asked only if outputs are to be checked in full."""

    def old_recipe(self, digest: str) -> dict[str, Any] | None:
        """A recipe by its digest; None if it is not known any more."""


@dataclass(frozen=True)
class Request:
    """What is asked of a run beyond its job spec.

    wanted : whether an image is among those asked for (`--only`). force, retry_failed,
    check_outputs : the options of that name. skip_unsupported : `input.on_unsupported`. freeze : whether
    shared palettes stay. formats, max_pixels : what is admitted; no formats means all.
    """

    recipe: dict[str, Any]
    digest: str
    wanted: Callable[[str], bool] = field(default=lambda key: True)
    force: bool = False
    retry_failed: bool = False
    check_outputs: bool = False
    skip_unsupported: bool = False
    freeze: bool = False
    formats: tuple[str, ...] = ()
    max_pixels: float = math.inf

    def to_compare(self, listing: Listing, manifest: Manifest) -> Iterator[Entry]:
        """The images whose content will have to be known, as nothing else has changed."""
        for entry in listing.entries:
            record = manifest.records.get(entry.key)
            facts = record.input if record and record.recipe == self.digest else None
            if facts and facts.sha256 and facts.bytes == entry.bytes and self.wanted(entry.key):
                yield entry


@dataclass(frozen=True)
class Plan:
    """Decisions by key, in key order, and what is left over."""

    decisions: list[Decision]
    orphans: list[Orphan]

    @property
    def work(self) -> list[Decision]:
        """The decisions that ask for work."""
        return [decision for decision in self.decisions if decision.work]


def decide(listing: Listing, manifest: Manifest, request: Request, evidence: Evidence) -> Plan:
    """Hold every listed image against its record."""
    decisions = [
        _decide(entry, manifest, request, evidence) for entry in listing.entries if request.wanted(entry.key)
    ]
    return Plan(decisions, list(_orphans(listing, manifest, evidence)))


def _decide(entry: Entry, manifest: Manifest, request: Request, evidence: Evidence) -> Decision:
    record = manifest.records.get(entry.key)
    if record is None:
        return Decision(entry, True, Reason.NEW)
    if entry.error is not None:
        return _decide_unreadable(entry, entry.error, record, request)
    if request.force:
        return Decision(entry, True, Reason.FORCED)
    if entry.key in manifest.unfinished:
        return Decision(entry, True, Reason.INTERRUPTED, "a run ended while it replaced the outputs")
    if record.recipe != request.digest:
        return Decision(entry, True, *_recipe_change(evidence.old_recipe(record.recipe), request, record))
    if record.status != "done":
        return _decide_failed(entry, record, request, evidence)
    if record.input is None or record.input.bytes != entry.bytes:
        old = record.input.bytes if record.input else "unknown"
        return Decision(entry, True, Reason.INPUT_CHANGED, f"bytes: {old} → {entry.bytes}")
    refused = _refused_now(record.input, request)
    if refused:
        return Decision(entry, True, Reason.RECIPE_CHANGED, refused)
    for output in record.outputs.values():
        size = evidence.output_size(output.path)
        if size is None:
            return Decision(entry, True, Reason.OUTPUT_MISSING, output.path)
        if size != output.bytes:
            detail = f"{output.path}, bytes: {output.bytes} → {size}"
            return Decision(entry, True, Reason.OUTPUT_DAMAGED, detail)
    change = _content_change(entry, record, evidence)
    if change:
        return Decision(entry, True, Reason.INPUT_CHANGED, change)
    if request.check_outputs:
        for output in record.outputs.values():
            digest = evidence.output_digest(output.path)
            if digest != output.sha256:
                detail = f"{output.path}, sha256: {_short(output.sha256)} → {_short(digest)}"
                return Decision(entry, True, Reason.OUTPUT_DAMAGED, detail)
    return Decision(entry, False, Reason.UNCHANGED)


def _refused_now(facts: InputFacts, request: Request) -> str:
    """Why an image that was done would not be admitted any more, or nothing."""
    if request.formats and facts.format and not admits(request.formats, facts.format):
        return f"input.formats leaves out {facts.format}"
    if facts.width and facts.height and facts.width * facts.height > request.max_pixels:
        return (
            f"input.max_megapixels: {facts.width * facts.height / 1e6:.6g} > {request.max_pixels / 1e6:.15g}"
        )
    return ""


def _decide_failed(entry: Entry, record: Record, request: Request, evidence: Evidence) -> Decision:
    """An image that failed of itself fails again until its bytes, the recipe or the program change."""
    kind = record.error.type if record.error else "unknown"
    detail = kind
    if record.error and record.error.version not in ("", __version__):
        detail = f"{kind} with segpipe {record.error.version} → {__version__}"
    same = (
        ImageError.named(kind).lasting
        and detail == kind
        and record.input is not None
        and record.input.bytes == entry.bytes
        and record.status == verdict(kind, request.skip_unsupported)
        and not request.retry_failed
        and not _content_change(entry, record, evidence)
    )
    return Decision(entry, not same, Reason.FAILED_BEFORE, detail)


def _decide_unreadable(entry: Entry, error: ImageError, record: Record, request: Request) -> Decision:
    """An image that can be seen to fail without reading it."""
    kind = type(error).__name__
    if record.status == "done":
        return Decision(entry, True, Reason.INPUT_CHANGED, f"now {kind}")
    same = (
        record.error is not None
        and record.error.message == str(error)
        and record.status == verdict(kind, request.skip_unsupported)
        and record.recipe == request.digest
    )
    return Decision(entry, not same, Reason.FAILED_BEFORE, kind)


def _content_change(entry: Entry, record: Record, evidence: Evidence) -> str:
    """How the input's content differs from the recorded one, or nothing."""
    digest = evidence.input_digest(entry)
    old = record.input.sha256 if record.input else None
    if isinstance(digest, ImageError):
        return f"now {type(digest).__name__}"
    return "" if digest == old else f"sha256: {_short(old or 'unknown')} → {_short(digest)}"


def _recipe_change(old: dict[str, Any] | None, request: Request, record: Record) -> tuple[Reason, str]:
    if old is None:
        return Reason.RECIPE_CHANGED, f"{record.recipe} → {request.digest}"
    pairs = {
        key: (old.get(key, "–"), request.recipe.get(key, "–"))
        for key in sorted(old.keys() | request.recipe.keys())
    }
    changed = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    reason = Reason.ALGORITHM_CHANGED if changed.keys() == {"algorithm"} else Reason.RECIPE_CHANGED
    return reason, ", ".join(f"{key}: {before} → {after}" for key, (before, after) in changed.items())


def _orphans(listing: Listing, manifest: Manifest, evidence: Evidence) -> Iterator[Orphan]:
    """Recorded images that are not listed, but for those in folders that could not be looked into."""
    listed = {entry.key for entry in listing.entries}
    passed_over = {skipped.path for skipped in listing.skipped}
    unseen = tuple(f"{path}/" for path in passed_over)
    for key in sorted(manifest.records.keys() - listed):
        if key not in passed_over and not key.startswith(unseen):
            there = evidence.input_exists(key)
            yield Orphan(
                manifest.records[key], "left out by the job's patterns" if there else "input has gone"
            )


def summarize(decisions: Iterable[Decision]) -> dict[str, int]:
    """How many images there are for each reason, in the order of `Reason`."""
    counts = dict.fromkeys(Reason, 0)
    for decision in decisions:
        counts[decision.reason] += 1
    return {str(reason): count for reason, count in counts.items() if count}


def _short(digest: str) -> str:
    return digest[:12] if len(digest) == 64 else digest  # else a word that stands for one
