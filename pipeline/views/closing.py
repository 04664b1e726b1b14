"""The last words of a run: what came of it, why images failed, and where to look."""

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.files.objects import ObjectPath, Place
from pipeline.files.printable import counted, plain
from pipeline.jobs.manifest import NAME
from pipeline.jobs.plan import Orphan
from pipeline.jobs.records import Record
from pipeline.jobs.summary import Summary
from pipeline.jobs.tree import Tree
from pipeline.views.terminal import told

_SHOWN = 5  # failures; the manifest has them all
_LATELY = 60.0  # seconds for which what was said is still in sight


class Where(NamedTuple):
    """Where the results are. report : whether one was written."""

    tree: Tree
    report: bool


def closing_lines(
    summary: Summary, where: Where | None = None, *, told_already: bool = False, quiet: bool = False
) -> Iterator[str]:
    """What a person wants to know when a run has ended.

    told_already : whether the failures of this run were told when they happened.
    quiet : only what is not well.
    """
    if not summary.seen:
        yield f"ended after {duration(summary.seconds)}, before it was known what there is to do"
        return
    nothing = "" if summary.planned else f": nothing {'new ' if summary.failing else ''}to do"
    numbers = _numbers(summary, ("failed", "not begun") if quiet else ())
    if not quiet:
        yield f"{numbers} in {_time(summary)}{nothing}"
    elif numbers:
        yield numbers
    failures = [*summary.failures, *summary.failing]
    in_sight = told_already and summary.seconds < _LATELY and len(summary.failures) <= _SHOWN
    yield from _reasons(summary.failing if in_sight else failures)
    if failures and where:
        yield f"every failure, with its reason: {plain(str(where.tree.book / NAME))}"
    if summary.left:
        yield f"{counted(summary.left, 'image')} left to do: run again to go on"
    if quiet:
        return
    if summary.orphans:
        yield f"{told_orphans(summary.orphans)}; see `segpipe prune`"
    if where and (summary.done or summary.unchanged):
        yield look_at(where)


def look_at(where: Where) -> str:
    """Where to look: the report if there is one, else the outputs."""
    if not where.report:
        return f"outputs: {plain(str(where.tree.outputs))}"
    page: Place = where.tree.outputs / "report" / "index.html"
    if isinstance(page, ObjectPath):
        return f"report: {plain(str(page))} (open it where the store is served, or in a copy)"
    return f"report: {plain(str(page))}"


def told_orphans(orphans: list[Orphan]) -> str:
    """How many images have no input: with outputs, or no more than a record."""
    with_outputs = sum(bool(orphan.record.outputs) for orphan in orphans)
    told = []
    if with_outputs:
        told.append(
            f"{counted(with_outputs, 'image')} {'has' if with_outputs == 1 else 'have'} outputs but no input"
        )
    if len(orphans) > with_outputs:
        told.append(f"{counted(len(orphans) - with_outputs, 'record')} without input")
    return ", ".join(told)


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _numbers(summary: Summary, only: tuple[str, ...] = ()) -> str:
    counts = {
        "done": summary.done,
        "unchanged": summary.unchanged,
        "skipped": summary.skipped,
        "failed": len(summary.failures) + len(summary.failing),
        "not begun": summary.left,
    }
    told = {word: count for word, count in counts.items() if word in (only or counts)}
    return ", ".join(f"{count} {word}" for word, count in told.items() if count or word == "done")


def _time(summary: Summary) -> str:
    """The time, and what was done in each second of it."""
    seconds = max(summary.seconds, 1e-3)  # a clock may not have ticked
    if not summary.done:
        return duration(summary.seconds)
    megapixels = summary.pixels / 1e6
    rates = f"{summary.done / seconds:.1f} images/s, {megapixels / seconds:.1f} Mpx/s"
    return f"{duration(summary.seconds)} ({megapixels:.1f} Mpx; {rates})"


def _reasons(failures: list[Record]) -> Iterator[str]:
    """The first failure of each kind, then others, then how many more there are."""
    kinds: set[str] = set()
    first: list[Record] = []
    others: list[Record] = []
    for record in failures:
        kind = record.error.type if record.error else ""
        (others if kind in kinds else first).append(record)
        kinds.add(kind)
    for record in (first + others)[:_SHOWN]:
        yield told(record)
    if len(failures) > _SHOWN:
        yield f"… and {len(failures) - _SHOWN} more; `segpipe status` lists them"
