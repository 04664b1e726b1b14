"""A palette as a picture: numbered colour bars, as long as their colours are strong.

Up to 256 colours, a line each, down the columns: the label, a patch, the hex code, the share of the
pixels in per cent, and a bar whose length goes with the share; the longest belongs to the
strongest colour. Beyond 256, a grid of patches in palette order, row by row, without text.

Lengths and percentages are reckoned in integers.
"""

from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.palette import Palette
from pipeline.files import png
from pipeline.files.lettering import LETTER, write

_MOST_LINES = 256
_ONE_COLUMN = 32
_SCALE = 2
_PAPER, _EDGE = 255, 128
_MARGIN, _GAP, _LINE = 8, 6, 14
_LOWER = 3  # pixels, which bring digits to the middle of their line
_PATCH, _BAR = 30, 96
_HEX, _SHARE = len("#1a2b3c"), len("100.00%")


class _Column(NamedTuple):
    """Where the parts of a line are, in pixels from the left end of its column."""

    patch: int
    code: int
    share: int
    bar: int
    width: int


def palette_png(palette: Palette) -> bytes:
    """Draw a palette as a PNG: numbered colour bars, or a grid of patches beyond 256 colours."""
    picture = _bars(palette) if len(palette) <= _MOST_LINES else _grid(palette.colors)
    return png.truecolor(picture)


def _bars(palette: Palette) -> NDArray[np.uint8]:
    """Draw the bars: (height, width, 3)."""
    # About as wide as high, which a page has room for: 64 colours in 2 columns, 256 in 4.
    columns = 1 if len(palette) <= _ONE_COLUMN else isqrt((len(palette) - 1) // 16) + 1
    lines = -(-len(palette) // columns)
    place = _column(len(str(len(palette) - 1)))
    size = (2 * _MARGIN + columns * (place.width + 2 * _MARGIN) - 2 * _MARGIN, 2 * _MARGIN + lines * _LINE)
    picture = np.full((size[1], size[0], 3), _PAPER, np.uint8)
    words: list[tuple[int, int, str]] = []
    counts = palette.counts.tolist()
    most = max(*counts, 1)
    told = zip(palette.colors, palette.hex, counts, palette.percents, strict=True)
    for label, (color, code, count, share) in enumerate(told):
        column, line = divmod(label, lines)
        left, top = _MARGIN + column * (place.width + 2 * _MARGIN), _MARGIN + line * _LINE
        words.append((left + place.patch - _GAP - LETTER * len(str(label)), top, str(label)))
        words.append((left + place.code, top, code))
        words.append((left + place.bar - _GAP - LETTER * len(share), top, share))
        _box(picture, (left + place.patch, top + 1), _PATCH, color)
        if count:
            length = max(3, (2 * count * _BAR + most) // (2 * most))
            _box(picture, (left + place.bar, top + 1), length, color)
    picture = picture.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    for left, top, text in words:
        write(picture, left * _SCALE, top * _SCALE + _LOWER, text, _SCALE)
    return picture


def _column(digits: int) -> _Column:
    """Lay a column out for labels of so many digits."""
    patch = digits * LETTER + _GAP
    code = patch + _PATCH + _GAP
    share = code + _HEX * LETTER + _GAP
    bar = share + _SHARE * LETTER + _GAP
    return _Column(patch, code, share, bar, bar + _BAR)


def _box(picture: NDArray[np.uint8], corner: tuple[int, int], width: int, color: NDArray[np.uint8]) -> None:
    """Draw a box with a grey edge, which shows white on white."""
    left, top = corner
    picture[top : top + _LINE - 2, left : left + width] = _EDGE
    picture[top + 1 : top + _LINE - 3, left + 1 : left + width - 1] = color


def _grid(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw patches in rows, as square as can be: (height, width, 3)."""
    columns = isqrt(len(colors) - 1) + 1
    rows = -(-len(colors) // columns)
    side = max(4, 768 // columns)
    cells = np.full((rows * columns, side, side, 3), _PAPER, np.uint8)
    cells[: len(colors)] = colors[:, np.newaxis, np.newaxis]
    if side >= 12:  # smaller ones would be more edge than colour
        cells[: len(colors), -1] = cells[: len(colors), :, -1] = _EDGE
    lines = cells.reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
    return lines.reshape(rows * side, columns * side, 3)
