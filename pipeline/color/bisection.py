"""Splitting a set of weighted points in two: two-means in space, or along one axis.

A set is a range of rows; a split reorders the rows of its range, so that each half is a range too.
Everything is IEEE arithmetic in a fixed order: the same halves on any machine.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kernels import inlined, kernel

_LLOYD_STEPS = 100
_POWER_STEPS = 30


@kernel
def bisect(
    points: NDArray[np.float64],
    order: NDArray[np.int64],
    rows: tuple[int, int],
    plane: NDArray[np.float64],
) -> int:
    """Split rows first:last by two-means from a cut through the mean, across the principal axis.

    points : (n, 4), x, y, z and weight; order : (n,), permuted alike. The rows must hold two
    different points or more. `plane` (4,) gets the plane between the halves, see `beyond`. Returns the
    first row of the half beyond it; neither half is empty.
    """
    first, last = rows
    _cut_principal_axis(points, rows, plane)
    all_of = sum_rows(points, rows)
    half = _sum_beyond(points, rows, plane)
    if half[0] == 0 or half[0] == last - first:
        _cut_longest_side(points, rows, plane)
        half = _sum_beyond(points, rows, plane)
    moved = np.empty(4)
    for _ in range(_LLOYD_STEPS):
        moved[3] = 0.0
        for c in range(3):
            near = (all_of[2 + c] - half[2 + c]) / (all_of[1] - half[1])
            far = half[2 + c] / half[1]
            moved[c] = far - near
            moved[3] += moved[c] * 0.5 * (near + far)
        after = _sum_beyond(points, rows, moved)
        if after[0] == 0 or after[0] == last - first:
            break
        plane[:] = moved
        if after == half:
            break
        half = after
    return int(_partition(points, order, rows, plane))


@inlined
def beyond(plane: NDArray[np.float64], x: float, y: float, z: float) -> bool:
    """Whether a point lies on the far side of a plane: normal · point > offset."""
    return bool(plane[0] * x + plane[1] * y + plane[2] * z > plane[3])


@kernel
def bisect_line(values: NDArray[np.float64], weights: NDArray[np.float64], rows: tuple[int, int]) -> int:
    """Split ascending `values` (n,) first:last where the squared error of both halves is least.

    Equal values stay together; there must be two different ones. Returns the first row of the upper
    half; of equally good splits the lowest.
    """
    first, last = rows
    low = values[first]
    weight, total = 0.0, 0.0
    for i in range(first, last):
        weight += weights[i]
        total += weights[i] * (values[i] - low)
    best, most = first, -1.0
    left, left_total = 0.0, 0.0
    for i in range(first, last - 1):
        left += weights[i]
        left_total += weights[i] * (values[i] - low)
        if values[i] < values[i + 1]:
            apart = (total - left_total) / (weight - left) - left_total / left
            between = left * (weight - left) * apart * apart
            if between > most:
                best, most = i + 1, between
    return best


@kernel
def sum_rows(points: NDArray[np.float64], rows: tuple[int, int]) -> tuple[float, float, float, float, float]:
    """Number of rows, their weight, and the weighted sums of x, y and z."""
    weight, x, y, z = 0.0, 0.0, 0.0, 0.0
    for i in range(rows[0], rows[1]):
        w = points[i, 3]
        weight += w
        x += w * points[i, 0]
        y += w * points[i, 1]
        z += w * points[i, 2]
    return float(rows[1] - rows[0]), weight, x, y, z


@kernel
def _sum_beyond(
    points: NDArray[np.float64], rows: tuple[int, int], plane: NDArray[np.float64]
) -> tuple[float, float, float, float, float]:
    """What `sum_rows` gives, of the rows beyond the plane only."""
    number = 0.0
    weight, x, y, z = 0.0, 0.0, 0.0, 0.0
    nx, ny, nz, offset = plane[0], plane[1], plane[2], plane[3]
    for i in range(rows[0], rows[1]):
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        far = nx * px + ny * py + nz * pz > offset
        w = points[i, 3] if far else 0.0  # adding nothing costs less than a jump that none foresees
        number += 1.0 if far else 0.0
        weight += w
        x += w * px
        y += w * py
        z += w * pz
    return number, weight, x, y, z


@kernel
def _cut_principal_axis(
    points: NDArray[np.float64],
    rows: tuple[int, int],
    plane: NDArray[np.float64],
) -> None:
    """Lay the plane through the mean across the direction of most variance, by power iteration."""
    _, weight, sx, sy, sz = sum_rows(points, rows)
    mx, my, mz = sx / weight, sy / weight, sz / weight
    xx, xy, xz, yy, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(rows[0], rows[1]):
        w, dx, dy, dz = points[i, 3], points[i, 0] - mx, points[i, 1] - my, points[i, 2] - mz
        xx += w * dx * dx
        xy += w * dx * dy
        xz += w * dx * dz
        yy += w * dy * dy
        yz += w * dy * dz
        zz += w * dz * dz
    matrix = ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))
    widest = 0
    for c in range(3):
        if matrix[c][c] > matrix[widest][widest]:
            widest = c
    x, y, z = matrix[widest]
    for _ in range(_POWER_STEPS):
        longest = max(abs(x), abs(y), abs(z))
        if longest == 0.0:
            break
        x, y, z = x / longest, y / longest, z / longest
        x, y, z = xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z
    plane[0], plane[1], plane[2] = x, y, z
    plane[3] = plane[0] * mx + plane[1] * my + plane[2] * mz


@kernel
def _cut_longest_side(points: NDArray[np.float64], rows: tuple[int, int], plane: NDArray[np.float64]) -> None:
    """Lay the plane through the middle of the box of the rows, with the highest rows beyond it."""
    longest = -1.0
    plane[:] = 0.0
    for c in range(3):
        low, high = points[rows[0], c], points[rows[0], c]
        for i in range(rows[0], rows[1]):
            low = min(low, points[i, c])
            high = max(high, points[i, c])
        if high - low > longest:
            longest = high - low
            plane[:] = 0.0
            plane[c] = 1.0
            middle = low + 0.5 * (high - low)
            plane[3] = middle if middle < high else low  # of neighbouring floats


@kernel
def _partition(
    points: NDArray[np.float64], order: NDArray[np.int64], rows: tuple[int, int], plane: NDArray[np.float64]
) -> int:
    """Bring the rows beyond the plane behind the others; returns the first of them."""
    i, j = rows[0], rows[1] - 1
    while True:
        while i <= j and not beyond(plane, points[i, 0], points[i, 1], points[i, 2]):
            i += 1
        while i <= j and beyond(plane, points[j, 0], points[j, 1], points[j, 2]):
            j -= 1
        if i >= j:
            return i
        for c in range(4):
            points[i, c], points[j, c] = points[j, c], points[i, c]
        order[i], order[j] = order[j], order[i]
