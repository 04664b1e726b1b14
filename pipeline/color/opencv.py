"""k-means as OpenCV's users call it: the arguments, the shapes and the criteria of `cv2.kmeans`."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kmeans import KMeans
from pipeline.color.quantizer import quantize
from pipeline.color.rasters import segment

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
    data : (n, channels) array of numbers
        Of three channels with whole numbers from 0 to 255 they are colours, which are counted and
        fitted exactly; anything else goes to mini-batch k-means, as it is, once.
    k : int, 1 to 65,536
    best_labels : (n,) or (n, 1) integers, for KMEANS_USE_INITIAL_LABELS; else not looked at
    criteria : (type, max_iter, epsilon)
        Of colours; epsilon is the centroids' shift. Not clamped to 100 iterations.
    attempts, flags : as OpenCV's; seed takes the place of its thread's random state

    Returns
    -------
    Clustering
        `labels` point to the nearest of the 8-bit colours next to the centers, if data are colours.

    Raises
    ------
    ValueError
        If there are fewer distinct points than clusters, or data has another shape.
    """
    points = np.asarray(data)
    if points.ndim != 2 or not points.size:
        raise ValueError(f"expected data of shape (n, channels), found shape {points.shape}")
    if points.shape[1] == 3 and _are_levels(points):
        return _of_colors(points.astype(np.uint8), k, best_labels, criteria, (attempts, flags, seed))
    found = segment(points[:, None, :], k, scale="none", seed=seed, refine=True)
    if len(found.centers) < k:
        raise ValueError(f"expected {k} distinct points or more, found {len(found.centers)}")
    return Clustering(found.inertia_, found.labels_[:, None], found.centers.astype(np.float32))


def _are_levels(points: NDArray[Any]) -> bool:
    if points.dtype == np.uint8:
        return True
    return bool((points >= 0).all() and (points <= 255).all() and (points == np.floor(points)).all())


def _of_colors(
    colors: NDArray[np.uint8],
    k: int,
    best_labels: NDArray[Any] | None,
    criteria: Criteria,
    more: tuple[int, int, int],
) -> Clustering:
    attempts, flags, seed = more
    kind, max_iter, epsilon = criteria
    init: Any = "kmeans++" if flags & KMEANS_PP_CENTERS else "random"
    if flags & KMEANS_USE_INITIAL_LABELS:
        if best_labels is None:
            raise ValueError("KMEANS_USE_INITIAL_LABELS needs best_labels, found None")
        init, attempts = _means(colors, np.asarray(best_labels).reshape(-1), k), 1
    result = quantize(
        colors[:, None, :],
        k,
        init=init,
        attempts=attempts,
        max_iter=max_iter if kind & TERM_CRITERIA_MAX_ITER else KMeans.max_iter,
        eps=epsilon if kind & TERM_CRITERIA_EPS else 0.0,
        tol=0.0,
        seed=seed,
    )
    if len(result.palette) < k:
        raise ValueError(f"expected {k} distinct points or more, found {len(result.palette)}")
    return Clustering(result.inertia_, result.labels_[:, None], result.cluster_centers_.astype(np.float32))


def _means(colors: NDArray[np.uint8], labels: NDArray[Any], k: int) -> NDArray[np.uint8]:
    """The distinct mean colours of the clusters that labels (n,) tell of."""
    if len(labels) != len(colors) or labels.min() < 0 or labels.max() >= k:
        raise ValueError(f"expected best_labels of {len(colors)} places below {k}, found {labels.shape}")
    pixels = np.bincount(labels, minlength=k)
    sums = np.stack([np.bincount(labels, colors[:, c], k) for c in range(3)], axis=1)
    means = sums[pixels > 0] / pixels[pixels > 0, None]
    return np.unique(np.floor(means + 0.5).astype(np.uint8), axis=0)
