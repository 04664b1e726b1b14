"""First centres for mini-batches: too many of them, merged two at a time to as many as are wanted.

Greedy k-means++ splits large clusters before it looks for small far ones: of clusters of 0.1 % of the
pixels, best of eight starts, it missed one in 13 of 30 images. Half as many centres again find them,
and merging those that cost least to merge (Ward 1963) leaves them be: none was missed.
"""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.color.chance import draw_shares
from pipeline.color.kernels import kernel
from pipeline.color.means import Means
from pipeline.color.points import nearest, total_of

_TRIALS = 3  # of greedy k-means++
_SPARE = 8  # centres beyond those wanted, at least, or half as many again
_ONE_BY_ONE = 1024  # centres; more are seeded in lots, and none is merged
_SPREADING = 4  # Lloyd steps before centres are merged
_SEEDING = 8  # and after
_STREAM = 2**62  # of chance; no step has such a number


def best_start(
    sample: NDArray[np.float64], held_out: NDArray[np.float64], k: int, seed: int, tol: float
) -> NDArray[np.float64]:
    """Centres (k, channels) for a sample (channels, n): the start that does best on points held out."""
    number = next(n for most, n in ((32, 8), (128, 2), (k, 1)) if k <= most)
    best, least = np.empty((0, len(sample))), math.inf
    for start in range(number):
        means = Means(_start(sample, k, seed, _STREAM + start, tol))
        means.settle(sample, tol, _SEEDING)
        inertia = total_of(nearest(held_out, means.centers)[1])
        if inertia < least:
            best, least = means.centers, inertia
    return best


def _start(sample: NDArray[np.float64], k: int, seed: int, stream: int, tol: float) -> NDArray[np.float64]:
    if k > _ONE_BY_ONE:
        return _seed_in_lots(sample, k, seed, stream)
    many = k + max(_SPARE, k // 2)
    shares = np.empty(many * _TRIALS)
    draw_shares(seed, stream, shares)
    means = Means(seed_one_by_one(sample, many, _TRIALS, shares))
    means.settle(sample, tol, _SPREADING)
    merge_nearest(means.centers, means.seen, k)
    return means.centers[:k]


@kernel
def _pick(weights: NDArray[np.float64], target: float) -> int:
    """Where the weights, added up in order, pass `target`."""
    passed = 0.0
    last = 0
    for i in range(len(weights)):
        if weights[i] > 0.0:
            last = i
            passed += weights[i]
            if passed > target:
                break
    return last


@kernel
def seed_one_by_one(
    points: NDArray[np.float64], k: int, trials: int, shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Greedy k-means++ (Arthur & Vassilvitskii 2007): k of the points (channels, n), as (k, channels).

    Each is the best of `trials`, drawn by their squared distance to those before; so it takes
    k · trials shares. If there are fewer distinct points, the first is repeated.
    """
    channels, n = points.shape
    distance = np.full(n, np.inf)
    best = np.empty(n)
    trial = np.empty(n)
    centers = np.empty((k, channels))
    remaining = 0.0
    for j in range(k):
        least = np.inf
        for t in range(trials if j > 0 else 1):
            share = shares[j * trials + t]
            pick = _pick(distance, share * remaining) if j > 0 else min(np.int64(share * n), n - 1)
            for c in range(channels):
                center = points[c, pick]
                for i in range(n):
                    off = points[c, i] - center
                    trial[i] = off * off if c == 0 else trial[i] + off * off
            for i in range(n):
                trial[i] = min(trial[i], distance[i])
            total = total_of(trial)
            if total < least:
                least = total
                best, trial = trial, best
                centers[j] = points[:, pick]
        distance, best = best, distance
        remaining = least
    return centers


@kernel
def merge_nearest(centers: NDArray[np.float64], seen: NDArray[np.int64], k: int) -> None:
    """Merge clusters two at a time, where the inertia rises least, until the first k hold all.

    Ward's method (1963). centers (m, channels) and seen (m,), their pixels, are changed in place.
    """
    m, channels = centers.shape
    partner = np.zeros(m, np.int64)
    rise = np.full(m, -1.0)  # of the best merger; to be found anew if negative
    while m > k:
        best = 0
        for i in range(m):
            if rise[i] < 0.0:
                rise[i] = np.inf
                for j in range(m):
                    far = 0.0
                    for c in range(channels):
                        far += (centers[i, c] - centers[j, c]) * (centers[i, c] - centers[j, c])
                    far *= np.float64(seen[i]) * seen[j] / max(seen[i] + seen[j], 1)
                    if j != i and far < rise[i]:
                        rise[i], partner[i] = far, j
            if rise[i] < rise[best]:
                best = i
        one, other = min(best, partner[best]), max(best, partner[best])
        total = max(seen[one] + seen[other], 1)
        for c in range(channels):
            centers[one, c] += (centers[other, c] - centers[one, c]) * seen[other] / total
        seen[one] += seen[other]
        m -= 1
        centers[other], seen[other] = centers[m], seen[m]
        rise[other], partner[other] = rise[m], partner[m]
        for i in range(m):  # a merged cluster is nearer to no other than its parts were
            if i == one or partner[i] == one or partner[i] == other or partner[i] == m:
                rise[i] = -1.0


def _seed_in_lots(sample: NDArray[np.float64], k: int, seed: int, stream: int) -> NDArray[np.float64]:
    """k-means++ that draws a quarter more centres at a time (after Bahmani et al., "k-means‖", 2012)."""
    shares = np.empty(2 * k)
    draw_shares(seed, stream, shares)
    centers = np.tile(sample[:, :1].T, (k, 1))
    distances = nearest(sample, centers[:1])[1]
    found, used = 1, 0  # what is not found repeats the first
    while found < k and used < len(shares):
        passed = np.cumsum(distances)
        if passed[-1] == 0.0:
            break
        lot = shares[used : used + min(k - found, 1 + found // 4)] * passed[-1]
        used += len(lot)
        picks = np.unique(np.searchsorted(passed, lot, side="right"))
        picks = picks[picks < len(distances)]
        new = slice(found, found + len(picks))
        centers[new] = sample[:, picks].T
        found = new.stop
        if len(picks):
            distances = np.minimum(distances, nearest(sample, centers[new])[1])
    return centers
