"""count → fit → map, for an array."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color import kernels
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.kmeans import KMeans, fit, inertia
from pipeline.color.palette import Palette, palette_order


@dataclass(frozen=True, eq=False)
class Fit:
    """A palette for some counted colours.

    labels : (n,) int32, palette index of each distinct colour. inertia : Σ squared distance of the
    pixels to their palette colour, in squared 8-bit levels.
    """

    palette: Palette
    labels: NDArray[np.int32]
    inertia: int
    iterations: int
    converged: bool


@dataclass(frozen=True, eq=False)
class Quantized:
    """An image in few colours.

    labels : (height, width) uint8, or uint16 beyond 256 values: index into the palette;
    fully transparent pixels have the index after the last. alpha : (height, width) uint8, or None
    if every pixel is opaque. mse : squared RGB distance, summed over channels, mean over the pixels
    that are not fully transparent.
    """

    labels: NDArray[Any]
    palette: Palette
    alpha: NDArray[np.uint8] | None
    mse: float

    @property
    def image(self) -> NDArray[np.uint8]:
        """The quantized image, (height, width, 3) uint8, or 4 with alpha; transparent pixels are 0."""
        colors = np.concatenate([self.palette.colors, np.zeros((1, 3), np.uint8)])
        image = colors[self.labels]
        return image if self.alpha is None else np.dstack([image, self.alpha])


def quantize(image: Any, colors: int = 16, **settings: Any) -> Quantized:
    """Reduce an image to the `colors` colours that fit it best.

    Parameters
    ----------
    image : (height, width, 3) or (height, width, 4) uint8 array, or PIL image
        sRGB with straight alpha. It is not modified.
    colors : int, 1 to 65,536
        An image with fewer distinct colours keeps them all, and is reproduced exactly.
    **settings
        Of `pipeline.color.kmeans.KMeans`: init, attempts, max_iter, tol, seed.

    Returns
    -------
    Quantized
        With exactly `colors` palette entries (or all the image has), each used.

    Raises
    ------
    ValueError
        If the image has another shape or type, or no pixel that is not fully transparent.

    Examples
    --------
    >>> import numpy as np
    >>> from pipeline import quantize
    >>> row = np.array([[[0, 0, 0], [2, 2, 2], [250, 0, 0]]], np.uint8)
    >>> result = quantize(row, colors=2)
    >>> result.palette.hex, result.labels.tolist(), round(result.mse, 3)
    (['#010101', '#fa0000'], [[0, 0, 1]], 2.0)
    """
    pixels, alpha = _split(image)
    counts = count_colors(pixels, alpha)
    fitted = fit_palette(counts, KMeans(colors=colors, **settings))
    labels = paint(pixels, alpha, counts, fitted)
    return Quantized(labels, fitted.palette, alpha, fitted.inertia / counts.total)


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


def _split(image: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Colours (height, width, 3), contiguous, and alpha or None if there is none or all is opaque."""
    if hasattr(image, "getbands"):  # a PIL image
        clear = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
        image = image.convert("RGBA" if clear else "RGB")
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.dtype != np.uint8:
        raise ValueError(
            f"expected a uint8 array of shape (height, width, 3) or (height, width, 4) or a PIL image, "
            f"found shape {array.shape} of {array.dtype}"
        )
    alpha = np.ascontiguousarray(array[:, :, 3]) if array.shape[2] == 4 else None
    opaque = alpha is None or bool((alpha == 255).all())
    return np.ascontiguousarray(array[:, :, :3]), None if opaque else alpha
