"""`segpipe palette`: palettes of a few images, without a job."""

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.commands.options import JSON
from pipeline.commands.reading import show
from pipeline.errors import ExitCode

_PALETTES = """\b
Examples:
  segpipe palette photo.jpg
  segpipe palette photo.jpg --colors 5 --names --save brand.ase --save brand.css
  segpipe palette shots/*.jpg --together --json
"""


@click.command(epilog=_PALETTES, short_help="Show the palettes of images, without a job.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=click.Path(path_type=Path))
@click.option("-c", "--colors", default=8, show_default=True, type=click.IntRange(1, 65536))
@click.option(
    "--method",
    default="kmeans",
    show_default=True,
    type=click.Choice(["kmeans", "minibatch", "dynamic"]),
    help="dynamic: as many colours as --threshold needs, whatever --colors says.",
)
@click.option(
    "--threshold", default=10.0, show_default=True, help="Of dynamic; black and white are 100 apart."
)
@click.option(
    "--color-space",
    default="srgb",
    show_default=True,
    type=click.Choice(["srgb", "linear", "lab", "oklab"]),
    help="Where distances are measured; dynamic measures in its own way.",
)
@click.option("--names", is_flag=True, help="Name the colours, as CSS does.")
@click.option("--together", is_flag=True, help="One palette of all images.")
@click.option(
    "--save",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the palette too: .json, .gpl, .png, .ase, .act, .hex, .txt or .css. May be repeated.",
)
@JSON
def palette(
    images: tuple[Path, ...],
    names: bool,
    together: bool,
    files: tuple[Path, ...],
    as_json: bool,
    **wanted: Any,
) -> None:
    """Show the palette of each IMAGE, without a job."""
    import os
    import shutil

    from pipeline.jobs.oneoff import expect_images, palettes_of, wish_of
    from pipeline.views.palettes import Telling, expect_files, tell
    from pipeline.views.swatchlines import Look

    def complain(text: str) -> None:
        click.echo(f"segpipe: {text}", err=True)

    wish = wish_of(**wanted)
    expect_images(images)
    numbered = wanted["method"] != "dynamic"
    expect_files(files, images, together=together, colors=wanted["colors"] if numbered else 0)
    look = Look.of(sys.stdout, os.environ, shutil.get_terminal_size().columns)
    telling = Telling(look, names, len(images) > 1, as_json, files)
    if not tell(palettes_of(images, wish, together=together, announce=complain), telling, show, complain):
        sys.exit(ExitCode.IMAGES_FAILED)
