"""Plans, explanations and states in words: lists of lines for stdout."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline.files.printable import counted, plain
from pipeline.jobs.leftovers import Leftovers
from pipeline.jobs.needs import WORKER_BYTES
from pipeline.jobs.plan import Decision, Orphan, Reason
from pipeline.jobs.routes import Route
from pipeline.jobs.summary import Summary
from pipeline.jobs.survey import Survey
from pipeline.views.terminal import told

_SHOWN = 5  # extensions of files that are not looked at


_WAYS = {"whole": "whole", "windows": "in windows", "bands": "in bands", "refused": "refused"}


def plan_lines(found: Survey, *, verbose: bool) -> Iterator[str]:
    """A line for each image to be done, failing, orphaned or passed over; then the numbers."""
    ways = {route.decision.entry.key: route for route in found.routes}
    for decision in found.plan.decisions:
        if not decision.work and decision.reason is Reason.UNCHANGED and not verbose:
            continue
        route = ways.get(decision.entry.key)
        cost = ""
        if route and route.refusal:
            cost = f"  refused: {type(route.refusal).__name__}: {plain(str(route.refusal))}"
        elif route and route.header:
            cost = f"  {_way(route, memory=verbose)}"
        verdict = "do  " if decision.work else "keep"
        yield f"{verdict}  {plain(decision.entry.key)}  {plain(str(decision))}{cost}"
    for orphan in found.plan.orphans:
        yield f"orphan  {plain(orphan.record.image)}  {_why(orphan)}"
    for skipped in found.listing.skipped:
        yield f"passed over  {plain(skipped.path)}  {skipped.reason}"
    if found.listing.others:
        yield other_kinds(found.listing.others)
    yield plan_numbers(found)


def _why(orphan: Orphan) -> str:
    """Why an image is an orphan, and whether it has but a record."""
    return orphan.why if orphan.record.outputs else f"{orphan.why}; a record without outputs"


def _way(route: Route, *, memory: bool = True) -> str:
    """Size, way, and what a worker needs for it."""
    way = f"{route.megapixels:.1f} Mpx, {_WAYS[route.way]}"
    need = (route.peak_bytes + WORKER_BYTES) / 1e6
    return f"{way}, in a worker of about {need:.0f} MB" if memory else way


def other_kinds(others: dict[str, int]) -> str:
    """The files that were not looked at, by extension, most frequent first."""
    ranked = sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))
    kinds = ", ".join(f"{plain(ending) or 'no extension'} {count}" for ending, count in ranked[:_SHOWN])
    more = ", …" if len(ranked) > _SHOWN else ""
    files = counted(sum(others.values()), "other file")
    return f"{files} not looked at ({kinds}{more}); input.include takes them in"


def plan_numbers(found: Survey) -> str:
    """The plan in one line."""
    decisions, work = found.plan.decisions, found.plan.work
    reasons = ", ".join(f"{count} {reason}" for reason, count in Summary.of(found).reasons.items())
    megapixels = sum(route.megapixels for route in found.routes if not route.refusal)
    orphans = (
        f"; {counted(len(found.plan.orphans), 'orphan')} (see segpipe prune)" if found.plan.orphans else ""
    )
    return f"{counted(len(decisions), 'image')} ({reasons}): {len(work)} to do, {megapixels:.1f} Mpx{orphans}"


def plan_json(found: Survey) -> str:
    """The whole plan as JSON."""
    ways = {route.decision.entry.key: route for route in found.routes}

    def row(decision: Decision) -> dict[str, Any]:
        route = ways.get(decision.entry.key)
        header = route.header if route else None
        return {
            "image": decision.entry.key,
            "work": decision.work,
            "reason": str(decision.reason),
            "detail": decision.detail,
            "bytes": decision.entry.bytes,
            "width": header.width if header else None,
            "height": header.height if header else None,
            "route": route.way if route else None,
            "peak_bytes": route.peak_bytes if route and header else None,
            "refusal": str(route.refusal) if route and route.refusal else None,
        }

    content = {
        "images": [row(decision) for decision in found.plan.decisions],
        "orphans": [{"image": orphan.record.image, "why": orphan.why} for orphan in found.plan.orphans],
        "passed_over": [skipped._asdict() for skipped in found.listing.skipped],
        "reasons": Summary.of(found).reasons,
        "recipe": found.request.digest,
    }
    return json.dumps(content, indent=1)


def explanation(found: Survey, key: str) -> Iterator[str]:
    """Everything that the verdict on one image rests on: recorded → now."""
    decision = next(decision for decision in found.plan.decisions if decision.entry.key == key)
    record = found.manifest.records.get(key)
    evidence = found.evidence
    yield plain(key)
    yield f"  verdict   {'do' if decision.work else 'keep'}: {plain(str(decision))}"
    for route in found.routes:
        if route.decision.entry.key == key and route.refusal:
            yield f"  refused   {plain(str(route.refusal))}"
        elif route.decision.entry.key == key and route.header:
            yield f"  way       {_way(route)}"
    digest = decision.entry.error or evidence.input_digest(decision.entry)
    now = digest if isinstance(digest, str) else f"{type(digest).__name__}: {plain(str(digest))}"
    facts = record.input if record else None
    yield f"  bytes     {facts.bytes if facts else 'none'} → {decision.entry.bytes}"
    yield f"  sha256    {facts.sha256 if facts else 'none'} → {now}"
    yield f"  recipe    {record.recipe if record else 'none'} → {found.request.digest}"
    old = evidence.old_recipe(record.recipe) if record else None
    for name, value in sorted(found.request.recipe.items()):
        before = "" if old is None or old.get(name) == value else f"{old.get(name)} → "
        yield f"            {name}: {before}{value}"
    for kind, output in record.outputs.items() if record else ():
        size = evidence.output_size(output.path)
        state = "missing" if size is None else f"{output.bytes} → {size} bytes"
        if size == output.bytes:
            same = evidence.output_digest(output.path) == output.sha256
            state = f"{size} bytes, {'as recorded' if same else 'DAMAGED: its content is not as recorded'}"
        yield f"  {kind:9} {plain(output.path)}: {state}"
    for name, value in record.findings.items() if record else ():
        yield f"  finding   {name}: {plain(str(value))}"
    if record and record.error:
        yield f"  failed    {record.error.type}: {plain(record.error.message)}"
    for note in record.notes if record else ():
        yield f"  note      {plain(note)}"


def status_lines(found: Survey, leftovers: Leftovers) -> Iterator[str]:
    """The state of the output tree."""
    records = found.manifest.records.values()
    counts = Counter(record.status for record in records)
    numbers = ", ".join(f"{counts[word]} {word}" for word in ("done", "failed", "skipped"))
    yield f"{found.tree.outputs}: {numbers}"
    for record in records:
        if record.error:
            yield told(record)
    for part in found.tree.parts:
        yield f"shard {part.shard} has done images that are not yet in the manifest (see segpipe merge)"
    if found.manifest.replayed and found.tree.journal.exists():
        yield "a run is at work, or was killed: its journal is not yet in the manifest"
    for line in found.manifest.damaged:
        yield f"damaged  {line}"
    for orphan in leftovers.orphans:
        yield f"orphan  {plain(orphan.record.image)}  {_why(orphan)}"
    for stray in leftovers.strays:
        yield f"stray  {plain(stray)}  no record knows it"
    yield plan_numbers(found)
