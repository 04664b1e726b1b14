"""Pictures beside each other in one small file, for pages that show many of them."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_QUALITY = 82


def webp_strip(pictures: Sequence[NDArray[np.uint8]]) -> bytes:
    """A WebP of pictures (height, width, 3 or 4) uint8 of one size, from left to right.

    It has an alpha channel if one of them has one.
    """
    clear = any(picture.shape[2] == 4 for picture in pictures)
    whole = np.concatenate([_opaque(picture) if clear else picture for picture in pictures], axis=1)
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(whole)).save(file, "WEBP", quality=_QUALITY)
    return file.getvalue()


def _opaque(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with an alpha channel: its own, or a full one."""
    if picture.shape[2] == 4:
        return picture
    return np.concatenate([picture, np.full_like(picture[..., :1], 255)], axis=2)
