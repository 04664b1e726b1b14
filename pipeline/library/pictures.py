"""An image of any kind as what count → fit → map works on: whole in memory, or in chunks of a dask array."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.color.codebook import Method
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.dither import dither
from pipeline.color.mapping import Fit, fit_palette, paint, show
from pipeline.library.chunks import Chunks
from pipeline.library.labelled import Labels, unlabelled
from pipeline.library.levels import Split, split


class Picture(Protocol):
    """Colours and alpha of an image."""

    @property
    def labels(self) -> Labels | None:
        """How results of a DataArray are labelled; None for other images."""

    @property
    def alpha(self) -> Any:
        """Alpha (height, width) uint8, or None."""

    def count(self) -> ColorCounts:
        """The distinct colours of the pixels that are not fully transparent."""

    def paint(self, counts: ColorCounts, fitted: Fit) -> Any:
        """Label map (height, width) by what was fitted to these counts."""

    def match(self, method: Method, k: int) -> tuple[Any, tuple[Fit, ColorCounts] | None]:
        """Label map by a palette of k colours that stays as it is; what was counted, if it was needed."""

    def require_dither(self, method: str) -> None:
        """Raise ValueError for a method that cannot be applied to an image of this kind."""

    def dither(self, colors: NDArray[np.uint8], method: str) -> Any:
        """Palette indices (height, width), dithered."""

    def show(self, shown: Any, colors: NDArray[np.uint8]) -> Any:
        """The image (height, width, 3 or 4) of palette indices."""


@dataclass(frozen=True, eq=False)
class Whole:
    """An image in memory."""

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    labels: Labels | None = None

    def count(self) -> ColorCounts:
        """See `Picture`."""
        return count_colors(self.pixels, self.alpha)

    def paint(self, counts: ColorCounts, fitted: Fit) -> NDArray[Any]:
        """See `Picture`."""
        return paint(self.pixels, self.alpha, counts, fitted)

    def match(self, method: Method, k: int) -> tuple[NDArray[Any], tuple[Fit, ColorCounts]]:
        """See `Picture`."""
        counts = self.count()
        fitted = fit_palette(counts, method)
        return self.paint(counts, fitted), (fitted, counts)

    def require_dither(self, method: str) -> None:
        """See `Picture`: all can."""

    def dither(self, colors: NDArray[np.uint8], method: str) -> NDArray[Any]:
        """See `Picture`."""
        return dither(self.pixels, self.alpha, colors, method)

    def show(self, shown: NDArray[Any], colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `Picture`."""
        return show(shown, colors, self.alpha)


def picture_of(image: Any) -> Picture:
    """Take an image of any kind. Raises ValueError if it is none, see `levels`, TypeError for a path."""
    if isinstance(image, str | bytes | PathLike):
        raise TypeError(f"expected an image, found a path, {image!r:.60}; open it with PIL.Image.open")
    if is_of(image, "PIL", "Image"):
        return Whole(*_of_pil(image))
    labels = None
    if is_of(image, "xarray", "DataArray"):
        image, labels = unlabelled(image)
    if is_of(image, "dask", "Array"):
        return Chunks.of(image, labels)
    return Whole(*split(image), labels)


def pictures_of(images: Any) -> Iterator[Picture]:
    """Take one image or some, one after the other. Raises TypeError for what is neither."""
    if is_of(images, "PIL", "Image") or hasattr(images, "shape"):
        yield picture_of(images)
    elif isinstance(images, Iterable) and not isinstance(images, str | bytes | dict):
        for image in images:
            yield picture_of(image)
    else:
        raise TypeError(
            f"expected an image (a PIL image, an array, a DataArray) or an iterable of images, "
            f"found {type(images).__name__} {images!r:.60}; open files with PIL.Image.open"
        )


def is_of(thing: Any, package: str, name: str) -> bool:
    """Whether a thing's type, or one that it inherits from, is a package's: told without importing it."""
    return any(
        kind.__name__ == name and kind.__module__.partition(".")[0] == package for kind in type(thing).__mro__
    )


def _of_pil(image: Any) -> Split:
    from pipeline.files.pilimages import read_pil

    return read_pil(image)
