"""A process that kills itself (SIGKILL) at the N-th thing it does to the disk.

Everything is imported and compiled once; then each line on stdin, ``{"at": N, "below": folder,
"arguments": […]}``, is answered by a copy of the process (fork) that runs the command line with
these arguments. The answer on stdout is its process id and, on another line, how it ended: ``{"signal": 9,
"points": ["os.rename …"], "exit": null}``. What counts as a thing is what the interpreter itself
reports (its audit events) about paths below the folder: opening to write, renaming, removing, making
folders; and each write and each flush, a write twice: before it, and after half of its bytes.

`at` 0 kills nobody and answers with all the points that were passed; -1 leaves killing to whoever asked.
"""

import importlib
import io
import json
import multiprocessing.synchronize  # noqa: F401 -- late in the library, too
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Trap:
    """Counts what is done to the disk below a folder, and springs at the N-th."""

    def __init__(self, at: int, below: str, tell: Callable[[str], None]) -> None:
        self._at = at
        self._below = below
        self._tell = tell
        self._count = 0
        self._turn = threading.RLock()

    def step(self, what: str) -> None:
        """Count; die if this is the one."""
        with self._turn:
            self._count += 1
            if self._at in (0, self._count):
                self._tell(what)
            if self._count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event."""
        if event == "open":
            path, _, flags = arguments
            if flags & WRITING and self._is_below(path):
                self.step(f"open {path}")
        elif event in NAMES and any(self._is_below(argument) for argument in arguments):
            self.step(" ".join([event, *(str(item) for item in arguments if not isinstance(item, int))]))

    def _is_below(self, path: object) -> bool:
        return isinstance(path, str | bytes | Path) and os.fsdecode(path).startswith(self._below)

    def set(self) -> None:
        """Arm it, for good."""
        opener, flush, write = io.open, os.fsync, os.write

        def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            stream = opener(file, mode, *arguments, **options)
            watched = set(mode) & set("wxa+") and self._is_below(file)
            return _Halting(stream, self, os.fsdecode(file)) if watched else stream

        def flushed(handle: int) -> None:
            self.step(f"fsync {os.path.realpath(f'/proc/self/fd/{handle}')}")
            flush(handle)

        def written(handle: int, data: bytes) -> int:
            path = os.path.realpath(f"/proc/self/fd/{handle}")
            if self._is_below(path):
                self.step(f"write {path}")
            return write(handle, data)

        io.open, os.fsync, os.write = opened, flushed, written
        sys.addaudithook(self.hear)


class _Halting:
    """A file that may stop in the middle of a write."""

    def __init__(self, stream: Any, trap: Trap, path: str) -> None:
        self._stream = stream
        self._trap = trap
        self._path = path

    def write(self, data: bytes) -> int:
        self._trap.step(f"write {self._path}")
        half = len(data) // 2
        self._stream.write(data[:half])
        self._stream.flush()
        self._trap.step(f"write {self._path}, half done")
        return half + int(self._stream.write(data[half:]))

    def __enter__(self) -> "_Halting":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Let a copy of this process carry out an order; tell how it ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _perform(order, writer)
    os.close(writer)
    sys.stdout.write(f"{child}\n")
    sys.stdout.flush()
    with os.fdopen(reader) as told:
        points = told.read().splitlines()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    return {
        "signal": os.WTERMSIG(status) if killed else None,
        "exit": None if killed else os.WEXITSTATUS(status),
        "points": points,
    }


def _perform(order: dict[str, Any], writer: int) -> None:
    code = 70
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(silence, handle)
        write = os.write
        trap = Trap(
            order["at"], order["below"], lambda what: bool(write(writer, f"{what}\n".encode())) or None
        )
        trap.set()
        cli.main(order["arguments"], prog_name="segpipe")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import cli
    from pipeline import files, jobs, views
    from pipeline.color.warmup import warm_up

    for wing in (files, jobs, views):  # what a run imports late would be imported by each copy anew
        for room in pkgutil.iter_modules(wing.__path__, f"{wing.__name__}."):
            importlib.import_module(room.name)
    warm_up()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()
