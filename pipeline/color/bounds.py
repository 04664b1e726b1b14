"""Boxes around colours, and how far apart colours of two boxes can be.

A box is a row of 11 numbers: the least and the greatest of each coordinate and of the chroma (what
lies from the first axis), and the direction (2) and half-width (as an angle) of its hues.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.color.distances import BLACK_WHITE, CIEDE2000, OKLAB, REDMEAN, hue_weight
from pipeline.color.kernels import kernel

_SLACK = 1e-4  # more than rounding does: CIEDE2000 takes roots of small differences
_LEAST_HUE_WEIGHT = 0.36  # it lies between 0.362 and 1.573
_STEEPEST = 2.41  # change of the hue weight by radian


@kernel
def make_boxes(placed: NDArray[np.float64], in_box: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Boxes (m, 11) of each `in_box` successive rows of `placed` (n, 3), of each two of these, and so on.

    Those of level i are start[i]:start[i + 1]; the last level is one box.
    """
    levels = 1
    number = (len(placed) + in_box - 1) // in_box
    total = number
    while number > 1:
        number = (number + 1) // 2
        total += number
        levels += 1
    start = np.zeros(levels + 1, np.int64)
    boxes = np.empty((total, 11))
    boxes[:, 0:4] = np.inf
    boxes[:, 4:8] = -np.inf
    start[1] = (len(placed) + in_box - 1) // in_box
    for i in range(len(placed)):
        box = boxes[i // in_box]
        chroma = np.sqrt(placed[i, 1] * placed[i, 1] + placed[i, 2] * placed[i, 2])
        for c in range(4):
            value = placed[i, c] if c < 3 else chroma
            box[c] = min(box[c], value)
            box[4 + c] = max(box[4 + c], value)
    for level in range(1, levels):
        start[level + 1] = start[level] + (start[level] - start[level - 1] + 1) // 2
        for i in range(start[level - 1], start[level]):
            box = boxes[start[level] + (i - start[level - 1]) // 2]
            for c in range(4):
                box[c] = min(box[c], boxes[i, c])
                box[4 + c] = max(box[4 + c], boxes[i, 4 + c])
    for i in range(total):
        _note_hues(boxes[i])
    return boxes, start


@kernel
def bound(metric: int, one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """What no colour of one box is farther than from any of the other."""
    if metric == CIEDE2000:
        return float(_bound_ciede2000(one, other))
    x, y, z = _reach(one, other, 0), _reach(one, other, 1), _reach(one, other, 2)
    if metric == REDMEAN:
        red = (1024.0 + one[4] + other[4]) * x * x
        blue = (1534.0 - one[0] - other[0]) * z * z
        return float(100.0 * np.sqrt((red + 2048.0 * y * y + blue) / BLACK_WHITE) + _SLACK)
    return float((100.0 if metric == OKLAB else 1.0) * np.sqrt(x * x + y * y + z * z) + _SLACK)


@kernel
def _note_hues(box: NDArray[np.float64]) -> None:
    """Write the direction and half-width of the disc around the box's a and b, seen from the origin."""
    a, b = 0.5 * (box[1] + box[5]), 0.5 * (box[2] + box[6])
    radius = 0.5 * np.sqrt((box[5] - box[1]) ** 2 + (box[6] - box[2]) ** 2)
    away = np.sqrt(a * a + b * b)
    box[8], box[9], box[10] = 1.0, 0.0, np.pi
    if away > 1.001 * radius:
        box[8], box[9] = a / away, b / away
        box[10] = min(np.pi, radius / np.sqrt(away * away - radius * radius))  # tangent ≥ angle


@kernel
def _reach(one: NDArray[np.float64], other: NDArray[np.float64], c: int) -> float:
    """The greatest difference along an axis."""
    return float(max(one[4 + c] - other[c], other[4 + c] - one[c]))


@kernel
def _bound_ciede2000(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """CIEDE2000 with each of its parts at its worst.

    The two chroma and hue terms are D²/SH² - ΔC²(1/SH² - 1/SC²), D being the distance in a' and b':
    SC is never below SH. The rotation adds itself times the product of their roots, ΔC/SC · ΔH/SH.
    """
    mean_low = 0.5 * (one[3] + other[3])
    most_stretch = _stretch(mean_low)
    least_stretch = _stretch(0.5 * (one[7] + other[7]))
    one_low, one_high = _chroma(one, least_stretch, most_stretch)
    other_low, other_high = _chroma(other, least_stretch, most_stretch)
    chroma = 0.5 * (one_low + other_low)
    weight, rotation = _hue_terms(one, other, most_stretch, 0.5 * (one_high + other_high))
    by_chroma, by_hue = 1.0 + 0.045 * chroma, 1.0 + 0.015 * chroma * weight
    a, b = most_stretch * _reach(one, other, 1), _reach(one, other, 2)
    gap = max(0.0, one_low - other_high, other_low - one_high)
    colored = (a * a + b * b) / (by_hue * by_hue)
    colored -= gap * gap * (1.0 / (by_hue * by_hue) - 1.0 / (by_chroma * by_chroma))
    low, high = 0.5 * (one[0] + other[0]), 0.5 * (one[4] + other[4])
    off = max(0.0, low - 50.0, 50.0 - high) ** 2
    light = _reach(one, other, 0) / (1.0 + 0.015 * off / np.sqrt(20.0 + off))
    colored = max(0.0, colored)
    by_gap = max(one_high - other_low, other_high - one_low) / by_chroma
    turned = rotation * min(0.5 * colored, by_gap * np.sqrt(colored))
    return float(np.sqrt(light * light + colored + turned) + _SLACK)


@kernel
def _stretch(chroma: float) -> float:
    """CIEDE2000's 1 + G: what a* is stretched by at a mean chroma."""
    power = chroma**7
    return float(1.5 - 0.5 * np.sqrt(power / (power + 6103515625.0)))  # 25⁷


@kernel
def _chroma(box: NDArray[np.float64], least: float, most: float) -> tuple[float, float]:
    """Bounds of the chroma of a box's colours, their a* stretched by least to most."""
    a = max(0.0, box[1], -box[5])
    b = max(0.0, box[2], -box[6])
    low = max(box[3], np.sqrt(least * least * a * a + b * b))
    a = max(box[5], -box[1])
    b = max(box[6], -box[2])
    return low, min(most * box[7], np.sqrt(most * most * a * a + b * b))


@kernel
def _hue_terms(
    one: NDArray[np.float64], other: NDArray[np.float64], stretch: float, chroma: float
) -> tuple[float, float]:
    """The least hue weight and the greatest rotation, from the range of the mean hue.

    The mean hue is the bisector of the two hues, unless they may lie opposite each other. Stretching
    a* by s turns a hue by asin((s - 1) / (s + 1)) at most.
    """
    power = chroma**7
    most = 2.0 * np.sqrt(power / (power + 6103515625.0))
    width = one[10] + other[10] + 1.01 * (stretch - 1.0)
    x, y = one[8] + other[8], one[9] + other[9]
    length = np.sqrt(x * x + y * y)
    if length <= width:
        return _LEAST_HUE_WEIGHT, 0.8660254037844387 * most  # sin 60°
    x, y = x / length, y / length
    weight = max(_LEAST_HUE_WEIGHT, hue_weight(x, y) - _STEEPEST * 0.5 * width)
    from_blue = np.sqrt((x - 0.08715574274765817) ** 2 + (y + 0.9961946980917455) ** 2)  # 275°; chord ≤ arc
    turn = 1.0471975511965976 * np.exp(-((max(0.0, from_blue - 0.5 * width) / 0.4363323129985824) ** 2))
    return weight, min(0.8660254037844387, turn) * most
