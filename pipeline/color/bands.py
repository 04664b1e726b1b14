"""The pixels of a raster as points: some have no data, and no more than a block is copied at a time."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color import points as kernels
from pipeline.color.distinct import Distinct
from pipeline.color.surveys import Survey, has_data, planes, value_of

_BLOCK = 65_536  # pixels that are worked on at a time
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
    there is no data. valid : pixels that have data. survey : what is known of these.

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
        self._nodata = value_of(nodata, array.dtype)
        self.clear = next(most for most in (255, 65_535, 2**32 - 1) if clusters <= most)
        self.labels = np.zeros(array.shape[:2], np.min_scalar_type(self.clear))
        self.survey = self._survey()
        self.valid = self.survey.seen
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
            yield Block(place, planes(values if valid.all() else values[valid]), valid)

    def take(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points (bands, n) of these ranks among the pixels that have data."""
        index = ranks.copy()
        if not self.complete:
            kernels.find_ranked(self.labels.reshape(-1), self.clear, self._before, index)
        rows, columns = np.divmod(index, self._array.shape[1])
        return planes(self._array[rows, columns])

    def distinct(self, most: int) -> NDArray[np.float64] | None:
        """The distinct pixels (n, bands) that have data, or None if there are more than `most`."""
        found = Distinct(most, self._array.shape[2])
        for block in self.blocks():
            found.add(block.points)
            if len(found.rows) > most:
                return None
        return found.rows

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
        valid = has_data(values, self._nodata)
        if self._mask is not None:
            valid &= ~self._mask[place].reshape(values.shape).any(axis=1)
        return valid

    def _survey(self) -> Survey:
        """Mark the pixels without data in the label map, and gather what is known of the others."""
        found = Survey.of_nothing(self._array.shape[2])
        for place in self.places():
            valid = self._has_data(place)
            part = self.labels[place]
            part[~valid.reshape(part.shape)] = self.clear
            if valid.any():
                values = self._values(place)
                found = found.with_points(planes(values if valid.all() else values[valid]))
        found.check()
        return found
