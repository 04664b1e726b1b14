"""Comparison pictures: an image, what became of it, its palette as a bar, and how far they are apart.

    side-by-side    image | quantized image, the bar beneath
    strip           image / quantized image / bar, in a column
    overlay         the image with its segments' boundaries, the bar beneath

Images that are smaller than asked for are enlarged by whole pixels. Transparency shows a chequered ground.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.palette import Palette
from pipeline.color.regions import draw_boundaries
from pipeline.files import png
from pipeline.files.lettering import LINE, fits, write
from pipeline.files.sharebars import PAPER, share_bar

_MARGIN, _BAR, _SQUARE, _GREY = 16, 20, 8, 224


class Compared(NamedTuple):
    """What is shown: two images (h, w, 3), or 4 with alpha, the label map (h, w), and words."""

    original: NDArray[np.uint8]
    quantized: NDArray[np.uint8]
    labels: NDArray[Any]
    palette: Palette
    caption: str


def comparison_png(layout: str, shown: Compared, height: int) -> bytes:
    """Draw a comparison as a PNG; height : of each image, at most, which may be twice as wide."""
    rows, columns = shown.labels.shape
    times = max(1, min(height // rows, 2 * height // columns))
    panels = [_enlarged(on_paper(shown.original), times)]
    if layout == "overlay":
        panels = [draw_boundaries(panels[0], _enlarged(shown.labels, times))]
    else:
        panels.append(_enlarged(on_paper(shown.quantized), times))
    across = layout == "side-by-side"
    width = sum(panel.shape[1] for panel in panels) + _MARGIN if across else panels[0].shape[1]
    scale = 2 if fits(shown.caption, 2) <= width else 1
    width = max(width, fits(shown.caption, scale))
    bar = share_bar(shown.palette, width, _BAR * scale, scale)
    return png.truecolor(_sheet(panels, bar, shown.caption, across=across, scale=scale))


def _sheet(
    panels: list[NDArray[np.uint8]], bar: NDArray[np.uint8], caption: str, *, across: bool, scale: int
) -> NDArray[np.uint8]:
    """Lay panels out, across or down, above a bar and a line of words."""
    high = len(panels[0]) if across else sum(len(panel) + _MARGIN for panel in panels) - _MARGIN
    size = (high + len(bar) + LINE * scale + 4 * _MARGIN, bar.shape[1] + 2 * _MARGIN)
    sheet = np.full((*size, 3), PAPER, np.uint8)
    top = left = _MARGIN
    for panel in panels:
        put(sheet, panel, left, top)
        if across:
            left += panel.shape[1] + _MARGIN
        else:
            top += len(panel) + _MARGIN
    put(sheet, bar, _MARGIN, high + 2 * _MARGIN)
    write(sheet, _MARGIN, high + len(bar) + 3 * _MARGIN, caption, scale)
    return sheet


def put(sheet: NDArray[np.uint8], picture: NDArray[np.uint8], left: int, top: int) -> None:
    """Lay a picture on a sheet."""
    sheet[top : top + len(picture), left : left + picture.shape[1]] = picture


def on_paper(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image (h, w, 3), laid over light squares if it has alpha, (h, w, 4)."""
    if image.shape[2] == 3:
        return image
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    odd = (rows // _SQUARE + columns // _SQUARE) % 2
    ground = np.where(odd, _GREY, PAPER)[..., np.newaxis]
    alpha = image[..., 3:].astype(np.int64)
    laid: NDArray[np.uint8] = ((2 * (image[..., :3] * alpha + ground * (255 - alpha)) + 255) // 510).astype(
        np.uint8
    )
    return laid


def _enlarged(image: NDArray[Any], times: int) -> NDArray[Any]:
    return image.repeat(times, axis=0).repeat(times, axis=1)
