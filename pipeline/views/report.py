"""The report: pages to be looked at in a browser, from a disk or an object store.

    report/index.html, assets/    the page, the same for all jobs
    report/data/                  what it shows: an index, and pages of details
    report/thumbs/                small copies, made by workers if the job asks for the report

A report is made of what is recorded; nothing in it but the thumbnails is an output of an image. It is
written file by file, and only where it says something else than before. Which manifest it tells of is
written last: a report that was not finished is no current one, and the next run makes it anew.
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

from pipeline import __version__
from pipeline.errors import OutputError
from pipeline.files.objects import Place
from pipeline.files.writing import flush_folder, sweep, write_whole
from pipeline.jobs.holding import held
from pipeline.jobs.ledger import load_manifest
from pipeline.jobs.lock import Say
from pipeline.jobs.manifest import NAME
from pipeline.jobs.records import Record
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.tree import Tree
from pipeline.views.reporthead import head_of, last_run
from pipeline.views.reportpalettes import Palette, palette_of
from pipeline.views.reportrows import ROWS, Made, columns, index_script, made_of, page_of

_ASSETS = ("report.css", "pages.js", "parts.js", "details.js", "gallery.js")
_MADE = "made.json"
_READERS = 16  # threads that read palette files: in an object store each takes its time


def write_report(tree: Tree, spec: JobSpec, say: Say = lambda text: None) -> int:
    """Write the report of an output tree; returns the number of images that it shows.

    say : see `held`.
    Raises OutputLocked if a run is at work, OutputError if there is no manifest yet, or if the folders
    cannot be read or written.
    """
    if not (tree.outputs / NAME).exists():
        raise OutputError(f"{tree.outputs}: expected a manifest, found none; run the job first (segpipe run)")
    with held(tree, say):
        try:
            return _write(tree, spec)
        except OSError as error:
            raise OutputError(
                f"output root {tree.outputs}: the report could not be written: {error.strerror or error}; "
                "make room or rights and write it again (segpipe report)"
            ) from error


def is_current(tree: Tree) -> bool:
    """Whether there is nothing to report, or a report, with all its files, of what is recorded now."""
    try:
        manifest = (tree.outputs / NAME).read_bytes()
    except OSError:
        return True
    try:
        told = json.loads((_data(tree) / _MADE).read_bytes())
        return told == _made(manifest, told["pages"]) and _is_there(tree, told["pages"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _is_there(tree: Tree, pages: int) -> bool:
    folder = tree.outputs / "report"
    below = {name: {path.name for path in (folder / name).glob("*")} for name in ("assets", "data")}
    needed = {"index.js", *map(_page_name, range(pages))}
    return (folder / "index.html").exists() and set(_ASSETS) <= below["assets"] and needed <= below["data"]


def _data(tree: Tree) -> Place:
    return tree.outputs / "report" / "data"


def _page_name(number: int) -> str:
    return f"{number:05}.js"


def _made(manifest: bytes, pages: int) -> dict[str, Any]:
    """What is written when a report is whole: of which manifest, by which version, in how many pages."""
    return {"manifest": hashlib.sha256(manifest).hexdigest(), "version": __version__, "pages": pages}


def _write(tree: Tree, spec: JobSpec) -> int:
    manifest = (tree.outputs / NAME).read_bytes()
    held_records = load_manifest(tree).records
    records = [held_records[key] for key in sorted(held_records)]
    run = last_run(tree)
    folder = tree.outputs / "report"
    for place in (folder, folder / "assets", folder / "data"):
        sweep(place)
    made = json.dumps(_made(manifest, len(range(0, len(records), ROWS)))).encode() + b"\n"
    _unmake(folder / "data", made)
    bars, pages = _write_pages(tree, records)
    head = head_of(tree, records, run, spec) | {"rows_in_page": ROWS, "pages": [page.made for page in pages]}
    images = columns(records, bars, set(run.get("changed", ())))
    write_whole(folder / "data" / "index.js", index_script(head | {"images": images}))
    assets = files("pipeline.views") / "assets"
    for name in _ASSETS:
        write_whole(folder / "assets" / name, (assets / name).read_bytes())
    write_whole(folder / "index.html", (assets / "index.html").read_bytes())
    if all(page.whole for page in pages):
        write_whole(folder / "data" / _MADE, made)
    else:
        _unmake(folder / "data", b"")  # so that the next run reads what could not be read
    return len(records)


def _unmake(data: Place, made: bytes) -> None:
    """Have a report be no current one while it is written, of whichever manifest, unless it is already."""
    path = data / _MADE
    if path.exists() and path.read_bytes() != made:
        path.unlink()
        flush_folder(data)


def _write_pages(tree: Tree, records: Sequence[Record]) -> tuple[list[str], list[Made]]:
    """Write the pages of details, and remove those of images that have gone; gives the images' bars."""
    folder = _data(tree)
    there = {path.name for path in folder.glob("*.js")}
    names, bars, pages = {"index.js"}, [], []
    with ThreadPoolExecutor(_READERS) as readers:

        def palettes_of(some: Sequence[Record]) -> list[Palette]:
            return list(readers.map(lambda record: palette_of(tree.outputs, record), some))

        for number, first in enumerate(range(0, len(records), ROWS)):
            name = _page_name(number)
            names.add(name)
            known = (folder / name).read_bytes() if name in there else b""
            page, bars_in_it = page_of(number, records[first : first + ROWS], known, palettes_of)
            if page != known:
                write_whole(folder / name, page)
            bars += bars_in_it
            pages.append(made_of(page))
    for name in sorted(there - names):
        (folder / name).unlink(missing_ok=True)
    return bars, pages
