"""What is known of a raster's pixels before they are clustered, and what makes its bands comparable."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color import points

SCALES = ("none", "std", "range")
_EXTREME = 1e140  # beyond it, or below its inverse, squares leave the range of float64


class Survey(NamedTuple):
    """Of the pixels that have data, so far: their number, and of each band (bands,) what it holds.

    squares : Σ(x - mean)².
    """

    seen: int
    means: NDArray[np.float64]
    squares: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    @classmethod
    def of_nothing(cls, bands: int) -> "Survey":
        """Before the first pixel."""
        return cls(0, np.zeros(bands), np.zeros(bands), np.full(bands, np.inf), np.full(bands, -np.inf))

    def with_points(self, values: NDArray[np.float64]) -> "Survey":
        """With points (bands, n) more."""
        if not values.shape[1]:
            return self
        seen = np.full(len(self.means), float(self.seen))
        statistics = np.stack([seen, self.means, self.squares, self.lows, self.highs], axis=1)
        points.survey_points(values, statistics)
        return Survey(self.seen + values.shape[1], *np.ascontiguousarray(statistics[:, 1:].T))

    def merged(self, other: "Survey") -> "Survey":
        """Of both together (Chan, Golub & LeVeque 1979); rounding depends on the order."""
        if not self.seen or not other.seen:
            return self if self.seen else other
        seen = self.seen + other.seen
        with np.errstate(over="ignore", invalid="ignore"):  # `check` tells of what cannot be reckoned with
            off = other.means - self.means
            return Survey(
                seen,
                self.means + off * (other.seen / seen),
                self.squares + other.squares + off * off * (self.seen * (other.seen / seen)),
                np.minimum(self.lows, other.lows),
                np.maximum(self.highs, other.highs),
            )

    def check(self) -> None:
        """Raise ValueError if there is no pixel, or values that cannot be reckoned with."""
        if self.seen == 0:
            raise ValueError("there are no pixels to segment: none has data in every band")
        highest = max(float(-self.lows.min()), float(self.highs.max()))
        if highest == np.inf:
            raise ValueError("expected finite values, found infinite ones; name them as nodata, or mask them")
        with np.errstate(over="ignore"):
            ranges = self.highs - self.lows
        if highest > _EXTREME or ((ranges > 0) & (ranges < 1 / _EXTREME)).any():
            raise ValueError(
                f"expected values within ±{_EXTREME:g}, and bands constant or of a range of at least "
                f"{1 / _EXTREME:g}, found values up to {highest:g} and ranges {ranges.tolist()}"
            )


class Frame(NamedTuple):
    """What is taken from, and then divides, the values of each band."""

    offsets: NDArray[np.float64]
    scales: NDArray[np.float64]

    @classmethod
    def of(cls, survey: Survey, scale: str) -> "Frame":
        """By a name of `SCALES`; a band that is constant is not divided."""
        if scale == "none":
            return cls(np.zeros(len(survey.lows)), np.ones(len(survey.lows)))
        offsets, scales = survey.lows, survey.highs - survey.lows
        if scale == "std":
            offsets, scales = survey.means, np.sqrt(survey.squares / survey.seen)
        return cls(offsets, np.where(survey.highs > survey.lows, scales, 1.0))

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (bands, n) in scaled units."""
        return (values - self.offsets[:, None]) / self.scales[:, None]


def has_data(values: NDArray[Any], nodata: Any) -> NDArray[np.bool_]:
    """Which pixels (n,) of values (n, bands) have data: neither NaN nor `nodata`, if given, in any band."""
    valid = np.ones(len(values), np.bool_)
    for band in values.T:  # to reduce along pixels takes numpy five times as long
        if values.dtype.kind == "f":
            valid &= ~np.isnan(band)
        if nodata is not None:
            valid &= band != nodata
    return valid


def planes(values: NDArray[Any]) -> NDArray[np.float64]:
    """Points (bands, n) of pixels (n, bands)."""
    return np.ascontiguousarray(values.T, np.float64)


def value_of(nodata: Any, dtype: np.dtype[Any]) -> Any:
    """`nodata` as a raster of the type holds it; None if it is NaN, which never has data, or cannot be there.

    Raises ValueError if it is no number.
    """
    if nodata is None:
        return None
    if not isinstance(nodata, int | float | np.integer | np.floating):
        raise ValueError(f"nodata must be a number or None, not {nodata!r}")
    if dtype.kind != "f" or nodata != nodata:
        return None if nodata != nodata else nodata
    try:
        with np.errstate(over="ignore"):
            value = dtype.type(nodata)
    except OverflowError:  # a whole number beyond all floats
        return None
    return None if np.isinf(value) and not np.isinf(nodata) else value
