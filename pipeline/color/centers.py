"""The centres of a raster's clusters: from batches, then by steps over all pixels, which get their labels."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color import points
from pipeline.color.bands import Bands
from pipeline.color.minibatch import MiniBatch, follow_batches
from pipeline.color.surveys import Frame

_PASSES = 50  # exact steps of `refine`, at most
_MOVES = 16  # passes in which a centre is put on a far pixel: batches may not have met a few of those
_MOST_MOVED = 1024
_FEW = 1 << 20  # pixels; a pass over them costs no more than the batches did


class Found(NamedTuple):
    """Centres (k, bands) in the raster's units, the pixels of each (k,), and how they were found.

    inertia : about them, in scaled units. steps, converged : see `rasters.Segmented`.
    """

    centers: NDArray[np.float64]
    counts: NDArray[np.int64]
    inertia: float
    steps: int
    converged: bool

    @property
    def order(self) -> NDArray[np.int64]:
        """Clusters that have pixels, most first, then by centre."""
        order = np.lexsort((*self.centers.T[::-1], -self.counts))
        return order[self.counts[order] > 0]


def find_centers(bands: Bands, frame: Frame, wanted: MiniBatch) -> Found:
    """Fit centres to the pixels of a raster, and give it their labels."""
    centers = bands.distinct(wanted.colors)
    steps, passes, converged = 0, 0, True
    if centers is None:
        label_type(wanted.colors, bands.complete)

        def take(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
            return frame.scaled(bands.take(ranks))

        centers, steps, converged = follow_batches(take, bands.valid, wanted)
        centers = centers * frame.scales + frame.offsets
        refine = bands.valid <= _FEW if wanted.refine is None else wanted.refine
        passes = _PASSES if refine else 0
    last, settled = _settle(bands, frame, centers, wanted.tol, passes)
    return Found(centers, last.seen, last.inertia, steps, settled if passes else converged)


class _Pass(NamedTuple):
    """What a pass over all pixels found of each cluster: pixels, sums, the farthest pixel, and how far."""

    seen: NDArray[np.int64]
    sums: NDArray[np.float64]
    farthest: NDArray[np.float64]
    worst: NDArray[np.float64]
    inertia: float


def _label(bands: Bands, frame: Frame, centers: NDArray[np.float64]) -> _Pass:
    """Give every pixel that has data the label of its nearest centre."""
    scaled = np.ascontiguousarray(frame.scaled(centers.T).T)
    k = len(centers)
    seen, sums, farthest, worst = np.zeros(k, np.int64), np.zeros_like(centers), centers.copy(), np.zeros(k)
    inertia = 0.0
    for block in bands.blocks():
        labels, distances = points.nearest(frame.scaled(block.points), scaled)
        points.add_points(block.points, labels, sums, seen)
        points.keep_farthest(block.points, labels, distances, worst, farthest)
        inertia += points.total_of(distances)
        part = bands.labels[block.place]
        part[block.valid.reshape(part.shape)] = labels
    return _Pass(seen, sums, farthest, worst, inertia)


def _settle(
    bands: Bands, frame: Frame, centers: NDArray[np.float64], tol: float, passes: int
) -> tuple[_Pass, bool]:
    """Label all pixels, after so many Lloyd steps on them or fewer; `centers` is changed in place.

    A centre that is left without pixels is put on the farthest pixel of another cluster; so is, if
    there are steps, one that costs less where it is than that pixel does.
    Returns the last pass, and whether less than `tol` of the inertia fell in it.
    """
    before = math.inf
    moves = _MOVES if passes and len(centers) <= _MOST_MOVED else 0
    while True:
        last = _label(bands, frame, centers)
        empty = np.flatnonzero(last.seen == 0)
        worst = np.argsort(-last.worst, kind="stable")[: len(empty)]
        worst = worst[last.worst[worst] > 0]
        if len(worst):
            centers[empty[: len(worst)]] = last.farthest[worst]
            continue
        if moves:
            moves -= 1
            cost, spared = _cheapest(frame.scaled(centers.T).T, last.seen)
            if last.worst.max() > cost:
                centers[spared] = last.farthest[last.worst.argmax()]
                continue
            moves = 0
        settled = before - last.inertia <= tol * last.inertia
        if passes == 0 or settled:
            return last, settled
        before = last.inertia
        passes -= 1
        some = last.seen > 0
        centers[some] = last.sums[some] / last.seen[some, None]


def _cheapest(scaled: NDArray[np.float64], seen: NDArray[np.int64]) -> tuple[float, int]:
    """The least that merging a cluster into another adds to the inertia (Ward), and which it is."""
    least, cheapest = math.inf, 0
    for i, center in enumerate(scaled):
        squares = ((scaled - center) ** 2).sum(axis=1)
        costs = squares * (seen * (float(seen[i]) / np.maximum(seen + seen[i], 1)))
        costs[i] = math.inf
        if costs.min() < least:
            least, cheapest = float(costs.min()), i
    return least, cheapest


def label_type(found: int, complete: bool) -> type:
    """The type of a label map of so many clusters, and one value more if there are pixels without data."""
    highest = found - complete
    if highest > np.iinfo(np.uint16).max:
        raise ValueError(
            f"{found} clusters and a label for pixels without data do not fit 16 bits; ask for {found - 1}"
        )
    return np.uint8 if highest < 256 else np.uint16
