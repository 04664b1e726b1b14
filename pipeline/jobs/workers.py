"""Where tasks run. With `clusters`, the only module that knows Dask.

Whatever the kind of workers, they are a map: a function and items in, pairs of item and answer out,
in the order in which they are done. Only a bounded number of items is under way at once, and items
are drawn from their iterator one by one: ending the iterator is how a run is stopped.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Protocol

from pipeline.color.warmup import announced, warm_up
from pipeline.errors import TimedOut, WorkerDied, WorkersLost
from pipeline.jobs.clusters.joining import join
from pipeline.jobs.clusters.readiness import AGAIN, LOST, get_ready, look, threads_of
from pipeline.jobs.here import AHEAD, Inline, Threads
from pipeline.jobs.inspection import Folders, Guarded, Wanted, versions
from pipeline.jobs.limits import left_behind
from pipeline.jobs.memory import adopt_habits
from pipeline.jobs.spec_compute import Compute

_GLANCE = 1.0  # seconds between looks at whether there are workers at all
_FETCHING = 30.0  # seconds for an answer to come over; they are small
_REPLACING = 30.0  # seconds between looks at whether workers of our own cluster have ended
_REVIVING = (
    5.0  # the same of processes of this machine, whose nannies give up on those that die at their start
)
_RESTARTING = 30.0  # seconds for a worker to start anew

Announce = Callable[[str], None]


class Workers(Protocol):
    """Some workers; see the module."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        """Call the function on every item; an exception that it raises is the answer."""

    def whole(self) -> bool:
        """Whether nothing has died that is to be replaced, and is not yet."""


@contextmanager
def open_workers(
    kind: str,
    count: int,
    compute: Compute,
    announce: Announce,
    ready: Callable[[], None] = warm_up,
    folders: Folders | None = None,
) -> Iterator[Workers]:
    """Open workers of a kind that `compute.cluster` knows, "auto" excepted, and get them ready.

    count : how many. announce : told when getting ready takes its time. ready : called once by each
    process that works, before its first task: it compiles the loops that tasks will need. folders :
    what workers elsewhere have to see.
    Raises WorkersLost if a cluster cannot be reached, has no workers, or has some that are unfit.
    """
    adopt_habits()
    if kind in ("inline", "threads"):
        with announced(announce):
            ready()
        yield Inline() if kind == "inline" else Threads(count * compute.threads_per_worker)
    else:
        own = kind == "local"
        wanted = Wanted(versions(), None if own else folders)
        with join(kind, count, compute) as (client, keep_up):
            with announced(announce):
                known = get_ready(client, ready, wanted, compute.patience, own=own)
            own_threads = count * compute.threads_per_worker if own else 0
            yield _Cluster(client, keep_up, wanted, known, compute.patience, own=own, threads=own_threads)


class _Cluster:
    """The workers of a Dask cluster.

    wanted : what those that come later are held against; `known` are the others. keep_up : asks for new
    workers in the place of those that have ended. own : whether all workers are children of this
    process, and cannot but be fit. threads : how many these have together, if none is missing.
    """

    def __init__(
        self,
        client: Any,
        keep_up: Callable[[], None],
        wanted: Wanted,
        known: set[str],
        patience: float,
        *,
        own: bool,
        threads: int = 0,
    ) -> None:
        self._client = client
        self._keep_up = keep_up
        self._wanted = wanted
        self._known = known
        self._patience = patience
        self._own = own
        self._kept_up = time.monotonic()
        self._replaced: set[str] = set()
        self._all_threads = threads

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        source = iter(items)
        under_way: dict[Any, Any] = {}
        call = _Attended(function if self._own else Guarded(function, self._wanted))
        while True:
            room = self._threads() * AHEAD  # workers may come and go
            if not under_way:
                room = max(room, 1)  # all may be starting anew: what is under way is waited for with patience
            for item in islice(source, max(0, room - len(under_way))):
                under_way[self._begin(call, item)] = item
            if not under_way:
                return
            finished = self._finished(under_way)
            if not self._own:  # before what a late one did is believed
                look(self._client, self._wanted, self._known, self._patience)
            told = {future: answer for future in finished if (answer := self._answer(future)) is not None}
            answers = [(under_way.pop(future), answer) for future, (answer, _) in told.items()]
            for future in told:
                future.release()
            # Before any answer is given: who takes it may want no more.
            self._replace({address for _, address in told.values()} - self._replaced - {""})
            yield from answers

    def _begin(self, call: Callable[[Any], Any], item: Any) -> Any:
        """The future of an item."""
        try:
            return self._client.submit(call, item, pure=False)
        except Exception as error:
            if self._client.status != "running":
                raise WorkersLost(LOST) from error
            raise

    def _answer(self, future: Any) -> tuple[Any, str] | None:
        """What came of a future, and the address of the worker if that is to be replaced.

        None: it has gone with the worker that had it, and is done again.
        """
        from distributed import KilledWorker

        if future.status == "cancelled":
            raise WorkersLost(LOST)
        try:
            error = future.exception(timeout=_FETCHING)
            found: tuple[Any, str] = (error, "") if error else future.result(timeout=_FETCHING)
        except CancelledError as gone:
            raise WorkersLost(LOST) from gone
        except Exception as trouble:
            if self._client.status != "running":
                raise WorkersLost(LOST) from trouble
            if isinstance(trouble, OSError) or future.status == "error":  # done again, it has failed
                return None
            error, found = trouble, (trouble, "")
        if isinstance(error, WorkersLost):
            raise error
        if type(error).__name__ == "NoWorkerError":  # the scheduler was out of patience before us
            raise WorkersLost(_deserted(self._patience))
        return (WorkerDied(str(error)), "") if isinstance(error, KilledWorker) else found

    def _threads(self) -> int:
        """How many threads the workers have together. What has ended is replaced now and then."""
        since = time.monotonic() - self._kept_up
        if since > (_REVIVING if self._own else _REPLACING):
            self._kept_up = time.monotonic()
            self._keep_up()
        return sum(threads_of(self._client).values())

    def whole(self) -> bool:
        """Whether all our own workers are there; those of others come and go as they like."""
        return self._threads() >= self._all_threads

    def _replace(self, hanging: set[str]) -> None:
        """Have workers restarted that have a thread left behind; what else they were at is done by others.

        One without a nanny goes on beside it: if it ended, there might be none in its place.
        """
        self._replaced |= hanging
        for address in hanging:
            with suppress(ValueError, OSError):  # it has no nanny, or is gone, or its nanny does not answer
                self._client.restart_workers([address], timeout=_RESTARTING, raise_for_error=False)

    def _finished(self, under_way: dict[Any, Any]) -> list[Any]:
        """Wait for some of the futures; WorkersLost if there is nobody left who could finish them."""
        from distributed import wait

        deserted = 0.0
        while True:
            try:
                with self._client.as_current():
                    done = wait(list(under_way), timeout=_GLANCE, return_when="FIRST_COMPLETED").done
            except TimeoutError:  # an OSError too, so it comes first
                done = set()
            except (CancelledError, OSError) as error:
                raise WorkersLost(LOST) from error
            if done:
                return [future for future in under_way if future in done]
            if self._client.status != "running":
                raise WorkersLost(LOST)
            deserted = 0.0 if self._threads() else deserted + _GLANCE
            if deserted >= self._patience:
                raise WorkersLost(_deserted(self._patience))


def _deserted(patience: float) -> str:
    return f"the Dask scheduler has had no worker for {patience:g} s; {AGAIN}"


class _Attended:
    """A function that tells, with its answer, the worker's address if a thread was left behind there."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __call__(self, item: Any) -> tuple[Any, str]:
        """Call the function; a TimedOut that it raises is its answer."""
        try:
            answer = self._function(item)
        except TimedOut as error:
            answer = error
        if not left_behind():
            return answer, ""
        from distributed import get_worker

        return answer, str(get_worker().address)
