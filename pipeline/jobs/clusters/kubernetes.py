"""Pods of the Dask operator, by dask-kubernetes."""

import atexit
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pipeline.errors import WorkersLost
from pipeline.jobs.clusters.waiting import within
from pipeline.jobs.spec_compute import Compute

_REAPING = 10.0  # seconds in which what was half begun is deleted


@contextmanager
def open_cluster(count: int, compute: Compute) -> Iterator[Any]:
    """Ask for a scheduler and workers; they are deleted at the end of the block."""
    from dask_kubernetes.operator import KubeCluster

    spec = cluster_spec(compute.adaptive.minimum if compute.adaptive.maximum else count, compute)
    options = {"namespace": compute.kubernetes.namespace, "resource_timeout": int(compute.patience)}

    def ask() -> Any:
        return KubeCluster(custom_cluster_spec=spec, quiet=True, **options)

    try:
        cluster = within(compute.patience, ask, lambda late: late.close())
    except Exception as error:  # of the HTTP client, of its answers, of the pods: each has its own
        _reap()
        told = " ".join(str(error).split()) or type(error).__name__
        raise WorkersLost(
            f"compute.cluster kubernetes: no Dask cluster within {compute.patience:g} s: {told}; check that "
            "the API can be reached, and that the Dask operator is installed there"
        ) from error
    with cluster:
        yield cluster


def _reap() -> None:
    """Do now what dask-kubernetes does at exit, where it shows a traceback if the API is out of reach."""
    from dask_kubernetes.operator.kubecluster import kubecluster

    atexit.unregister(kubecluster.reap_clusters)
    with suppress(Exception):
        within(_REAPING, kubecluster.reap_clusters, lambda late: None)


def cluster_spec(count: int, compute: Compute) -> dict[str, Any]:
    """The DaskCluster resource: the operator makes pods of it."""
    from dask_kubernetes.operator import make_cluster_spec

    kubernetes, memory = compute.kubernetes, compute.memory_bytes
    amounts = {"cpu": str(compute.threads_per_worker), **({"memory": str(memory)} if memory else {})}
    command = ["dask-worker", "--nthreads", str(compute.threads_per_worker), "--nworkers", "1"]
    spec: dict[str, Any] = make_cluster_spec(
        name=f"segpipe-{secrets.token_hex(4)}",
        image=kubernetes.image,
        n_workers=count,
        resources={"requests": amounts, "limits": amounts},
        worker_command=command + (["--memory-limit", str(memory)] if memory else []),
    )
    pod = spec["spec"]["worker"]["spec"]
    pod["volumes"] = [
        {"name": f"volume-{number}", "persistentVolumeClaim": {"claimName": volume.claim}}
        for number, volume in enumerate(kubernetes.volumes)
    ]
    pod["containers"][0]["volumeMounts"] = [
        {"name": f"volume-{number}", "mountPath": volume.path}
        for number, volume in enumerate(kubernetes.volumes)
    ]
    return spec
