"""The section ``compute``: where the work runs, with the options of each kind of cluster."""

import re
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.jobs.spec_batch import BATCH, Batch, Memory, Word, check_directives
from pipeline.jobs.spec_mistakes import WrongKeyError
from pipeline.jobs.spec_sections import Number, Root, Section

Kind = Literal[
    "auto", "inline", "threads", "local", "address", "ssh", "slurm", "pbs", "sge", "lsf", "htcondor",
    "kubernetes",
]  # fmt: skip
HERE = ("auto", "inline", "threads", "local")
"""The kinds whose workers are on this machine, and of this program, by their nature."""

_PATIENCE = {"kubernetes": 600.0, **dict.fromkeys(BATCH, 3600.0)}  # seconds; a queue may be long
_SOON = 60.0


def _bytes(memory: str) -> int:
    """An amount of memory in bytes: kB = 1000, KiB = 1024."""
    [(number, unit)] = re.findall(r"([0-9.]+) ?([A-Za-z]+)", memory)
    return int(float(number) * (1024 if "i" in unit else 1000) ** "BKMGT".index(unit[0].upper()))


Address = Annotated[str, Field(pattern=r"^[a-z]+://\S+$", examples=["tcp://host:8786"])]


class Tls(Section):
    """``compute.tls``: the certificates of scheduler, workers and this process."""

    ca_file: Root | None = Field(
        default=None, description="Certificates of the authority, in PEM; relative to this file."
    )
    cert: Root | None = Field(default=None, description="Certificate to show the others, in PEM.")
    key: Root | None = Field(default=None, validate_default=True, description="Its private key, in PEM.")

    @property
    def wanted(self) -> bool:
        """Whether connections are to be encrypted."""
        return self.key is not None

    @field_validator("key")
    @classmethod
    def _all_or_none(cls, key: str | None, info: ValidationInfo) -> str | None:
        given = [info.data.get("ca_file"), info.data.get("cert"), key]
        if any(given) and not all(given):
            raise ValueError("ca_file, cert and key belong together; give all three")
        return key


class Ssh(Section):
    """``compute.ssh``: machines on which a scheduler and workers are started."""

    hosts: list[Word] = Field(
        default=[],
        description="Machines to work on; the first runs the scheduler too, at the address that its name has "
        "here. Required if cluster is ssh.",
    )
    user: Word | None = Field(default=None, description="Name to log in with. null: the same as here.")
    port: int | None = Field(default=None, ge=1, le=65535, description="Port of the SSH servers. null: 22.")
    key_file: Root | None = Field(
        default=None, description="Private key to log in with. null: the SSH agent's, and those in ~/.ssh."
    )
    known_hosts: Root | None = Field(
        default=None, description="File of the machines' public keys. null: ~/.ssh/known_hosts."
    )


class Adaptive(Section):
    """``compute.adaptive``: as many workers as there is work for."""

    minimum: int = Field(default=1, ge=1, description="Fewest workers.")
    maximum: int | None = Field(
        default=None, ge=1, validate_default=True, description="Most workers. null: not adaptive."
    )

    @field_validator("maximum")
    @classmethod
    def _not_below(cls, maximum: int | None, info: ValidationInfo) -> int | None:
        minimum = info.data.get("minimum", 1)
        if maximum is not None and maximum < minimum:
            raise ValueError(f"expected at least the minimum, {minimum}, found {maximum}")
        return maximum


class Volume(Section):
    """One of ``compute.kubernetes.volumes``."""

    claim: Word = Field(description="Name of a PersistentVolumeClaim.")
    path: Annotated[str, Field(pattern=r"^/[^\x00]*$", examples=["/data"])] = Field(
        description="Where it is mounted, the same as here."
    )


class Kubernetes(Section):
    """``compute.kubernetes``: the pods of the Dask operator."""

    image: Word | None = Field(
        default=None, description="Container image with this segpipe. Required if cluster is kubernetes."
    )
    namespace: Word | None = Field(default=None, description="Namespace. null: that of the context.")
    volumes: list[Volume] = Field(
        default=[],
        description="Claims that hold the input and the output folder, such as {claim: photos, path: /data}.",
    )


class Compute(Section):
    """``compute``: where the work runs, which never changes what comes out."""

    cluster: Kind = Field(
        default="auto",
        description="Where the work runs: inline (this process), threads, local (processes on this machine), "
        "address (a running Dask scheduler), ssh, a batch system, kubernetes (its Dask operator), or auto, "
        "which chooses among the first three by the amount of work.",
    )
    scheduler_file: Root | None = Field(
        default=None,
        description="File in which a running Dask scheduler has written its address; instead of address.",
    )
    address: Address | None = Field(
        default=None,
        validate_default=True,
        description="The Dask scheduler's address; this or scheduler_file is required if cluster is address.",
    )
    adaptive: Adaptive = Field(
        default_factory=Adaptive, description="More or fewer workers of a batch system or of Kubernetes."
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        validate_default=True,
        description="Number of workers. null: one per core; with ssh, one on each machine.",
    )
    threads_per_worker: int = Field(default=1, ge=1, description="Threads of each worker.")
    memory_per_worker: Memory | None = Field(
        default=None, description="Memory that a worker may use. null: the machine's memory shared out."
    )
    retries: int = Field(
        default=1, ge=0, description="How often work is tried again after its worker was lost."
    )
    image_timeout: Number | None = Field(
        default=600,
        ge=0,
        description="Seconds that the work on an image may take, or on a part if it is done in windows; in "
        "proportion more above 100 megapixels. What takes longer fails as TimedOut, and its worker process "
        "is replaced. null or 0: any time.",
    )
    timeout: Number | None = Field(
        default=None,
        gt=0,
        description="Seconds to wait for the cluster, and for a worker while there is none. null: 60; 600 "
        "with kubernetes; 3600 with batch systems, where jobs may have to queue.",
    )
    tls: Tls = Field(
        default_factory=Tls, description="Encryption; other files than these are asked of nobody."
    )
    ssh: Ssh = Field(
        default_factory=Ssh, validate_default=True, description="Machines that are reached by SSH."
    )
    batch: Batch = Field(
        default_factory=Batch, validate_default=True, description="Jobs of slurm, pbs, sge, lsf or htcondor."
    )
    kubernetes: Kubernetes = Field(
        default_factory=Kubernetes, validate_default=True, description="Pods of the Dask operator."
    )

    @field_validator("address")
    @classmethod
    def _given_if_asked_for(cls, address: str | None, info: ValidationInfo) -> str | None:
        file = info.data.get("scheduler_file")
        if address is None and file is None and info.data.get("cluster") == "address":
            raise ValueError("required, because compute.cluster is 'address'; such as 'tcp://host:8786'")
        if address is not None and file is not None:
            raise ValueError("compute.scheduler_file says it too; leave one of them out")
        return address

    @field_validator("workers")
    @classmethod
    def _known_how_many(cls, workers: int | None, info: ValidationInfo) -> int | None:
        kind, adaptive = info.data.get("cluster"), info.data.get("adaptive")
        many = adaptive is not None and adaptive.maximum is not None
        if kind not in (*BATCH, "kubernetes"):
            return workers
        if workers is None and not many:
            raise ValueError(
                f"required, because compute.cluster is '{kind}'; or give compute.adaptive.maximum"
            )
        if workers is not None and many:
            raise ValueError("compute.adaptive.maximum says it too; leave one of them out")
        return workers

    @field_validator("tls")
    @classmethod
    def _where_it_can_be(cls, tls: Tls, info: ValidationInfo) -> Tls:
        if tls.wanted and info.data.get("cluster") == "kubernetes":
            raise WrongKeyError(
                "key", "the Dask operator starts schedulers without it; leave compute.tls out"
            )
        return tls

    @field_validator("ssh")
    @classmethod
    def _with_hosts(cls, ssh: Ssh, info: ValidationInfo) -> Ssh:
        if not ssh.hosts and info.data.get("cluster") == "ssh":
            raise WrongKeyError("hosts", "required, because compute.cluster is 'ssh'; such as [node1, node2]")
        return ssh

    @field_validator("batch")
    @classmethod
    def _with_memory(cls, batch: Batch, info: ValidationInfo) -> Batch:
        kind, threads = info.data.get("cluster"), info.data.get("threads_per_worker", 1)
        if kind not in BATCH:
            return batch
        each = info.data.get("memory_per_worker")
        if batch.memory is None and each is None and "memory_per_worker" in info.data:
            raise WrongKeyError("memory", f"required, because compute.cluster is '{kind}'; such as '8GiB'")
        if batch.memory is not None and each is not None:
            raise WrongKeyError("memory", "compute.memory_per_worker says it too; leave one of them out")
        if batch.cores is not None and batch.cores < batch.processes * threads:
            message = f"{batch.processes} processes of {threads} threads need as many, found {batch.cores}"
            raise WrongKeyError("cores", message)
        if kind == "sge" and batch.cores is not None:
            message = "SGE gives cores by parallel environments; say it in job_extra, such as '-pe smp 4'"
            raise WrongKeyError("cores", message)
        check_directives(kind, batch)
        return batch

    @field_validator("kubernetes")
    @classmethod
    def _with_image(cls, kubernetes: Kubernetes, info: ValidationInfo) -> Kubernetes:
        if kubernetes.image is None and info.data.get("cluster") == "kubernetes":
            raise WrongKeyError("image", "required, because compute.cluster is 'kubernetes'")
        return kubernetes

    @property
    def memory_bytes(self) -> int | None:
        """What a worker may use, in bytes, or None if it is not given."""
        if self.memory_per_worker is not None:
            return _bytes(self.memory_per_worker)
        if self.cluster in BATCH and self.batch.memory is not None:
            return _bytes(self.batch.memory) // self.batch.processes
        return None

    @property
    def patience(self) -> float:
        """Seconds to wait for a cluster, and for a worker while there is none."""
        return self.timeout or _PATIENCE.get(self.cluster, _SOON)
