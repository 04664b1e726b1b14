"""What tests of colours need: counted colours as a tree, a picture, a cube."""

from functools import cache

import numpy as np
from hypothesis import strategies as st

from pipeline.color.assign import assign, unassigned
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.spaces import SPACES
from pipeline.color.tree import build_tree

CORNERS = np.array(np.meshgrid(*[[0, 255]] * 3)).reshape(3, 8).astype(np.uint8)


@st.composite
def counted(draw):
    """Colours spread wide or crowded into a few levels, with weights of all sizes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 5, 40, 400]))
    low, reach = draw(st.integers(0, 255)), draw(st.sampled_from([1, 2, 4, 9, 30, 256]))
    counts = count_colors(np.minimum(low + rng.integers(0, reach, (n, 3)), 255).astype(np.uint8))
    return ColorCounts(counts.codes, rng.integers(1, draw(st.sampled_from([2, 10, 10**9])), len(counts)))


@cache
def bounds(space):
    """Lowest and highest coordinates (3,) of sRGB colours in a space: edges of the cube have them."""
    levels = np.arange(256)
    edges = [np.stack(np.broadcast_arrays(levels, r, g)) for r in (0, 255) for g in (0, 255)]
    edges = np.concatenate([np.roll(edge, turn, axis=0) for edge in edges for turn in range(3)], axis=1)
    points = SPACES[space].place(edges.astype(np.uint8))
    return points.min(axis=1), points.max(axis=1)


def anywhere(rng, space, k):
    """Return k points of a space, (k, 3) int32."""
    low, high = bounds(space)
    return rng.integers(low, high + 1, (k, 3)).astype(np.int32)


def tree_of(counts, space="srgb"):
    """Arrange counted colours as points of a working space."""
    chosen = SPACES[space]
    return build_tree(counts.codes, chosen.place(counts.planes), counts.counts, chosen.extent)


def assigned(tree, centroids):
    """Assign all colours to centroids (k, 3), from scratch."""
    clusters = unassigned(tree, len(centroids))
    assign(tree, centroids, clusters)
    return clusters


def nearest(points, centroids):
    """Label of each point (3, n), the lowest of equals, and its squared distance: exact integers."""
    squares = np.zeros((points.shape[1], len(centroids)), np.int64)
    for these, those in zip(points.astype(np.int64), centroids.T.astype(np.int64), strict=True):
        squares += np.square(these[:, None] - those)
    return squares.argmin(axis=1).astype(np.int32), squares.min(axis=1)


def inertia(tree, centroids):
    """Σ squared distance to the nearest centroid: an exact integer."""
    return int((nearest(tree.points, centroids)[1] * tree.counts).sum())


def picture(height=90, width=120):
    """Return ramps with some grain, (height, width, 3): integer arithmetic, the same everywhere."""
    y, x = np.mgrid[0:height, 0:width]
    grain = (x * 7919 + y * 104729) % 13
    channels = [x + grain, 2 * y + grain, (x * y) // 90 + 3 * grain]
    return np.stack(channels, axis=2).astype(np.uint8)


def cube(side, low=0):
    """Return every colour of a cube of so many levels, once."""
    axis = np.arange(low, low + side)
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3).astype(np.uint8)
