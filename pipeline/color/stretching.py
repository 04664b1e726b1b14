"""Stretching: rasters of any depth and number of bands as pictures that are looked at."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_DARK, _BRIGHT = 0.02, 0.98  # quantiles: a few far values shall not leave the rest in the dark
_LOOKED_AT = 1 << 16  # points of a sample: as good to a hundredth of a grey


class Stretch(NamedTuple):
    """The values that become darkest and brightest, of each of the bands that are shown: one, or three."""

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    @classmethod
    def of(cls, sample: NDArray[Any]) -> "Stretch":
        """Of points (n, bands) that all have data: their first three bands, or the first as grey.

        A band whose quantiles are one value is stretched over its range.
        """
        step = -(-len(sample) // _LOOKED_AT)
        values = sample[::step, : _shown(sample)].astype(np.float64)
        lows, highs = np.quantile(values, [_DARK, _BRIGHT], axis=0, method="nearest")
        flat = lows == highs
        return cls(np.where(flat, values.min(axis=0), lows), np.where(flat, values.max(axis=0), highs))

    def picture(self, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """A picture (height, width, 3) of pixels (height, width, bands); black where they are not valid."""
        ranges = np.where(self.highs > self.lows, self.highs - self.lows, 1.0)
        values = np.where(valid[..., None], pixels[..., : len(self.lows)], self.lows)
        shares = np.clip((values - self.lows) / ranges, 0, 1)
        shown = np.where(valid[..., None], np.floor(255 * shares + 0.5), 0).astype(np.uint8)
        return np.repeat(shown, 3 // len(self.lows), axis=2)


def _shown(sample: NDArray[Any]) -> int:
    return 3 if sample.shape[1] >= 3 else 1
