"""Ending a run early, in good order: Ctrl-C, SIGTERM, the first failure, a time limit.

SIGUSR1 says beforehand that time is running out, as batch systems send it: it ends a run as its own
time limit would.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")


_AHEAD_OF_TIME = getattr(signal, "SIGUSR1", None)  # systems without it have no batch systems that send it


class Stopped(BaseException):
    """Raised out of a wait by a signal; no Exception, for nobody on the way is to make something of it."""


class Stop:
    """Whether a run has been asked to end, and why.

    deadline : when its time is over, by `time.monotonic`; None: never. told : who is told that it is.
    signal : the first signal that asked, if one did. over : whether the time has asked.
    """

    def __init__(
        self, deadline: float | None = None, told: Callable[[str], None] = lambda text: None
    ) -> None:
        self.signal: int | None = None
        self.waiting = False
        self.over = False
        self._asked = False
        self._deadline = deadline
        self._told = told

    @property
    def asked(self) -> bool:
        """Whether nothing more is to be begun."""
        if not self._asked and self._deadline is not None and time.monotonic() >= self._deadline:
            self._asked = self.over = True
            self._told("the time is over: finishing what is under way")
        return self._asked

    def ask(self, number: int | None = None) -> None:
        """Ask for the end: nothing more is begun, what is under way is finished."""
        self._asked = True
        if number is not None and number == _AHEAD_OF_TIME:
            self.over = True
        else:
            self.signal = self.signal or number

    @contextmanager
    def ends_waiting(self, *, whatever_the_time: bool = False) -> Iterator[None]:
        """Let a signal end what is done in here at once (Stopped): nothing is under way to be finished.

        whatever_the_time : do it though the time is over.
        """
        if self.signal is not None or not (whatever_the_time or not self.asked):
            raise Stopped
        self.waiting = True
        try:
            yield
        finally:
            self.waiting = False

    def until(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, until the end is asked for."""
        source = iter(items)
        while not self.asked:  # asked before an item is drawn: drawing one may have consequences
            try:
                item = next(source)
            except StopIteration:
                return
            yield item


@contextmanager
def on_signals(stop: Stop, told: Callable[[str], None]) -> Iterator[None]:
    """Make SIGINT, SIGTERM and SIGUSR1 ask for the end.

    A SIGINT after one of the first two ends at once (KeyboardInterrupt).

    Outside the main thread, where Python takes no signals, nothing is changed.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and stop.signal is not None:
            raise KeyboardInterrupt
        stop.ask(number)
        told("stopping: finishing what is under way; Ctrl-C again ends at once")
        if stop.waiting:
            raise Stopped

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, _AHEAD_OF_TIME) if number is not None]
    before: dict[int, Any] = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deaf_children() -> Iterator[None]:
    """Let processes that are started meanwhile never hear SIGUSR1; what comes for this one waits.

    Batch systems send it to all processes of a job, and it ends whoever has not heard of it:
    multiprocessing's own helper processes, for one.
    """
    if _AHEAD_OF_TIME is None:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [_AHEAD_OF_TIME])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
