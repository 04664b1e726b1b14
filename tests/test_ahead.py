"""Doing things ahead: in order, and not too far."""

import threading
import time

import pytest

from pipeline.files.ahead import mapped_ahead


def test_answers_come_in_order():
    def slowly(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number * number

    assert list(mapped_ahead(slowly, range(50), 7)) == [number * number for number in range(50)]


def test_no_more_are_held_than_there_are_threads():
    begun: list[int] = []
    answers = mapped_ahead(begun.append, range(100), 4)
    for _ in range(10):
        next(answers)
    assert len(begun) <= 14
    answers.close()
    assert len(begun) <= 14


def test_errors_come_as_they_would():
    def fail(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    answers = mapped_ahead(fail, range(100), 4)
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(answers)
    assert threading.active_count() < 20
