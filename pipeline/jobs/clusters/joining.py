"""A client of a cluster: of one that is there already, or of one that is opened for the run."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import WorkersLost
from pipeline.jobs.clusters import batch, kubernetes, local, ssh
from pipeline.jobs.clusters.encryption import security_of
from pipeline.jobs.memory import HABITS
from pipeline.jobs.spec_batch import BATCH
from pipeline.jobs.spec_compute import Compute

_GLANCE = 0.2  # seconds between looks at a file that is not there yet
_SOON = "50ms"
"""Work for which a worker more is worth asking for. Only twice as many tasks are under way as there are
threads, so each hint of more has to count; the number of workers doubles with each look."""


@contextmanager
def join(kind: str, count: int, compute: Compute) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Give a client, and what asks for new workers in the place of those that have ended.

    Raises WorkersLost if there is none within `compute.patience`.
    """
    import dask
    import distributed  # noqa: F401 -- its defaults have to be there before they are changed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    for name in ("tornado.application", "asyncio"):  # what fails is told by who waits for it
        logging.getLogger(name).setLevel(logging.CRITICAL)
    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": compute.retries,
        "distributed.scheduler.no-workers-timeout": compute.patience,
        # What workers sample of themselves many times a second for a dashboard that nobody opens.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.system-monitor.interval": "10s",
        **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in HABITS.items()},
    }
    if kind == "ssh" and compute.tls.wanted:  # the machines inherit the configuration, and nothing else
        tls = compute.tls
        settings |= {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": tls.ca_file}
        for role in ("client", "scheduler", "worker"):
            settings[f"distributed.comm.tls.{role}.cert"] = tls.cert
            settings[f"distributed.comm.tls.{role}.key"] = tls.key
    with dask.config.set(settings):
        if kind == "address":
            with _client_of_a_running_cluster(compute) as client:
                yield client, _left_alone
            return
        with _opened(kind, count, compute) as cluster:
            if compute.adaptive.maximum and (kind in BATCH or kind == "kubernetes"):
                cluster.adapt(
                    minimum=compute.adaptive.minimum,
                    maximum=compute.adaptive.maximum,
                    target_duration=_SOON,
                )
            with _connected(cluster, timeout=compute.patience) as client:
                yield client, _keeper(kind, cluster, adaptive=bool(compute.adaptive.maximum))


def _left_alone() -> None:
    """Do nothing: others see to the workers."""


def _keeper(kind: str, cluster: Any, *, adaptive: bool) -> Callable[[], None]:
    """What keeps a cluster at its size: the operator of Kubernetes does it, as does who adapts it."""
    if kind == "kubernetes" or adaptive:
        return _left_alone
    if kind in BATCH:
        return lambda: cluster.scale(jobs=len(cluster.worker_spec))  # else it takes workers for jobs
    return lambda: cluster.scale(len(cluster.worker_spec))


def _opened(kind: str, count: int, compute: Compute) -> Any:
    if kind in BATCH:
        return batch.open_cluster(count, compute)
    return {"local": local, "ssh": ssh, "kubernetes": kubernetes}[kind].open_cluster(count, compute)


@contextmanager
def _client_of_a_running_cluster(compute: Compute) -> Iterator[Any]:
    asked = f"compute.address {compute.address}"
    if compute.scheduler_file is not None:
        asked = f"compute.scheduler_file {compute.scheduler_file}"
    end = time.monotonic() + compute.patience
    security = security_of(compute.tls)
    try:
        address = compute.address or _address_in(Path(str(compute.scheduler_file)), end)
        left = max(1.0, end - time.monotonic())
        client = _connected(address, security=security, timeout=left)
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # no address; no TLS where it has to be
        told = re.sub(r"\d+\.\d{3,}", lambda time: f"{float(time[0]):.1f}", " ".join(str(error).split()))
        raise WorkersLost(
            f"{asked}: expected a Dask scheduler, found: {told}; "
            "check that it runs and can be reached from here"
        ) from error
    with client:
        yield client


def _connected(scheduler: Any, **settings: Any) -> Any:
    """Make a client, or close what there is of it.

    Left to the garbage collector, it may be closed while Dask holds the lock that this takes.
    """
    from distributed import Client

    client = Client.__new__(Client)
    try:
        client.__init__(scheduler, set_as_default=False, **settings)
    except BaseException:
        with suppress(Exception):
            client.close()
            client._loop_runner.stop()  # which it leaves running if it was closed by itself
        raise
    return client


def _address_in(file: Path, end: float) -> str:
    """The address that a scheduler has written, or writes before the end of waiting."""
    while True:
        try:
            return str(json.loads(file.read_bytes())["address"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            if time.monotonic() > end:
                if isinstance(error, OSError):
                    raise
                raise ValueError("a file without its address") from error
        time.sleep(_GLANCE)
