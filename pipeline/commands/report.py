"""`segpipe report`, and the report's renewal by other commands."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.options import JOB, SET
from pipeline.commands.reading import read, tell

if TYPE_CHECKING:
    from pipeline.jobs.spec import JobSpec


@click.command(short_help="Write a gallery of what is recorded, for a browser.")
@JOB
@SET
def report(job: Path, overrides: tuple[str, ...]) -> None:
    """Write the report of what is recorded: report/index.html, a gallery for a browser.

    It has thumbnails of what was done with `output.report: true`, with which each run writes it, too.
    """
    from pipeline.files.printable import counted, plain
    from pipeline.jobs.tree import tree_of
    from pipeline.views.report import write_report

    spec, _ = read(job, overrides)
    tree = tree_of(spec)
    shown = write_report(tree, spec, tell)
    tell(f"{plain(str(tree.outputs / 'report' / 'index.html'))} shows {counted(shown, 'image')}")


def renew(spec: "JobSpec", changed: bool) -> None:
    """Write the report if something has changed, or a killed run has not come to it."""
    from pipeline.errors import OutputLocked
    from pipeline.jobs.tree import tree_of
    from pipeline.views.report import is_current, write_report

    tree = tree_of(spec)
    if changed or not is_current(tree):
        try:
            write_report(tree, spec, tell)
        except OutputLocked:
            tell("another run has begun; it will write the report")
