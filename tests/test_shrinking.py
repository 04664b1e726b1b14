"""Small copies are the means of squares, from whatever windows they are summed up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.color.shrinking import Shrinking, join_shrunk, shrink_factor


def means(image: np.ndarray, alpha: np.ndarray | None, factor: int) -> np.ndarray:
    """Each square by itself."""
    height, width = image.shape[:2]
    cover = np.full((height, width), 255) if alpha is None else alpha.astype(int)
    rows, columns = -(-height // factor), -(-width // factor)
    made = np.zeros((rows, columns, 4), int)
    for row in range(rows):
        for column in range(columns):
            place = np.s_[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            weights = cover[place]
            if weights.sum():
                sums = (image[place] * weights[..., None]).sum(axis=(0, 1))
                made[row, column, :3] = np.floor(sums / weights.sum() + 0.5)
            made[row, column, 3] = np.floor(weights.mean() + 0.5)
    return made if not (cover == 255).all() else made[..., :3]


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.booleans(), st.integers(0, 99), st.data()
)
def test_each_pixel_is_the_mean_of_a_square(height, width, factor, covered, seed, data):
    chance = np.random.default_rng(seed)
    image = chance.integers(0, 256, (height, width, 3), dtype=np.uint8)
    alpha = chance.choice(np.array([0, 90, 255], np.uint8), (height, width)) if covered else None
    cut = data.draw(st.integers(0, height))
    middle = data.draw(st.integers(0, width))
    parts = []
    for first, last in ((0, cut), (cut, height)):
        if first == last:
            continue
        shrinking = Shrinking(first, last - first, width, factor)
        for left, right in ((middle, width), (0, middle)):
            if left < right:
                window = np.s_[first:last, left:right]
                shrinking.add(first, left, image[window], None if alpha is None else alpha[window])
        parts.append((shrinking.first, shrinking.sums))
    found = join_shrunk(parts, height, width, factor)
    assert found.dtype == np.uint8
    assert (found == means(image, alpha, factor)).all()


@pytest.mark.parametrize(
    ("height", "width", "side", "factor"),
    [(1, 1, 16, 1), (16, 16, 16, 1), (17, 3, 16, 2), (65536, 1, 256, 256)],
)
def test_the_factor_is_the_least_that_fits(height, width, side, factor):
    assert shrink_factor(height, width, side) == factor
