"""A codebook: the colours that a fit found, and which of them each distinct colour gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import ColorCounts

MAX_COLORS = 65_536


@dataclass(frozen=True, eq=False)
class Codebook:
    """What a fit found.

    colors : (k, 3) uint8 sRGB, all distinct. labels : (n,) int32, the place in it of the colour
    that stands for each distinct colour of the counts. iterations, converged : the steps made, and
    whether they ended of themselves. space : name of the space whose distances were made small.
    ordered : whether the colours' order is to stay as it is.
    findings : what the method has to say of this fit beyond that, as plain JSON values.
    """

    colors: NDArray[np.uint8]
    labels: NDArray[np.int32]
    iterations: int = 0
    converged: bool = True
    space: str = "srgb"
    ordered: bool = False
    findings: Mapping[str, Any] = field(default_factory=dict)


class Method(Protocol):
    """A way to find a palette, with its settings: counts in, codebook out."""

    def fit(self, counts: ColorCounts) -> Codebook:
        """Find colours for counted ones. Raises ValueError if nothing was counted."""


def keep_all(counts: ColorCounts, space: str = "srgb") -> Codebook:
    """The codebook of counts that have no more colours than were asked for: all of them."""
    return Codebook(
        np.ascontiguousarray(counts.planes.T), np.arange(len(counts), dtype=np.int32), space=space
    )


def refuse_nothing(counts: ColorCounts) -> None:
    """Raise ValueError if nothing was counted."""
    if not len(counts):
        raise ValueError("there are no pixels to fit: all are fully transparent, or the image is empty")
