"""Arguments and options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline.commands.completion import images, jobs, settings

JOB = click.argument("job", type=click.Path(path_type=Path), shell_complete=jobs)
IMAGE = click.argument("image", shell_complete=images)
SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the job file.",
    shell_complete=settings,
)
ONLY = click.option("--only", multiple=True, metavar="GLOB", help="Only images that match, e.g. 'cats/**'.")
FORCE = click.option("--force", is_flag=True, help="Do images whatever their state.")
RETRY = click.option("--retry-failed", is_flag=True, help="Also images that failed of themselves.")
CHECK = click.option("--check-outputs", is_flag=True, help="Compare outputs by content, not size.")
SHARD = click.option("--shard", metavar="I/N", help="Only the images of shard I of N, by their keys' hashes.")
JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of words.")
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Tell of every image.")


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the job and the options that say which of its images to look at."""
    for option in (CHECK, RETRY, FORCE, SHARD, ONLY, SET, JOB):
        command = option(command)
    return command
