"""Strips that the report shows: original, quantized image and segments, from their rows in any order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.falsecolors import false_colors
from pipeline.color.shrinking import Shrinking, shrink_factor
from pipeline.files.strips import webp_strip
from pipeline.jobs.previews import Previews, Product, joined, shrink_shown

FOLDER = "report/thumbs"
SIDE = 360
"""Pixels, at most, of each of the pictures in a strip."""


class Thumbnails:
    """The small copies of some rows of an image: what `thumbnail` makes a strip of.

    height : of the rows, of which `row` is the first. whole : height of the image.
    """

    def __init__(self, row: int, height: int, whole: int, width: int) -> None:
        factor = shrink_factor(whole, width, SIDE)
        self._row = row
        self._pictures = Previews(row, height, width, factor)
        self._segments = Shrinking(row, height, width, factor)

    def add_image(
        self, row: int, column: int, pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
    ) -> None:
        """Take in a window of the image."""
        self._pictures.add_image(row, column, pixels, alpha)

    def add_labels(
        self,
        labels: NDArray[Any],
        shown: NDArray[Any],
        colors: NDArray[np.uint8],
        alpha: NDArray[np.uint8] | None,
    ) -> None:
        """Take in all rows of the label map, and of the places in the palette that are shown."""
        self._pictures.add_quantized(shown, colors, alpha)
        shrink_shown(self._segments, self._row, labels, false_colors(len(colors)), alpha)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `thumbnail` makes a file of."""
        return self._pictures.arrays | {"segments": self._segments.sums}


def thumbnail(key: str, parts: list[dict[str, NDArray[Any]]], height: int, width: int) -> Product:
    """The strip of an image from those of its rows."""
    factor = shrink_factor(height, width, SIDE)
    kinds = ("original", "quantized", "segments")
    pictures = [joined(parts, kind, (height, width), factor) for kind in kinds]
    return Product("thumbnail", f"{FOLDER}/{key}.webp", webp_strip(pictures))
