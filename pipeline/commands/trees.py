"""`segpipe verify`, `merge` and `prune`: what keeps an output tree in order."""

import sys
from pathlib import Path

import click

from pipeline.commands.options import JOB, SET
from pipeline.commands.reading import look, read, show, tell
from pipeline.commands.report import renew
from pipeline.errors import ExitCode


@click.command(short_help="Compare every output with the manifest.")
@JOB
@SET
def verify(job: Path, overrides: tuple[str, ...]) -> None:
    """Compare every output with the manifest, to the last byte. Writes nothing."""
    from pipeline.files.printable import counted, plain
    from pipeline.jobs.tree import tree_of
    from pipeline.jobs.verify import verify as verify_tree

    spec, _ = read(job, overrides)
    verdict = verify_tree(tree_of(spec))
    for image, path, what in verdict.differences:
        show(f"{plain(path)}  {what}  ({plain(image)})" if image else f"{path}  {what}")
    if not verdict.files:
        tell(f"nothing is recorded in {plain(spec.output.root)}: run the job first (segpipe run)")
    tell(f"{counted(verdict.files, 'file')} compared, {counted(len(verdict.differences), 'difference')}")
    if verdict.differences:
        sys.exit(ExitCode.DIFFERENCES_FOUND)


@click.command(short_help="Fold what runs of shards have done into the manifest.")
@JOB
@SET
def merge(job: Path, overrides: tuple[str, ...]) -> None:
    """Fold what runs of shards have done into the manifest; the next `run` would, too."""
    from pipeline.files.printable import counted
    from pipeline.jobs.merging import merge as merge_parts
    from pipeline.jobs.tree import tree_of

    spec, _ = read(job, overrides)
    merged = merge_parts(tree_of(spec), tell)
    tell(f"{counted(merged.parts, 'part')} with {counted(merged.records, 'image')} merged")
    if spec.output.report:
        renew(spec, merged.parts > 0)


@click.command(short_help="Remove outputs without input, and stray files.")
@JOB
@SET
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
    from pipeline.files.printable import counted, plain
    from pipeline.jobs import leftovers

    spec, options = read(job, overrides)
    found = look(spec, options)
    left = leftovers.find_leftovers(found)
    files = list(left.files())
    if not dry_run and len(files) > max_delete:
        raise SpecError(
            f"{counted(len(files), 'file')} would go, more than --max-delete {max_delete}: is "
            f"{found.tree.inputs} complete? If so, prune again with --max-delete {len(files)}"
        )
    for path in files:
        show(plain(path))
    for orphan in left.orphans:
        if not orphan.record.outputs:
            tell(f"record without input: {plain(orphan.record.image)}")
    removed = 0 if dry_run or not len(left) else leftovers.prune(found, left, tell)
    numbers = f"{counted(len(left.orphans), 'orphan')}, {counted(len(left.strays), 'stray')}"
    tell(f"{numbers}, {counted(removed, 'file')} removed")
    if dry_run or not len(left):
        return
    if (found.tree.outputs / "report" / "index.html").exists() or (spec.output.report and left.orphans):
        renew(spec, changed=bool(left.orphans))  # a page shows no thumbnail that was removed
