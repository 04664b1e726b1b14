"""What every fit gives back, and what it does with too few colours or none."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.codebook import Codebook, keep_all, refuse_nothing
from pipeline.color.counts import count_colors
from pipeline.color.spaces import SPACES


@given(st.integers(1, 300), st.sampled_from([2, 5, 256]), st.sampled_from(sorted(SPACES)))
@settings(deadline=None, max_examples=40)
def test_keeping_all_is_a_codebook_of_the_colors_themselves(n, levels, space):
    pixels = np.random.default_rng(n).integers(0, levels, (n, 3)).astype(np.uint8)
    counts = count_colors(pixels)
    book = keep_all(counts, space)
    assert book.colors.flags.c_contiguous
    assert (book.colors.dtype, book.labels.dtype) == (np.uint8, np.int32)
    assert (book.colors[book.labels] == counts.planes.T).all()
    assert len(np.unique(book.colors, axis=0)) == len(book.colors) == len(counts)
    assert (book.iterations, book.converged, book.space) == (0, True, space)


def test_a_codebook_says_nothing_beyond_what_it_was_told():
    first, second = (Codebook(np.zeros((1, 3), np.uint8), np.zeros(1, np.int32)) for _ in range(2))
    assert (first.iterations, first.converged, first.space, first.ordered) == (0, True, "srgb", False)
    assert first.findings == {}
    assert first.findings is not second.findings
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.space = "lab"


def test_nothing_counted_is_refused():
    refuse_nothing(count_colors(np.zeros((1, 3), np.uint8)))
    with pytest.raises(ValueError, match="there are no pixels to fit: all are fully transparent, or the"):
        refuse_nothing(count_colors(np.zeros((5, 3), np.uint8), np.zeros(5, np.uint8)))
