"""`segpipe compare`: one image in several numbers of colours."""

import re
from pathlib import Path

import click

from pipeline.commands.options import IMAGE, JOB, JSON, SET
from pipeline.commands.reading import show, tell

_MOST = 65536  # colours of a palette
_COMPARISONS = """\b
Examples:
  segpipe compare job.yaml cats/tom.jpg
  segpipe compare job.yaml cats/tom.jpg --colors 3,5,7,20,30 --save sheet.png
  segpipe compare job.yaml photo.jpg --plot elbow.svg --set quantize.color_space=oklab
"""


def _numbers(ctx: click.Context, param: click.Parameter, value: str) -> list[int]:
    """Numbers of colours of a list such as 3,5,7, rising."""
    if not re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*", value):
        raise click.BadParameter(f"expected numbers of colours such as 3,5,7,20,30, found {value!r}")
    if not all(1 <= int(word) <= _MOST for word in value.split(",")):
        raise click.BadParameter(f"expected numbers of colours from 1 to {_MOST}, found {value!r}")
    return sorted({int(word) for word in value.split(",")})


@click.command(epilog=_COMPARISONS, short_help="Show one image in several numbers of colours.")
@JOB
@IMAGE
@click.option(
    "-c",
    "--colors",
    default="2,4,8,16,32,64",
    show_default=True,
    callback=_numbers,
    metavar="K,K,…",
    help="The numbers of colours to compare.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a contact sheet of the image in each: .png.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw MSE, ΔE and bytes against the number of colours: .svg or .png.",
)
@JSON
@SET
def compare(
    job: Path, image: str, colors: list[int], overrides: tuple[str, ...], as_json: bool, **files: Path | None
) -> None:
    """Compare one IMAGE (a key of JOB, or a path) in several numbers of colours."""
    from pipeline.jobs.choosing import compared, find_image, settings_for
    from pipeline.views import choices

    wanted = settings_for(job, overrides, colors)
    place = find_image(wanted[0], image)
    choices.expect_file(files["save"], "--save", (".png",), place)
    choices.expect_file(files["plot"], "--plot", (".svg", ".png"), place)
    choices.expect_two_files(files["save"], files["plot"])
    given, found = compared(wanted, image, place, tell)
    for line in [choices.choice_json(given, found)] if as_json else choices.choice_lines(given, found):
        show(line)
    choices.save(given, found, **files)
