"""A palette as one bar, in which each colour is as long as its share of the pixels."""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.palette import Palette
from pipeline.files.lettering import LETTER, LINE, fits, write

PAPER, EDGE = 255, 128


def share_bar(palette: Palette, width: int, height: int, scale: int = 0) -> NDArray[np.uint8]:
    """Draw a bar of so many pixels with an edge, (rows, width, 3).

    scale : of the letters beneath, which tell share and hex of colours that have the room; 0 for none.
    """
    ends = _ends(palette.counts, width - 2)
    bar = np.full((height + 2 * LINE * scale + 2 * bool(scale), width, 3), PAPER, np.uint8)
    bar[:height] = EDGE
    texts = zip(palette.percents, palette.hex, strict=True)
    left = 1
    for end, color, (share, code) in zip((ends + 1).tolist(), palette.colors, texts, strict=True):
        bar[1 : height - 1, left:end] = color
        for line, text in enumerate((share, code) if scale else ()):
            if fits(text, scale) + LETTER * scale <= end - left:
                write(bar, left, height + 2 + line * LINE * scale, text, scale)
        left = end
    return bar


def _ends(counts: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Where each colour ends; while there is room, what has pixels in the image has one in the bar."""
    present = counts > 0
    least = int(present.sum()) if present.sum() <= width else 0
    total = max(int(counts.sum()), 1)
    ends: NDArray[np.int64] = (2 * np.cumsum(counts) * (width - least) + total) // (2 * total)
    return ends + np.cumsum(present) * bool(least)
