"""Color counts: how often each distinct colour occurs, exactly. Counts of parts add up."""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.color import kernels

_AT_ONCE = 1 << 31  # pixels; the table counts in 32 bits
_SORTED = 1 << 19  # pixels; fewer are counted by sorting, which the table's cache misses would outlast


class _Scratch(threading.local):
    """Tables over all 2²⁴ colours, kept by each thread and left empty after each use.

    The system hands out their pages when they are first touched: an image pays for its colours.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.table = np.zeros(kernels.CODES, np.uint32)
        self.cells = np.zeros(kernels.CELLS, np.uint8)
        self.empty = True


_scratch = _Scratch()


@dataclass(frozen=True, eq=False)
class ColorCounts:
    """The distinct colours of some pixels, and how many pixels have each.

    codes : (n,) uint32, ascending Morton codes (see `kernels`).
    counts : (n,) int64, all positive.
    """

    codes: NDArray[np.uint32]
    counts: NDArray[np.int64]

    @classmethod
    def of_nothing(cls) -> "ColorCounts":
        """Before the first pixel."""
        return cls(np.empty(0, np.uint32), np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    def __add__(self, other: "ColorCounts") -> "ColorCounts":
        if not len(self) or not len(other):
            return self if len(self) else other
        codes = np.concatenate([self.codes, other.codes])
        order = np.argsort(codes, kind="stable")  # merges two sorted runs
        codes = codes[order]
        first = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
        counts = np.concatenate([self.counts, other.counts])[order]
        return ColorCounts(codes[first], np.add.reduceat(counts, first))

    @property
    def total(self) -> int:
        """Number of pixels counted."""
        return int(self.counts.sum())

    @property
    def planes(self) -> NDArray[np.uint8]:
        """Red, green and blue of each distinct colour: (3, n)."""
        planes = np.empty((3, len(self.codes)), np.uint8)
        kernels.unpack_codes(self.codes, planes)
        return planes


class Tally:
    """The counts of pixels that come in parts: at most 2³² - 1 together, in a table over all colours."""

    def __init__(self) -> None:
        if not _scratch.empty:
            _scratch.renew()
        _scratch.empty = False
        self._table, self._cells = _scratch.table, _scratch.cells
        self._seen = 0

    def add(self, pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None) -> None:
        """Count the pixels of an image or pixel array (…, 3); pixels of alpha (…) 0 do not count."""
        flat, mask = _flat(pixels, alpha)
        kernels.count_pixels(flat, mask, self._table, self._cells)
        self._seen += len(flat)

    def drain(self) -> ColorCounts:
        """All that was counted, at the end."""
        room = min(self._seen, kernels.CODES)
        codes, counts = np.empty(room, np.uint32), np.empty(room, np.int64)
        found = kernels.drain_table(self._table, self._cells, codes, counts)
        if _scratch.table is self._table:  # else another count has begun meanwhile, in tables of its own
            _scratch.empty = True
        return ColorCounts(codes[:found], counts[:found])


def release_tables() -> None:
    """Give back what this thread keeps for counting."""
    _scratch.renew()


def count_colors(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None) -> ColorCounts:
    """Count the distinct colours of an image or pixel array (…, 3); pixels of alpha (…) 0 do not count."""
    flat, mask = _flat(pixels, alpha)
    total = ColorCounts.of_nothing()
    for start in range(0, len(flat), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        total += _count(flat[part], mask[part])
    return total


def _flat(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels (n, 3) and their alpha (n,), or (0,) if all are to count."""
    flat = np.ascontiguousarray(pixels).reshape(-1, 3)
    mask = np.empty(0, np.uint8) if alpha is None else np.ascontiguousarray(alpha).reshape(-1)
    if len(mask) not in (0, len(flat)):
        raise ValueError(f"alpha has {len(mask)} values for {len(flat)} pixels")
    return flat, mask


def _count(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> ColorCounts:
    room = min(len(pixels), kernels.CODES)
    codes = np.empty(room, np.uint32)
    counts = np.empty(room, np.int64)
    count = _count_by_sorting if len(pixels) < _SORTED else _count_by_table
    found = count(pixels, alpha, codes, counts)
    # Half and more of the room is given back; a view costs nothing, but would hold all of it.
    if 2 * found > room:
        return ColorCounts(codes[:found], counts[:found])
    return ColorCounts(codes[:found].copy(), counts[:found].copy())


def _count_by_sorting(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], codes: NDArray[np.uint32], counts: NDArray[np.int64]
) -> int:
    ordered = np.empty(len(pixels), np.uint32)
    ordered = ordered[: kernels.pack_pixels(pixels, alpha, ordered)]
    ordered.sort()
    return int(kernels.count_runs(ordered, codes, counts))


def _count_by_table(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], codes: NDArray[np.uint32], counts: NDArray[np.int64]
) -> int:
    if not _scratch.empty:  # an interrupt (Ctrl-C in a notebook) cut the last count short
        _scratch.renew()
    _scratch.empty = False
    kernels.count_pixels(pixels, alpha, _scratch.table, _scratch.cells)
    found = kernels.drain_table(_scratch.table, _scratch.cells, codes, counts)
    _scratch.empty = True
    return int(found)
