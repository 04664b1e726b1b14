"""Worker processes on this machine, at its loopback address alone."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import WorkersLost
from pipeline.jobs.clusters.encryption import security_of
from pipeline.jobs.spec_compute import Compute
from pipeline.jobs.stopping import deaf_children

LOOPBACK = "127.0.0.1"


@contextmanager
def open_cluster(count: int, compute: Compute) -> Iterator[Any]:
    """Start worker processes; they end with the block."""
    from distributed import LocalCluster

    security = security_of(compute.tls)
    try:
        with deaf_children():
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=compute.threads_per_worker,
                memory_limit=compute.memory_bytes or "auto",
                host=LOOPBACK,
                dashboard_address=f"{LOOPBACK}:0",  # any free port, for this machine alone
                worker_dashboard_address=f"{LOOPBACK}:0",
                silence_logs=logging.CRITICAL,
                **({"security": security, "protocol": "tls://"} if security else {}),
            )
    except (OSError, RuntimeError) as error:
        raise WorkersLost(
            f"{count} worker processes could not be started: {error}; use fewer, or --cluster threads"
        ) from error
    with cluster:
        yield cluster
