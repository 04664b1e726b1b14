"""What comparison pictures show of an image, made from its rows in any order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.metrics import Metrics
from pipeline.color.palette import Palette
from pipeline.color.shrinking import middles
from pipeline.files.comparisons import Compared, comparison_png
from pipeline.jobs.previews import Previews, Product, joined
from pipeline.jobs.spec_sections import Comparison

_WIDEST = 2  # times the height: of a panorama the sheet must not grow without end


class Views:
    """Small copies of some rows of an image, its quantized image and its label map.

    row, height : of the rows. size : height and width of the whole image.
    """

    def __init__(self, wanted: Comparison, row: int, height: int, size: tuple[int, int]) -> None:
        factor = _factor(wanted, size)
        self._small = Previews(row, height, size[1], factor)
        down = middles(size[0], factor)
        self._down = down[(down >= row) & (down < row + height)] - row
        self._across = middles(size[1], factor)
        self._labels: NDArray[Any] = np.empty((0, 0), np.uint8)

    def add_image(
        self, row: int, column: int, pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
    ) -> None:
        """Take in a window of the image."""
        self._small.add_image(row, column, pixels, alpha)

    def add_result(
        self,
        shown: NDArray[Any],
        labels: NDArray[Any],
        colors: NDArray[np.uint8],
        alpha: NDArray[np.uint8] | None,
    ) -> None:
        """Take in all rows of the result; shown : `labels`, or what dithering has made of them."""
        self._small.add_quantized(shown, colors, alpha)
        self._labels = labels[np.ix_(self._down, self._across)]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `comparison_file` makes a file of."""
        return {**self._small.arrays, "labels": self._labels}


def comparison_file(
    key: str,
    wanted: Comparison,
    parts: list[dict[str, NDArray[Any]]],
    size: tuple[int, int],
    found: tuple[Palette, Metrics],
) -> Product:
    """The comparison picture of an image, from the views of its rows, top first."""
    factor = _factor(wanted, size)
    original, quantized = (joined(parts, kind, size, factor) for kind in ("original", "quantized"))
    labels = np.concatenate([part["labels"] for part in parts])
    palette, metrics = found
    compared = Compared(original, quantized, labels, palette, caption(len(palette), metrics))
    data = comparison_png(wanted.layout, compared, wanted.height)
    return Product("comparison", f"comparisons/{key}.png", data)


def caption(colors: int, metrics: Metrics) -> str:
    """What is said beneath; in the letters of Pillow's own font, which knows no delta."""
    psnr = "no difference" if metrics.psnr is None else f"PSNR {metrics.psnr:.2f} dB"
    return f"k {colors}   MSE {metrics.mse:.2f}   ΔE {metrics.delta_e_mean:.2f}   {psnr}"


def _factor(wanted: Comparison, size: tuple[int, int]) -> int:
    """The side of the squares whose means are the pixels of the views."""
    height, width = size
    return max(-(-height // wanted.height), -(-width // (_WIDEST * wanted.height)))
