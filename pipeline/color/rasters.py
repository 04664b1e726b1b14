"""Segmenting rasters: any depth, any number of bands, no-data pixels, and no second raster in memory."""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.bands import Bands
from pipeline.color.centers import find_centers, label_type
from pipeline.color.checks import require_whole
from pipeline.color.codebook import MAX_COLORS
from pipeline.color.minibatch import MiniBatch
from pipeline.color.surveys import SCALES, Frame
from pipeline.color.warmup import announced


@dataclass(frozen=True, eq=False)
class Segmented:
    """A raster parted into clusters, the largest first; of equal ones the one of lower centre.

    labels : (height, width) uint8, or uint16 beyond 256 values: the nearest centre; no-data pixels
    have the index after the last. centers : (k, bands) float64, in the raster's own units.
    counts : (k,) int64, pixels. asked : clusters asked for; k is less if there are fewer distinct
    pixels. inertia : Σ squared distance of the pixels to their centre in *scaled* units, where a
    band's value v is (v - offset) / scale. offsets, scales : (bands,) float64.
    steps, converged : mini-batches, and whether the last stage ended by `tol`.

    `labels_`, `cluster_centers_` and `inertia_` are the same in scikit-learn's shapes.
    """

    labels: NDArray[Any]
    centers: NDArray[np.float64]
    counts: NDArray[np.int64]
    asked: int
    inertia: float
    offsets: NDArray[np.float64]
    scales: NDArray[np.float64]
    steps: int
    converged: bool

    @property
    def labels_(self) -> NDArray[np.int32]:
        """Labels (height · width,), row by row."""
        return self.labels.reshape(-1).astype(np.int32)

    @property
    def cluster_centers_(self) -> NDArray[np.float64]:
        """Centres (k, bands), in the raster's own units."""
        return self.centers

    @property
    def inertia_(self) -> float:
        """The inertia, in scaled units."""
        return self.inertia


def segment(
    raster: Any, clusters: int = 8, *, scale: str = "std", nodata: float | None = None, **settings: Any
) -> Segmented:
    """Part the pixels of a raster into clusters of like values, by mini-batch k-means.

    Parameters
    ----------
    raster : (height, width) or (height, width, bands) array of numbers
        A pixel with NaN, `nodata` or a masked value in any band takes no part. It is not modified.
    clusters : int, 1 to 65,536
    scale : "std", "range" or "none"
        What makes bands comparable: each over its standard deviation, each over its range, or as
        they are. A constant band is left as it is.
    nodata : number, optional
        The value, in any band, of pixels that hold no data.
    **settings
        Of `pipeline.color.minibatch.MiniBatch`: batch_pixels, max_steps, tol, patience, seed, and
        refine: exact steps over all pixels afterwards, in blocks. By default up to 2²⁰ pixels are
        refined: that takes up to 0.8 % off the inertia and doubles the time; beyond, batches are
        as good to about 0.1 %.

    Returns
    -------
    Segmented
        Labels, the largest cluster first, and centres in the raster's own units.

    Raises
    ------
    ValueError
        If the raster has another shape or type, infinite values, values beyond 1e140 or bands whose
        range is below 1e-140, or no pixel with data.

    Notes
    -----
    Mini-batch k-means [1]_, started by greedy k-means++ on a sample [2]_. Of the pixels of a batch one is
    drawn from each of as many stretches of the raster, so that no batch is of one place only.

    References
    ----------
    .. [1] D. Sculley, "Web-scale k-means clustering", WWW 2010.
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from pipeline import segment
    >>> raster = np.array([[1.0, 1.5, 900.0], [1.25, np.nan, 900.0]], np.float32)
    >>> found = segment(raster, clusters=2, scale="none")
    >>> found.labels.tolist(), found.centers.tolist(), found.inertia
    ([[0, 0, 1], [0, 2, 1]], [[1.25], [900.0]], 0.125)
    """
    require_whole("clusters", clusters, 1, MAX_COLORS)
    wanted = MiniBatch(colors=clusters, **settings)
    if scale not in SCALES:
        raise ValueError(f"scale must be 'none', 'std' or 'range', not {scale!r}")
    _get_ready()
    return _segment(raster, wanted, scale, nodata)


@cache
def _get_ready() -> None:
    """Before the first raster: compiling is announced, not a silent pause."""
    ramp = np.arange(600.0).reshape(20, 30)
    ramp[0, 0] = np.nan
    with announced(logging.getLogger("segpipe").warning):
        for clusters in (2, 300):
            _segment(ramp, MiniBatch(clusters, batch_pixels=300, max_steps=1), "std", None)


def _segment(raster: Any, wanted: MiniBatch, scale: str, nodata: float | None) -> Segmented:
    bands = Bands(raster, nodata, wanted.colors)
    frame = Frame.of(bands.survey, scale)
    found = find_centers(bands, frame, wanted)
    return Segmented(
        labels=_relabel(bands, found.order),
        centers=found.centers[found.order],
        counts=found.counts[found.order],
        asked=wanted.colors,
        inertia=found.inertia,
        offsets=frame.offsets,
        scales=frame.scales,
        steps=found.steps,
        converged=found.converged,
    )


def _relabel(bands: Bands, order: NDArray[np.int64]) -> NDArray[Any]:
    """The label map in this order of clusters, with the next value where there is no data."""
    dtype = label_type(len(order), bands.complete)
    rank = np.zeros(int(order.max()) + 1, np.int64)
    rank[order] = np.arange(len(order))
    labels = bands.labels if bands.labels.dtype == dtype else np.empty(bands.labels.shape, dtype)
    for place in bands.places():
        part = bands.labels[place]
        valid = part != bands.clear
        labels[place] = np.where(valid, rank[np.where(valid, part, 0)], len(order))
    return labels
