"""fit → map: a palette for some counts, and the label map of an image whose colours it covers."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color import kernels
from pipeline.color.counts import ColorCounts
from pipeline.color.kmeans import KMeans, fit, inertia
from pipeline.color.palette import Palette, palette_order


@dataclass(frozen=True, eq=False)
class Fit:
    """A palette for some counted colours.

    labels : (n,) int32, palette index of each distinct colour: the nearest, and among equally near
    ones the one that came first in the fit. inertia : Σ squared distance of the
    pixels to their palette colour, in squared 8-bit levels.
    """

    palette: Palette
    labels: NDArray[np.int32]
    inertia: int
    iterations: int
    converged: bool


def fit_palette(counts: ColorCounts, settings: KMeans) -> Fit:
    """Fit a codebook to the counts and put it into palette order."""
    book = fit(counts, settings)
    order = palette_order(book.colors, book.totals[:, 0])
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    palette = Palette(book.colors[order], book.totals[order, 0])
    return Fit(
        palette, rank[book.labels], inertia(book.colors, book.totals, counts), book.iterations, book.converged
    )


def paint(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, counts: ColorCounts, fitted: Fit
) -> NDArray[Any]:
    """Label map (height, width) of an image (height, width, 3) all of whose colours were counted.

    Pixels of alpha 0 get `len(palette)`. The type is uint8 if every label fits, else uint16.
    """
    clear = len(fitted.palette)
    highest = clear if alpha is not None and not alpha.all() else clear - 1
    if highest > np.iinfo(np.uint16).max:
        raise ValueError(
            f"{clear} colours and a label for transparent pixels do not fit 16 bits; ask for {clear - 1}"
        )
    dtype = np.uint8 if highest < 256 else np.uint16
    lookup = _lookups.of(dtype)
    kernels.fill_lookup(counts.codes, fitted.labels, lookup)
    labels = np.empty(pixels.shape[:2], dtype)
    mask = np.empty(0, np.uint8) if alpha is None else alpha.reshape(-1)
    kernels.paint_labels(pixels.reshape(-1, 3), mask, lookup, clear, labels.reshape(-1))
    return labels


class _Lookups(threading.local):
    """A table from code to label for each thread and type; only entries just written are read."""

    def __init__(self) -> None:
        self._tables: dict[type, NDArray[Any]] = {}

    def of(self, dtype: type) -> NDArray[Any]:
        if dtype not in self._tables:
            self._tables[dtype] = np.empty(kernels.CODES, dtype)
        return self._tables[dtype]


_lookups = _Lookups()
