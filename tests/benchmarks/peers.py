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


PEERS: dict[str, Callable[[Pixels, int], Pixels]] = {
    "segpipe": segpipe,
    "libimagequant": libimagequant,
    "pillow": pillow,
    "scikit-learn": scikit_learn,
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
