"""Waiting for what may hang: bounded, and its late answer is thrown away."""

import threading

import pytest

from pipeline.jobs.clusters.waiting import within


def test_an_answer_or_an_error_in_time_is_passed_on():
    assert within(20, lambda: 3, pytest.fail) == 3
    with pytest.raises(ZeroDivisionError):
        within(20, lambda: 1 // 0, pytest.fail)


def test_a_late_answer_is_discarded():
    go, gone = threading.Event(), threading.Event()
    discarded: list[int] = []

    def discard(answer: int) -> None:
        discarded.append(answer)
        gone.set()

    def slow() -> int:
        go.wait(20)
        return 7

    with pytest.raises(TimeoutError):
        within(0.05, slow, discard)
    go.set()
    assert gone.wait(20)
    assert discarded == [7]


def test_a_late_error_is_nobodys():
    go = threading.Event()

    def slow() -> int:
        go.wait(20)
        raise ValueError

    with pytest.raises(TimeoutError):
        within(0.05, slow, pytest.fail)
    go.set()
