"""Tasks on workers that may die: tried again, to find out which image is to blame, and tidied up after."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from pipeline.errors import WorkerDied
from pipeline.jobs.ledger import Books
from pipeline.jobs.leftovers import sweep_outputs
from pipeline.jobs.stopping import Stop
from pipeline.jobs.tree import Tree

_CALM, _GLANCE = 30.0, 0.1  # seconds to wait for workers, and between looks


class Trials:
    """The tasks of a run on its workers; they end early if it is to stop."""

    def __init__(self, workers: Any, stop: Stop) -> None:
        self._workers = workers
        self._stop = stop

    def each(
        self, function: Callable[[Any], Any], tasks: Any, begun: Books | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """Do tasks; those whose worker died are tried again, to find out which is to blame.

        Image by image first; then one after the other, for who dies of a neighbour is innocent, as is
        who comes to a worker that is about to be replaced: to blame is who has died alone twice.

        begun : the books in which to note first that the outputs of a task's images are about to
        be replaced.
        """
        suspects: list[Any] = []
        while tasks:
            again: list[Any] = []
            for task, answer in self._workers.map(function, self._stop.until(drawn(tasks, begun))):
                if not isinstance(answer, WorkerDied):
                    yield task, answer
                elif len(task.keys) > 1 and hasattr(task, "split"):
                    again += task.split()
                else:
                    suspects.append(task)
            tasks = again
        for suspect in suspects:
            for task, answer in self._alone(function, suspect):
                # Who asked for the end may have ended the worker.
                if not (isinstance(answer, WorkerDied) and self._stop.asked):
                    yield task, answer

    def _alone(self, function: Callable[[Any], Any], suspect: Any) -> Iterator[tuple[Any, Any]]:
        """Do a task while nothing else is done; twice, if need be: a worker may die of the death before."""
        for last in (False, True):
            self._calm_down()
            for task, answer in self._workers.map(function, self._stop.until([suspect])):
                if last or not isinstance(answer, WorkerDied):
                    yield task, answer
                    return

    def _calm_down(self) -> None:
        """Wait for the workers that are to come, for a while: a cluster may end late ones at their start."""
        end = time.monotonic() + _CALM
        while not (self._workers.whole() or self._stop.asked) and time.monotonic() < end:
            time.sleep(_GLANCE)


def drawn(tasks: Any, begun: Books | None) -> Iterator[Any]:
    """The tasks, each noted in the books when it is drawn."""
    for task in tasks:
        if begun is not None:
            begun.begin(task.keys)
        yield task


def sweep_again(tree: Tree, keys: set[str]) -> None:
    """Remove what killed workers have left beside the outputs of these images.

    Others have made them since, so no later run would look there.
    """
    with suppress(OSError):  # of a disk that fails: it is told already
        sweep_outputs(tree, keys)
