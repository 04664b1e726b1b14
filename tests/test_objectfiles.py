"""Reading objects by ranges: the bytes are those of a file, and few requests ask for them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.objectfiles import ObjectFile, ObjectStat

FIRST = 64 << 10
MOST = 4 << 20


class Far:
    """Some content, and what was asked of it."""

    def __init__(self, size: int) -> None:
        self.data = np.random.default_rng(size).bytes(size)
        self.asked: list[tuple[int, int]] = []
        stat = ObjectStat(size, 0, 1)
        self.file = ObjectFile(self.fetch, stat, lambda: stat)

    def fetch(self, start: int, end: int) -> bytes:
        assert 0 <= start < end <= len(self.data)
        self.asked.append((start, end))
        return self.data[start:end]

    @property
    def sent(self) -> int:
        return sum(end - start for start, end in self.asked)


steps = st.lists(st.tuples(st.integers(0, 250_000), st.integers(0, 150_000)), max_size=12)


@given(steps=steps, buffered=st.booleans())
def test_it_reads_as_a_file_does(steps, buffered):
    far = Far(200_000)
    near = io.BytesIO(far.data)
    file = io.BufferedReader(far.file) if buffered else far.file
    for place, size in steps:
        assert file.seek(place) == near.seek(place)
        found = file.read(size)
        assert near.read(len(found)) == found
        assert len(found) == size or not buffered or file.tell() >= 200_000
        assert file.tell() == near.tell()
    assert file.read() == near.read()


def test_all_is_one_request():
    far = Far(10_000_000)
    assert far.file.readall() == far.data
    assert far.asked == [(0, 10_000_000)]
    assert far.file.readall() == b""
    assert len(far.asked) == 1


def test_a_header_takes_little():
    far = Far(10_000_000)
    with io.BufferedReader(far.file) as file:
        for _ in range(20):
            file.read(100)
    assert far.asked == [(0, FIRST)]


def test_who_reads_on_gets_more_at_once_up_to_a_bound():
    far = Far(40_000_000)
    with io.BufferedReader(far.file) as file:
        while file.read(10_000):
            pass
    assert far.sent == len(far.data)
    assert len(far.asked) < 20
    assert max(end - start for start, end in far.asked) == MOST


def test_who_reads_here_and_there_gets_little_more_than_is_asked_for():
    far = Far(40_000_000)
    with io.BufferedReader(far.file) as file:
        for place in range(0, 40_000_000, 4_000_000):
            file.seek(place)
            assert file.read(200_000) == far.data[place : place + 200_000]
    assert len(far.asked) == 10
    assert far.sent < 10 * 220_000


def test_an_answer_that_is_too_short_is_an_error():
    file = ObjectFile(lambda start, end: b"x", ObjectStat(100, 0, 1), lambda: ObjectStat(100, 0, 1))
    with pytest.raises(OSError, match="100 bytes were asked for, 1 came") as caught:
        file.read(10)
    assert caught.value.errno is not None


def test_there_is_no_place_before_the_beginning():
    with pytest.raises(OSError, match="no place -1"):
        Far(10).file.seek(-1)
