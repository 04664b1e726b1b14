"""Small copies of images and of quantized ones, made from their rows in any order."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.mapping import show
from pipeline.color.shrinking import Shrinking, join_shrunk
from pipeline.files import png

_ROWS_AT_ONCE = 256


class Product(NamedTuple):
    """One output file: what it is, where it goes below the output root, its bytes."""

    kind: str
    path: str
    data: bytes


class Previews:
    """The small copies of some rows of an image and its quantized image; see `Shrinking`."""

    def __init__(self, row: int, height: int, width: int, factor: int) -> None:
        self.factor = factor
        self._row = row
        self._image = Shrinking(row, height, width, factor)
        self._quantized = Shrinking(row, height, width, factor)

    def add_image(
        self, row: int, column: int, pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
    ) -> None:
        """Take in a window of the image."""
        self._image.add(row, column, pixels, alpha)

    def add_quantized(
        self, shown: NDArray[Any], colors: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
    ) -> None:
        """Take in all rows of the quantized image."""
        shrink_shown(self._quantized, self._row, shown, colors, alpha)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `preview_files` makes files of."""
        return {
            "first": np.array(self._image.first),
            "original": self._image.sums,
            "quantized": self._quantized.sums,
        }


def shrink_shown(
    small: Shrinking,
    row: int,
    shown: NDArray[Any],
    colors: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | None,
) -> None:
    """Take places in a palette into a small copy, in its colours. row : the first of them."""
    for top in range(0, len(shown), _ROWS_AT_ONCE):
        part = slice(top, top + _ROWS_AT_ONCE)
        cover = None if alpha is None else alpha[part]
        small.add(row + top, 0, show(shown[part], colors, None), cover)


def joined(
    parts: list[dict[str, NDArray[Any]]], kind: str, size: tuple[int, int], factor: int
) -> NDArray[np.uint8]:
    """A small copy of an image, from the sums of its rows. size : height and width of the image."""
    small: NDArray[np.uint8] = join_shrunk(
        [(int(part["first"]), part[kind]) for part in parts], *size, factor
    )
    return small


def preview_files(
    key: str, parts: list[dict[str, NDArray[Any]]], height: int, width: int, factor: int
) -> list[Product]:
    """The previews of an image from those of its rows."""
    products = []
    for kind in ("original", "quantized"):
        data = png.truecolor(joined(parts, kind, (height, width), factor))
        products.append(Product(f"preview_{kind}", f"previews/{kind}/{key}.png", data))
    return products
