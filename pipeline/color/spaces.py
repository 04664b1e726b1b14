"""Working spaces: where distances between colours are measured, as fixed-point coordinates.

Only distinct colours are ever converted. Coordinates are whole units ≥ 0, so fine that 8-bit
neighbours stay apart and so coarse that squared distances fit 32 bits; sums of them are integers.
Conversions use nothing but IEEE arithmetic on tables that are rounded alike everywhere: the same
coordinates on any machine, which a library's cube root does not promise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CODED = np.arange(256) / 255
_EXACT = 2.0**44  # to this fraction the tables below are rounded: powers differ in the last bits


def _decoded(coded: Floats) -> Floats:
    """Linear light of sRGB values in [0, 1] (IEC 61966-2-1)."""
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.round(light * _EXACT) / _EXACT)


LINEAR = _decoded(_CODED)
"""Linear light, in [0, 1], of each 8-bit sRGB level."""
_HALFWAY = _decoded((np.arange(255) + 0.5) / 255)  # from one 8-bit level to the next

# Linear RGB to XYZ over the D65 white (Y = 1), and back, as in scikit-image.
WHITE = np.array([0.95047, 1.0, 1.08883])
TO_XYZ = (
    np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
    / WHITE[:, None]
)
_FROM_XYZ = WHITE * np.array(
    [
        [3.240481343200977, -1.537151516271318, -0.498536326168888],
        [-0.969254949996568, 1.875990001489891, 0.041555926558293],
        [0.055646639135177, -0.204041338366511, 1.057311069645344],
    ]
)

# Björn Ottosson, "A perceptual color space for image processing" (2020).
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_OKLAB = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_FROM_CONES = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@dataclass(frozen=True)
class Space:
    """A working space and its fixed-point grid.

    unit : grid units to one unit of the space (an 8-bit level, a ΔE, …). low : what the grid's
    origin is in the space. extent : all coordinates are below it; at most 2¹⁵.
    """

    name: str
    unit: float
    low: tuple[float, float, float]
    extent: int
    _of_levels: Callable[[NDArray[np.uint8]], Floats]
    _to_levels: Callable[[Floats], NDArray[np.uint8]]

    def place(self, planes: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Coordinates (3, n) of sRGB colours given as planes (3, n)."""
        placed = np.empty(planes.shape, np.int16)
        for start in range(0, planes.shape[1], _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            values = self._of_levels(planes[:, part]) - np.array(self.low)[:, None]
            placed[:, part] = np.floor(values * self.unit + 0.5)
        return placed

    def points(self, colors: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Coordinates (k, 3) of sRGB colours (k, 3)."""
        return np.ascontiguousarray(self.place(np.ascontiguousarray(colors.T)).T, np.int32)

    def levels(self, points: NDArray[np.int32]) -> NDArray[np.uint8]:
        """The 8-bit sRGB colours (k, 3) nearest to points (k, 3) of the grid, out-of-gamut ones clipped."""
        values = points.T / self.unit + np.array(self.low)[:, None]
        return np.ascontiguousarray(self._to_levels(values).T)


def to_oklab(planes: NDArray[np.uint8]) -> Floats:
    """OKLab (3, n) of sRGB colours (3, n): L in [0, 1]."""
    return _times(_TO_OKLAB, _cube_root(_times(_TO_CONES, LINEAR[planes])))


def to_lab(planes: NDArray[np.uint8]) -> Floats:
    """CIE L*a*b* (D65, 2°) of sRGB colours, (3, n): L* in [0, 100]."""
    ratios = _times(TO_XYZ, LINEAR[planes])
    x, y, z = np.where(ratios > 0.008856, _cube_root(ratios), 7.787 * ratios + 16 / 116)
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)])


def _from_oklab(values: Floats) -> NDArray[np.uint8]:
    roots = _times(_FROM_OKLAB, values)
    return _encoded(_times(_FROM_CONES, roots * roots * roots))


def _from_lab(values: Floats) -> NDArray[np.uint8]:
    y = (values[0] + 16.0) / 116.0
    roots = np.stack([y + values[1] / 500.0, y, y - values[2] / 200.0])
    ratios = np.where(roots > 0.2068966, roots * roots * roots, (roots - 16.0 / 116.0) / 7.787)
    return _encoded(_times(_FROM_XYZ, ratios))


def _encoded(light: Floats) -> NDArray[np.uint8]:
    """The 8-bit sRGB levels nearest to linear light, by their coded values."""
    return np.searchsorted(_HALFWAY, light, side="right").astype(np.uint8)


def _rounded(levels: Floats) -> NDArray[np.uint8]:
    return np.clip(np.floor(levels + 0.5), 0, 255).astype(np.uint8)


def _times(matrix: Floats, planes: Floats) -> Floats:
    """The matrix product, in an order of additions that no library chooses."""
    return np.stack([row[0] * planes[0] + row[1] * planes[1] + row[2] * planes[2] for row in matrix])


def _cube_root(values: Floats) -> Floats:
    """Cube roots of values ≥ 0 to about 1e-15, by Halley's method from a guess at the exponent."""
    values = np.maximum(values, 1e-30)
    guess = (values.view(np.int64) // 3 + 0x2A9F_7893_782D_A1CE).view(np.float64)  # off by 5 %
    for _ in range(3):
        cube = guess * guess * guess
        guess = guess * (cube + 2.0 * values) / (2.0 * cube + values)
    return guess


_AT_ONCE = 1 << 15  # colours, so that what is in between stays in the cache

SPACES = {
    space.name: space
    for space in (
        Space("srgb", 64, (0, 0, 0), 1 << 14, lambda planes: planes.astype(np.float64), _rounded),
        Space("linear", 26_000, (0, 0, 0), 26_624, lambda planes: LINEAR[planes], _encoded),
        Space("lab", 128, (0, -86.5, -108.5), 26_624, to_lab, _from_lab),
        Space("oklab", 32_000, (0, -0.235, -0.313), 32_256, to_oklab, _from_oklab),
    )
}
"""The working spaces by name."""
