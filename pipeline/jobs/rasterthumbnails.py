"""Strips that the report shows of rasters: the first bands and the segments, from their rows in any order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.falsecolors import false_colors
from pipeline.color.shrinking import Shrinking, shrink_factor
from pipeline.color.stretching import Stretch
from pipeline.files.strips import webp_strip
from pipeline.files.windows import Window, cover
from pipeline.jobs.previews import Product, joined
from pipeline.jobs.thumbnails import FOLDER, SIDE

_ROWS, _COLUMNS = 256, 1024  # that are worked on at a time, however wide the windows are


class RasterThumbnails:
    """The small copies of some rows of a raster: what `raster_thumbnail` makes a strip of.

    height : of the rows, of which `row` is the first. whole : height of the raster. clusters : how many,
    whose labels are lower than that of pixels without data.
    """

    def __init__(
        self, row: int, height: int, whole: int, width: int, stretch: Stretch, clusters: int
    ) -> None:
        factor = shrink_factor(whole, width, SIDE)
        self._stretch = stretch
        self._clusters = clusters
        self._colors = np.concatenate([false_colors(clusters), np.zeros((1, 3), np.uint8)])
        self._original = Shrinking(row, height, width, factor)
        self._segments = Shrinking(row, height, width, factor)

    def add(self, window: Window, pixels: NDArray[Any], labels: NDArray[Any]) -> None:
        """Take in a window of the raster, (height, width, bands), and its labels."""
        for block in cover(window.height, window.width, _ROWS, _COLUMNS):
            part = slice(block.row, block.bottom), slice(block.col, block.right)
            valid = labels[part] < self._clusters
            alpha = None if valid.all() else valid.astype(np.uint8) * np.uint8(255)
            place = window.row + block.row, window.col + block.col
            self._original.add(*place, self._stretch.picture(pixels[part], valid), alpha)
            self._segments.add(*place, self._colors[labels[part]], alpha)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `raster_thumbnail` makes a file of."""
        return {
            "first": np.array(self._original.first),
            "original": self._original.sums,
            "segments": self._segments.sums,
        }


def raster_thumbnail(key: str, parts: list[dict[str, NDArray[Any]]], height: int, width: int) -> Product:
    """The strip of a raster from those of its rows."""
    factor = shrink_factor(height, width, SIDE)
    pictures = [joined(parts, kind, (height, width), factor) for kind in ("original", "segments")]
    return Product("thumbnail", f"{FOLDER}/{key}.webp", webp_strip(pictures))
