"""Where tasks run. The only module that knows Dask.

Whatever the kind of workers, they are a map: a function and items in, pairs of item and answer out,
in the order in which they are done. Only a bounded number of items is under way at once, and items
are drawn from their iterator one by one: ending the iterator is how a run is stopped.
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol

from pipeline import __version__
from pipeline.color.warmup import announced, warm_up
from pipeline.errors import WorkerDied, WorkersLost
from pipeline.jobs.memory import HABITS, adopt_habits
from pipeline.jobs.recipe import ALGORITHM_VERSION
from pipeline.jobs.spec_sections import Compute

_AHEAD = 2  # items for each thread: one at work and one waiting, so that none is idle
_PATIENCE = 60  # seconds in which a cluster without workers must get one
_GLANCE = 1.0  # seconds between looks at whether there are workers at all
_AGAIN = "start workers and run again: nothing that was finished is lost"
_LOST = "the connection to the Dask scheduler was lost; run again: nothing that was finished is lost"

Announce = Callable[[str], None]


class Workers(Protocol):
    """Some workers; see the module."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        """Call the function on every item; an exception that it raises is the answer."""


@contextmanager
def open_workers(
    kind: str, count: int, compute: Compute, announce: Announce, ready: Callable[[], None] = warm_up
) -> Iterator[Workers]:
    """Open workers of a kind that `compute.cluster` knows, "auto" excepted, and get them ready.

    count : how many. announce : told when getting ready takes its time. ready : called once by each
    process that works, before its first task: it compiles the loops that tasks will need.
    Raises WorkersLost if a cluster cannot be reached, has no workers or other versions.
    """
    adopt_habits()
    if kind in ("inline", "threads"):
        with announced(announce):
            ready()
        yield _Inline() if kind == "inline" else _Threads(count * compute.threads_per_worker)
    else:
        with _cluster(kind, count, compute) as client:
            with announced(announce):
                _get_ready(client, ready, own=kind == "local")
            yield _Cluster(client)


class _Inline:
    """The calling thread."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        for item in items:
            try:
                answer = function(item)
            except Exception as error:
                answer = error
            yield item, answer


class _Threads:
    """Threads of this process: decoding, fitting and compressing let go of the interpreter's lock."""

    def __init__(self, count: int) -> None:
        self._count = count

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        source = iter(items)
        under_way: dict[Future[Any], Any] = {}
        pool = ThreadPoolExecutor(self._count)
        try:
            while True:
                for item in islice(source, self._count * _AHEAD - len(under_way)):
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


class _Cluster:
    """The workers of a Dask cluster."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        from distributed import KilledWorker

        source = iter(items)
        under_way: dict[Any, Any] = {}
        while True:
            room = self._threads() * _AHEAD  # workers may come and go
            for item in islice(source, max(0, room - len(under_way))):
                under_way[self._client.submit(function, item, pure=False)] = item
            if not under_way:
                return
            for future in self._finished(under_way):
                item = under_way.pop(future)
                if future.status == "cancelled":
                    raise WorkersLost(_LOST)
                error = future.exception()
                if isinstance(error, KilledWorker):
                    error = WorkerDied(str(error))
                yield item, error or future.result()
                future.release()

    def _threads(self) -> int:
        """How many threads the workers have together; an OSError of Dask's is none of the disk's."""
        try:
            return sum(self._client.nthreads().values())
        except OSError as error:
            raise WorkersLost(_LOST) from error

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
                raise WorkersLost(_LOST) from error
            if done:
                return [future for future in under_way if future in done]
            if self._client.status != "running":
                raise WorkersLost(_LOST)
            deserted = 0.0 if self._threads() else deserted + _GLANCE
            if deserted >= _PATIENCE:
                raise WorkersLost(f"the Dask scheduler has had no worker for {_PATIENCE} s; {_AGAIN}")


@contextmanager
def _cluster(kind: str, count: int, compute: Compute) -> Iterator[Any]:
    """A client of a new local cluster or of the one at `compute.address`."""
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(
        logging.CRITICAL
    )  # what goes wrong is told by records and exit codes
    with dask.config.set(
        {
            "distributed.scheduler.allowed-failures": compute.retries,
            "distributed.scheduler.no-workers-timeout": _PATIENCE,
            **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in HABITS.items()},
        }
    ):
        if kind == "address":
            try:
                client = Client(compute.address, timeout=_PATIENCE, set_as_default=False)
            except (OSError, ValueError) as error:
                raise WorkersLost(
                    f"compute.address {compute.address}: expected a Dask scheduler, found: {error}; "
                    "check that it runs and can be reached from here"
                ) from error
            with client:
                yield client
        else:
            try:
                cluster = LocalCluster(
                    n_workers=count,
                    threads_per_worker=compute.threads_per_worker,
                    memory_limit=compute.memory_bytes or "auto",
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",  # any free port, for this machine alone
                    worker_dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            except (OSError, RuntimeError) as error:
                raise WorkersLost(
                    f"{count} worker processes could not be started: {error}; use fewer, or --cluster threads"
                ) from error
            with cluster, Client(cluster, set_as_default=False) as client:
                yield client


def _get_ready(client: Any, ready: Callable[[], None], *, own: bool) -> None:
    """Wait for a worker, hold its versions against ours, and compile or load its loops.

    own : whether the workers are this process's children, which end when it says so.
    """
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        raise WorkersLost(f"no Dask worker came within {_PATIENCE} s; {_AGAIN}") from error
    ours = _versions()
    for address, theirs in client.run(_versions, on_error="return").items():
        if theirs != ours:
            raise WorkersLost(
                f"worker {address}: expected segpipe {ours[0]} (algorithm {ours[1]}), found {theirs}; "
                "install the same version on every worker"
            )
    client.register_plugin(_ready_plugin(ready, own))


def _versions() -> tuple[str, int]:
    return __version__, ALGORITHM_VERSION


def _ready_plugin(ready: Callable[[], None], own: bool) -> Any:
    """What every worker does when it starts, one that replaces a dead one too."""
    from distributed import WorkerPlugin

    class Ready(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
        name = "segpipe-ready"

        def setup(self, worker: Any) -> None:
            # Signals reach all processes of a terminal or service; the driver decides what they mean.
            if own and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            ready()

    return Ready()
