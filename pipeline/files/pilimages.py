"""Images that a program has opened with Pillow, by the policies for files.

Modes, 16 bits and floats as told in `modes`, ICC profiles as in `profiles`. Only the orientation that EXIF
states is not applied: an array of labels is to lie over the image as the program has it.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.files.images import array_of
from pipeline.files.modes import channels_of, raw_mode
from pipeline.files.profiles import to_srgb


def read_pil(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Colours (height, width, 3), sRGB, and alpha (height, width), None when opaque throughout.

    Raises ValueError for a mode that Pillow cannot convert, or an image without pixels.
    """
    if 0 in image.size:
        raise ValueError(f"expected an image with pixels, found the image is empty: size {image.size}")
    tiles = getattr(image, "tile", None)  # of a file that is not decoded yet
    stored = raw_mode(tiles[0].args) if tiles else ""
    image.load()
    channels = channels_of(image, stored)
    color, _ = to_srgb(channels.color, image.info.get("icc_profile"))
    return array_of(color), None if channels.alpha is None else np.array(channels.alpha)
