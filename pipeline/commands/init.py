"""`segpipe init` and `schema`: what a new job begins with."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.completion import folders
from pipeline.commands.reading import show, tell
from pipeline.errors import InputError, OutputError, SpecError

if TYPE_CHECKING:
    from pipeline.jobs.spec import JobSpec


@click.command(short_help="Print the JSON Schema of job files, for editors.")
def schema() -> None:
    """Print the JSON Schema of job files, for editors."""
    show(_schema(), nl=False)


@click.command(short_help="Write a job file for a folder of images.")
@click.argument("images", metavar="IMAGES", shell_complete=folders)
@click.argument("job", type=click.Path(path_type=Path), default="job.yaml")
@click.option(
    "--output", metavar="PATH", help="Output root.  [default: IMAGES-segpipe]", shell_complete=folders
)
def init(images: str, job: Path, output: str | None) -> None:
    """Write a commented job file JOB for a folder of IMAGES, and the schema beside it."""
    from pipeline.files.objects import place
    from pipeline.files.printable import plain
    from pipeline.jobs.extras import require_store
    from pipeline.jobs.glance import glance
    from pipeline.jobs.proposal import remarks_on, settings_for, sizes_of
    from pipeline.jobs.spec_template import template

    if os.path.lexists(job):
        raise _taken(job)
    root, target = _roots(images, output)
    require_store(root)
    found = glance(place(root))
    spec = _write(job, template(root, target, settings_for(found), list(remarks_on(found))))
    name = shlex.quote(str(job))
    tell(f"{plain(str(job))}: {sizes_of(found)}")
    tell(f"from {plain(root)} to {plain(target)}, in {_colors(spec)}")
    tell(_write_schema(job.with_name("job.schema.json")))
    tell(f"next: segpipe plan {name}, then segpipe run {name}")


def _roots(images: str, output: str | None) -> tuple[str, str]:
    """The input root and the output root, absolute; they lie apart."""
    from pipeline.files.objects import is_url
    from pipeline.jobs.spec_mistakes import WrongKeyError
    from pipeline.jobs.spec_roots import check_apart, root_of

    here = Path.cwd()
    try:
        root = root_of(images, here)
        if not is_url(root):
            root = os.path.abspath(root)  # noqa: PTH100 -- links stay as they were given
            _expect_folder(Path(root))
            if output is None and root == os.path.dirname(root):  # noqa: PTH120
                raise SpecError(
                    f"{root}: has no place beside it for outputs; say where they go: --output PATH"
                )
        target = root_of(output or f"{root}-segpipe", here)
        check_apart(root, target)
    except WrongKeyError as error:
        raise SpecError(f"--output {output}: {error}") from error
    except ValueError as error:
        raise SpecError(str(error)) from error
    return root, target


def _expect_folder(images: Path) -> None:
    if not images.is_dir():
        found = "a file" if images.exists() else "none"
        raise InputError(f"{images}: expected a folder of images, found {found}; check the path")


def _write(job: Path, text: str) -> "JobSpec":
    """Write the job file, whole and never over a file that is there; none is left that does not load."""
    from pipeline.files.wholefiles import write_new
    from pipeline.jobs.spec import load_spec

    def check(written: Path) -> None:
        try:
            load_spec(written)
        except SpecError as error:
            raise SpecError(str(error).replace(str(written), str(job))) from error

    try:
        write_new(job, text.encode(), check)
    except FileExistsError:
        raise _taken(job) from None
    except OSError as error:
        raise OutputError(f"{job}: could not be written: {error.strerror}; choose another name") from error
    return load_spec(job)


def _write_schema(path: Path) -> str:
    """Write the schema, whole and never over a file that is there; returns what to tell of it."""
    from pipeline.files.printable import plain
    from pipeline.files.wholefiles import has_content, write_new

    text, name = _schema().encode(), plain(str(path))
    try:
        write_new(path, text, lambda written: None)
    except FileExistsError:
        if has_content(path, text):
            return f"{name}: the schema, for editors, was there"
        return f"{name}: left as it is, though not this version's; segpipe schema prints that"
    except OSError as error:
        raise OutputError(
            f"{path}: could not be written: {error.strerror}; the job file is, and needs no schema; for "
            "editors: segpipe schema"
        ) from error
    return f"{name}: the schema, for editors"


def _colors(spec: "JobSpec") -> str:
    if spec.quantize.method == "segment":
        return f"{spec.quantize.colors} classes (quantize.colors)"
    return f"{spec.quantize.colors} colours (quantize.colors)"


def _taken(job: Path) -> SpecError:
    return SpecError(f"{job}: expected a new file, found one; choose another name: segpipe init IMAGES JOB")


def _schema() -> str:
    import json

    from pipeline.jobs.spec_schema import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
