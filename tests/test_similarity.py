"""Structural similarity is scikit-image's, band by band."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from pipeline.color.similarity import similarity


def pair(height, width, seed=0):
    """An image with structure, and a coarser one."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    image = np.dstack([x * 3, y * 5, x * y // 7]) + rng.integers(0, 60, (height, width, 3))
    image = (image % 256).astype(np.uint8)
    return image, image // 40 * 40


def reference(image, other):
    return structural_similarity(image, other, channel_axis=2, data_range=255)


@pytest.mark.parametrize("height", [7, 8, 255, 256, 257, 262, 263, 264, 512, 518, 519, 700])
def test_it_is_scikit_images_at_any_height(height):
    image, other = pair(height, 23)
    assert similarity(image, other) == pytest.approx(reference(image, other), abs=6e-7)


@settings(max_examples=20, deadline=None)
@given(st.integers(7, 40), st.integers(7, 40), st.integers(0, 1000))
def test_it_is_scikit_images_at_any_size(height, width, seed):
    image, other = pair(height, width, seed)
    assert similarity(image, other) == pytest.approx(reference(image, other), abs=6e-7)


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (1, 1), (6, 6)])
def test_a_tiny_picture_has_none(shape):
    image, other = pair(*shape)
    assert similarity(image, other) is None


def test_the_same_picture_is_alike():
    image, _ = pair(300, 20)
    found = similarity(image, image)
    assert found == 1.0
    assert type(found) is float


def test_a_picture_without_structure():
    flat = np.full((20, 20, 3), 90, np.uint8)
    assert similarity(flat, flat) == 1.0
    assert similarity(flat, flat + 60) == pytest.approx(reference(flat, flat + 60), abs=6e-7)


@pytest.mark.parametrize("height", [40, 300])
def test_transparent_pixels_count_as_alike(height):
    image, other = pair(height, 30)
    alpha = np.full((height, 30), 255, np.uint8)
    alpha[5:20, 3:12] = 0
    alpha[25:, :] = 1
    shown = np.where(alpha[:, :, None] == 0, image, other)
    junk = np.where(alpha[:, :, None] == 0, 0, other).astype(np.uint8)
    before = junk.copy()
    assert similarity(image, junk, alpha) == pytest.approx(reference(image, shown), abs=6e-7)
    assert (junk == before).all()
    assert similarity(image, other, np.zeros_like(alpha)) == 1.0
    assert similarity(image, other, np.full_like(alpha, 1)) == similarity(image, other)
