"""Mini-batch k-means: centres from batches of pixels drawn from all of the image.

D. Sculley, "Web-scale k-means clustering", WWW 2010: each centre is the running mean of the pixels it
has seen. It is for pixels too many or too finely graded to count. What differs from scikit-learn:

- The start is a k-means of one batch, the best of several starts: early batches, whose labels are
  poor, would else hold the means back for long.
- No cluster is deleted for being small. Only a centre that has never seen a pixel is put elsewhere,
  on the pixel of the batch that is farthest from all centres.
- A batch is a function of the seed, the step and the number of pixels: nothing else can change it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.color.chance import draw_shares
from pipeline.color.checks import check_number, check_whole
from pipeline.color.codebook import MAX_COLORS
from pipeline.color.means import Means
from pipeline.color.samplestarts import best_start

_SAMPLE = 16_384, 131_072  # pixels that a start is seeded among, least and most
_SAMPLE_PER_COLOR = 32
_FIRST_STEPS = 40  # Lloyd steps on the first batch
_NEWEST = 0.3  # the newest batch's share in the smoothed inertia

Take = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Pixels (channels, n) float64 of the given indices (n,), which ascend."""


@dataclass(frozen=True)
class MiniBatch:
    """Settings of a mini-batch fit.

    colors : clusters, 1 to 65,536. batch_pixels : pixels of a batch, at least `colors`.
    At 256 colours 16,384 make the MSE of a photograph 1 % worse, and 131,072 make it 0.3 % better in
    twice the time. max_steps : batches, at most.
    tol, patience : the fit ends when the smoothed inertia of the batches has not fallen by more than
    this share for so many steps. seed : of all draws. refine : end with exact steps over
    all pixels; None leaves it to the caller, which does so where it costs little.
    """

    colors: int = 16
    batch_pixels: int = 65_536
    max_steps: int = 100
    tol: float = 5e-4
    patience: int = 5
    seed: int = 0
    refine: bool | None = None

    def __post_init__(self) -> None:
        check_whole(self, ("colors", 1, MAX_COLORS), ("batch_pixels", self.colors, 2**31))
        check_whole(self, ("max_steps", 1, 1_000_000), ("patience", 1, 1_000_000), ("seed", 0, 2**63 - 1))
        check_number(self, ("tol", 0, math.inf))
        if self.refine not in (None, True, False):
            raise ValueError(f"refine must be true, false or None, not {self.refine!r}")


def follow_batches(take: Take, pixels: int, settings: MiniBatch) -> tuple[NDArray[np.float64], int, bool]:
    """Find `settings.colors` centres for so many pixels, of more distinct values than that.

    Returns centres (k, channels), the steps made, and whether they ended by `tol`.
    """
    size = min(settings.batch_pixels, pixels)
    batch = _draw(take, pixels, size, settings.seed, 1)
    sample = _draw(take, pixels, _sample_of(pixels, settings.colors), settings.seed, 0)
    means = Means(best_start(sample, batch, settings.colors, settings.seed, settings.tol))
    means.settle(batch, settings.tol, _FIRST_STEPS)
    means.place_unseen(batch)
    smoothed = least = math.inf
    waited = 0
    for step in range(1, settings.max_steps + 1):
        batch = _draw(take, pixels, size, settings.seed, 1 + step)
        inertia = means.see(batch) / size
        means.place_unseen(batch)
        smoothed = inertia if step == 1 else _NEWEST * inertia + (1 - _NEWEST) * smoothed
        if smoothed < least * (1 - settings.tol):
            least, waited = smoothed, 0
        else:
            waited += 1
        if waited == settings.patience:
            return means.centers, step, True
    return means.centers, settings.max_steps, False


def _sample_of(pixels: int, k: int) -> int:
    return min(pixels, max(_SAMPLE[0], min(_SAMPLE_PER_COLOR * k, _SAMPLE[1])))


def _draw(take: Take, pixels: int, size: int, seed: int, stream: int) -> NDArray[np.float64]:
    """A batch, with replacement, in the order of the pixels: memory is read forwards."""
    shares = np.empty(size)
    draw_shares(seed, stream, shares)
    return take(np.sort(np.minimum((shares * pixels).astype(np.int64), pixels - 1)))
