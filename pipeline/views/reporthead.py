"""What the report tells above its images: numbers of the whole, the last run, the job."""

import json
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from pipeline.files.kinds import told_kinds
from pipeline.files.objects import Place
from pipeline.jobs.records import Record
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.tree import Tree


def last_run(tree: Tree) -> dict[str, Any]:
    """What the last run that did anything has noted of itself; nothing if that is gone."""
    folder = tree.state / "runs"
    names = sorted((path.name for path in folder.glob("*.json")), reverse=True)
    for _, of_a_second in groupby(names, key=lambda name: name.partition("-")[0]):
        found = [run for name in of_a_second if (run := _read(folder / name))]
        if found:
            return max(found, key=lambda run: run.get("started_ns", 0))
    return {}


def _read(path: Place) -> dict[str, Any]:
    """The record of a run that did anything; nothing of others, and of what is none."""
    try:
        found = json.loads(path.read_bytes())
        return dict(found) if found["done"] or found["failed"] or found["skipped"] else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def head_of(tree: Tree, records: Sequence[Record], run: dict[str, Any], spec: JobSpec) -> dict[str, Any]:
    """Title, numbers and words, as the page shows them."""
    about = [*(_about_run(run) if run else ()), *_about_job(spec)]
    return {
        "title": f"segpipe: {tree.inputs.name}",
        "totals": [list(total) for total in _totals(records, run)],
        "run": [list(line) for line in about],
    }


def _totals(records: Sequence[Record], run: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Numbers: what, how many, whether that is bad."""
    counts = {
        status: sum(record.status == status for record in records) for status in ("done", "failed", "skipped")
    }
    yield "images", f"{len(records):,}", False
    yield "done", f"{counts['done']:,}", False
    yield "failed", f"{counts['failed']:,}", counts["failed"] > 0
    if counts["skipped"]:
        yield "skipped: no supported images", f"{counts['skipped']:,}", False
    inputs = [record.input for record in records if record.input and record.status == "done"]
    pixels = sum((facts.width or 0) * (facts.height or 0) for facts in inputs)
    yield "megapixels", _short(pixels / 1e6), False
    written = {file.path: file.bytes for record in records for file in record.outputs.values()}
    yield "MB of outputs", _short(sum(written.values()) / 1e6), False
    if run.get("seconds") and run.get("pixels"):
        yield "Mpx/s in the last run", _short(run["pixels"] / 1e6 / run["seconds"]), False


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def _about_run(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    began = run.get("started", "")
    try:
        began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.strptime(began, "%Y%m%dT%H%M%SZ"))
    except (TypeError, ValueError):
        began = str(began)
    took, code = run.get("seconds", 0), run.get("exit_code")
    yield "last run", f"began {began}, took {took:,.1f} s, ended with exit code {code}"
    done = f"{run['done']:,} done, {run['failed']:,} failed, {run['skipped']:,} skipped"
    yield "images in it", f"{done}, {run.get('unchanged', 0):,} left as they were"
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in run.get("reasons", {}).items())
    yield "because", reasons or "–"
    if run.get("orphans"):
        yield "orphans", f"{run['orphans']:,} recorded without input; segpipe prune removes them"
    yield from _about_others(run)


def _about_others(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the run came by and did not look into; a record of an earlier version says nothing of it."""
    count, shown = run.get("passed_over", 0), run.get("passed_over_first", [])
    if count:
        words = "; ".join(f"{skipped['path']}: {skipped['reason']}" for skipped in shown)
        more = f"; and {count - len(shown):,} more" if count > len(shown) else ""
        yield "passed over", f"{words}{more}"
    if run.get("others"):
        yield "other files, not looked at", f"{told_kinds(run['others'])}; input.include takes them in"


def _about_job(spec: JobSpec) -> Iterator[tuple[str, str]]:
    wanted = spec.quantize
    yield "method", f"{wanted.method}{_asked(spec)}"
    changed = wanted.model_dump(mode="json", exclude_defaults=True)
    words = ", ".join(f"{key}: {_word(value)}" for key, value in changed.items())
    yield "quantize", words or "as by default"


def _asked(spec: JobSpec) -> str:
    """What of the section a method heeds first."""
    wanted = spec.quantize
    if wanted.method == "segment":
        return f", {wanted.colors} clusters"
    if wanted.method == "dynamic":
        return f", threshold {wanted.threshold:g}"
    if wanted.method == "palette":
        return f", a given one, in {wanted.color_space}"
    return f", {wanted.colors} colours, in {wanted.color_space}"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
