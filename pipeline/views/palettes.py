"""What `segpipe palette` says, and the files it saves."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.color.names import css_names
from pipeline.errors import SpecError
from pipeline.files.exports import FORMATS, exported
from pipeline.files.printable import plain
from pipeline.jobs.oneoff import Refused
from pipeline.jobs.products import PaletteSource, palette_record
from pipeline.views.reports import expect_place, write_report
from pipeline.views.swatchlines import Look, heading, palette_lines


def expect_files(files: Sequence[Path], images: Sequence[Path], *, together: bool, colors: int) -> None:
    """Raise SpecError if palettes of these images could not be saved in these files.

    colors : the most that a palette may have.
    """
    if files and len(images) > 1 and not together:
        raise SpecError(
            f"--save {files[0]}: expected one palette to save, found those of {len(images)} images; add "
            "--together, or write a job: `segpipe init`"
        )
    for path in files:
        if _ending(path) not in FORMATS:
            raise SpecError(
                f"--save {path}: expected a file that ends in {', '.join(f'.{name}' for name in FORMATS)}, "
                f"found '{path.suffix}'; choose one"
            )
        if _ending(path) == "act" and colors > 256:
            raise SpecError(
                f"--save {path}: expected at most 256 colours for an Adobe colour table, found --colors "
                f"{colors}; save an .ase, or ask for fewer"
            )
        expect_place(path, "--save")
        if path.exists() and any(path.samefile(image) for image in images):
            raise SpecError(f"--save {path}: expected another file than the images that are read; rename it")


class Telling(NamedTuple):
    """How palettes are told. headed : whether it is said what each is of."""

    look: Look
    named: bool
    headed: bool
    as_json: bool
    files: Sequence[Path]


def tell(
    results: Iterable[PaletteSource | Refused],
    telling: Telling,
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> bool:
    """Say and save palettes as they are found, and why others are not; tells whether all were found.

    Raises OutputError when a file cannot be written.
    """
    records, told, well = [], False, True
    for result in results:
        if isinstance(result, Refused):
            error = result.error
            complain(plain(f"failed: {result.image}: {type(error).__name__}: {error}"))
            well = False
            continue
        names = css_names(result.fitted.palette.colors) if telling.named else None
        if telling.as_json:
            records.append(palette_record(result, names).decode().rstrip())
        else:
            say("\n".join(_lines(result, names, telling, below=told)))
        told = True
        for path in telling.files:
            write_report(path, _content(path, result, names), "--save")
    if telling.as_json:
        say("[" + ",\n".join(records) + "]")
    return well


def _lines(source: PaletteSource, names: list[str] | None, telling: Telling, *, below: bool) -> Iterator[str]:
    """The lines of a palette. below : whether there is another above it."""
    if telling.headed:
        yield from [""] * below
        yield heading(source.about, telling.look)
    yield from palette_lines(source.fitted.palette, names, telling.look)


def _content(path: Path, source: PaletteSource, names: list[str] | None) -> bytes:
    """A palette in the format of a path's ending."""
    if _ending(path) == "json":
        return palette_record(source, names)
    return exported(_ending(path), source.title, source.fitted.palette, names)


def _ending(path: Path) -> str:
    return path.suffix[1:].lower()
