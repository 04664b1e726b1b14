"""Words in pictures, in letters drawn beforehand: the same on any machine, unlike what FreeType draws.

They are those of DejaVu Sans Mono, in two sizes; `tests/draw_letters.py` drew them.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHEET = Path(__file__).with_name("letters.png")
LETTERS = "".join(map(chr, (*range(0x20, 0x7F), *range(0xA1, 0x100)))) + "Δ–…\N{REPLACEMENT CHARACTER}"
"""What can be written; of all else the last one is shown."""

SIZES = (1, 2)
LETTER, LINE = 6, 12
"""Width of a letter and height of a line, in pixels, of the smaller size."""

INK = 40


def fits(text: str, scale: int) -> int:
    """The width of a text in pixels."""
    return LETTER * len(text) * scale


def write(picture: NDArray[np.uint8], left: int, top: int, text: str, scale: int = 1) -> None:
    """Write a line into a picture (height, width, 3), on whatever is there; what lies outside is cut off.

    scale : 1 or 2.
    """
    if not text:
        return
    light = np.concatenate([_letters(scale)[_PLACES.get(letter, -1)] for letter in text], axis=1)
    place = picture[top : top + len(light), left : left + light.shape[1]]
    cut = light[: place.shape[0], : place.shape[1], np.newaxis].astype(np.uint16)
    place[:] = (place * cut + INK * (255 - cut) + 127) // 255


_PLACES = {letter: place for place, letter in enumerate(LETTERS)}


@cache
def _letters(scale: int) -> NDArray[np.uint8]:
    """The letters of a size: (letters, LINE · scale, LETTER · scale), from 0, ink, to 255, paper."""
    with Image.open(SHEET) as sheet:
        lights = np.asarray(sheet.convert("L"))
    top = LINE * sum(SIZES[: SIZES.index(scale)])
    rows = lights[top : top + LINE * scale, : LETTER * scale * len(LETTERS)]
    return np.ascontiguousarray(rows.reshape(LINE * scale, len(LETTERS), -1).swapaxes(0, 1))
