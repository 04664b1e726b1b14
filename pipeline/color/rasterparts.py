"""Segmenting a raster that is never in memory as a whole: what is done to its parts, and to a sample.

    parts ──survey, draw──► sample ──fit──► centres ──label──► labels of parts

The sample is drawn from all of the raster alike: one pixel of each stretch of so many, in row order.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color import points
from pipeline.color.bands import Bands
from pipeline.color.centers import find_centers
from pipeline.color.chance import draw_shares
from pipeline.color.distinct import Distinct
from pipeline.color.minibatch import MiniBatch
from pipeline.color.surveys import Frame, Survey, has_data, planes

_BLOCK = 65_536  # pixels that are worked on at a time
_LOT = 4096  # draws of a stream
_DRAWN_FROM = 1 << 18  # pixels, at a time


def draw(first: int, last: int, total: int, wanted: int, seed: int) -> NDArray[np.int64]:
    """Which of the pixels from `first` to before `last`, of `total`, are among the `wanted` ones drawn.

    They ascend. A part is told the same, however the raster is parted.
    """
    if wanted >= total:
        return np.arange(first, last)
    begin = first * wanted // total
    end = min(wanted, -(-last * wanted // total) + 1)
    lots = range(begin // _LOT, -(-end // _LOT))
    shares = np.empty((len(lots), _LOT))
    for lot, out in zip(lots, shares, strict=True):
        draw_shares(seed, lot, out)
    number = np.arange(lots.start * _LOT, lots.stop * _LOT)
    # Products of two numbers of pixels leave 64 bits: from the first stretch on, only one is large.
    origin, over = divmod(lots.start * _LOT * total, wanted)
    edges = origin + (over + np.arange(len(number) + 1) * total) // wanted
    starts, ends = edges[:-1], edges[1:]
    places = starts + (shares.reshape(-1) * (ends - starts)).astype(np.int64)
    return places[(places >= first) & (places < last) & (number < wanted)]


def drawn_of(first: int, last: int, total: int, wanted: int, seed: int) -> NDArray[np.bool_]:
    """Whether each of the pixels from `first` to before `last` is drawn; see `draw`."""
    drawn = np.zeros(last - first, np.bool_)
    for start in range(first, last, _DRAWN_FROM):
        drawn[draw(start, min(start + _DRAWN_FROM, last), total, wanted, seed) - first] = True
    return drawn


def survey_part(pixels: NDArray[Any], nodata: Any, found: Survey, rows: Distinct) -> Survey:
    """Add a part (height, width, bands) to what is known, and its distinct pixels to `rows`."""
    for _, values, _ in _blocks(pixels, nodata):
        found = found.with_points(values)
        rows.add(values)
    return found


class SampleFit(NamedTuple):
    """Centres (k, bands) in the raster's units, those of most pixels of the sample first."""

    centers: NDArray[np.float64]
    frame: Frame
    steps: int
    converged: bool


def fit_sample(sample: NDArray[Any], survey: Survey, scale: str, wanted: MiniBatch) -> SampleFit:
    """Fit centres to a sample (n, bands) of a raster of which `survey` tells."""
    frame = Frame.of(survey, scale)
    found = find_centers(Bands(sample[None], None, wanted.colors), frame, wanted)
    return SampleFit(found.centers[found.order], frame, found.steps, found.converged)


def label_part(
    pixels: NDArray[Any], nodata: Any, fitted: SampleFit, labels: NDArray[Any], seen: NDArray[np.int64]
) -> float:
    """Write the nearest centre of each pixel (height, width, bands) to `labels` (height, width).

    Pixels without data get the label after the last. `seen` (k,) counts the others; returns the sum
    of their squared distances, in scaled units.
    """
    scaled = np.ascontiguousarray(fitted.frame.scaled(fitted.centers.T).T)
    flat = np.empty(labels.size, labels.dtype)
    inertia = 0.0
    for part, values, valid in _blocks(pixels, nodata):
        nearest, distances = points.nearest(fitted.frame.scaled(values), scaled)
        seen += np.bincount(nearest, minlength=len(seen))
        inertia += points.total_of(distances)
        block = flat[part]
        block[valid] = nearest
        if not valid.all():  # else the labels' type may have no room for it
            block[~valid] = len(scaled)
    labels[:] = flat.reshape(labels.shape)
    return inertia


def _blocks(
    pixels: NDArray[Any], nodata: Any
) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.bool_]]]:
    """Where a block of pixels is, the points (bands, m) that have data, and which (n,) these are."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    for start in range(0, len(flat), _BLOCK):
        part = slice(start, start + _BLOCK)
        valid = has_data(flat[part], nodata)
        yield part, planes(flat[part] if valid.all() else flat[part][valid]), valid
