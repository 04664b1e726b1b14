"""ICC profiles: colours as they were meant, in sRGB.

    no profile                           taken for sRGB (CMYK: Pillow's simple formula)
    a profile that is sRGB               no work: it moves no colour by more than one step of 255
    RGB, grey and CMYK profiles          converted to sRGB, perceptual intent
    a profile for other channels, or
    one that is broken                   ignored, and noted

Alpha is not touched.
"""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}


def to_srgb(color: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert a picture to sRGB.

    Parameters
    ----------
    color : PIL image
        Mode RGB, L or CMYK.
    profile : bytes or None
        The embedded ICC profile.

    Returns
    -------
    tuple of PIL image and tuple of str
        The picture in mode RGB, and what was done, in words.
    """
    if not profile:
        return _plain(color), ()
    try:
        name, transform = _transform(profile, color.mode)
    except _UnusableError as error:
        return _plain(color), (f"{error}: ignored",)
    if transform is None:
        return _plain(color), ()
    return transform.apply(color), (f"ICC profile {name!r} converted to sRGB",)


class _UnusableError(Exception):
    """A profile that says nothing about the picture; the text begins a note."""


def _plain(color: Image.Image) -> Image.Image:
    """Convert without a profile."""
    return color if color.mode == "RGB" else color.convert("RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """Build the way from a profile to sRGB; None for one that changes nothing.

    Images of one folder mostly share one profile, and building costs more than a small image.
    """
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        name = (source.profile.profile_description or "without a name").strip()
        space = source.profile.xcolor_space.strip()
    except (OSError, ValueError, TypeError) as error:
        raise _UnusableError(f"ICC profile is broken ({error})") from error
    if space != _SPACES[mode]:
        raise _UnusableError(f"ICC profile {name!r} is for {space} and the picture is {_SPACES[mode]}")
    try:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.ImageCmsTransform(source, srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    except (OSError, ValueError, TypeError) as error:
        raise _UnusableError(f"ICC profile {name!r} cannot be used ({error})") from error
    probe = _probe(mode)
    moved = np.abs(np.asarray(transform.apply(probe), np.int16) - np.asarray(_plain(probe), np.int16)).max()
    return name, transform if moved > 1 else None


def _probe(mode: str) -> Image.Image:
    """Make a picture of colours from all over the space: 9 steps in each channel (grey: all)."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    channels = len(mode)
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(*[steps] * channels), axis=-1).reshape(1, -1, channels)
    return Image.frombytes(mode, (grid.shape[1], 1), grid.tobytes())
