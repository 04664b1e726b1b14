"""Pictures beside each other in one small file, for pages that show many of them."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_QUALITY = 82
_LEAST = 96  # pixels of the longer side: of smaller ones a browser would smear one picture into the next


def webp_strip(pictures: Sequence[NDArray[np.uint8]]) -> bytes:
    """A WebP of pictures (height, width, 3 or 4) uint8 of one size, from left to right.

    It has an alpha channel if one of them has one. Each pixel of tiny ones becomes a square of pixels.
    """
    clear = any(picture.shape[2] == 4 for picture in pictures)
    whole = np.concatenate([_opaque(picture) if clear else picture for picture in pictures], axis=1)
    height, width = pictures[0].shape[:2]
    whole = _enlarged(whole, max(1, _LEAST // max(height, width)))
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(whole)).save(file, "WEBP", quality=_QUALITY)
    return file.getvalue()


def _enlarged(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _opaque(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with an alpha channel: its own, or a full one."""
    if picture.shape[2] == 4:
        return picture
    return np.concatenate([picture, np.full_like(picture[..., :1], 255)], axis=2)
