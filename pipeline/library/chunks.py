"""Images in chunks of a dask array: counted chunk by chunk, painted when asked for, never whole in memory.

dask is imported only when there is an array of it. Where the chunks are worked on, its scheduler says:
threads of this process, or a cluster if the program has opened a client.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.codebook import Method
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.dither import dither
from pipeline.color.mapping import Fit, fit_palette, paint, show
from pipeline.library.labelled import Labels
from pipeline.library.levels import require_kind, split

_TOGETHER = 8  # counts that are added in one step: a tree of sums holds few at a time
_TURN = 8  # rows and columns after which the thresholds of ordered dithering come again


@dataclass(frozen=True, eq=False)
class Chunks:
    """A dask array (height, width, 3) of levels, or 4 with alpha; channels are not chunked.

    Whether pixels are transparent is not known before they are read: an image of 4 channels, or of
    floats, keeps its alpha, even if it is 255 throughout.
    """

    levels: Any
    labels: Labels | None = None

    @classmethod
    def of(cls, array: Any, labels: Labels | None) -> "Chunks":
        """Take a dask array as `levels.split` takes one in memory. Raises ValueError likewise."""
        require_kind(array.shape, array.dtype)
        if any(size != size for size in array.shape):
            raise ValueError(
                f"expected a dask array of known shape, found {array.shape}; call compute_chunk_sizes first"
            )
        if array.ndim == 3:
            array = array.rechunk({2: -1})
        channels = 4 if array.dtype.kind == "f" or array.shape[2:] == (4,) else 3
        if array.dtype == np.uint8 and array.shape[2:] == (channels,):
            return cls(array, labels)
        levels = array.map_blocks(
            _levels,
            channels,
            dtype=np.uint8,
            chunks=(*array.chunks[:2], (channels,)),
            meta=np.empty((0, 0, 0), np.uint8),
            **({"new_axis": 2} if array.ndim == 2 else {}),
        )
        return cls(levels, labels)

    @property
    def alpha(self) -> Any:
        """See `Picture`; a dask array."""
        return self.levels[:, :, 3] if self.levels.shape[2] == 4 else None

    def count(self) -> ColorCounts:
        """See `Picture`; reads every chunk once."""
        from dask import delayed

        parts = [delayed(_count)(block) for block in self.levels.to_delayed().ravel()]
        while len(parts) > 1:
            starts = range(0, len(parts), _TOGETHER)
            parts = [delayed(_add)(parts[start : start + _TOGETHER]) for start in starts]
        return _add([parts[0].compute()]) if parts else ColorCounts.of_nothing()

    def paint(self, counts: ColorCounts, fitted: Fit) -> Any:
        """See `Picture`; a dask array of the same chunks."""
        height, width = self.levels.shape[:2]
        dtype = _label_type(len(fitted.palette), counts.total < height * width)
        return self._mapped(_paint, dtype, counts, fitted, dtype)

    def match(self, method: Method, k: int) -> tuple[Any, None]:
        """See `Picture`; a dask array of the same chunks, before any of them is read."""
        dtype = _label_type(k, self.levels.shape[2] == 4)
        return self._mapped(_match, dtype, method, k, dtype), None

    def require_dither(self, method: str) -> None:
        """Raise ValueError for a method that passes errors from chunk to chunk."""
        if method not in ("none", "ordered"):
            raise ValueError(
                f"expected dither 'none' or 'ordered' for a dask array, found {method!r}, which passes "
                "errors on from chunk to chunk; compute the array first if it fits the memory"
            )

    def dither(self, colors: NDArray[np.uint8], method: str) -> Any:
        """See `Picture`."""
        dtype = _label_type(len(colors), self.levels.shape[2] == 4)
        tops, lefts = (np.cumsum((0, *sizes)) for sizes in self.levels.chunks[:2])
        return self._mapped(_dither, dtype, colors, method, dtype, tops, lefts)

    def show(self, shown: Any, colors: NDArray[np.uint8]) -> Any:
        """See `Picture`; a dask array."""
        import dask.array

        channels = self.levels.shape[2]
        others = [] if channels == 3 else [self.alpha]
        return dask.array.map_blocks(
            _show,
            shown,
            *others,
            colors=colors,
            dtype=np.uint8,
            new_axis=2,
            chunks=(*self.levels.chunks[:2], (channels,)),
            meta=np.empty((0, 0, 0), np.uint8),
        )

    def _mapped(self, function: Any, dtype: type, *arguments: Any) -> Any:
        """The dask array (height, width) of a function of each chunk's levels."""
        return self.levels.map_blocks(
            function,
            *arguments,
            dtype=dtype,
            drop_axis=2,
            chunks=self.levels.chunks[:2],
            meta=np.empty((0, 0), dtype),
        )


def _label_type(k: int, clear: bool) -> type:
    """The type of a label map of k colours, and one value more if there may be transparent pixels."""
    return np.uint8 if k - 1 + clear < 256 else np.uint16


def _levels(block: NDArray[Any], channels: int) -> NDArray[np.uint8]:
    pixels, alpha = split(block)
    if channels == 3:
        return pixels
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8) if alpha is None else alpha])


def _count(levels: NDArray[np.uint8]) -> ColorCounts:
    return count_colors(*split(levels))


def _add(parts: list[ColorCounts]) -> ColorCounts:
    total = ColorCounts.of_nothing()
    for part in parts:
        total += part
    return total


def _paint(levels: NDArray[np.uint8], counts: ColorCounts, fitted: Fit, dtype: type) -> NDArray[Any]:
    return paint(*split(levels), counts, fitted).astype(dtype, copy=False)


def _match(levels: NDArray[np.uint8], method: Method, k: int, dtype: type) -> NDArray[Any]:
    pixels, alpha = split(levels)
    counts = count_colors(pixels, alpha)
    if not len(counts):  # all are transparent
        return np.full(pixels.shape[:2], k, dtype)
    return paint(pixels, alpha, counts, fit_palette(counts, method)).astype(dtype, copy=False)


def _dither(
    levels: NDArray[np.uint8],
    colors: NDArray[np.uint8],
    method: str,
    dtype: type,
    tops: NDArray[np.int64],
    lefts: NDArray[np.int64],
    block_id: tuple[int, ...] = (0, 0),
) -> NDArray[Any]:
    """Dither a chunk as part of the whole: rows and columns before it bring it to a multiple of 8."""
    down, right = int(tops[block_id[0]] % _TURN), int(lefts[block_id[1]] % _TURN)
    padded = np.pad(levels, ((down, 0), (right, 0), (0, 0)), mode="edge")
    pixels, alpha = split(padded)
    shown = dither(pixels, alpha, colors, method)[down:, right:]
    return shown.astype(dtype)


def _show(
    shown: NDArray[Any], alpha: NDArray[np.uint8] | None = None, *, colors: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    return show(np.ascontiguousarray(shown), colors, alpha)
