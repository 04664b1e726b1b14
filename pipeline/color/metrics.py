"""How far a quantized image is from its original: MSE, PSNR, colour difference.

Everything is reckoned from distinct colours and their counts, which costs a fraction of a pass
over the pixels and gives the same figures. The MSE is summed over the three channels, as in the
literature on colour quantization; the PSNR is per channel value, as in scikit-image.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import ColorCounts
from pipeline.color.distances import ciede2000
from pipeline.color.kernels import inlined, kernel
from pipeline.color.spaces import TO_XYZ

_STEPS = 100  # of a ΔE unit, for the percentile
_WIDEST = 200 * _STEPS  # no two sRGB colours are so far apart

# sRGB (IEC 61966-2-1) to linear light; `spaces.LINEAR` is rounded, and differs in the last bits.
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)

# The curve from XYZ to L*a*b*, by linear interpolation: off by less than 1e-6. With cube
# roots a measurement takes half as long again.
_INTERVALS = 1 << 14
_RATIOS = np.arange(_INTERVALS + 2) / _INTERVALS
_CURVE = np.where(_RATIOS > 0.008856, np.cbrt(_RATIOS), 7.787 * _RATIOS + 16 / 116)


@dataclass(frozen=True)
class Metrics:
    """Differences between an image and its quantized form, over the pixels that are not transparent.

    mse : squared RGB distance, summed over channels, mean over pixels. psnr : dB, None if there is
    no difference. delta_e_mean, delta_e_p95, delta_e_max : CIEDE2000.
    """

    mse: float
    psnr: float | None
    delta_e_mean: float
    delta_e_p95: float
    delta_e_max: float


def measure(
    counts: ColorCounts, labels: NDArray[np.int32], colors: NDArray[np.uint8], squared_error: int
) -> Metrics:
    """Compare n counted colours with the palette colours (k, 3) that `labels` (n,) gives them.

    squared_error : Σ squared sRGB distance of the pixels to them.
    """
    steps = np.zeros(_WIDEST + 1, np.int64)
    total, widest = _sum_delta_e(counts.planes, counts.counts, labels, colors, steps)
    pixels = counts.total
    p95 = int(np.searchsorted(np.cumsum(steps), math.ceil(0.95 * pixels))) / _STEPS
    return Metrics(
        mse=mse_of(squared_error, pixels),
        psnr=psnr_of(squared_error, pixels),
        delta_e_mean=round(total / pixels, 4),
        delta_e_p95=round(min(p95, widest), 2),  # steps are rounded up
        delta_e_max=round(widest, 4),
    )


def mse_of(squared_error: int, pixels: int) -> float:
    """The MSE of a sum of squared distances, as `Metrics` has it."""
    return round(squared_error / pixels, 6)


def psnr_of(squared_error: int, pixels: int) -> float | None:
    """The PSNR of a sum of squared distances, as `Metrics` has it."""
    if not squared_error:
        return None
    return round(10 * math.log10(3 * 255**2 / (squared_error / pixels)), 4)


def delta_e(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIEDE2000 difference (n,) between sRGB colours (n, 3) and (n, 3), row by row, as `measure` sees it."""
    out = np.empty(len(first))
    _fill_delta_e(first, second, out)
    return out


@inlined
def _curve(ratio: float) -> float:
    """The value of the curve at a ratio to the white, in [0, 1]."""
    place = ratio * _INTERVALS
    below = int(place)
    return float(_CURVE[below] + (_CURVE[below + 1] - _CURVE[below]) * (place - below))


@inlined
def _lab(r: int, g: int, b: int) -> tuple[float, float, float]:
    """CIE L*a*b* (D65, 2°) of an sRGB colour."""
    red, green, blue = _LINEAR[r], _LINEAR[g], _LINEAR[b]
    x = TO_XYZ[0, 0] * red + TO_XYZ[0, 1] * green + TO_XYZ[0, 2] * blue
    y = TO_XYZ[1, 0] * red + TO_XYZ[1, 1] * green + TO_XYZ[1, 2] * blue
    z = TO_XYZ[2, 0] * red + TO_XYZ[2, 1] * green + TO_XYZ[2, 2] * blue
    fx, fy, fz = _curve(x), _curve(y), _curve(z)
    return 116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)


@kernel
def _fill_delta_e(first: NDArray[np.uint8], second: NDArray[np.uint8], out: NDArray[np.float64]) -> None:
    for i in range(len(out)):
        l1, a1, b1 = _lab(first[i, 0], first[i, 1], first[i, 2])
        l2, a2, b2 = _lab(second[i, 0], second[i, 1], second[i, 2])
        out[i] = ciede2000(l1, a1, b1, l2, a2, b2)


@kernel
def _sum_delta_e(
    planes: NDArray[np.uint8],
    counts: NDArray[np.int64],
    labels: NDArray[np.int32],
    colors: NDArray[np.uint8],
    steps: NDArray[np.int64],
) -> tuple[float, float]:
    """Sum of the pixels' ΔE and the largest one; `steps` gets pixels by ΔE in hundredths, rounded up."""
    labs = np.empty((len(colors), 3))
    for j in range(len(colors)):
        labs[j, 0], labs[j, 1], labs[j, 2] = _lab(colors[j, 0], colors[j, 1], colors[j, 2])
    total = 0.0
    widest = 0.0
    for i in range(len(labels)):
        j = labels[i]
        lightness, a, b = _lab(planes[0, i], planes[1, i], planes[2, i])
        difference = ciede2000(lightness, a, b, labs[j, 0], labs[j, 1], labs[j, 2])
        total += difference * counts[i]
        widest = max(widest, difference)
        steps[np.int64(np.ceil(difference * _STEPS - 1e-9))] += counts[i]
    return total, widest
