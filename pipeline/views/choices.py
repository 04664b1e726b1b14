"""What `segpipe compare` says, and the files it saves."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.errors import SpecError
from pipeline.files.contactsheets import Panel, contact_sheet
from pipeline.files.curves import Curve, curves
from pipeline.files.drawings import drawn_png, svg
from pipeline.files.printable import plain
from pipeline.jobs.choosing import Choice, Given
from pipeline.views.reports import expect_place, write_report


def expect_file(path: Path | None, option: str, endings: Sequence[str], image: object) -> None:
    """Raise SpecError if a picture could not be saved there."""
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise SpecError(
            f"{option} {path}: expected a file that ends in {' or '.join(endings)}, found {path.suffix!r}; "
            "choose one"
        )
    expect_place(path, option)
    if isinstance(image, Path) and path.exists() and path.samefile(image):
        raise SpecError(f"{option} {path}: expected another file than the image that is read; rename it")


def expect_two_files(save: Path | None, plot: Path | None) -> None:
    """Raise SpecError if one picture would replace the other."""
    if save is not None and plot is not None and save.resolve() == plot.resolve():
        raise SpecError(f"--plot {plot}: expected another file than that of --save; name another")


def choice_lines(given: Given, found: Sequence[Choice]) -> Iterator[str]:
    """A table of what each number of colours comes to."""
    yield plain(
        f"{given.name}: {given.width} × {given.height}, {given.colors} distinct colours, {size(given.bytes)}"
    )
    yield f"{'k':>6} {'MSE':>10} {'PSNR':>9} {'ΔE mean':>8} {'bytes':>10}"
    for choice in found:
        metrics = choice.metrics
        psnr = "-" if metrics.psnr is None else f"{metrics.psnr:.2f} dB"
        fewer = f"  found {len(choice.palette)}" if len(choice.palette) != choice.asked else ""
        yield (
            f"{choice.asked:>6} {metrics.mse:>10.2f} {psnr:>9} {metrics.delta_e_mean:>8.2f} "
            f"{choice.bytes:>10}{fewer}"
        )


def choice_json(given: Given, found: Sequence[Choice]) -> str:
    """The same for programs."""
    image = {name: value for name, value in given._asdict().items() if name not in ("picture", "name")}
    rows = [
        {
            "asked": choice.asked,
            "found": len(choice.palette),
            **asdict(choice.metrics),
            "bytes": choice.bytes,
            "colors": choice.palette.hex,
        }
        for choice in found
    ]
    return json.dumps({"image": given.name, **image, "choices": rows}, indent=1)


def sheet(given: Given, found: Sequence[Choice]) -> bytes:
    """A contact sheet of the image and what became of it, as a PNG."""
    about = (f"original  {given.width} × {given.height}", f"{given.colors} colours  {size(given.bytes)}")
    panels = [Panel(given.picture, None, about)]
    for choice in found:
        metrics = choice.metrics
        lines = (
            f"k {told_colors(choice)}  {size(choice.bytes)}",
            f"MSE {metrics.mse:.2f}  ΔE {metrics.delta_e_mean:.2f}",
        )
        panels.append(Panel(choice.picture, choice.palette, lines))
    return contact_sheet(panels)


def told_colors(choice: Choice) -> str:
    """How many colours were found, and how many were asked for if those are more."""
    found = len(choice.palette)
    return str(found) if found == choice.asked else f"{found} of {choice.asked}"


def elbow(given: Given, found: Sequence[Choice], path: Path) -> bytes:
    """The measures against the number of colours, in the format of a path's ending."""
    measured = [
        Curve("MSE", [choice.metrics.mse for choice in found], "#b03a2e"),
        Curve("ΔE mean (CIEDE2000)", [choice.metrics.delta_e_mean for choice in found], "#1f618d"),
        Curve("PNG, kB", [choice.bytes / 1000 for choice in found], "#1e8449"),
    ]
    drawing = curves(plain(given.name), "colours (k)", [choice.asked for choice in found], measured)
    return svg(drawing) if path.suffix.lower() == ".svg" else drawn_png(drawing)


def save(given: Given, found: Sequence[Choice], save: Path | None, plot: Path | None) -> None:
    """Write the pictures that are wanted; OutputError if that cannot be."""
    if save is not None:
        write_report(save, sheet(given, found), "--save")
    if plot is not None:
        write_report(plot, elbow(given, found, plot), "--plot")


def size(count: int) -> str:
    """A number of bytes in words."""
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB"
