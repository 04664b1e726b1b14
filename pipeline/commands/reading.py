"""From words to a job, and a look at its trees. All is imported when it is needed: --help needs none."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.jobs.spec import JobSpec
    from pipeline.jobs.survey import Options, Survey


def tell(text: str) -> None:
    """Say something on stderr."""
    click.echo(text, err=True)


def complain(error: object) -> None:
    """Say on stderr what a command ends for: in lines that move no cursor, whatever names are in them."""
    from pipeline.files.printable import plain

    tell("segpipe: error: " + "\n".join(plain(line) for line in str(error).split("\n")))


def show(text: str, *, nl: bool = True) -> None:
    """Print data on stdout. A reader that has seen enough, such as `head`, does not end the command."""
    try:
        click.echo(text, nl=nl)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def read(job: Path, overrides: tuple[str, ...], **given: Any) -> "tuple[JobSpec, Options]":
    """Read a job and the options given beside it; SpecError if they are wrong."""
    from pipeline.jobs.shards import Shard
    from pipeline.jobs.spec import load_spec
    from pipeline.jobs.survey import Options

    if given.get("shard") is not None:
        given["shard"] = Shard.parse(given["shard"])
    return load_spec(job, overrides), Options(**given)


def look(spec: "JobSpec", options: "Options") -> "Survey":
    """Look at a job's trees now; a run that is at work there is told on stderr."""
    import time

    from pipeline.jobs.lock import who_is_at_work
    from pipeline.jobs.survey import survey

    found = survey(spec, options, time.time_ns())
    for tree in (found.tree, *found.tree.shards):
        if (who := who_is_at_work(tree.state)) is not None:
            tell(f"segpipe: a run is at work: {who}; what it has not finished counts as interrupted so far")
    return found
