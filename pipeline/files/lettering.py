"""Words in pictures, in Pillow's own bitmap font: the same on any machine, unlike FreeType's letters."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

LETTER, LINE = 6, 12
"""Width of a letter and height of a line, in pixels, before they are scaled."""

INK = 40


def fits(text: str, scale: int) -> int:
    """The width of a text in pixels."""
    return LETTER * len(text) * scale


def write(picture: NDArray[np.uint8], left: int, top: int, text: str, scale: int = 1, ink: int = INK) -> None:
    """Write a line into a picture (height, width, 3); what lies outside is cut off."""
    if not text:
        return
    words = Image.new("1", (LETTER * len(text), LINE))
    plain = text.encode("latin-1", "replace").decode("latin-1")
    ImageDraw.Draw(words).text((0, 0), plain, 1, ImageFont.load_default_imagefont())
    mask = np.asarray(words).repeat(scale, axis=0).repeat(scale, axis=1)
    place = picture[top : top + len(mask), left : left + mask.shape[1]]
    place[mask[: place.shape[0], : place.shape[1]]] = ink
