"""Getting the compiled loops ready: the first time on a machine takes about twenty seconds."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from pipeline.color import kernels
from pipeline.color.clusters import describe_clusters
from pipeline.color.codebook import Method
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette, paint, show
from pipeline.color.metrics import measure

_SILENCE = 2.0  # seconds; loading the loops from the disk takes half of one, on a machine that is idle
_TOLD = "getting ready; the inner loops are compiled where they are first needed, for up to half a minute"


def warm_up(announce: Callable[[str], None] = lambda text: None) -> None:
    """Compile every loop that a run uses, or load it from the disk; see `announced`."""
    with announced(announce):
        count_colors(np.zeros((1 << 19, 1, 3), np.uint8))  # many pixels are counted in another way
        levels = np.arange(64 * 3, dtype=np.uint8).reshape(8, 8, 3)
        counts = count_colors(levels)
        kernels.add_counts(np.zeros(1, np.uint32), np.ones(1, np.uint32), np.zeros(1, np.int64))
        KMeans(2, init="pixels", color_space="oklab").fit(counts)
        KMeans(3, init=levels[0, :1]).fit(counts)
        for colors in (2, 64):
            fitted = fit_palette(counts, KMeans(colors))
            measure(counts, fitted.labels, fitted.palette.colors, fitted.squared_error)
            describe_clusters(counts, fitted.labels, colors)
            show(paint(levels, None, counts, fitted), fitted.palette.colors, None)


def warm_up_for(method: Method, announce: Callable[[str], None]) -> None:
    """Compile, or load, only the loops that palettes by this method need; see `announced`."""
    with announced(announce):
        count_colors(np.zeros((1 << 19, 1, 3), np.uint8))
        counts = count_colors(np.arange(64 * 3, dtype=np.uint8).reshape(8, 8, 3))
        fitted = fit_palette(counts, method)
        describe_clusters(counts, fitted.labels, len(fitted.palette))


@contextmanager
def announced(announce: Callable[[str], None]) -> Iterator[None]:
    """Call `announce`, from another thread, if compiling lasts longer than one waits without wondering."""
    timer = threading.Timer(_SILENCE, announce, [_TOLD])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
