"""Contact sheets: pictures in rows, each with its palette as a bar and lines of words beneath."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.palette import Palette
from pipeline.files import png
from pipeline.files.comparisons import on_paper, put
from pipeline.files.lettering import LINE, fits, write
from pipeline.files.sharebars import PAPER, share_bar

_MARGIN, _BAR, _GAP = 16, 14, 4
_SHAPE = 1.5  # width to height that a sheet should have


class Panel(NamedTuple):
    """A picture (h, w, 3), or 4 with alpha, its palette, if it is to be shown, and words."""

    picture: NDArray[np.uint8]
    palette: Palette | None
    lines: tuple[str, ...]


def contact_sheet(panels: list[Panel]) -> bytes:
    """Draw pictures of one size on a sheet, as a PNG."""
    height, width = panels[0].picture.shape[:2]
    widest = max(fits(line, 1) for panel in panels for line in panel.lines)
    scale = 2 if 2 * widest <= width else 1
    words = max(len(panel.lines) for panel in panels) * LINE * scale
    cell = (height + _GAP + _BAR + _GAP + words + _MARGIN, max(width, widest * scale) + _MARGIN)
    columns = _columns(len(panels), *cell)
    rows = -(-len(panels) // columns)
    sheet = np.full((rows * cell[0] + _MARGIN, columns * cell[1] + _MARGIN, 3), PAPER, np.uint8)
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        top, left = _MARGIN + row * cell[0], _MARGIN + column * cell[1]
        put(sheet, on_paper(panel.picture), left, top)
        top += height + _GAP
        if panel.palette is not None:
            put(sheet, share_bar(panel.palette, cell[1] - _MARGIN, _BAR), left, top)
        for line, text in enumerate(panel.lines):
            write(sheet, left, top + _BAR + _GAP + line * LINE * scale, text, scale)
    return png.truecolor(sheet)


def _columns(panels: int, height: int, width: int) -> int:
    """How many columns give a sheet of about the wanted shape and few places that stay empty."""

    def off(columns: int) -> float:
        rows = -(-panels // columns)
        shape = columns * width / (rows * height * _SHAPE)
        return abs(math.log(shape)) + 2 * (rows * columns - panels) / panels

    return min(range(1, panels + 1), key=off)
