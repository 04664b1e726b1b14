"""No colour of a box is farther from one of another box than the bound says."""

import numpy as np
import pytest

from pipeline.color.bounds import bound, make_boxes
from pipeline.color.distances import METRICS, coordinates, differences


def boxfuls(rng, reach):
    """Two handfuls of colours, each about one colour; some of them greys, some almost."""
    for _ in range(2):
        centre = rng.integers(0, 256, 3) if rng.random() < 0.8 else np.full(3, rng.integers(0, 256))
        yield np.clip(centre + rng.integers(-reach, reach + 1, (6, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("reach", [0, 1, 5, 20, 120])
@pytest.mark.parametrize("metric", METRICS)
def test_a_bound_is_never_exceeded(metric, reach):
    rng = np.random.default_rng(reach)
    for _ in range(300):
        some = list(boxfuls(rng, reach))
        boxes = [make_boxes(coordinates(each.T, metric), 6)[0][0] for each in some]
        pairs = np.repeat(some[0], 6, axis=0), np.tile(some[1], (6, 1))
        assert bound(METRICS.index(metric), *boxes) >= differences(*pairs, metric).max()


@pytest.mark.parametrize("metric", METRICS)
def test_small_boxes_are_bounded_closely(metric):
    """Mostly: what is gained by opening boxes at all."""
    rng = np.random.default_rng(1)
    over = []
    for _ in range(300):
        some = list(boxfuls(rng, 1))
        boxes = [make_boxes(coordinates(each.T, metric), 6)[0][0] for each in some]
        pairs = np.repeat(some[0], 6, axis=0), np.tile(some[1], (6, 1))
        over.append(bound(METRICS.index(metric), *boxes) / differences(*pairs, metric).max())
    assert np.median(over) < 1.1


@pytest.mark.parametrize("n", [1, 4, 5, 8, 9, 64, 67])
def test_boxes_hold_their_rows_and_their_boxes(n):
    placed = np.random.default_rng(n).normal(size=(n, 3))
    boxes, start = make_boxes(placed, 4)
    assert start[-1] == len(boxes)
    assert start[-1] - start[-2] == 1
    for level in range(len(start) - 1):
        held = 4 << level
        assert start[level + 1] - start[level] == -(-n // held)
        for i in range(start[level + 1] - start[level]):
            rows, box = placed[i * held : (i + 1) * held], boxes[start[level] + i]
            assert np.array_equal(box[:3], rows.min(axis=0))
            assert np.array_equal(box[4:7], rows.max(axis=0))
