"""Exact nearest-colour search for colours that were not counted, such as those of dithering.

The cube of 8-bit colours is cut into cells; each has the list of the palette's entries that can be
nearest to a colour in it, made when a colour of it is first asked for.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kernels import inlined, kernel

ROOT = 0  # rows of `Search.bounds`: the whole cube, then 8³ cells of side 32, then 32³ of side 8
_COARSE = 1
_FINE = _COARSE + (1 << 9)
_ROWS = _FINE + (1 << 15)
_ENTRIES = 1 << 21  # 32 MiB, of which few are touched; 65,536 colours can fill an eighth at one stroke


class Search(NamedTuple):
    """Exact nearest-colour search: for each cell of the RGB cube, the colours that can be nearest there.

    entries : (n, 4) int32, lists of red, green, blue, index; the first is the whole palette.
    bounds : (_ROWS, 2) int32, where the list of a cell begins and ends; 0, 0 if it has none yet.
    used : (1,) int64, entries in use. Lists are made when first asked for; when there is no room for
    another they are all forgotten.
    """

    entries: NDArray[np.int32]
    bounds: NDArray[np.int32]
    used: NDArray[np.int64]


def search_of(colors: NDArray[np.uint8]) -> Search:
    """Return the search of a palette (k, 3); it belongs to one thread."""
    k = len(colors)
    search = Search(np.empty((_ENTRIES, 4), np.int32), np.zeros((_ROWS, 2), np.int32), np.array([k]))
    search.entries[:k, :3] = colors
    search.entries[:k, 3] = np.arange(k)
    search.bounds[ROOT, 1] = k
    return search


@kernel
def fill_cell(search: Search, row: int) -> None:
    """Make the list of a fine cell, out of that of the coarse cell it lies in."""
    bounds = search.bounds
    k = bounds[ROOT, 1]
    if search.used[0] + 2 * k > len(search.entries):
        bounds[ROOT + 1 :] = 0
        search.used[0] = k
    cell = row - _FINE
    r, g, b = cell >> 10, (cell >> 5) & 31, cell & 31
    coarse = _COARSE + (((r >> 2) << 6) | ((g >> 2) << 3) | (b >> 2))
    if bounds[coarse, 1] == 0:
        _narrow(search, ROOT, coarse, (r & 28, g & 28, b & 28), 32)
    _narrow(search, coarse, row, (r, g, b), 8)


@kernel
def _narrow(search: Search, source: int, target: int, corner: tuple[int, int, int], side: int) -> None:
    """List for the cell `target` those entries of the list of `source` that can be nearest in it.

    corner : of the cell, in units of 8 levels. Left out is what is farther, in all the cell, than the
    entry nearest to its centre: |x − p|² − |x − q|² is linear in x, so a corner tells. Lengths are doubled.
    """
    entries, bounds = search.entries, search.bounds
    r, g, b = (16 * corner[0] + side - 1, 16 * corner[1] + side - 1, 16 * corner[2] + side - 1)
    nearest = np.int64(1) << 60
    q = 0
    for i in range(bounds[source, 0], bounds[source, 1]):
        dr, dg, db = 2 * entries[i, 0] - r, 2 * entries[i, 1] - g, 2 * entries[i, 2] - b
        distance = dr * dr + dg * dg + db * db
        if distance < nearest:
            nearest, q = distance, i
    n = search.used[0]
    for i in range(bounds[source, 0], bounds[source, 1]):
        dr, dg, db = 2 * entries[i, 0] - r, 2 * entries[i, 1] - g, 2 * entries[i, 2] - b
        apart = abs(entries[i, 0] - entries[q, 0]) + abs(entries[i, 1] - entries[q, 1])
        apart += abs(entries[i, 2] - entries[q, 2])
        if dr * dr + dg * dg + db * db - nearest <= 4 * (side - 1) * apart:
            entries[n] = entries[i]
            n += 1
    bounds[target, 0], bounds[target, 1] = search.used[0], n
    search.used[0] = n


@inlined
def cell_of(r: int, g: int, b: int) -> int:
    """Row of the fine cell that a colour lies in; it must be filled before `nearest_in`.

    Filling within `nearest_in` made the loops over pixels 2 to 6 times slower: it counts references.
    """
    return _FINE + (((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3))


@inlined
def nearest_in(r: int, g: int, b: int, lists: tuple[NDArray[np.int32], NDArray[np.int32]], row: int) -> int:
    """Index of the nearest colour, of equally near ones the first; `lists` are entries and bounds."""
    entries, bounds = lists
    best = 1 << 60
    for i in range(bounds[row, 0], bounds[row, 1]):
        dr, dg, db = r - entries[i, 0], g - entries[i, 1], b - entries[i, 2]
        best = min(best, int(((dr * dr + dg * dg + db * db) << 16) | entries[i, 3]))
    return best & 0xFFFF


@kernel
def find_nearest(search: Search, r: int, g: int, b: int) -> int:
    """Index of the colour nearest to one colour."""
    row = cell_of(r, g, b)
    if search.bounds[row, 1] == 0:
        fill_cell(search, row)
    return int(nearest_in(r, g, b, (search.entries, search.bounds), row))
