"""Stopping: nothing more is begun, what is under way is finished, and handlers are put back."""

import os
import signal
import threading
import time

import pytest

from pipeline.jobs.stopping import Stop, Stopped, on_signals

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def test_items_pass_until_the_end_is_asked_for():
    stop, seen = Stop(), []
    for item in stop.until(range(10)):
        seen.append(item)
        if item == 3:
            stop.ask()
    assert seen == [0, 1, 2, 3]
    assert list(stop.until(range(10))) == []


def test_without_a_stop_all_items_pass():
    assert list(Stop().until(iter("abc"))) == ["a", "b", "c"]
    assert list(Stop().until([])) == []


def test_nothing_more_is_drawn_once_the_end_is_asked_for():
    stop, drawn = Stop(), []
    items = stop.until(drawn.append(item) or item for item in range(10))
    next(items)
    stop.ask()
    assert list(items) == []
    assert drawn == [0]


def test_the_first_signal_is_remembered():
    stop = Stop()
    assert (stop.asked, stop.signal) == (False, None)
    stop.ask()
    assert (stop.asked, stop.signal) == (True, None)
    stop.ask(signal.SIGTERM)
    stop.ask(signal.SIGINT)
    stop.ask()
    assert (stop.asked, stop.signal) == (True, signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_for_the_end_and_is_told(number):
    stop, told = Stop(), []
    with on_signals(stop, told.append):
        signal.raise_signal(number)
    assert (stop.asked, stop.signal) == (True, number)
    assert told == ["stopping: finishing what is under way; Ctrl-C again ends at once"]


def test_a_second_interrupt_ends_at_once():
    stop = Stop()
    with pytest.raises(KeyboardInterrupt), on_signals(stop, lambda text: None):  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert stop.signal == signal.SIGINT


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)],
)
def test_other_pairs_of_signals_do_not(numbers):
    stop = Stop()
    with on_signals(stop, lambda text: None):
        for number in numbers:
            signal.raise_signal(number)
    assert stop.signal == numbers[0]


def test_interrupts_end_a_run_at_once_that_was_told_to_terminate():
    """The words told at the first signal promise it."""
    ended, stop = False, Stop()
    try:
        with on_signals(stop, lambda text: None):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
                signal.raise_signal(number)
    except KeyboardInterrupt:
        ended = True
    assert ended


@pytest.mark.parametrize("failing", [False, True])
def test_handlers_are_put_back_however_it_ends(failing):
    before = [signal.getsignal(number) for number in HANDLED]
    try:
        with on_signals(Stop(), lambda text: None):
            assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is not before[0]
            assert not failing or os.stat("/nowhere")  # noqa: PTH116 -- anything that fails
    except FileNotFoundError:
        assert failing
    assert [signal.getsignal(number) for number in HANDLED] == before


def test_another_thread_changes_no_handler():
    found = []

    def work():
        before = signal.getsignal(signal.SIGINT)
        with on_signals(Stop(), found.append):
            found.append(signal.getsignal(signal.SIGINT) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]


def test_a_signal_ends_a_wait_at_once_and_no_other_work():
    stop = Stop()
    with on_signals(stop, lambda text: None):
        with pytest.raises(Stopped), stop.ends_waiting():
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped), stop.ends_waiting():
            pytest.fail("it has been asked before")
    assert (stop.signal, stop.waiting) == (signal.SIGTERM, False)


def test_the_time_asks_for_the_end_and_is_told_once():
    told = []
    stop = Stop(time.monotonic() + 0.05, told.append)
    assert not stop.asked
    time.sleep(0.06)
    assert list(stop.until(range(9))) == []
    assert (stop.asked, stop.over, stop.signal) == (True, True, None)
    assert told == ["the time is over: finishing what is under way"]


def test_a_signal_ahead_of_time_is_as_if_the_time_were_over():
    stop, told = Stop(), []
    with on_signals(stop, told.append):
        signal.raise_signal(signal.SIGUSR1)
    assert (stop.asked, stop.over, stop.signal) == (True, True, None)
    assert len(told) == 1
    stop.ask(signal.SIGTERM)
    assert stop.signal == signal.SIGTERM
