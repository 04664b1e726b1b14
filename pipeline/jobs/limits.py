"""The time that the work on an image may take.

What hangs (a decoder, a share) hears no exception. So the work is done by a thread of its own, which
is given up when the time is over: the image is a row then, and all others are done. Such a thread
stays behind until its process ends; worker processes that have one are replaced, see `workers`. What
writes outputs is not done this way: who was given up must not write them late.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from pipeline.errors import TimedOut

Result = TypeVar("Result")

_MEGAPIXELS = 100.0  # more than these have more time
_TICK = 1.0  # seconds; of a machine that slept, or a process that was stopped, no more are counted
_given_up: list[threading.Thread] = []


def time_for(seconds: float | None, megapixels: float) -> float | None:
    """Seconds for an image of that size, if one of 100 megapixels or less has `seconds`. None: any time."""
    return seconds and seconds * max(1.0, megapixels / _MEGAPIXELS)


def in_time(seconds: float | None, key: str, work: Callable[[], Result]) -> Result:
    """Do some work on an image in the time given; what it raises is raised.

    Raises TimedOut if it is not over by then: it is given up, and may go on with nobody waiting for it.
    """
    if not seconds:
        return work()
    hand = _hand()
    answers = hand.begin(work)
    spent = 0.0
    while spent < seconds:
        tick = min(_TICK, seconds - spent)
        began = time.monotonic()
        try:
            answer, error = answers.get(timeout=tick)
        except Empty:
            spent += min(max(tick, time.monotonic() - began), 2 * tick)
            continue
        if error is not None:
            raise error
        result: Result = answer
        return result
    _given_up.append(hand.thread)
    hand.end()
    del _mine.hand
    raise TimedOut(
        f"{key}: expected to be done with it within {seconds:g} s (compute.image_timeout), found it still at "
        "work; exclude it, or give images more time and run with --retry-failed"
    )


def left_behind() -> bool:
    """Whether there is a thread in this process that was given up and is still at work."""
    return any(thread.is_alive() for thread in _given_up)


class Timed:
    """A function of tasks, each of which has so many seconds; see `in_time`."""

    def __init__(self, function: Callable[[Any], Any], seconds: float | None) -> None:
        self._function = function
        self._seconds = seconds

    def __call__(self, task: Any) -> Any:
        """Call the function; raises TimedOut too."""
        return in_time(self._seconds, task.keys[0], partial(self._function, task))


class _Hand:
    """A thread that works for another, and ends with it: threads keep tables that take time to make."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Any] = SimpleQueue()
        self.thread = threading.Thread(target=_serve, args=(self._tasks,), name="segpipe-hand", daemon=True)
        self.thread.start()

    def __del__(self) -> None:
        self.end()

    def end(self) -> None:
        """Begin nothing more."""
        self._tasks.put(None)

    def begin(self, work: Callable[[], Any]) -> SimpleQueue[Any]:
        """Have some work begun; what comes of it, or what it raises, will be in the queue."""
        answers: SimpleQueue[Any] = SimpleQueue()
        self._tasks.put((work, answers))
        return answers


def _serve(tasks: SimpleQueue[Any]) -> None:
    while (task := tasks.get()) is not None:
        work, answers = task
        try:
            answers.put((work(), None))
        except BaseException as error:  # it belongs to who waits
            answers.put((None, error))
        del task, work, answers  # which may hold an image


_mine = threading.local()


def _hand() -> _Hand:
    """The hand of the calling thread."""
    hand: _Hand | None = getattr(_mine, "hand", None)
    if hand is None:
        hand = _mine.hand = _Hand()
    return hand
