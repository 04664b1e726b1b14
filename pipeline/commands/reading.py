"""From words to a job, and a look at its trees. All is imported when it is needed: --help needs none."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.jobs.spec import JobSpec
    from pipeline.jobs.survey import Options, Survey


def tell(text: str) -> None:
    """Say something on stderr."""
    click.echo(text, err=True)


def read(job: Path, overrides: tuple[str, ...], **given: Any) -> "tuple[JobSpec, Options]":
    """Read a job and the options given beside it; SpecError if they are wrong."""
    from pipeline.jobs.shards import Shard
    from pipeline.jobs.spec import load_spec
    from pipeline.jobs.survey import Options

    if given.get("shard") is not None:
        given["shard"] = Shard.parse(given["shard"])
    return load_spec(job, overrides), Options(**given)


def look(spec: "JobSpec", options: "Options") -> "Survey":
    """Look at a job's trees now."""
    import time

    from pipeline.jobs.survey import survey

    return survey(spec, options, time.time_ns())
