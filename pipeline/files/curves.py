"""Curves over one axis, each in a plot of its own above the others: what they measure has not one unit."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.files.drawings import Dot, Drawing, Line, Point, Words

_WIDTH, _PLOT, _BETWEEN = 640, 140, 54
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 62, 48
_AXIS, _GRID = "#444444", "#dddddd"
_APART, _DIGIT = 5, 6.5  # units: between the numbers along an axis, and the width of a digit


class Curve(NamedTuple):
    """Values of one measure, one for each place on the axis. name : with the unit."""

    name: str
    values: Sequence[float]
    color: str


def curves(title: str, axis: str, places: Sequence[int], measured: Sequence[Curve]) -> Drawing:
    """Draw curves over rising places on one axis."""
    height = _TOP + len(measured) * (_PLOT + _BETWEEN) - _BETWEEN + _BOTTOM
    marks: list[Line | Dot | Words] = [Words((_LEFT, 24), title, bold=True)]
    low, high = places[0], places[-1]
    wide = _WIDTH - _LEFT - _RIGHT - 16
    across = [_LEFT + 8 + wide * ((place - low) / (high - low) if high > low else 0.5) for place in places]
    named = _apart(across, places)
    for number, curve in enumerate(measured):
        top = _TOP + number * (_PLOT + _BETWEEN)
        marks += _plot(curve, across, top)
        marks += [Line(((x, top + _PLOT), (x, top + _PLOT + 4)), _AXIS) for x in across]
        marks += [Words((across[i], top + _PLOT + 17), str(places[i]), "middle") for i in named]
    marks.append(Words((_LEFT + (_WIDTH - _LEFT - _RIGHT) / 2, height - 10), axis, "middle"))
    return Drawing(_WIDTH, height, title, tuple(marks))


def _plot(curve: Curve, across: Sequence[float], top: int) -> list[Line | Dot | Words]:
    """The axes of a curve, what measures it, and itself."""
    ticks = nice_ticks(max(curve.values))
    bottom, right = top + _PLOT, _WIDTH - _RIGHT
    marks: list[Line | Dot | Words] = [Words((_LEFT, top - 8), curve.name, bold=True)]
    for tick in ticks:
        y = bottom - _PLOT * tick / ticks[-1]
        marks.append(Line(((_LEFT, y), (right, y)), _GRID))
        marks.append(Words((_LEFT - 8, y + 4), f"{tick:g}", "end"))
    marks.append(Line(((_LEFT, top), (_LEFT, bottom), (right, bottom)), _AXIS))
    points: tuple[Point, ...] = tuple(
        (x, bottom - _PLOT * value / ticks[-1]) for x, value in zip(across, curve.values, strict=True)
    )
    marks.append(Line(points, curve.color, 2.0))
    return [*marks, *(Dot(point, 3.5, curve.color) for point in points)]


def nice_ticks(most: float) -> list[float]:
    """Round numbers from 0 to `most` or just above, 3 to 6 of them."""
    if most <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(most / 4))
    step = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times * 5 >= most)
    return [float(f"{step * place:.6g}") for place in range(math.ceil(most / step - 1e-9) + 1)]


def _apart(across: Sequence[float], places: Sequence[int]) -> list[int]:
    """Which places have the room for their numbers: the last always, others from the left."""

    def clear(first: int, second: int) -> bool:
        digits = len(str(places[first])) + len(str(places[second]))
        return across[second] - across[first] >= _APART + _DIGIT * digits / 2

    last = len(places) - 1
    named: list[int] = []
    for i in range(last):
        if clear(i, last) and (not named or clear(named[-1], i)):
            named.append(i)
    return [*named, last]
