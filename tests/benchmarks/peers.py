"""Other quantizers behind one call: an image and a number of colours in, MSE and seconds out.

Each is measured in this process on one thread, its second call where it has anything to warm up.
The MSE is of the 8-bit result, summed over channels, mean over pixels.
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from pipeline import quantize

Pixels = NDArray[np.uint8]


def segpipe(image: Pixels, colors: int) -> Pixels:
    return quantize(image, colors).image


def segpipe_8(image: Pixels, colors: int) -> Pixels:
    """With `attempts: 8`."""
    return quantize(image, colors, attempts=8).image


def libimagequant(image: Pixels, colors: int) -> Pixels:
    """The library of pngquant at its default speed, without dithering."""
    import imagequant

    result = imagequant.quantize_pil_image(
        Image.fromarray(image).convert("RGBA"), dithering_level=0.0, max_colors=colors
    )
    return np.asarray(result.convert("RGB"))


def pillow(image: Pixels, colors: int) -> Pixels:
    """Median cut, then k-means to convergence."""
    result = Image.fromarray(image).quantize(colors, Image.Quantize.MEDIANCUT, kmeans=1)
    return np.asarray(result.convert("RGB"))


def scikit_learn(image: Pixels, colors: int) -> Pixels:
    """KMeans with one start on all pixels."""
    from sklearn.cluster import KMeans

    pixels = image.reshape(-1, 3).astype(np.float32)
    fitted = KMeans(colors, n_init=1, random_state=0).fit(pixels)
    centers = np.round(fitted.cluster_centers_).astype(np.uint8)
    return centers[fitted.labels_].reshape(image.shape)


def scikit_learn_minibatch(image: Pixels, colors: int) -> Pixels:
    """MiniBatchKMeans with its defaults, on all pixels."""
    from sklearn.cluster import MiniBatchKMeans

    pixels = image.reshape(-1, 3).astype(np.float32)
    fitted = MiniBatchKMeans(colors, n_init=1, random_state=0).fit(pixels)
    centers = np.round(fitted.cluster_centers_).astype(np.uint8)
    return centers[fitted.labels_].reshape(image.shape)


def opencv(image: Pixels, colors: int) -> Pixels:
    """`cv2.kmeans` as its tutorial calls it: 10 attempts from random centres, 10 iterations, epsilon 1."""
    import cv2

    cv2.setNumThreads(1)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    pixels = image.reshape(-1, 3).astype(np.float32)
    _, labels, centers = cv2.kmeans(pixels, colors, None, criteria, 10, cv2.KMEANS_RANDOM_CENTERS)
    return np.round(centers).astype(np.uint8)[labels.reshape(-1)].reshape(image.shape)


def faiss(image: Pixels, colors: int) -> Pixels:
    """`faiss.Kmeans` on all pixels (its default samples 256 for each colour), 25 iterations."""
    import faiss

    faiss.omp_set_num_threads(1)
    pixels = image.reshape(-1, 3).astype(np.float32)
    fitted = faiss.Kmeans(3, colors, niter=25, seed=0, max_points_per_centroid=len(pixels))
    fitted.train(pixels)
    labels = fitted.index.search(pixels, 1)[1].reshape(-1)
    return np.round(fitted.centroids).clip(0, 255).astype(np.uint8)[labels].reshape(image.shape)


PEERS: dict[str, Callable[[Pixels, int], Pixels]] = {
    "segpipe": segpipe,
    "attempts: 8": segpipe_8,
    "libimagequant": libimagequant,
    "pillow": pillow,
    "scikit-learn": scikit_learn,
    "minibatch": scikit_learn_minibatch,
    "opencv": opencv,
    "faiss": faiss,
}


def measure(peer: str, image: Pixels, colors: int, repeats: int = 1) -> tuple[float, float]:
    """MSE, and the shortest of so many times in seconds."""
    seconds = []
    with threadpool_limits(1):
        for _ in range(repeats):
            start = time.perf_counter()
            result = PEERS[peer](image, colors)
            seconds.append(time.perf_counter() - start)
    return mse(image, result), min(seconds)


def mse(image: Pixels, result: Pixels) -> float:
    total = 0.0
    for row, other in zip(image, result, strict=True):  # by rows: an image in int64 may not fit
        total += float(np.square(row.astype(np.int64) - other).sum())
    return total / (image.shape[0] * image.shape[1])


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))
