"""A scheduler and workers on machines that are reached by SSH; they end with the connection.

As distributed's SSHCluster does it, but that each listens at its machine's address, not at all of them.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import WorkersLost
from pipeline.jobs.clusters.waiting import within
from pipeline.jobs.spec_compute import Compute

PYTHON = "SEGPIPE_SSH_PYTHON"
"""The variable that tells of a Python there other than that of this process: no job file may."""


@contextmanager
def open_cluster(count: int, compute: Compute) -> Iterator[Any]:
    """Start a scheduler and workers; they end with the block. count : of all workers together."""
    import asyncssh
    from distributed import SpecCluster

    hosts = ", ".join(compute.ssh.hosts)
    try:
        parts = ssh_spec(count, compute)
        cluster = within(compute.patience, lambda: SpecCluster(**parts), lambda late: late.close())
    except TimeoutError as error:
        raise WorkersLost(
            f"compute.ssh.hosts {hosts}: no scheduler and workers within {compute.patience:g} s; check that "
            f"they can be reached, and {PYTHON}"
        ) from error
    except (OSError, RuntimeError, asyncssh.Error) as error:
        raise WorkersLost(
            f"compute.ssh.hosts {hosts}: no scheduler and workers could be started: {error}; check that you "
            f"can log in without a password, and {PYTHON}"
        ) from error
    with cluster:
        yield cluster


def ssh_spec(count: int, compute: Compute) -> dict[str, Any]:
    """What distributed's SpecCluster is to make: the options of the scheduler and of each worker."""
    from distributed.deploy.ssh import Scheduler, Worker

    ssh = compute.ssh
    login: dict[str, Any] = {
        "username": ssh.user,
        "port": ssh.port,
        "client_keys": ssh.key_file and [ssh.key_file],
        "known_hosts": ssh.known_hosts,
    }
    login = {"connect_timeout": compute.patience, **{key: value for key, value in login.items() if value}}
    places = {host: socket.gethostbyname(host) for host in ssh.hosts}
    wire = {"protocol": "tls://"} if compute.tls.wanted else {}

    def options(host: str, more: dict[str, Any]) -> dict[str, Any]:
        given = {"host": places[host], **wire, **more}
        return {
            "address": host,
            "connect_options": login,
            "remote_python": os.environ.get(PYTHON),
            "kwargs": given,
        }

    work: dict[str, Any] = {
        "nthreads": compute.threads_per_worker,
        "dashboard": False,
        "death_timeout": compute.patience,  # else it waits for ever for a scheduler that has gone
    }
    if compute.memory_bytes is not None:
        work["memory_limit"] = compute.memory_bytes
    hosts = [ssh.hosts[number % len(ssh.hosts)] for number in range(count)]
    return {
        "scheduler": {"cls": Scheduler, "options": options(ssh.hosts[0], {"port": 0, "dashboard": False})},
        "workers": {
            number: {"cls": Worker, "options": options(host, work)} for number, host in enumerate(hosts)
        },
        "name": "segpipe",
    }
