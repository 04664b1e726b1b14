"""fit → map: a palette for some counts, and the label map of an image whose colours it covers."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color import kernels
from pipeline.color.codebook import Codebook, Method
from pipeline.color.counts import ColorCounts
from pipeline.color.lloyd import sum_errors
from pipeline.color.palette import Palette, palette_order, pixels_of
from pipeline.color.spaces import SPACES


@dataclass(frozen=True, eq=False)
class Fit:
    """A palette for some counted colours.

    labels : (n,) int32, palette index of each distinct colour. inertia : Σ squared distance of the
    pixels to their palette colour, in the units of the working space, `space`; squared_error : the
    same in 8-bit sRGB levels. iterations, converged, findings : see `Codebook`.
    """

    palette: Palette
    labels: NDArray[np.int32]
    inertia: float
    squared_error: int
    iterations: int
    converged: bool
    space: str
    findings: Mapping[str, Any]

    @property
    def compactness(self) -> int | float:
        """The inertia as a number for files: whole in sRGB, to nine digits elsewhere."""
        return self.squared_error if self.space == "srgb" else float(f"{self.inertia:.9g}")


def fit_palette(counts: ColorCounts, method: Method) -> Fit:
    """Fit a codebook to the counts and put it into palette order."""
    book = method.fit(counts)
    pixels = pixels_of(book.labels, counts.counts, len(book.colors))
    order = np.arange(len(pixels)) if book.ordered else palette_order(book.colors, pixels)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return describe(counts, book, Palette(book.colors[order], pixels[order]), rank[book.labels])


def describe(counts: ColorCounts, book: Codebook, palette: Palette, labels: NDArray[np.int32]) -> Fit:
    """Measure what a codebook, as this palette with these labels (n,), makes of the counts."""
    planes = counts.planes
    squared_error = int(sum_errors(planes, counts.counts, labels, palette.colors))
    inertia = float(squared_error)
    if book.space != "srgb":
        space = SPACES[book.space]
        centroids = space.points(palette.colors)
        inertia = sum_errors(space.place(planes), counts.counts, labels, centroids) / space.unit**2
    return Fit(
        palette, labels, inertia, squared_error, book.iterations, book.converged, book.space, book.findings
    )


def paint(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, counts: ColorCounts, fitted: Fit
) -> NDArray[Any]:
    """Label map (height, width) of an image (height, width, 3) all of whose colours were counted.

    Pixels of alpha 0 get `len(palette)`. The type is uint8 if every label fits, else uint16.
    """
    clear = len(fitted.palette)
    lookup = lookup_of(counts.codes, fitted.labels, clear, alpha is not None and not alpha.all())
    labels = np.empty(pixels.shape[:2], lookup.dtype)
    paint_part(pixels, alpha, lookup, clear, labels)
    return labels


def lookup_of(
    codes: NDArray[np.uint32], labels: NDArray[np.int32], clear: int, transparent: bool
) -> NDArray[Any]:
    """The table from colour code to label of `clear` colours, this thread's until it asks for the next.

    transparent : whether there are pixels that get the label `clear`. Raises ValueError if a label does
    not fit 16 bits.
    """
    highest = clear if transparent else clear - 1
    if highest > np.iinfo(np.uint16).max:
        raise ValueError(
            f"{clear} colours and a label for transparent pixels do not fit 16 bits; ask for {clear - 1}"
        )
    lookup = _lookups.of(np.uint8 if highest < 256 else np.uint16)
    kernels.fill_lookup(codes, labels, lookup)
    return lookup


def paint_part(
    pixels: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | None,
    lookup: NDArray[Any],
    clear: int,
    labels: NDArray[Any],
) -> None:
    """Write the labels of a window's pixels (height, width, 3) into `labels` (height, width), contiguous."""
    mask = np.empty(0, np.uint8) if alpha is None else alpha.reshape(-1)
    kernels.paint_labels(pixels.reshape(-1, 3), mask, lookup, clear, labels.reshape(-1))


def show(
    labels: NDArray[Any], colors: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """The image (height, width, 3), or 4 with alpha, of labels of these colours (k, 3); label k is 0."""
    image = np.empty((*labels.shape, 3 if alpha is None else 4), np.uint8)
    padded = np.concatenate([colors, np.zeros((1, 3), np.uint8)])
    mask = np.empty(0, np.uint8) if alpha is None else alpha.reshape(-1)
    kernels.show_labels(labels.reshape(-1), padded, mask, image.reshape(-1, image.shape[2]))
    return image


class _Lookups(threading.local):
    """A table from code to label for each thread and type; only entries just written are read."""

    def __init__(self) -> None:
        self._tables: dict[type, NDArray[Any]] = {}

    def of(self, dtype: type) -> NDArray[Any]:
        if dtype not in self._tables:
            self._tables[dtype] = np.empty(kernels.CODES, dtype)
        return self._tables[dtype]


_lookups = _Lookups()
