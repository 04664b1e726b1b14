"""Small files, read before it is their turn, several at a time.

On a network each opening takes its time, however small the file is; it is waited for once, not once for
each of a bundle's files.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue

from pipeline.files.objects import Place
from pipeline.files.sources import Source

_READERS = 8  # threads, and files at most that are held before their turn
_SMALL = 2 << 20  # bytes; of larger ones the opening is the smaller part, and eight of them too much to hold

Read = Callable[[Place], Source]
ReadSmall = Callable[[Place, int], Source | None]


@contextmanager
def reading_ahead(paths: Sequence[Place], read: Read, read_small: ReadSmall) -> Iterator[Read]:
    """Read small files ahead of their turn; at most 16 MiB are held.

    paths : the files, in the order in which they will be asked for. read, read_small : how one is
    read, see `sources`.

    Yields what to call in place of `read`: it gives the same, and raises the same.
    """
    if len(paths) < 2:
        yield read
        return
    queue = _Queue(paths, read, read_small)
    try:
        yield queue.take
    finally:
        queue.end()


class _Queue:
    """Files whose turn is to come: some are being read, or have been."""

    def __init__(self, paths: Sequence[Place], read: Read, read_small: ReadSmall) -> None:
        self._left = iter(paths)
        self._read = read
        self._ahead: deque[tuple[Place, Future[Source | None]]] = deque()
        self._tasks: SimpleQueue[tuple[Future[Source | None], Place] | None] = SimpleQueue()
        self._readers = min(_READERS, len(paths))
        for _ in range(self._readers):
            # No pool: a process does not wait at its end for one of these that hangs.
            threading.Thread(
                target=_serve, args=(self._tasks, read_small), name="segpipe-reader", daemon=True
            ).start()
            self._begin()

    def take(self, path: Place) -> Source:
        """The content of the next file."""
        known, future = self._ahead.popleft()
        self._begin()  # before the wait, which somebody may give up
        if known != path:
            raise ValueError(f"expected to be asked for {known.name}, found {path.name}")
        if future.cancel():  # not begun: all readers hang, which is not this file's fault
            return self._read(path)
        source = future.result()
        return self._read(path) if source is None else source

    def end(self) -> None:
        """Begin nothing more."""
        for _, future in self._ahead:
            future.cancel()
        for _ in range(self._readers):
            self._tasks.put(None)

    def _begin(self) -> None:
        for path in self._left:
            future: Future[Source | None] = Future()
            self._ahead.append((path, future))
            self._tasks.put((future, path))
            return


def _serve(tasks: SimpleQueue[tuple[Future[Source | None], Place] | None], read_small: ReadSmall) -> None:
    while (task := tasks.get()) is not None:
        future, path = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(read_small(path, _SMALL))
        except BaseException as error:  # it belongs to who asks for the file
            future.set_exception(error)
        del task, future  # which may hold an image
