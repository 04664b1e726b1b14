"""k-means as OpenCV's users call it: the arguments, the shapes and the criteria of `cv2.kmeans`."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.chance import seed_of
from pipeline.color.checks import require_whole
from pipeline.color.clusters import describe_clusters
from pipeline.color.codebook import MAX_COLORS
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette, paint
from pipeline.color.points import nearest, total_of
from pipeline.color.rasters import segment
from pipeline.color.warmup import warm_up

KMEANS_RANDOM_CENTERS, KMEANS_USE_INITIAL_LABELS, KMEANS_PP_CENTERS = 0, 1, 2
TERM_CRITERIA_MAX_ITER, TERM_CRITERIA_EPS = 1, 2

Criteria = tuple[int, int, float]


class Clustering(NamedTuple):
    """What `cv2.kmeans` returns: compactness, labels (n, 1) int32 and centers (k, channels) float32."""

    compactness: float
    labels: NDArray[np.int32]
    centers: NDArray[np.float32]


def kmeans(
    data: NDArray[Any],
    k: int,
    best_labels: NDArray[Any] | None = None,
    criteria: Criteria = (TERM_CRITERIA_MAX_ITER + TERM_CRITERIA_EPS, 10, 1.0),
    attempts: int = 10,
    flags: int = KMEANS_RANDOM_CENTERS,
    *,
    seed: int = 0,
) -> Clustering:
    """Part points into k clusters; a stand-in for `cv2.kmeans` that is exact, seeded and never short.

    Parameters
    ----------
    data : (n, channels) array of finite real numbers
        Of three channels with whole numbers from 0 to 255 they are colours, which are counted and
        fitted exactly; anything else goes to mini-batch k-means, as it is.
    k : int, 1 to 65,536
    best_labels : (n,) or (n, 1) integers, for KMEANS_USE_INITIAL_LABELS; else not looked at
    criteria : (type, max_iter, epsilon)
        Epsilon is the centroids' shift. Not clamped to 100 iterations. Mini-batches end by themselves.
    attempts : int, 1 to 100
    flags : as OpenCV's
        Where mini-batches start is their own affair.
    seed : takes the place of OpenCV's random state

    Returns
    -------
    Clustering
        `labels` point to the nearest of the centers, and the compactness is about them.

    Raises
    ------
    ValueError
        If there are fewer distinct points than clusters, or data or an argument is not as above.

    Notes
    -----
    Steps are Lloyd's [1]_ on counted colours; starts are OpenCV's, random or k-means++ [2]_, of which the
    best of `attempts` is taken.

    References
    ----------
    .. [1] S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2), 1982.
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from pipeline import kmeans
    >>> pixels = np.float32([[0, 0, 0], [2, 2, 2], [250, 0, 0]])
    >>> compactness, labels, centers = kmeans(pixels, 2)
    >>> compactness, sorted(centers.tolist())
    (6.0, [[1.0, 1.0, 1.0], [250.0, 0.0, 0.0]])
    >>> bool(labels[0] == labels[1] != labels[2])
    True
    """
    points = np.asarray(data)
    if points.ndim != 2 or not points.size:
        raise ValueError(f"expected data of shape (n, channels), found shape {points.shape}")
    if points.dtype.kind not in "biuf" or not np.isfinite(points).all():
        raise ValueError(
            f"expected data of finite real numbers, found {points.dtype}, or NaN or infinity in it"
        )
    require_whole("k", k, 1, MAX_COLORS)
    require_whole("attempts", attempts, 1, 100)
    start = _start_of(flags, best_labels, len(points), k)
    stop = _stop_of(criteria)
    if points.shape[1] == 3 and are_levels(points):
        colors = points.astype(np.uint8)
        init = start if isinstance(start, str) else _means(colors, start, k)
        return _of_colors(colors, KMeans(k, init, attempts, tol=0.0, seed=seed, **stop))
    tries = [
        segment(points[:, None, :], k, scale="none", seed=seed_of(seed, attempt), refine=True)
        for attempt in range(attempts)
    ]
    found = min(tries, key=lambda each: each.inertia_)
    _refuse_fewer(len(found.centers), k)
    return Clustering(found.inertia_, found.labels_[:, None], found.centers.astype(np.float32))


def _start_of(flags: Any, best_labels: Any, points: int, k: int) -> str | NDArray[np.int64]:
    """A word for `KMeans`, or the labels to start from."""
    if flags not in (KMEANS_RANDOM_CENTERS, KMEANS_PP_CENTERS):
        if flags not in (KMEANS_USE_INITIAL_LABELS, KMEANS_USE_INITIAL_LABELS + KMEANS_PP_CENTERS):
            raise ValueError(f"expected flags of OpenCV's k-means, 0 to 3, found {flags!r}")
        labels = np.asarray(best_labels)
        if labels.dtype.kind not in "iu" or labels.size != points or labels.min() < 0 or labels.max() >= k:
            raise ValueError(
                f"KMEANS_USE_INITIAL_LABELS needs best_labels, {points} whole numbers below {k}, "
                f"found {labels.dtype} of shape {labels.shape}"
            )
        return labels.reshape(-1).astype(np.int64)
    return "kmeans++" if flags == KMEANS_PP_CENTERS else "random"


def _stop_of(criteria: Any) -> dict[str, Any]:
    """The settings of `KMeans` that criteria stand for."""
    try:
        kind, max_iter, epsilon = criteria
        by_steps, by_shift = bool(kind & TERM_CRITERIA_MAX_ITER), bool(kind & TERM_CRITERIA_EPS)
    except (TypeError, ValueError):
        raise ValueError(f"expected criteria (type, max_iter, epsilon), found {criteria!r}") from None
    return {
        "max_iter": max_iter if by_steps else KMeans.max_iter,
        "eps": epsilon if by_shift else 0.0,
    }


def _refuse_fewer(found: int, k: int) -> None:
    if found < k:
        raise ValueError(f"expected {k} distinct points or more, found {found}")


def are_levels(points: NDArray[Any]) -> bool:
    """Whether all values are whole numbers from 0 to 255."""
    if points.dtype == np.uint8:
        return True
    return bool((points >= 0).all() and (points <= 255).all() and (points == np.floor(points)).all())


def _of_colors(colors: NDArray[np.uint8], method: KMeans) -> Clustering:
    warm_up()
    counts = count_colors(colors)
    _refuse_fewer(len(counts), method.colors)
    fitted = fit_palette(counts, method)
    centers = describe_clusters(counts, fitted.labels, method.colors).centroids.astype(np.float32)
    labels, distances = nearest(counts.planes.astype(np.float64), centers.astype(np.float64))
    relabelled = replace(fitted, labels=labels.astype(np.int32))
    painted = paint(colors[:, None, :], None, counts, relabelled)
    return Clustering(total_of(distances * counts.counts), painted.astype(np.int32), centers)


def _means(colors: NDArray[np.uint8], labels: NDArray[np.int64], k: int) -> NDArray[np.uint8]:
    """The distinct mean colours of the clusters that labels (n,) tell of."""
    pixels = np.bincount(labels, minlength=k)
    sums = np.stack([np.bincount(labels, colors[:, c], k) for c in range(3)], axis=1)
    means = sums[pixels > 0] / pixels[pixels > 0, None]
    return np.unique(np.floor(means + 0.5).astype(np.uint8), axis=0)
