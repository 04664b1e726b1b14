"""Pillow's modes, each brought to colour channels of 8 bits and an alpha channel.

    stored as                 becomes
    RGB, RGBX                 as it is
    L, 1                      grey; black and white are 0 and 255
    P                         the palette's colours; tRNS (an index, a table) is alpha
    RGB, L, 1, I;16 + tRNS    the key colour is alpha 0, all others 255
    RGBA, LA, PA              colour, and alpha
    RGBa, La                  divided by alpha (they are premultiplied), and alpha
    CMYK                      stays CMYK for its ICC profile; without one, Pillow's simple formula
    YCbCr, LAB, HSV           RGB
    16 bits a sample          the high byte, v >> 8 (as Pillow does to 16-bit RGB by itself)
    I (32 bits)               as 16 bits when all lie in 0..65535, else stretched: min 0, max 255
    F (float)                 × 255, rounded, when all lie in 0..1, else stretched;
                              NaN and infinity are transparent black

What lost or invented something is told in `notes`. Fully transparent pixels keep their colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Grey of 2 and 4 bits comes out of Pillow stretched to 8, but its tRNS key as it was stored.
_KEY_SCALE: Mapping[str, int] = {"L;2": 85, "L;4": 17}


@dataclass(frozen=True, slots=True)
class Channels:
    """An image as colour and alpha.

    Attributes
    ----------
    color : PIL image
        Mode RGB, L or CMYK: the colour space in which an ICC profile would describe it.
    alpha : PIL image or None
        Mode L, of the same size; None when opaque throughout.
    notes : tuple of str
        What was changed on the way, in words.
    """

    color: Image.Image
    alpha: Image.Image | None
    notes: tuple[str, ...]


def channels_of(image: Image.Image, stored: str) -> Channels:
    """Bring a decoded image to colour and alpha.

    Parameters
    ----------
    image : PIL image
        Decoded, of any mode.
    stored : str
        Pillow's raw mode of the file's samples ("RGB;16B", "L;2", …), which the decoded image
        no longer shows; "" when unknown.

    Raises
    ------
    ValueError
        When Pillow cannot convert from this mode.
    """
    deep = ";16" in stored and image.mode not in ("I", "F")
    notes = ["16-bit samples: high byte kept"] if deep or image.mode.startswith("I;16") else []
    alpha: Image.Image | None = None
    if image.mode == "F":
        color, alpha, told = _from_floats(np.asarray(image))
        notes += told
    elif image.mode == "I":
        color, told = _from_integers(np.asarray(image))
        notes += told
    else:
        alpha = _key_alpha(image, stored)
        color, rest = _split(image)
        alpha = rest if alpha is None else alpha
        if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            notes.append(f"{image.mode} converted")
    if alpha is not None and alpha.getextrema() == (255, 255):
        alpha = None
    return Channels(color, alpha, tuple(notes))


def raw_mode(tile_args: object) -> str:
    """Give the raw mode that a Pillow tile's arguments name; "" when they name none."""
    first = tile_args[0] if isinstance(tile_args, tuple) and tile_args else tile_args
    return first if isinstance(first, str) else ""


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Take colour and alpha apart, for modes of 8 and 16 bits."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)), None
    if image.mode in ("RGB", "L", "CMYK"):
        return image, None
    if image.mode in ("LA", "La"):
        whole = image.convert("LA")
        return whole.getchannel("L"), whole.getchannel("A")
    if image.mode in ("RGBA", "RGBa", "PA") or (image.mode == "P" and image.has_transparency_data):
        whole = image.convert("RGBA")
        return whole.convert("RGB"), whole.getchannel("A")
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _key_alpha(image: Image.Image, stored: str) -> Image.Image | None:
    """Give the alpha that a key colour (tRNS outside of palettes) stands for, if there is one."""
    key = image.info.get("transparency")
    if image.mode not in ("1", "L", "RGB", "I;16", "I;16B", "I;16L", "I;16N") or not isinstance(
        key, int | tuple
    ):
        return None
    samples = np.asarray(image.convert("L") if image.mode == "1" else image)
    # Only the high bytes of 16-bit RGB are left, so only they can be compared.
    shift = 8 if image.mode == "RGB" and ";16" in stored else 0
    hit = samples == (np.asarray(key, dtype=np.int64) * _KEY_SCALE.get(stored, 1) >> shift)
    if image.mode == "RGB":
        hit = hit.all(axis=2)
    return Image.fromarray(np.where(hit, np.uint8(0), np.uint8(255)))


def _from_integers(samples: NDArray[np.int32]) -> tuple[Image.Image, list[str]]:
    """Bring 32-bit integers to 8 bits: as 16-bit samples where they fit, else stretched."""
    low, high = int(samples.min()), int(samples.max())
    if low >= 0 and high <= 0xFFFF:
        grey = samples >> 8
        return Image.fromarray(grey.astype(np.uint8)), ["32-bit samples read as 16-bit: high byte kept"]
    # (2a + b) // 2b is a / b rounded to the nearest, halves up, without a float; in place, for these are
    # 8 bytes a pixel.
    wide = samples.astype(np.int64)
    wide -= low
    wide *= 510
    wide += high - low
    wide //= 2 * max(high - low, 1)
    return Image.fromarray(wide.astype(np.uint8)), [f"32-bit samples stretched from {low}..{high} to 0..255"]


def _from_floats(samples: NDArray[np.float32]) -> tuple[Image.Image, Image.Image | None, list[str]]:
    """Bring float samples to 8 bits; those that are no numbers become transparent black."""
    finite = np.isfinite(samples)
    notes = []
    alpha = None
    if not finite.all():
        notes.append(f"{np.count_nonzero(~finite)} samples are NaN or infinite: made transparent")
        alpha = Image.fromarray(np.where(finite, np.uint8(255), np.uint8(0)))
    low = float(samples.min(where=finite, initial=np.inf))
    high = float(samples.max(where=finite, initial=-np.inf))
    if low < 0 or high > 1:
        notes.append(f"float samples stretched from {low:g}..{high:g} to 0..255")
    else:
        low, high = 0.0, 1.0
        notes.append("float samples in 0..1 scaled to 0..255")
    grey = samples.astype(np.float64)
    grey[~finite] = low
    grey -= low
    grey *= 255 / (high - low) if high > low else 0
    np.rint(grey, out=grey)
    return Image.fromarray(grey.astype(np.uint8)), alpha, notes
