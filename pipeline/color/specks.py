"""The loops that merge specks, regions too small to stay, into their surroundings; see `regions`.

A region is known by three arrays over the pixels. `parent` is a union-find forest (Tarjan 1975): a root
holds minus its region's area, any other pixel one nearer the root. `ring` leads from each pixel of a
region to the next, and back to the first. `queue` leads from the root of a speck to that of the next
speck of its area, as `first` has them. A speck that has grown is moved when its turn comes.

Every speck joins a region no smaller than itself, as the smallest goes first. So each pixel is looked
at about log2(min_area) times at most, and millions of specks take seconds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kernels import inlined, kernel

_NONE = -1


def merge(given: NDArray[Any], merged: NDArray[Any], min_area: int, clear: int) -> None:
    """Merge specks of a label map (h, w) in its copy `merged`; both contiguous, neither empty."""
    size, width = given.size, given.shape[1]
    index = np.int32 if size < 1 << 31 else np.int64
    parent = np.full(size, -1, index)
    regions = (parent, np.arange(size, dtype=index), np.empty(size, index))
    first = np.full(min(min_area, size + 1), _NONE, index)
    borders = np.zeros((2, int(given.max()) + 1), np.int64)  # of a speck with each label, and its largest
    flat = given.reshape(-1)
    _join_equals(flat, width, parent)
    _queue_specks(flat, clear, regions, first)
    _merge(flat, merged.reshape(-1), (width, clear), regions, (first, borders))


@inlined
def _root(parent: NDArray[Any], pixel: int) -> int:
    while parent[pixel] >= 0:
        above = parent[pixel]
        if parent[above] >= 0:
            parent[pixel] = parent[above]
        pixel = above
    return pixel


@inlined
def _next_to(pixel: int, side: int, width: int, size: int) -> int:
    """The pixel above (0), left (1), right (2) or below (3), or -1 beyond the edge."""
    if side == 0:
        found = pixel - width
    elif side == 1:
        found = pixel - 1 if pixel % width > 0 else -1
    elif side == 2:
        found = pixel + 1 if (pixel + 1) % width > 0 else -1
    else:
        found = pixel + width if pixel + width < size else -1
    return found if found >= 0 else -1


@inlined
def _join_before(labels: NDArray[Any], pixel: int, width: int, parent: NDArray[Any]) -> None:
    """Join a pixel's region with those above and left of the same label; the earlier root stays."""
    for side in range(2):
        other = _next_to(pixel, side, width, labels.shape[0])
        if other >= 0 and labels[other] == labels[pixel]:
            a, b = _root(parent, other), _root(parent, pixel)
            if a != b:
                kept, gone = min(a, b), max(a, b)
                parent[kept] += parent[gone]
                parent[gone] = kept


@kernel
def _join_equals(labels: NDArray[Any], width: int, parent: NDArray[Any]) -> None:
    for pixel in range(labels.shape[0]):
        _join_before(labels, pixel, width, parent)


@kernel
def _queue_specks(
    labels: NDArray[Any], clear: int, regions: tuple[NDArray[Any], ...], first: NDArray[Any]
) -> None:
    """Build the rings, and queue the specks of each area in raster order of their first pixels."""
    parent, ring, queue = regions
    for pixel in range(labels.shape[0] - 1, -1, -1):
        root = _root(parent, pixel)
        if root != pixel:
            ring[pixel] = ring[root]
            ring[root] = pixel
        elif -parent[pixel] < first.shape[0] and labels[pixel] != clear:
            queue[pixel] = first[-parent[pixel]]
            first[-parent[pixel]] = pixel


@kernel
def _merge(
    given: NDArray[Any],
    labels: NDArray[Any],
    frame: tuple[int, int],
    regions: tuple[NDArray[Any], ...],
    work: tuple[NDArray[Any], NDArray[np.int64]],
) -> None:
    """Empty the queue, smallest area first; what is absorbed is never the root that stays."""
    parent, ring, queue = regions
    first, borders = work
    for area in range(1, first.shape[0]):
        while first[area] >= 0:
            speck = first[area]
            first[area] = queue[speck]
            if parent[speck] >= 0:
                continue
            grown = -parent[speck]
            if grown > area:
                if grown < first.shape[0]:
                    queue[speck] = first[grown]
                    first[grown] = speck
                continue
            label = _choose(labels, speck, frame, (parent, ring), borders)
            if label < 0:
                _settle(given, labels, speck, frame[0], (parent, ring))
            else:
                _absorb(labels, speck, label, frame[0], (parent, ring))


@kernel
def _choose(
    labels: NDArray[Any],
    speck: int,
    frame: tuple[int, int],
    regions: tuple[NDArray[Any], ...],
    borders: NDArray[np.int64],
) -> int:
    """The label that a speck takes, or -1 if nothing surrounds it. `borders` is left as found, zero."""
    parent, ring = regions
    width, clear = frame
    best = np.int64(-1)
    pixel = speck
    for step in range(-2 * parent[speck]):  # the second round clears what the first has counted
        for side in range(4):
            other = _next_to(pixel, side, width, labels.shape[0])
            if other < 0 or labels[other] == labels[speck] or labels[other] == clear:
                continue
            label = np.int64(labels[other])
            if step >= -parent[speck]:
                borders[0, label] = borders[1, label] = 0
                continue
            borders[0, label] += 1
            borders[1, label] = max(borders[1, label], -parent[_root(parent, other)])
            if best < 0 or borders[0, label] > borders[0, best]:
                best = label
            elif borders[0, label] == borders[0, best]:
                more = borders[1, label] - borders[1, best]
                if more > 0 or (more == 0 and label < best):
                    best = label
        pixel = ring[pixel]
    return int(best)


@kernel
def _absorb(
    labels: NDArray[Any], speck: int, label: int, width: int, regions: tuple[NDArray[Any], ...]
) -> None:
    """Give a speck a label, and join it to all regions of that label around it."""
    parent, ring = regions
    root = np.int64(speck)
    pixel = np.int64(ring[speck])
    for _ in range(-parent[speck]):  # the speck itself comes last: its link is the one that changes
        labels[pixel] = label
        for side in range(4):
            other = _next_to(pixel, side, width, labels.shape[0])
            if other < 0 or labels[other] != label:
                continue
            kept = _root(parent, other)
            if kept != root:
                parent[kept] += parent[root]
                parent[root] = kept
                root = kept
                ring[speck], ring[other] = ring[other], ring[speck]
        pixel = np.int64(ring[pixel])


@kernel
def _settle(
    given: NDArray[Any], labels: NDArray[Any], speck: int, width: int, regions: tuple[NDArray[Any], ...]
) -> None:
    """Give all of a region that nothing surrounds the label of the largest region given in it."""
    parent, ring = regions
    area = -parent[speck]
    pixel = speck
    for _ in range(area):
        parent[pixel] = -1
        pixel = ring[pixel]
    for _ in range(area):
        _join_before(given, pixel, width, parent)
        pixel = ring[pixel]
    largest = speck
    for _ in range(area):
        more = parent[largest] - parent[pixel]  # both are roots: areas with a minus
        if parent[pixel] < 0 and (more > 0 or (more == 0 and given[pixel] < given[largest])):
            largest = pixel
        pixel = ring[pixel]
    label = given[largest]
    for _ in range(area):
        labels[pixel] = label
        parent[pixel] = speck
        pixel = ring[pixel]
    parent[speck] = -area
