"""The report: pages to be looked at in a browser, from a disk or an object store.

    report/index.html, assets/    the page, the same for all jobs
    report/data/                  what it shows: an index, and pages of details
    report/thumbs/                small copies, made by workers if the job asks for the report

A report is made of what is recorded; nothing in it but the thumbnails is an output of an image. It is
written anew as a whole, file by file, and only where it says something else than before.
"""

import json
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipeline.errors import OutputError
from pipeline.files.outputs import write_whole
from pipeline.jobs.holding import held
from pipeline.jobs.ledger import load_manifest
from pipeline.jobs.records import Record
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.tree import Tree
from pipeline.views.reportrows import ROWS, Palette, columns, index_script, page_of

_ASSETS = ("report.css", "pages.js", "parts.js", "details.js", "gallery.js")


def write_report(tree: Tree, spec: JobSpec) -> int:
    """Write the report of an output tree; returns the number of images that it shows.

    Raises OutputLocked if a run is at work, OutputError if the folders cannot be read or written.
    """
    with held(tree):
        try:
            return _write(tree, spec)
        except OSError as error:
            raise OutputError(
                f"output root {tree.outputs}: the report could not be written: {error.strerror or error}; "
                "make room or rights and write it again (segpipe report)"
            ) from error


def is_there(tree: Tree) -> bool:
    """Whether there is a report."""
    return (_folder(tree) / "index.html").exists()


def _folder(tree: Tree) -> Path:
    return tree.outputs / "report"


def _write(tree: Tree, spec: JobSpec) -> int:
    records = [record for _, record in sorted(load_manifest(tree).records.items())]
    folder = _folder(tree)
    bars: list[str] = []
    names = {"index.js"}
    for number, first in enumerate(range(0, len(records), ROWS)):
        path = folder / "data" / f"{number:05}.js"
        names.add(path.name)
        known = path.read_bytes() if path.exists() else b""
        page, more = page_of(
            number, records[first : first + ROWS], known, lambda record: _palette(tree, record)
        )
        write_whole(path, page)
        bars += more
    run = last_run(tree)
    index = {
        "title": f"segpipe: {tree.inputs.name}",
        "rows_in_page": ROWS,
        "totals": list(_totals(records, run)),
        "run": [[what, value] for what, value in _about(run, spec)],
        "images": columns(records, bars, set(run.get("changed", ()))),
    }
    write_whole(folder / "data" / "index.js", index_script(index))
    for path in sorted((folder / "data").glob("*.js")):  # pages of images that have gone
        if path.name not in names:
            path.unlink()
    assets = files("pipeline.views") / "assets"
    for name in _ASSETS:
        write_whole(folder / "assets" / name, (assets / name).read_bytes())
    write_whole(folder / "index.html", (assets / "index.html").read_bytes())
    return len(records)


def _palette(tree: Tree, record: Record) -> Palette:
    """The colours of an image's palette file, its own or one that it shares; none if that is gone."""
    file = record.outputs.get("palette") or record.outputs.get("shared")
    if file is None:
        return []
    try:
        found = json.loads((tree.outputs / file.path).read_bytes())
        colors: Palette = found["colors"]
    except (OSError, ValueError, KeyError):
        return []
    return colors


def last_run(tree: Tree) -> dict[str, Any]:
    """What the last run that did anything has noted of itself; nothing if that is gone."""
    for path in sorted((tree.state / "runs").glob("*.json"), reverse=True):
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _totals(records: list[Record], run: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Numbers for the head of the page: what, how many, whether that is bad."""
    by_status = {
        status: [r for r in records if r.status == status] for status in ("done", "failed", "skipped")
    }
    failed = len(by_status["failed"])
    yield "images", f"{len(records):,}", False
    yield "done", f"{len(by_status['done']):,}", False
    yield "failed", f"{failed:,}", failed > 0
    if by_status["skipped"]:
        yield "skipped: no supported images", f"{len(by_status['skipped']):,}", False
    pixels = sum((r.input.width or 0) * (r.input.height or 0) for r in by_status["done"] if r.input)
    yield "megapixels", f"{pixels / 1e6:,.1f}", False
    written = sum(file.bytes for record in records for file in record.outputs.values())
    yield "written", f"{written / 1e6:,.1f} MB", False
    if run.get("seconds") and run.get("pixels"):
        yield "the last run's speed", f"{run['pixels'] / 1e6 / run['seconds']:,.0f} Mpx/s", False


def _about(run: dict[str, Any], spec: JobSpec) -> Iterator[tuple[str, str]]:
    """The last run and the job in words."""
    if run:
        ended = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.strptime(run["started"], "%Y%m%dT%H%M%SZ"))
        yield (
            "last run",
            f"began {ended}, took {run['seconds']:,.1f} s, ended with exit code {run['exit_code']}",
        )
        done = f"{run['done']:,} done, {run['failed']:,} failed, {run['skipped']:,} skipped"
        yield "images in it", f"{done}, {run['unchanged']:,} left as they were"
        yield "because", ", ".join(f"{reason}: {count:,}" for reason, count in run["reasons"].items()) or "–"
        if run["orphans"]:
            yield (
                "orphans",
                f"{run['orphans']:,} images have outputs but no input; segpipe prune removes them",
            )
    found = spec.quantize
    yield "method", f"{found.method}, {found.colors} colours, in {found.color_space}"
    changed = found.model_dump(mode="json", exclude_defaults=True)
    yield "quantize", json.dumps(changed) if changed else "as by default"
