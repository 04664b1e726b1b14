"""Seeded chance: SplitMix64 streams, the same on every machine (Steele, Lea & Flood 2014)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.kernels import inlined, kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@inlined
def mix(z: Any) -> Any:
    """SplitMix64's last step: 64 bits, well stirred."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def next_random(state: NDArray[np.uint64]) -> float:
    """The next number in [0, 1) of the stream whose state (1,) this is; moves it on."""
    state[0] += GOLDEN
    return np.float64(mix(state[0]) >> np.uint64(11)) / np.float64(1 << 53)


@kernel
def draw(seed: int, n: int) -> NDArray[np.float64]:
    """The first n numbers in [0, 1) of a seed's stream."""
    state = np.array([seed], np.uint64)
    numbers = np.empty(n)
    for i in range(n):
        numbers[i] = next_random(state)
    return numbers


def seed_of(seed: int, stream: int) -> int:
    """The seed of one of many streams: 2³² numbers lie between two streams of a seed."""
    return (int(seed) + (stream << 32)) % 2**63


@kernel
def draw_shares(seed: int, stream: int, out: NDArray[np.float64]) -> None:
    """Fill `out` with numbers in [0, 1) that are a function of the seed and the stream's number alone."""
    state = mix(mix(np.uint64(seed) + GOLDEN) + np.uint64(stream) * GOLDEN)
    for i in range(len(out)):
        state += GOLDEN
        out[i] = np.float64(mix(state) >> np.uint64(11)) / np.float64(1 << 53)
