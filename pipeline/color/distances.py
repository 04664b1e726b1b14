"""How far two sRGB colours look apart: four measures, scaled so that black and white are 100 apart.

- redmean: T. Riemersma, "Colour metric" (compuphase.com): sRGB weighted by the mean red of the two.
- oklab: Euclidean in OKLab (Ottosson 2020), times 100.
- cie76: Euclidean in CIE L*a*b* (D65, 2°).
- ciede2000: Sharma, Wu & Dalal 2005, in the same L*a*b*.

The first three use nothing but IEEE arithmetic and square roots: the same bits on any machine.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kernels import inlined, kernel
from pipeline.color.spaces import to_lab, to_oklab

METRICS = ("redmean", "oklab", "cie76", "ciede2000")
REDMEAN, OKLAB, CIE76, CIEDE2000 = range(4)
SPACE_OF = {"redmean": "srgb", "oklab": "oklab", "cie76": "lab", "ciede2000": "lab"}
"""The working space, by its name in `spaces`, that each metric measures in."""

BLACK_WHITE = 4606.0 * 255.0**2
"""512 times redmean's squared distance from black to white, as `squared_redmean` gives it."""

_AT_ONCE = 1 << 15  # colours, so that what is in between stays in the cache


def coordinates(planes: NDArray[np.uint8], metric: str) -> NDArray[np.float64]:
    """Where a metric sees colours given as planes (3, n): levels, OKLab or L*a*b*, (n, 3)."""
    convert = {"srgb": lambda levels: levels, "oklab": to_oklab, "lab": to_lab}[SPACE_OF[metric]]
    placed = np.empty((planes.shape[1], 3))
    for start in range(0, len(placed), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        placed[part] = convert(planes[:, part]).T
    return placed


def differences(first: NDArray[np.uint8], second: NDArray[np.uint8], metric: str) -> NDArray[np.float64]:
    """Distance (n,) between sRGB colours (n, 3) and (n, 3), row by row.

    Raises ValueError for a metric that is not one of METRICS.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
    out = np.empty(len(first))
    _fill(METRICS.index(metric), coordinates(first.T, metric), coordinates(second.T, metric), out)
    return out


def distances_from_white(planes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The redmean distance from white of each of the colours (3, n): (n,)."""
    off = 255.0 - planes
    red = 1279.0 + planes[0]
    squared = red * off[0] ** 2 + 2048.0 * off[1] ** 2 + (2558.0 - red) * off[2] ** 2
    return np.asarray(100.0 * np.sqrt(squared / BLACK_WHITE))


@kernel
def squared_redmean(r1: float, g1: float, b1: float, r2: float, g2: float, b2: float) -> float:
    """512 times the squared distance in levels: a whole number below 2²⁹."""
    red = 1024.0 + r1 + r2
    return float(red * (r1 - r2) ** 2 + 2048.0 * (g1 - g2) ** 2 + (2558.0 - red) * (b1 - b2) ** 2)


@kernel
def difference(metric: int, x1: float, y1: float, z1: float, x2: float, y2: float, z2: float) -> float:
    """The distance of two colours at these `coordinates`; metric is its place in METRICS."""
    if metric == REDMEAN:
        return float(100.0 * np.sqrt(squared_redmean(x1, y1, z1, x2, y2, z2) / BLACK_WHITE))
    if metric == CIEDE2000:
        return float(ciede2000(x1, y1, z1, x2, y2, z2))
    distance = np.sqrt((x1 - x2) ** 2 + (y1 - y2) ** 2 + (z1 - z2) ** 2)
    return float(100.0 * distance if metric == OKLAB else distance)


@kernel
def _fill(
    metric: int, first: NDArray[np.float64], second: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    for i in range(len(out)):
        x, y, z = second[i, 0], second[i, 1], second[i, 2]
        out[i] = difference(metric, first[i, 0], first[i, 1], first[i, 2], x, y, z)


@inlined
def hue_weight(cos1: float, sin1: float) -> float:
    """CIEDE2000's T of a mean hue, of which cosine and sine are given."""
    cos2, sin2 = cos1 * cos1 - sin1 * sin1, 2.0 * sin1 * cos1
    cos3, sin3 = cos2 * cos1 - sin2 * sin1, sin2 * cos1 + cos2 * sin1
    cos4, sin4 = cos2 * cos2 - sin2 * sin2, 2.0 * sin2 * cos2
    return (
        1.0
        - 0.17 * (cos1 * 0.8660254037844387 + sin1 * 0.5)  # cos(h - 30°)
        + 0.24 * cos2
        + 0.32 * (cos3 * 0.9945218953682733 - sin3 * 0.10452846326765347)  # cos(3h + 6°)
        - 0.20 * (cos4 * 0.4539904997395468 + sin4 * 0.8910065241883678)  # cos(4h - 63°)
    )


@kernel
def ciede2000(l1: float, a1: float, b1: float, l2: float, a2: float, b2: float) -> float:
    """CIEDE2000 (Sharma, Wu & Dalal 2005) of two L*a*b* colours.

    The mean hue is the direction of the sum of the two unit chroma vectors, so that cosines of its
    multiples need no angle; the one term that does is nil outside the blues.
    """
    chroma = 0.5 * (np.sqrt(a1 * a1 + b1 * b1) + np.sqrt(a2 * a2 + b2 * b2))
    power = chroma**7
    stretch = 1.5 - 0.5 * np.sqrt(power / (power + 6103515625.0))  # 25⁷
    a1 *= stretch
    a2 *= stretch
    c1 = np.sqrt(a1 * a1 + b1 * b1)
    c2 = np.sqrt(a2 * a2 + b2 * b2)
    chroma = 0.5 * (c1 + c2)
    d_chroma = c2 - c1
    d_hue_squared = max(0.0, (a2 - a1) ** 2 + (b2 - b1) ** 2 - d_chroma * d_chroma)
    d_hue = np.sqrt(d_hue_squared) if a1 * b2 >= a2 * b1 else -np.sqrt(d_hue_squared)
    x = (a1 / c1 if c1 > 0.0 else 0.0) + (a2 / c2 if c2 > 0.0 else 0.0)
    y = (b1 / c1 if c1 > 0.0 else 0.0) + (b2 / c2 if c2 > 0.0 else 0.0)
    length = np.sqrt(x * x + y * y)
    cos1, sin1 = (x / length, y / length) if length > 0.0 else (1.0, 0.0)
    weight = hue_weight(cos1, sin1)
    lightness = (0.5 * (l1 + l2) - 50.0) ** 2
    scaled_l = (l2 - l1) / (1.0 + 0.015 * lightness / np.sqrt(20.0 + lightness))
    scaled_c = d_chroma / (1.0 + 0.045 * chroma)
    scaled_h = d_hue / (1.0 + 0.015 * chroma * weight)
    rotation = 0.0
    if sin1 < 0.0 and chroma > 0.0:
        hue = np.arctan2(sin1, cos1) * 57.29577951308232 + 360.0
        turn = np.exp(-(((hue - 275.0) / 25.0) ** 2)) * 1.0471975511965976  # 2 Δθ, of 60° at most
        power = chroma**7
        rotation = -np.sin(turn) * 2.0 * np.sqrt(power / (power + 6103515625.0))
    squared = scaled_l * scaled_l + scaled_c * scaled_c + scaled_h * scaled_h + rotation * scaled_c * scaled_h
    return float(np.sqrt(max(0.0, squared)))
