"""Waiting for what may never come, in a way that signals can end."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Answer = TypeVar("Answer")


def within(seconds: float, function: Callable[[], Answer], discard: Callable[[Answer], object]) -> Answer:
    """Call a function that may hang, in a thread of its own.

    Raises TimeoutError after `seconds`. `discard` gets an answer that comes when nobody waits for it
    any more, after a signal too.
    """
    future: Future[Answer] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # it belongs to who waits
            future.set_exception(error)

    def late(done: Future[Answer]) -> None:
        if done.exception() is None:
            discard(done.result())

    threading.Thread(target=work, daemon=True).start()
    try:
        return future.result(seconds)
    except BaseException:
        future.add_done_callback(late)
        raise
