"""Ending a run early, in good order: Ctrl-C, SIGTERM, the first failure."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")


class Stopped(BaseException):
    """Raised out of a wait by a signal; no Exception, for nobody on the way is to make something of it."""


class Stop:
    """Whether a run has been asked to end, and by which signal, if by one."""

    def __init__(self) -> None:
        self.asked = False
        self.signal: int | None = None
        self.waiting = False

    def ask(self, number: int | None = None) -> None:
        """Ask for the end: nothing more is begun, what is under way is finished."""
        self.asked = True
        self.signal = self.signal or number

    @contextmanager
    def ends_waiting(self) -> Iterator[None]:
        """Let a signal end what is done in here at once (Stopped): nothing is under way to be finished."""
        if self.asked:
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
    """Make SIGINT and SIGTERM ask for the end; a SIGINT after one ends at once (KeyboardInterrupt).

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
    before: dict[int, Any] = {
        number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
