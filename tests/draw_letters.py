"""Draw the letters that segpipe writes into pictures: python tests/draw_letters.py DejaVuSansMono.ttf.

They are drawn once and kept as a picture, for what FreeType draws differs from version to version,
and a picture with words is to be the same bytes on any machine.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pipeline.files.lettering import LETTER, LETTERS, LINE, SHEET, SIZES


def draw(font_file: str) -> Image.Image:
    """A row of letters for each size, dark on light, the small ones above."""
    sheet = Image.new("L", (LETTER * max(SIZES) * len(LETTERS), LINE * sum(SIZES)), 255)
    top = 0
    for size in SIZES:
        font = ImageFont.truetype(font_file, 10 * size)
        for place, letter in enumerate(LETTERS):
            cell = Image.new("L", (LETTER * size, LINE * size), 255)
            ImageDraw.Draw(cell).text((0, 9 * size), letter, 0, font, anchor="ls")
            sheet.paste(cell, (LETTER * size * place, top))
        top += LINE * size
    return sheet


if __name__ == "__main__":
    draw(sys.argv[1]).save(Path(SHEET), optimize=True)
