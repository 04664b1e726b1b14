"""The distinct pixels of a raster are met up to a number."""

import numpy as np

from pipeline.color.distinct import Distinct


def test_distinct_pixels_are_the_first_that_are_met():
    found = Distinct(2, 2)
    found.add_pixels(np.array([[1, 2], [1, 2], [0, 0]], np.int16))
    assert found.rows.tolist() == [[1, 2], [0, 0]]
    found.add_pixels(np.array([[0, 0], [5, 5], [6, 6]], np.int16))
    found.add(np.array([[7.0], [7.0]]))
    assert found.rows.tolist() == [[1, 2], [0, 0], [5, 5]]
