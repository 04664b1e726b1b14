"""The spread of a set is that of all its pairs."""

import numpy as np
import pytest

from pipeline.color.distances import METRICS, coordinates, differences
from pipeline.color.spreads import diameter, farthest, sweep


def some_colors(kind, n):
    rng = np.random.default_rng(n)
    if kind == "one hue":
        shade, light = rng.random((2, n, 1))
        return (255 * light * (1 - shade * np.array([0.1, 0.5, 0.9]))).astype(np.uint8)
    if kind == "a ball":
        ball = rng.normal(size=(n, 3))
        return np.round(128 + 100 * ball / np.linalg.norm(ball, axis=1, keepdims=True)).astype(np.uint8)
    return rng.integers(*{"any": (0, 256), "dark": (0, 30)}[kind], (n, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["any", "dark", "one hue", "a ball"])
@pytest.mark.parametrize("metric", METRICS)
def test_the_widest_pair_is_found(metric, kind):
    index = METRICS.index(metric)
    for n in (2, 3, 5, 33, 400):
        colors = some_colors(kind, n)
        colors = colors[np.lexsort(colors.T)]
        points = np.column_stack([coordinates(colors.T, metric), np.ones(n)])
        order = np.random.default_rng(n).permutation(n)
        points = points[order]
        widest = differences(np.repeat(colors, n, axis=0), np.tile(colors, (n, 1)), metric).max()
        swept = sweep(index, points, (0, n), *points[:, :3].mean(axis=0))
        assert swept <= widest + 1e-6
        assert swept >= widest / 2
        for least in (0.0, swept):
            assert diameter(index, points, order, (0, n), least) == pytest.approx(widest, abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_the_farthest_is_the_first_of_those_as_far(metric):
    colors = np.array([[0, 0, 0], [250, 250, 250], [9, 9, 9], [250, 250, 250], [255, 255, 255]], np.uint8)
    points = np.column_stack([coordinates(colors.T, metric), np.ones(5)])
    row, distance = farthest(METRICS.index(metric), points, (0, 4), *points[0, :3])
    assert row == 1
    assert distance == pytest.approx(differences(colors[:1], colors[1:2], metric)[0], abs=1e-6)
