"""The pixels of a raster as points: some have no data, and no more than a block is copied at a time."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color import points as kernels

_BLOCK = 65_536  # pixels that are worked on at a time
_EXTREME = 1e140  # beyond it, or below its inverse, squares leave the range of float64
Place = tuple[slice, slice]


class Block(NamedTuple):
    """Where a part of a raster is, the points (bands, m) that have data, and which (n,) these are."""

    place: Place
    points: NDArray[np.float64]
    valid: NDArray[np.bool_]


class Bands:
    """A raster (height, width) or (height, width, bands) in row order, whatever its memory's.

    A pixel with NaN, `nodata` or a masked value in any band has no data; the others are numbered
    from 0 by their rank. labels (height, width) is a label map to work on: 0 and up, `clear` where
    there is no data. valid : pixels that have data. lows, highs, means, deviations : (bands,).

    Raises ValueError for a raster of another shape or type, with infinite or extreme values, or
    without data.
    """

    def __init__(self, raster: Any, nodata: float | None, clusters: int) -> None:
        array = np.asarray(raster)
        if array.ndim not in (2, 3) or array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
            raise ValueError(
                f"expected an array of real numbers of shape (height, width) or (height, width, bands), "
                f"found shape {array.shape} of {array.dtype}"
            )
        if array.size == 0:
            raise ValueError(f"expected a raster with pixels, found shape {array.shape}")
        self._array = array if array.ndim == 3 else array[:, :, None]
        self._mask = None if np.ma.getmask(raster) is np.ma.nomask else raster.mask.reshape(self._array.shape)
        self._nodata = _value_of(nodata, array.dtype)
        self.clear = next(most for most in (255, 65_535, 2**32 - 1) if clusters <= most)
        self.labels = np.zeros(array.shape[:2], np.min_scalar_type(self.clear))
        self._survey()
        self._before = np.zeros(-(-self.labels.size // kernels.STRETCH) + 1, np.int64)
        if not self.complete:
            kernels.count_ranked(self.labels.reshape(-1), self.clear, self._before)

    @property
    def complete(self) -> bool:
        """Whether every pixel has data."""
        return self.valid == self.labels.size

    def blocks(self) -> Iterator[Block]:
        """Every part of the raster in turn; the labels tell which pixels have data."""
        for place in self.places():
            valid = (self.labels[place] != self.clear).reshape(-1)
            values = self._values(place)
            yield Block(place, _planes(values if valid.all() else values[valid]), valid)

    def take(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points (bands, n) of these ranks among the pixels that have data."""
        index = ranks.copy()
        if not self.complete:
            kernels.find_ranked(self.labels.reshape(-1), self.clear, self._before, index)
        rows, columns = np.divmod(index, self._array.shape[1])
        return _planes(self._array[rows, columns])

    def distinct(self, most: int) -> NDArray[np.float64] | None:
        """The distinct pixels (n, bands) that have data, or None if there are more than `most`."""
        rows = np.empty((most + 1, len(self.lows)))
        table = np.full(1 << (2 * most + 1).bit_length(), -1)
        found = 0
        for block in self.blocks():
            found = kernels.add_distinct(block.points, found, rows, table)
            if found > most:
                return None
        return rows[:found]

    def places(self) -> Iterator[Place]:
        """Parts of at most `_BLOCK` pixels: some rows, or a piece of a row that is longer."""
        height, width = self._array.shape[:2]
        rows = max(1, _BLOCK // width)
        for top in range(0, height, rows):
            for left in range(0, width, _BLOCK):
                yield slice(top, top + rows), slice(left, left + _BLOCK)

    def _values(self, place: Place) -> NDArray[Any]:
        """Pixels (n, bands) of a part, as they are."""
        return self._array[place].reshape(-1, self._array.shape[2])

    def _has_data(self, place: Place) -> NDArray[np.bool_]:
        values = self._values(place)
        missing = np.zeros(values.shape, np.bool_)
        if values.dtype.kind == "f":
            missing |= np.isnan(values)
        if self._nodata is not None:
            missing |= values == self._nodata
        if self._mask is not None:
            missing |= self._mask[place].reshape(values.shape)
        return np.asarray(~missing.any(axis=1))

    def _survey(self) -> None:
        """Mark the pixels without data in the label map, and gather what is known of the others."""
        statistics = np.tile([0.0, 0.0, 0.0, np.inf, -np.inf], (self._array.shape[2], 1))
        for place in self.places():
            valid = self._has_data(place)
            part = self.labels[place]
            part[~valid.reshape(part.shape)] = self.clear
            if valid.any():
                values = self._values(place)
                kernels.survey_points(_planes(values if valid.all() else values[valid]), statistics)
        self.valid = int(statistics[0, 0])
        if self.valid == 0:
            raise ValueError("there are no pixels to segment: none has data in every band")
        self.lows, self.highs = statistics[:, 3], statistics[:, 4]
        highest = max(float(-self.lows.min()), float(self.highs.max()))
        if highest == np.inf:
            raise ValueError("expected finite values, found infinite ones; name them as nodata, or mask them")
        ranges = self.highs - self.lows
        if highest > _EXTREME or ((ranges > 0) & (ranges < 1 / _EXTREME)).any():
            raise ValueError(
                f"expected values within ±{_EXTREME:g}, and bands constant or of a range of at least "
                f"{1 / _EXTREME:g}, found values up to {highest:g} and ranges {ranges.tolist()}"
            )
        self.means = statistics[:, 1]
        self.deviations = np.sqrt(statistics[:, 2] / self.valid)


def _planes(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.ascontiguousarray(values.T, np.float64)


def _value_of(nodata: Any, dtype: np.dtype[Any]) -> Any:
    """`nodata` as the raster would hold it; None if it is NaN, which never has data, or cannot be there."""
    if nodata is None:
        return None
    if not isinstance(nodata, int | float | np.number) or isinstance(nodata, np.complexfloating):
        raise ValueError(f"nodata must be a number or None, not {nodata!r}")
    if dtype.kind != "f" or nodata != nodata:
        return None if nodata != nodata else nodata
    with np.errstate(over="ignore"):
        value = dtype.type(nodata)
    return None if np.isinf(value) and not np.isinf(nodata) else value
