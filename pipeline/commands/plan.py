"""`segpipe plan`, `explain` and `status`: what would be done, why, and what is there. They write nothing."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.options import IMAGE, JOB, JSON, SET, VERBOSE, plan_options
from pipeline.commands.reading import look, read, show
from pipeline.errors import ExitCode

if TYPE_CHECKING:
    from pipeline.jobs.survey import Survey


@click.command(short_help="Say what run would do, and why.")
@plan_options
@JSON
@click.option("--check", is_flag=True, help=f"Exit with {ExitCode.DIFFERENCES_FOUND} if there is work to do.")
@VERBOSE
def plan(
    job: Path, overrides: tuple[str, ...], as_json: bool, check: bool, verbose: bool, **given: Any
) -> None:
    """Say what `run` would do, and why. Writes nothing."""
    found = look(*read(job, overrides, **given))
    show_plan(found, as_json=as_json, verbose=verbose)
    if check and found.plan.work:
        sys.exit(ExitCode.DIFFERENCES_FOUND)


@click.command(short_help="Say why one image would be done or kept.")
@JOB
@IMAGE
@SET
def explain(job: Path, image: str, overrides: tuple[str, ...]) -> None:
    """Say all that the verdict on one IMAGE (a key, as `plan` shows it) rests on."""
    from pipeline.errors import SpecError
    from pipeline.jobs.nearness import did_you_mean, nearest_keys
    from pipeline.views.texts import explanation

    found = look(*read(job, overrides))
    keys = [decision.entry.key for decision in found.plan.decisions]
    if image not in keys:
        near = did_you_mean(nearest_keys(image, keys, found.tree.inputs))
        raise SpecError(f"{image}: expected the key of an image; {near}`segpipe plan -v {job}` lists them")
    for line in explanation(found, image):
        show(line)


@click.command(short_help="Show what is done, failed, orphaned or stray.")
@JOB
@SET
def status(job: Path, overrides: tuple[str, ...]) -> None:
    """Show the state of the output tree: done, failed, orphans, strays."""
    from pipeline.jobs.leftovers import find_leftovers
    from pipeline.views.texts import status_lines

    found = look(*read(job, overrides))
    for line in status_lines(found, find_leftovers(found)):
        show(line)


def show_plan(found: "Survey", *, as_json: bool, verbose: bool) -> None:
    """Print a plan."""
    from pipeline.views.texts import plan_json, plan_lines

    for line in [plan_json(found)] if as_json else plan_lines(found, verbose=verbose):
        show(line)
