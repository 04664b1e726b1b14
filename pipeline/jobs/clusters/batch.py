"""Workers that are jobs of a batch system, by dask-jobqueue. The scheduler is in this process."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pipeline.errors import WorkersLost
from pipeline.jobs.clusters.encryption import security_of
from pipeline.jobs.clusters.local import LOOPBACK
from pipeline.jobs.clusters.waiting import within
from pipeline.jobs.spec_compute import Compute

_CLASSES = {"slurm": "SLURM", "pbs": "PBS", "sge": "SGE", "lsf": "LSF", "htcondor": "HTCondor"}
_MARGIN = 300  # seconds before the walltime by which a worker has ended in good order, at most
_PROJECT = ("sge", "lsf")  # which call an account so


@contextmanager
def open_cluster(count: int, compute: Compute) -> Iterator[Any]:
    """Submit jobs; those that are left are cancelled at the end of the block."""
    with _class_of(compute.cluster)(**job_options(compute)) as cluster:
        try:
            cluster.scale(1 if compute.adaptive.maximum else count)
            try:
                within(compute.patience, partial(_submit, cluster), lambda late: None)
            except (OSError, RuntimeError, ValueError) as error:
                told = " ".join(str(error).split())
                raise WorkersLost(
                    f"compute.cluster {compute.cluster}: a job could not be submitted: {told}"
                ) from error
            yield cluster
        finally:
            _forget_refused(cluster)


def job_options(compute: Compute) -> dict[str, Any]:
    """The arguments of dask-jobqueue's cluster: a scheduler at one address, and what each job is."""
    kind, batch = compute.cluster, compute.batch
    security = security_of(compute.tls)
    walltime = _walltime(kind, batch.walltime)
    extra: Any = batch.job_extra
    if kind == "htcondor":
        extra = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in extra)}
    memory = (compute.memory_bytes or 0) * batch.processes
    options: dict[str, Any] = {
        "cores": batch.processes * compute.threads_per_worker,
        "memory": f"{memory} B",
        "processes": batch.processes,  # else a guess: the square root of the cores
        "job_name": "segpipe",
        "interface": batch.interface,
        "job_extra_directives": extra or None,  # then what Dask's configuration says
        "worker_extra_args": ["--no-dashboard", *_lifetime(walltime)],
        "death_timeout": compute.patience,
        "scheduler_options": {
            "dashboard_address": f"{LOOPBACK}:0",
            **({} if batch.interface else {"host": _own_address()}),
        },
        "security": security,
        "protocol": "tls://" if security else "tcp://",
    }
    if kind == "htcondor":
        options["disk"] = _configured(kind, "disk") or "1 GB"
    else:
        options |= {"queue": batch.queue, "project" if kind in _PROJECT else "account": batch.account}
        if batch.walltime is not None:
            hours, minutes, seconds = walltime // 3600, walltime // 60 % 60, walltime % 60
            options["walltime"] = f"{hours:02}:{minutes:02}" + ("" if kind == "lsf" else f":{seconds:02}")
    if batch.cores is not None:
        options |= _asked_cores(kind, batch.cores, memory, extra)
    return options


def job_script(compute: Compute) -> str:
    """The script of a job, as it would be submitted."""
    with _class_of(compute.cluster)(**job_options(compute)) as cluster:
        script: str = cluster.job_script()
    return script


def _class_of(kind: str) -> Any:
    import dask_jobqueue

    return getattr(dask_jobqueue, f"{_CLASSES[kind]}Cluster")


def _submit(cluster: Any) -> None:
    """Wait until the jobs are handed in; raises what the batch system says against it."""

    async def settled() -> None:
        await cluster
        for job in cluster.workers.values():  # one that was refused is handed in once more, and raises
            await job

    cluster.sync(settled)


def _forget_refused(cluster: Any) -> None:
    """Take jobs that were never submitted for closed: distributed cannot close them, and says so loudly."""
    from distributed.core import Status

    for job in list(getattr(cluster, "_created", cluster.workers.values())):
        if job.status == Status.created:
            job.status = Status.closed


def _own_address() -> str:
    from distributed.utils import get_ip

    return str(get_ip())


def _configured(kind: str, key: str) -> Any:
    import dask

    return dask.config.get(f"jobqueue.{kind}.{key}", None)


def _walltime(kind: str, given: str | None) -> int:
    """In seconds; what Dask's configuration says if the job does not."""
    text = given or _configured(kind, "walltime")
    if not text or (kind == "htcondor" and given is None):
        return 0
    days, clock = ("0", str(text)) if "-" not in str(text) else str(text).split("-", 1)
    if not re.fullmatch(r"\d+(:\d+){0,2}", clock):
        return 0
    parts = [int(part) for part in clock.split(":")]
    if len(parts) < 3:
        parts = [*parts, 0] if kind == "lsf" or given else [0, *parts]
    seconds = 0
    for part in parts:
        seconds = 60 * seconds + part
    return int(days) * 86400 + seconds


def _lifetime(walltime: int) -> list[str]:
    """End each worker in good order before its job is killed, not all at the same time."""
    if not walltime:
        return []
    margin = min(_MARGIN, walltime // 5)
    stagger = margin // 2
    return ["--lifetime", f"{walltime - margin}s", "--lifetime-stagger", f"{stagger}s"]


def _asked_cores(kind: str, cores: int, memory: int, extra: Any) -> dict[str, Any]:
    """More cores than the workers of a job have threads, in the way each system is asked for them."""
    if kind == "htcondor":
        return {"job_extra_directives": {"RequestCpus": cores, **extra}}
    if kind == "pbs":
        return {"resource_spec": f"select=1:ncpus={cores}:mem={-(-memory // 2**20)}MB"}
    return {{"slurm": "job_cpu", "lsf": "ncpus"}[kind]: cores}
