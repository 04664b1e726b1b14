"""The colours of an image, counted; an image that shows none is refused."""

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.errors import NothingVisible
from pipeline.files.images import Raster


def counts_of(key: str, raster: Raster) -> ColorCounts:
    """The counts of an image's colours; raises NothingVisible if all its pixels are fully transparent."""
    counts = count_colors(raster.pixels, raster.alpha)
    if not len(counts):
        raise nothing_visible(key)
    return counts


def nothing_visible(key: str) -> NothingVisible:
    """What is wrong with an image that has no colours to count."""
    return NothingVisible(f"{key}: expected pixels to count, found only fully transparent ones")
