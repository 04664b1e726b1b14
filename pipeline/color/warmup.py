"""Getting the compiled loops ready: the first time on a machine takes a quarter of a minute."""

import numpy as np

from pipeline.color.clusters import describe_clusters
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.metrics import measure
from pipeline.color.quantizer import fit_palette, paint


def warm_up() -> None:
    """Compile every loop that a run uses, or load it from the cache on disk."""
    levels = np.arange(64 * 3, dtype=np.uint8).reshape(8, 8, 3)
    counts = count_colors(levels)
    for colors in (2, 64):
        fitted = fit_palette(counts, KMeans(colors))
        measure(counts, fitted.labels, fitted.palette.colors, fitted.inertia)
        describe_clusters(counts, fitted.labels, colors)
        paint(levels, None, counts, fitted)
