"""What a colour weighs in a fit: as many as its pixels, or more if its kind is rare.

By squared error alone, a lamp of a few hundred pixels is worth no colour of its own beside a sky
of millions, though it is what one looks at. `emphasize` takes weight from common regions of colour
space and leaves it with rare ones.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import ColorCounts

_REGION_BITS = 12  # of a code, dropped: regions of 16 × 16 × 16 colours
_FULL = 1 << 40  # what all weights sum up to, about: fine enough, and far from overflow


def emphasize(counts: ColorCounts, degree: float) -> NDArray[np.int64]:
    """Weights (n,) of the distinct colours.

    degree : 0, each colour weighs its pixels, to 1, each region of 16 × 16 × 16 colours that is used
    weighs the same; between, a region of n pixels weighs n to the power of 1 - degree.
    """
    if degree == 0:
        return counts.counts
    regions = counts.codes >> np.uint32(_REGION_BITS)
    first = np.flatnonzero(np.concatenate(([True], regions[1:] != regions[:-1])))
    pixels = np.add.reduceat(counts.counts, first).astype(np.float64)
    mantissa, exponent = np.frexp(pixels**-degree)
    # A power's last bits vary with the machine; 24 of 53 do not.
    factors = np.ldexp(np.round(mantissa * 2.0**24), exponent - 24)
    factors *= _FULL / float(np.round((pixels * factors).sum()))
    weights = counts.counts * np.repeat(factors, np.diff(np.append(first, len(regions))))
    return np.asarray(np.maximum(1, np.floor(weights + 0.5)), np.int64)
