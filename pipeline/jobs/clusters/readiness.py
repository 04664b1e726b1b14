"""Workers before they work: waited for, held against this process, and their loops compiled."""

import signal
import threading
from collections.abc import Callable
from typing import Any

from pipeline.errors import WorkersLost
from pipeline.jobs.clusters.waiting import within
from pipeline.jobs.inspection import Wanted, inspect
from pipeline.jobs.memory import adopt_habits

AGAIN = "start workers and run again: nothing that was finished is lost"
LOST = "the connection to the Dask scheduler was lost; run again: nothing that was finished is lost"


def get_ready(
    client: Any, ready: Callable[[], None], wanted: Wanted, patience: float, *, own: bool
) -> set[str]:
    """Wait for a worker, look at all that there are, and have their loops compiled or loaded.

    own : whether the workers are this process's children, which end when it says so. Returns the
    addresses of the workers that are known.
    """
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise WorkersLost(f"no Dask worker came within {patience:g} s; {AGAIN}") from error
    known: set[str] = set()
    look(client, wanted, known, patience)
    client.register_plugin(_ready_plugin(ready, own))
    return known


def look(client: Any, wanted: Wanted, known: set[str], patience: float) -> None:
    """Hold the workers that are not known yet against what is wanted, and know them from now on."""
    new = [address for address in threads_of(client) if address not in known]
    if not new:
        return
    try:
        found = within(
            patience, lambda: client.run(inspect, wanted, workers=new, on_error="return"), lambda late: None
        )
    except (OSError, ValueError) as error:  # a TimeoutError is one
        raise WorkersLost(f"Dask workers do not answer: {', '.join(new)}; {AGAIN}") from error
    for address, wrong in found.items():
        if isinstance(wrong, OSError) and address not in threads_of(client):
            continue  # it has gone again
        if wrong != "":
            told = wrong if isinstance(wrong, str) else _unlike(wanted, wrong)
            raise WorkersLost(f"worker {address} {told}")
        known.add(address)


def _unlike(wanted: Wanted, error: object) -> str:
    """What to say of a worker that could not even be asked: its segpipe is another, or none."""
    ours = ", ".join(f"{name} {version}" for name, version in wanted.versions)
    return f"expected {ours}, found {error}; install the same versions on every worker"


def threads_of(client: Any) -> dict[str, int]:
    """How many threads each worker has; an OSError of Dask's is none of the disk's."""
    try:
        found: dict[str, int] = client.nthreads()
    except OSError as error:
        raise WorkersLost(LOST) from error
    return found


def _ready_plugin(ready: Callable[[], None], own: bool) -> Any:
    """What every worker does when it starts, one that replaces a dead one too."""
    from distributed import WorkerPlugin

    class Ready(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
        name = "segpipe-ready"

        def setup(self, worker: Any) -> None:
            # Signals reach all processes of a terminal or service; the driver decides what they mean.
            if own and threading.current_thread() is threading.main_thread():
                for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
                    if hasattr(signal, name):
                        signal.signal(getattr(signal, name), signal.SIG_IGN)
            adopt_habits()  # of a cluster that is not ours the environment is not, either
            ready()

    return Ready()
