"""Seeded chance is SplitMix64, to the last bit, on any machine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.color.chance import draw, next_random, seed_of

GOLDEN = 0x9E3779B97F4A7C15
seeds = st.integers(0, 2**63 - 1)

# The first values of the streams of 0 and 1234567 as published with the algorithm.
PUBLISHED = {
    0: [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC],
    1234567: [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ],
}


@pytest.mark.parametrize("seed", PUBLISHED)
def test_the_first_numbers_are_the_published_ones(seed):
    expected = [value / 2**53 for value in (whole >> 11 for whole in PUBLISHED[seed])]
    assert draw(seed, len(expected)).tolist() == expected


@given(seeds, st.integers(0, 40))
@settings(deadline=None, max_examples=60)
def test_drawing_many_is_drawing_one_after_another(seed, n):
    state = np.array([seed], np.uint64)
    one_by_one = [next_random(state) for _ in range(n)]
    assert draw(seed, n).tolist() == one_by_one
    assert int(state[0]) == (seed + n * GOLDEN) % 2**64
    assert draw(seed, n + 3).tolist()[:n] == one_by_one


@given(seeds)
@settings(deadline=None, max_examples=60)
def test_numbers_are_from_0_to_below_1_and_spread_evenly(seed):
    numbers = draw(seed, 4000)
    assert numbers.dtype == np.float64
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    assert abs(numbers.mean() - 0.5) < 0.03
    assert np.abs(np.bincount((numbers * 10).astype(int), minlength=10) / 4000 - 0.1).max() < 0.035
    assert len(np.unique(numbers)) == 4000


def test_streams_of_a_seed_and_of_neighbouring_seeds_differ():
    found = {draw(seed_of(seed, stream), 4).tobytes() for seed in range(30) for stream in range(30)}
    assert len(found) == 900


@given(seeds, st.integers(0, 5000), st.integers(0, 5000))
@settings(deadline=None, max_examples=200)
def test_two_streams_of_a_seed_lie_two_to_the_32_numbers_apart(seed, one, other):
    """A stream's states are GOLDEN apart: the inverse of GOLDEN tells how far one is from another's."""
    first, second = seed_of(seed, one), seed_of(seed, other)
    assert 0 <= first < 2**63
    steps = (second - first) * pow(GOLDEN, -1, 2**64) % 2**64
    assert (steps == 0) == (one == other)
    assert steps == 0 or 2**32 <= steps <= 2**64 - 2**32


def test_the_first_stream_of_a_seed_is_its_own():
    assert seed_of(7, 0) == 7
    assert seed_of(2**63 - 1, 0) == 2**63 - 1
