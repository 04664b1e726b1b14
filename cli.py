"""The command line: words ↔ functions. Data goes to stdout, all else to stderr."""

import errno
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import __version__
from pipeline.errors import ExitCode, SegpipeError

if TYPE_CHECKING:
    from pipeline.jobs.spec import JobSpec
    from pipeline.jobs.summary import Summary
    from pipeline.jobs.survey import Options, Survey
    from pipeline.views.reports import Report

_JOB = click.argument("job", type=click.Path(path_type=Path))
_SET = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the job file."
)
_ONLY = click.option("--only", multiple=True, metavar="GLOB", help="Only images that match, e.g. 'cats/**'.")
_FORCE = click.option("--force", is_flag=True, help="Do images whatever their state.")
_RETRY = click.option("--retry-failed", is_flag=True, help="Also images that failed of themselves.")
_CHECK = click.option("--check-outputs", is_flag=True, help="Compare outputs by content, not size.")
_SHARD = click.option(
    "--shard", metavar="I/N", help="Only the images of shard I of N, by their keys' hashes."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of words.")
_VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Tell of every image.")


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds of a word such as 90m."""
    if value is None:
        return None
    words = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value.strip())
    if words is None:
        raise click.BadParameter(f"expected seconds or a time such as 45s, 90m or 5.5h, found {value!r}")
    return float(words[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[words[2]]


class _Commands(click.Group):
    """Commands whose errors end in the documented exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except SegpipeError as error:
            click.echo(f"segpipe: error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("segpipe: interrupted; what was finished is kept", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except Exception as error:
            code = _code_of(error)
            if code is ExitCode.OUTPUT_UNWRITABLE:
                told = error.strerror if isinstance(error, OSError) else error
                click.echo(f"segpipe: error: the output could not be written: {told}", err=True)
            else:
                traceback.print_exc()
                click.echo(f"segpipe {__version__}: a bug; please report it with the lines above", err=True)
            ctx.exit(code)


def _code_of(error: BaseException) -> ExitCode:
    """The exit code that an error ends in."""
    if isinstance(error, SegpipeError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
        return ExitCode.OUTPUT_UNWRITABLE
    return ExitCode.BUG


_CODES = "\b\nExit codes:\n" + "\n".join(
    f"{code:>5}  {code.meaning.replace('`', '')}: {code.then}" for code in ExitCode
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_CODES)
@click.version_option(__version__, prog_name="segpipe")
def main() -> None:
    """Quantize and segment folders of images by colour."""


def _plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (_CHECK, _RETRY, _FORCE, _SHARD, _ONLY, _SET, _JOB):
        command = option(command)
    return command


@main.command()
@_plan_options
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and why; same as `plan`.")
@click.option("--fail-fast", is_flag=True, help="Begin nothing more after the first failure.")
@click.option("--workers", type=click.IntRange(min=1), help="Override compute.workers.")
@click.option("--cluster", metavar="KIND|ADDRESS", help="Override compute.cluster or its address.")
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
@_VERBOSE
def run(job: Path, overrides: tuple[str, ...], dry_run: bool, verbose: bool, **given: Any) -> None:
    """Do the images of JOB that are new or changed."""
    overrides += _compute_overrides(given.pop("workers"), given.pop("cluster"))
    watch = {name: given.pop(name) for name in ("log_json", "quiet")}
    reports = {name: path for name in ("summary", "metrics") if (path := given.pop(name))}
    limits = {name: given.pop(name) for name in ("fail_fast", "time_limit")}
    if dry_run:
        _show_plan(_survey(*_read(job, overrides, **given)), as_json=False, verbose=verbose)
        return
    with _reported(reports, job, given["shard"] or "") as report:
        spec, options = _read(job, overrides, **given)
        summary = _run(spec, options, limits, verbose=verbose, **watch)
        if spec.output.report and options.shard is None and summary.signal is None:
            _renew_report(spec, bool(summary.changed))
        report.end(summary, summary.exit_code)
    sys.exit(summary.exit_code)


def _run(
    spec: "JobSpec", options: "Options", limits: dict[str, Any], *, log_json: bool, quiet: bool, verbose: bool
) -> "Summary":
    """Run a job and tell of it on stderr."""
    from pipeline.jobs.run import run as run_job
    from pipeline.views.terminal import Bar, JsonLines, Quiet
    from pipeline.views.texts import closing_lines

    silent = quiet or sys.stderr is None
    watcher = Quiet() if silent else JsonLines() if log_json else Bar(verbose)
    try:
        summary = run_job(spec, options, watcher, **limits)
    finally:
        watcher.close()
    if not silent or (summary.exit_code and sys.stderr is not None):
        for line in closing_lines(summary, told_already=not silent):
            watcher.say(line) if log_json and not silent else click.echo(line, err=True)
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
        code = _code_of(error)
        report.end(None, code, str(error) if isinstance(error, SegpipeError) else code.meaning)
        try:
            write()
        except SegpipeError as another:
            click.echo(f"segpipe: error: {another}", err=True)
        raise
    write()


@main.command()
@_plan_options
@_JSON
@click.option("--check", is_flag=True, help=f"Exit with {ExitCode.DIFFERENCES_FOUND} if there is work to do.")
@_VERBOSE
def plan(
    job: Path, overrides: tuple[str, ...], as_json: bool, check: bool, verbose: bool, **given: Any
) -> None:
    """Say what `run` would do, and why. Writes nothing."""
    found = _survey(*_read(job, overrides, **given))
    _show_plan(found, as_json=as_json, verbose=verbose)
    if check and found.plan.work:
        sys.exit(ExitCode.DIFFERENCES_FOUND)


@main.command()
@_JOB
@click.argument("image")
@_SET
def explain(job: Path, image: str, overrides: tuple[str, ...]) -> None:
    """Say all that the verdict on one IMAGE (a key, as `plan` shows it) rests on."""
    from pipeline.errors import SpecError
    from pipeline.views.texts import explanation

    found = _survey(*_read(job, overrides))
    if all(decision.entry.key != image for decision in found.plan.decisions):
        raise SpecError(f"{image}: expected the key of an image; `segpipe plan -v {job}` lists them")
    for line in explanation(found, image):
        click.echo(line)


@main.command()
@_JOB
@_SET
def status(job: Path, overrides: tuple[str, ...]) -> None:
    """Show the state of the output tree: done, failed, orphans, strays."""
    from pipeline.jobs.leftovers import find_leftovers
    from pipeline.views.texts import status_lines

    found = _survey(*_read(job, overrides))
    for line in status_lines(found, find_leftovers(found)):
        click.echo(line)


@main.command()
@_JOB
@_SET
def verify(job: Path, overrides: tuple[str, ...]) -> None:
    """Compare every output with the manifest, to the last byte. Writes nothing."""
    from pipeline.jobs.tree import tree_of
    from pipeline.jobs.verify import verify as verify_tree
    from pipeline.views.terminal import plain

    spec, _ = _read(job, overrides)
    verdict = verify_tree(tree_of(spec))
    for image, path, what in verdict.differences:
        click.echo(f"{plain(path)}  {what}  ({plain(image)})" if image else f"{path}  {what}")
    click.echo(f"{verdict.files} files compared, {len(verdict.differences)} differences", err=True)
    if verdict.differences:
        sys.exit(ExitCode.DIFFERENCES_FOUND)


@main.command()
@_JOB
@_SET
def merge(job: Path, overrides: tuple[str, ...]) -> None:
    """Fold what runs of shards have done into the manifest; the next `run` would, too."""
    from pipeline.jobs.merging import merge as merge_parts
    from pipeline.jobs.tree import tree_of

    spec, _ = _read(job, overrides)
    merged = merge_parts(tree_of(spec), _tell)
    click.echo(f"{merged.parts} parts with {merged.records} images merged", err=True)
    if spec.output.report:
        _renew_report(spec, merged.parts > 0)


@main.command()
@_JOB
@_SET
def report(job: Path, overrides: tuple[str, ...]) -> None:
    """Write the report of what is recorded: report/index.html, a gallery for a browser.

    It has thumbnails of what was done with `output.report: true`, with which each run writes it, too.
    """
    from pipeline.jobs.tree import tree_of
    from pipeline.views.report import write_report

    spec, _ = _read(job, overrides)
    tree = tree_of(spec)
    shown = write_report(tree, spec, _tell)
    click.echo(f"{tree.outputs / 'report' / 'index.html'} shows {shown} images", err=True)


@main.command()
@_JOB
@_SET
@click.option("--dry-run", is_flag=True, help="Only name what would be removed.")
@click.option(
    "--max-delete",
    default=100,
    show_default=True,
    help="Remove nothing if more files would go.",
)
def prune(job: Path, overrides: tuple[str, ...], dry_run: bool, max_delete: int) -> None:
    """Remove outputs whose input has gone, and files that no record knows."""
    from pipeline.errors import SpecError
    from pipeline.jobs import leftovers
    from pipeline.views.terminal import plain

    spec, options = _read(job, overrides)
    found = _survey(spec, options)
    left = leftovers.find_leftovers(found)
    files = list(left.files())
    if not dry_run and len(files) > max_delete:
        raise SpecError(
            f"{len(files)} files are more than --max-delete {max_delete}: is {found.tree.inputs} "
            f"complete? If so, prune again with --max-delete {len(files)}"
        )
    for path in files:
        click.echo(plain(path))
    removed = 0 if dry_run or not len(left) else leftovers.prune(found, left, _tell)
    click.echo(f"{len(left.orphans)} orphans, {len(left.strays)} strays, {removed} files removed", err=True)
    if spec.output.report and left.orphans and not dry_run:
        _renew_report(spec, changed=True)


_PALETTES = """\b
Examples:
  segpipe palette photo.jpg
  segpipe palette photo.jpg --colors 5 --names --save brand.ase --save brand.css
  segpipe palette shots/*.jpg --together --json
"""


@main.command(epilog=_PALETTES)
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
@_JSON
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
    if not tell(
        palettes_of(images, wish, together=together, announce=complain), telling, click.echo, complain
    ):
        sys.exit(ExitCode.IMAGES_FAILED)


_COMPARISONS = """\b
Examples:
  segpipe compare job.yaml cats/tom.jpg
  segpipe compare job.yaml cats/tom.jpg --colors 3,5,7,20,30 --save sheet.png
  segpipe compare job.yaml photo.jpg --plot elbow.svg --set quantize.color_space=oklab
"""


def _numbers(ctx: click.Context, param: click.Parameter, value: str) -> list[int]:
    """Numbers of colours of a list such as 3,5,7, rising."""
    if not re.fullmatch(r"\s*\d{1,5}\s*(,\s*\d{1,5}\s*)*", value):
        raise click.BadParameter(f"expected numbers of colours such as 3,5,7,20,30, found {value!r}")
    return sorted({int(word) for word in value.split(",")})


@main.command(epilog=_COMPARISONS)
@_JOB
@click.argument("image")
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
@_JSON
@_SET
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
    given, found = compared(wanted, image, place, _tell)
    for line in [choices.choice_json(given, found)] if as_json else choices.choice_lines(given, found):
        click.echo(line)
    choices.save(given, found, **files)


@main.command()
def schema() -> None:
    """Print the JSON Schema of job files, for editors."""
    import json

    from pipeline.jobs.spec_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@main.command()
@click.argument("images", type=click.Path(path_type=Path))
@click.argument("job", type=click.Path(path_type=Path), default="job.yaml")
@click.option("--output", type=click.Path(path_type=Path), help="Output root.  [default: IMAGES-segpipe]")
def init(images: Path, job: Path, output: Path | None) -> None:
    """Write a commented job file JOB for a folder of IMAGES, and the schema beside it."""
    import json

    from pipeline.errors import InputError, OutputError, SpecError
    from pipeline.jobs.spec import load_spec
    from pipeline.jobs.spec_schema import json_schema
    from pipeline.jobs.spec_template import template

    images = images.absolute()
    output = (output or images.with_name(f"{images.name}-segpipe")).absolute()
    if not images.is_dir():
        raise InputError(f"{images}: expected a folder of images, found none; check the path")
    if job.exists():
        raise SpecError(f"{job}: expected a new file, found one; choose another name")
    schema_file = job.with_name("job.schema.json")
    try:
        job.write_text(template(str(images), str(output)), encoding="utf-8")
        load_spec(job)
        if not schema_file.exists():
            text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
            schema_file.write_text(text, encoding="utf-8")
    except SpecError:
        job.unlink()
        raise
    except OSError as error:
        raise OutputError(f"{job}: could not be written: {error.strerror}; choose another name") from error
    click.echo(f"{job} is ready: segpipe run {job}", err=True)


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _renew_report(spec: "JobSpec", changed: bool) -> None:
    """Write the report if something has changed, or a killed run has not come to it."""
    from pipeline.errors import OutputLocked
    from pipeline.jobs.tree import tree_of
    from pipeline.views.report import is_current, write_report

    tree = tree_of(spec)
    if changed or not is_current(tree):
        try:
            write_report(tree, spec, _tell)
        except OutputLocked:
            _tell("another run has begun; it will write the report")


def _read(job: Path, overrides: tuple[str, ...], **given: Any) -> "tuple[JobSpec, Options]":
    from pipeline.jobs.shards import Shard
    from pipeline.jobs.spec import load_spec
    from pipeline.jobs.survey import Options

    if given.get("shard") is not None:
        given["shard"] = Shard.parse(given["shard"])
    return load_spec(job, overrides), Options(**given)


def _survey(spec: "JobSpec", options: "Options") -> "Survey":
    import time

    from pipeline.jobs.survey import survey

    return survey(spec, options, time.time_ns())


def _show_plan(found: "Survey", *, as_json: bool, verbose: bool) -> None:
    from pipeline.views.texts import plan_json, plan_lines

    for line in [plan_json(found)] if as_json else plan_lines(found, verbose=verbose):
        click.echo(line)


def _compute_overrides(workers: int | None, cluster: str | None) -> tuple[str, ...]:
    given: tuple[str, ...] = ()
    if workers is not None:
        given += (f"compute.workers={workers}",)
    if cluster is not None and "://" in cluster:
        given += ("compute.cluster=address", f"compute.address={cluster}")
    elif cluster is not None:
        given += (f"compute.cluster={cluster}",)
    return given


if __name__ == "__main__":
    main()
