"""A palette: the colours of a codebook in their lasting order, with what each stands for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Palette:
    """sRGB colours in order of count (descending), then darker first, then red, green, blue.

    colors : (k, 3) uint8, all distinct. counts : (k,) int64, pixels of each.
    """

    colors: NDArray[np.uint8]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.colors)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the pixels that each colour has, (k,), summing to 1."""
        return np.asarray(self.counts / self.counts.sum())

    @property
    def percents(self) -> list[str]:
        """The shares in words, such as `12.34%`; of a palette without pixels all are `0.00%`."""
        total = max(int(self.counts.sum()), 1)
        return [percent(count, total) for count in self.counts.tolist()]

    @property
    def hex(self) -> list[str]:
        """The colours as `#rrggbb`."""
        return ["#" + bytes(color).hex() for color in self.colors]


def pixels_of(labels: NDArray[np.int32], counts: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Pixels of each of k clusters: sums of whole numbers, which floats hold exactly up to 2⁵³."""
    return np.bincount(labels, weights=counts, minlength=k).astype(np.int64)


def palette_order(colors: NDArray[np.uint8], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions (k,) of the colours (k, 3) in the order of a palette; luma is Rec. 601's."""
    r, g, b = colors.T.astype(np.int64)
    return np.lexsort((b, g, r, 299 * r + 587 * g + 114 * b, -counts))


def percent(count: int, total: int) -> str:
    """Give a share in per cent with two decimals, halves up; what is not nothing is not told as 0."""
    hundredths = (count * 20_000 + total) // (2 * total)
    if count and not hundredths:
        return "<0.01%"
    return f"{hundredths // 100}.{hundredths % 100:02d}%"
