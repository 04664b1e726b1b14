"""`segpipe run`: do a job, tell of it, and write what is asked for about it."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.completion import clusters
from pipeline.commands.endings import exit_code_of
from pipeline.commands.options import VERBOSE, plan_options
from pipeline.commands.plan import show_plan
from pipeline.commands.reading import complain, look, read
from pipeline.commands.report import renew
from pipeline.commands.telling import Telling
from pipeline.errors import SegpipeError

if TYPE_CHECKING:
    from pipeline.jobs.spec import JobSpec
    from pipeline.jobs.summary import Summary
    from pipeline.jobs.survey import Options
    from pipeline.views.reports import Report


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds of a word such as 90m."""
    if value is None:
        return None
    words = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value.strip())
    if words is None:
        raise click.BadParameter(f"expected seconds or a time such as 45s, 90m or 5.5h, found {value!r}")
    return float(words[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[words[2]]


@click.command(short_help="Do the images that are new or changed.")
@plan_options
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and why; same as `plan`.")
@click.option("--fail-fast", is_flag=True, help="Begin nothing more after the first failure.")
@click.option("--workers", type=click.IntRange(min=1), help="Override compute.workers.")
@click.option(
    "--cluster",
    metavar="KIND|ADDRESS",
    help="Override compute.cluster or its address.",
    shell_complete=clusters,
)
@click.option(
    "--time-limit",
    callback=_seconds,
    metavar="TIME",
    help="Begin nothing more after TIME (seconds, or 45s, 90m, 5.5h); exit code 7 if work is left.",
)
@click.option("--summary", type=click.Path(path_type=Path), help="Write what the run came to, as JSON.")
@click.option("--metrics", type=click.Path(path_type=Path), help="Write the same for Prometheus.")
@click.option("--log-json", is_flag=True, help="Log as JSON lines.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@VERBOSE
def run(job: Path, overrides: tuple[str, ...], dry_run: bool, verbose: bool, **given: Any) -> None:
    """Do the images of JOB that are new or changed."""
    overrides += _compute_overrides(given.pop("workers"), given.pop("cluster"))
    telling = Telling(given.pop("log_json"), given.pop("quiet"), verbose)
    reports = {name: path for name in ("summary", "metrics") if (path := given.pop(name))}
    limits = {name: given.pop(name) for name in ("fail_fast", "time_limit")}
    if dry_run:
        show_plan(look(*read(job, overrides, **given)), as_json=False, verbose=verbose)
        return
    with _reported(reports, job, given["shard"] or "") as report:
        spec, options = read(job, overrides, **given)
        summary = _run(spec, options, limits, telling)
        report.end(summary, summary.exit_code)
    sys.exit(summary.exit_code)


def _run(spec: "JobSpec", options: "Options", limits: dict[str, Any], telling: Telling) -> "Summary":
    """Run a job, renew its report, and tell of it."""
    from pipeline.jobs.run import run as run_job
    from pipeline.jobs.tree import tree_of
    from pipeline.views.closing import Where

    try:
        summary = run_job(spec, options, telling.watcher, **limits)
    finally:
        telling.watcher.close()
    where = Where(tree_of(spec, options.shard), report=False)
    if spec.output.report and options.shard is None and summary.signal is None:
        try:
            renew(spec, bool(summary.changed))
        except SegpipeError:
            telling.end(summary, where)
            raise
        where = where._replace(report=True)
    telling.end(summary, where)
    return summary


@contextmanager
def _reported(reports: dict[str, Path], job: Path, shard: str) -> "Iterator[Report]":
    """Write the reports of a run, however it ends; a run that failed ends as it would without."""
    from pipeline.views.metrics import metrics_text
    from pipeline.views.reports import Report, expect_place, write_report

    for name, path in reports.items():
        expect_place(path, f"--{name}")
    report, name = Report(), str(job.absolute())

    def write() -> None:
        texts = {"summary": report.json(name, shard), "metrics": metrics_text(report, name, shard).encode()}
        for option, path in reports.items():
            write_report(path, texts[option], f"--{option}")

    try:
        yield report
    except BaseException as error:
        code = exit_code_of(error)
        report.end(None, code, str(error) if isinstance(error, SegpipeError) else code.meaning)
        try:
            write()
        except SegpipeError as another:
            complain(another)
        raise
    write()


def _compute_overrides(workers: int | None, cluster: str | None) -> tuple[str, ...]:
    given: tuple[str, ...] = ()
    if workers is not None:
        given += (f"compute.workers={workers}",)
    if cluster is not None and "://" in cluster:
        given += ("compute.cluster=address", f"compute.address={cluster}")
    elif cluster is not None:
        given += (f"compute.cluster={cluster}",)
    return given
