"""Drawings of lines, dots and words, as SVG or PNG."""

from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipeline.files import png
from pipeline.files.lettering import LETTER, LINE, write

_SCALE = 2  # of PNGs: a unit of a drawing is two pixels
_FINER = 4  # lines are drawn so much larger, then made smaller, for smooth edges

Point = tuple[float, float]


class Line(NamedTuple):
    """A line through points, (x, y) from the upper left corner."""

    points: tuple[Point, ...]
    color: str
    width: float = 1.0


class Dot(NamedTuple):
    """A filled circle."""

    center: Point
    radius: float
    color: str


class Words(NamedTuple):
    """A text; anchor : whether it starts, has its middle or ends at the place, which is on its base line."""

    place: Point
    text: str
    anchor: str = "start"
    bold: bool = False


class Drawing(NamedTuple):
    """What is drawn on white, in order."""

    width: int
    height: int
    title: str
    marks: tuple[Line | Dot | Words, ...]


def svg(drawing: Drawing) -> bytes:
    """Write a drawing as an SVG file that needs no other."""
    size = f"{drawing.width} {drawing.height}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{drawing.width}" height="{drawing.height}" '
        f'viewBox="0 0 {size}" role="img" font-family="sans-serif" font-size="12" fill="#222222">',
        f"<title>{escape(_printable(drawing.title))}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *map(_element, drawing.marks),
        "</svg>\n",
    ]
    return "\n".join(lines).encode()


def _element(mark: Line | Dot | Words) -> str:
    if isinstance(mark, Line):
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in mark.points)
        return f'<polyline points="{points}" fill="none" stroke="{mark.color}" stroke-width="{mark.width}"/>'
    if isinstance(mark, Dot):
        x, y = mark.center
        return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{mark.radius}" fill="{mark.color}"/>'
    x, y = mark.place
    weight = ' font-weight="bold"' if mark.bold else ""
    text = escape(_printable(mark.text))
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{mark.anchor}"{weight}>{text}</text>'


def _printable(text: str) -> str:
    """A text without what XML cannot hold."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def drawn_png(drawing: Drawing) -> bytes:
    """Draw the same as a PNG of two pixels a unit."""
    times = _SCALE * _FINER
    fine = Image.new("RGB", (drawing.width * times, drawing.height * times), "#ffffff")
    pen = ImageDraw.Draw(fine)
    for mark in drawing.marks:
        if isinstance(mark, Line):
            points = [(x * times, y * times) for x, y in mark.points]
            pen.line(points, mark.color, round(mark.width * times), joint="curve")
        elif isinstance(mark, Dot):
            x, y = mark.center
            pen.circle((x * times, y * times), mark.radius * times, mark.color)
    picture = np.array(fine.reduce(_FINER))
    for mark in drawing.marks:
        if isinstance(mark, Words):
            _write(picture, mark)
    return png.truecolor(picture)


def _write(picture: NDArray[np.uint8], words: Words) -> None:
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor] * LETTER * len(words.text)
    left, top = words.place[0] - before, words.place[1] - LINE + 3
    write(picture, max(0, round(left * _SCALE)), max(0, round(top * _SCALE)), words.text, _SCALE)
