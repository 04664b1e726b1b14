"""Palettes as the report shows them: each is read, and reduced to its bar and its rows at once.

A palette may have tens of thousands of colours, each with its swatches: what a page is made of is text,
not the files' whole content.
"""

import json
from typing import Any, NamedTuple

from pipeline.files.objects import Place
from pipeline.jobs.records import Record
from pipeline.views.reportclusters import clusters_in, of_raster

_BAR = 12  # colours of the bar that a card shows
_WHOLE = 9999  # stands for a share of 1 in a bar, which has four digits


class Palette(NamedTuple):
    """A palette as the report shows it.

    bar : the first colours: six digits of each one's hex code, four of its share in ten thousandths.
    rows : all of them, as a list in JSON. read : whether that is what the file tells, or there is none.
    """

    bar: str = ""
    rows: str = "[]"
    read: bool = True


def palette_of(root: Place, record: Record) -> Palette:
    """The palette of an image, its own or one that it shares, or a raster's clusters; an empty one if gone.

    A file that cannot be read, or is no palette, is told as an empty one too, but not as read: it may be
    there the next time.
    """
    kinds = ("centers", "palette", "shared")
    file = next((record.outputs[kind] for kind in kinds if kind in record.outputs), None)
    if file is None:
        return Palette()
    try:
        told = json.loads((root / file.path).read_bytes())
        return reduced(clusters_in(told) if of_raster(record) else told["colors"])
    except FileNotFoundError:
        return Palette()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Palette(read=False)


def reduced(colors: list[dict[str, Any]]) -> Palette:
    """The colours of a palette file, reduced to what is shown; an error of Python's if they are none."""
    return Palette(_bar(colors), json.dumps([_row(color) for color in colors], separators=(",", ":")))


def _bar(colors: list[dict[str, Any]]) -> str:
    shown = [(color["hex"][1:], _digits(color["share"])) for color in colors[:_BAR]]
    return "".join(f"{code:0>6.6}{share:04}" for code, share in shown if share)


def _digits(share: float) -> int:
    """A share in ten thousandths, of which only a whole one has the most."""
    return _WHOLE if share >= 1 else min(_WHOLE - 1, round(1e4 * share))


def _row(color: dict[str, Any]) -> list[Any]:
    swatches = ["#{:02x}{:02x}{:02x}".format(*swatch["rgb"]) for swatch in color.get("swatches", [])]
    row = [color["hex"], int(color["count"]), float(color["share"]), swatches, color.get("name", "")]
    return [*row, color["center"]] if "center" in color else row
