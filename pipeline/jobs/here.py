"""Workers of this process: its own thread, or some more. What they are like, `workers` tells."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

AHEAD = 2  # items for each thread: one at work and one waiting, so that none is idle


class Inline:
    """The calling thread."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        """Call the function on every item; an exception that it raises is the answer."""
        for item in items:
            try:
                answer = function(item)
            except Exception as error:
                answer = error
            yield item, answer

    def whole(self) -> bool:
        """Whether nothing has died that is to be replaced."""
        return True


class Threads:
    """Threads of this process: decoding, fitting and compressing let go of the interpreter's lock."""

    def __init__(self, count: int) -> None:
        self._count = count

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        """Call the function on every item; an exception that it raises is the answer."""
        source = iter(items)
        under_way: dict[Future[Any], Any] = {}
        pool = ThreadPoolExecutor(self._count)
        try:
            while True:
                for item in islice(source, self._count * AHEAD - len(under_way)):
                    under_way[pool.submit(function, item)] = item
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    error = future.exception()
                    if error is not None and not isinstance(error, Exception):
                        raise error
                    yield under_way.pop(future), error or future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def whole(self) -> bool:
        """Whether nothing has died that is to be replaced."""
        return True
