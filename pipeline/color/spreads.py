"""How wide a set of colours is: the farthest from a point, and the widest pair.

A set is a range of rows of points (n, 4), of which the first three columns are `coordinates`.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.bounds import bound, make_boxes
from pipeline.color.distances import CIEDE2000, difference
from pipeline.color.kernels import kernel

_SWEEPS = 16
_IN_BOX = 4
_GRAIN = 2.0**20  # CIEDE2000 takes sines and exponentials, whose last bits vary between machines


@kernel
def apart(metric: int, x1: float, y1: float, z1: float, x2: float, y2: float, z2: float) -> float:
    """`difference`, without the bits that vary."""
    distance = difference(metric, x1, y1, z1, x2, y2, z2)
    return float(np.floor(distance * _GRAIN + 0.5) / _GRAIN if metric == CIEDE2000 else distance)


@kernel
def farthest(
    metric: int, points: NDArray[np.float64], rows: tuple[int, int], x: float, y: float, z: float
) -> tuple[int, float]:
    """The first row farthest from (x, y, z), and its distance."""
    row, most = rows[0], -1.0
    for i in range(rows[0], rows[1]):
        distance = apart(metric, points[i, 0], points[i, 1], points[i, 2], x, y, z)
        if distance > most:
            row, most = i, distance
    return row, most


@kernel
def sweep(
    metric: int, points: NDArray[np.float64], rows: tuple[int, int], x: float, y: float, z: float
) -> float:
    """A lower bound of the diameter, mostly the diameter itself.

    Goes from the row farthest from (x, y, z) to the one farthest from that, and on.
    """
    row, _ = farthest(metric, points, rows, x, y, z)
    most = 0.0
    for _ in range(_SWEEPS):
        row, distance = farthest(metric, points, rows, points[row, 0], points[row, 1], points[row, 2])
        if distance <= most:
            break
        most = distance
    return most


@kernel
def diameter(
    metric: int, points: NDArray[np.float64], order: NDArray[np.int64], rows: tuple[int, int], least: float
) -> float:
    """The widest distance of any two rows, exactly; `least` is a lower bound, as of `sweep`.

    Branch and bound: neighbouring colours share a box, neighbouring boxes a larger one. Pairs of
    boxes are opened if `bound` says that they may hold a wider pair than the widest so far.
    order : (n,) places of the rows' colours among the sorted codes, where neighbours look alike.
    """
    ranked = rows[0] + np.argsort(order[rows[0] : rows[1]])
    placed = points[ranked, :3]
    boxes, start = make_boxes(placed, _IN_BOX)
    most = least
    waiting = [(len(start) - 2, 0, 0)]
    while len(waiting) > 0:
        level, i, j = waiting.pop()
        if bound(metric, boxes[start[level] + i], boxes[start[level] + j]) <= most:
            continue
        if level == 0:
            most = max(most, _widest_between(metric, placed, i * _IN_BOX, j * _IN_BOX))
            continue
        last = start[level] - start[level - 1] - 1
        for one in range(2 * i, min(2 * i + 1, last) + 1):
            for other in range(max(one, 2 * j), min(2 * j + 1, last) + 1):
                waiting.append((level - 1, one, other))
    return most


@kernel
def _widest_between(metric: int, placed: NDArray[np.float64], one: int, other: int) -> float:
    """The widest distance between the rows of two boxes, of which these are the first."""
    most = 0.0
    for i in range(one, min(one + _IN_BOX, len(placed))):
        x, y, z = placed[i, 0], placed[i, 1], placed[i, 2]
        for j in range(max(other, i + 1), min(other + _IN_BOX, len(placed))):
            most = max(most, apart(metric, x, y, z, placed[j, 0], placed[j, 1], placed[j, 2]))
    return most
