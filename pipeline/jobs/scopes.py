"""Shared palettes: who shares one, and what becomes of the others when one of them changes.

The images of a scope (a folder, or the whole job) that were counted for its palette are its
members. Each record of an image that has the palette names its files, and the members' contents by
one digest: so the manifest alone tells whether a palette is still that of its members, whoever has
come, gone or been renamed.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

from pipeline.errors import OutputError
from pipeline.jobs.manifest import Manifest
from pipeline.jobs.plan import Decision, Evidence, Orphan, Plan, Reason, Request
from pipeline.jobs.records import OutputFacts, Record

Scope = Literal["image", "folder", "job"]

_REMAPPED = (Reason.OUTPUT_MISSING, Reason.OUTPUT_DAMAGED, Reason.INTERRUPTED, Reason.FAILED_BEFORE)
"""Reasons to paint an image in the palette that is there. One that failed before was not counted
for it: should it be done now, its record says so, and the next run finds the palette anew. Else
one broken link among the inputs would have all of them counted every night."""


class Group(NamedTuple):
    """The images that share a palette. `name` is their folder, "" for the input root or the whole job."""

    name: str
    decisions: list[Decision]
    files: dict[str, OutputFacts]
    """The palette that is there and stays; none if it is to be found anew."""
    members: str
    """The digest of the images that it was found for."""

    @property
    def work(self) -> list[Decision]:
        """The decisions that ask for work."""
        return [decision for decision in self.decisions if decision.work]


def group_name(key: str, scope: Scope) -> str:
    """The group of an image by its key."""
    return key.rpartition("/")[0] if scope == "folder" else ""


def shared_path(name: str) -> str:
    """Where the palette of a group is, relative to the output root; an ending is to follow."""
    return f"shared/{name}/palette" if name else "shared/palette"


def members_digest(contents: Iterable[str]) -> str:
    """What tells the images that a palette was found for, by the SHA-256 of each; their order is nothing."""
    return hashlib.sha256("\n".join(sorted(contents)).encode()).hexdigest()[:16]


def gather(
    plan: Plan, manifest: Manifest, scope: Scope, request: Request, evidence: Evidence
) -> tuple[Plan, list[Group]]:
    """Put the decisions together by group, and ask for work where a shared palette has to change.

    Returns the plan with those decisions, and the groups that have work.
    """
    together: dict[str, list[Decision]] = {}
    for decision in plan.decisions:
        together.setdefault(group_name(decision.entry.key, scope), []).append(decision)
    gone: dict[str, list[Orphan]] = {}
    for orphan in plan.orphans:
        gone.setdefault(group_name(orphan.record.image, scope), []).append(orphan)
    groups = []
    for name, decisions in together.items():
        members = _Members(name, decisions, gone.get(name, []), manifest)
        groups.append(members.judge(request, evidence))
    changed = {decision.entry.key: decision for group in groups for decision in group.decisions}
    decisions = [changed[decision.entry.key] for decision in plan.decisions]
    return replace(plan, decisions=decisions), [group for group in groups if group.work]


class _Members:
    """A group's images, and what the manifest knows of those that are done."""

    def __init__(self, name: str, decisions: list[Decision], gone: list[Orphan], manifest: Manifest) -> None:
        self._name = name
        self._decisions = decisions
        self._gone = gone
        found = ((decision, manifest.records.get(decision.entry.key)) for decision in decisions)
        self._done = [(decision, record) for decision, record in found if record and record.status == "done"]

    def judge(self, request: Request, evidence: Evidence) -> Group:
        """Whether the palette stays, and who is to be painted."""
        why = self._why_anew(request, evidence)
        kept = None
        if (request.freeze and why) or (not why and any(decision.work for decision in self._decisions)):
            kept = self._palette_there(request.freeze, evidence)
            if request.freeze and not kept and not self._can_be_found_again(request, evidence):
                raise OutputError(
                    f"{shared_path(self._name)}.json: expected the palette that quantize.freeze keeps, found "
                    "its files missing or changed; put them back, or find another with quantize.freeze: false"
                )
            why = "" if kept else why or "no palette is there"
        decisions = self._decisions
        if why:
            decisions = [_joining(decision, why) for decision in decisions]
        elif kept:
            other = {decision.entry.key for decision, record in self._done if record.shared != kept.shared}
            decisions = [
                _joining(decision, "had another one") if decision.entry.key in other else decision
                for decision in decisions
            ]
        return Group(self._name, decisions, kept.shared if kept else {}, kept.members if kept else "")

    def _palette_there(self, freeze: bool, evidence: Evidence) -> Record | None:
        """A record whose palette is there, all files of it as recorded; a frozen one outlives its images."""
        seen: set[str] = set()
        for record in self._painted(freeze):
            if not record.shared or record.shared["shared"].sha256 in seen:
                continue
            seen.add(record.shared["shared"].sha256)
            if all(evidence.output_digest(file.path) == file.sha256 for file in record.shared.values()):
                return record
        return None

    def _painted(self, freeze: bool) -> list[Record]:
        gone = [orphan.record for orphan in self._gone] if freeze else []
        return [*(record for _, record in self._done), *gone]

    def _can_be_found_again(self, request: Request, evidence: Evidence) -> bool:
        """Whether there was no palette, or one whose images are just those that are there."""
        if not any(record.shared for record in self._painted(freeze=True)):
            return True
        members = all(
            bool(record.shared) and not record.frozen and record.recipe == request.digest
            for _, record in self._done
        )
        others = len(self._done) < len(self._decisions) or len({r.members for _, r in self._done}) > 1
        reasons = all(not d.work or d.reason in _REMAPPED for d in self._decisions)
        return members and not others and reasons and not self._who_has_gone(evidence)

    def _why_anew(self, request: Request, evidence: Evidence) -> str:
        """Why the palette has to be found anew, or nothing."""
        path = shared_path(self._name)
        for decision in self._decisions:
            spoilt = decision.reason in _REMAPPED and decision.detail.startswith(path)
            if decision.work and (spoilt or decision.reason not in _REMAPPED):
                return f"{decision.entry.key}: {decision.reason}"
        for _, record in self._done:
            if record.frozen or not record.shared:
                return f"{record.image}: was not counted for it"
            if record.recipe != request.digest:
                return f"{record.image}: {Reason.RECIPE_CHANGED}"
        if len({(record.members, record.shared["shared"].sha256) for _, record in self._done}) > 1:
            return "an earlier run ended before all images had it"
        return self._who_has_gone(evidence)

    def _who_has_gone(self, evidence: Evidence) -> str:
        """Who was counted for the palette and is not there any more, or has changed; or nothing."""
        if not self._done:
            return ""
        members = self._done[0][1].members
        contents = []
        for decision, record in self._done:
            # What is to be painted again for another reason was not compared with its record.
            now = evidence.input_digest(decision.entry) if decision.work else None
            contents.append(now if isinstance(now, str) else (record.input and record.input.sha256) or "")
        if members_digest(contents) == members:
            return ""
        for orphan in self._gone:
            if orphan.record.members == members and not orphan.record.frozen:
                return f"{orphan.record.image}: {orphan.why}"
        return "an image that was counted for it has gone or changed"


def _joining(decision: Decision, why: str) -> Decision:
    """The decision to paint an image that would be left alone, for its palette's sake."""
    if decision.work or decision.reason != Reason.UNCHANGED:
        return decision
    return Decision(decision.entry, True, Reason.PALETTE_CHANGED, why)


def was_counted(decision: Decision, record: Record | None) -> bool:
    """Whether an image that is painted in a palette that stays is one of those it was found for."""
    kept = (Reason.OUTPUT_MISSING, Reason.OUTPUT_DAMAGED, Reason.INTERRUPTED, Reason.FORCED)
    return record is not None and not record.frozen and decision.reason in kept
