"""Structural similarity of an image and its quantized form, for pictures of any size."""

import numpy as np
from numpy.typing import NDArray

_WINDOW = 7  # scikit-image's default, in pixels
_BAND = 256  # rows at a time: the maps in between take 200 bytes a pixel


def similarity(
    image: NDArray[np.uint8], quantized: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None
) -> float | None:
    """Mean SSIM (Wang et al. 2004), as `skimage.metrics.structural_similarity` with its defaults.

    image, quantized : (height, width, 3). Pixels of alpha (height, width) 0 count as alike.
    Returns None for pictures that are less than 7 pixels high or wide.
    """
    from skimage.metrics import structural_similarity

    height, width = image.shape[:2]
    if min(height, width) < _WINDOW:
        return None
    if alpha is not None and not alpha.all():
        quantized = np.where((alpha == 0)[:, :, None], image, quantized)
    edge = _WINDOW // 2
    total = 0.0
    for top in range(edge, height - edge, _BAND):
        rows = slice(top - edge, min(top + _BAND, height - edge) + edge)
        _, ssim = structural_similarity(
            image[rows], quantized[rows], win_size=_WINDOW, channel_axis=2, data_range=255, full=True
        )
        total += float(ssim[edge:-edge, edge:-edge].sum())
    return float(round(total / ((height - 2 * edge) * (width - 2 * edge) * 3), 6))
