"""count → fit → map, for an array."""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette, paint
from pipeline.color.palette import Palette
from pipeline.color.warmup import warm_up


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
    wanted = KMeans(colors=colors, **settings)
    _get_ready()
    counts = count_colors(pixels, alpha)
    fitted = fit_palette(counts, wanted)
    labels = paint(pixels, alpha, counts, fitted)
    return Quantized(labels, fitted.palette, alpha, fitted.inertia / counts.total)


@cache
def _get_ready() -> None:
    """Before the first image: compiling is announced, not a silent pause."""
    warm_up(logging.getLogger("segpipe").warning)


def _split(image: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Colours (height, width, 3), contiguous, and alpha or None if there is none or all is opaque."""
    if hasattr(image, "getbands"):  # a PIL image
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"expected a PIL image of 8 bits a channel, found mode {image.mode}; scale it")
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.dtype != np.uint8:
        raise ValueError(
            f"expected a uint8 array of shape (height, width, 3) or (height, width, 4) or a PIL image, "
            f"found shape {array.shape} of {array.dtype}"
        )
    alpha = np.ascontiguousarray(array[:, :, 3]) if array.shape[2] == 4 else None
    opaque = alpha is None or bool((alpha == 255).all())
    return np.ascontiguousarray(array[:, :, :3]), None if opaque else alpha
