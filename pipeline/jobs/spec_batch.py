"""The section ``compute.batch``: what each job of a batch system asks for.

A job file says what is asked for, and cannot say what is run: directives are admitted by name, and
shell commands before the worker, or another Python, are for Dask's configuration on the machine from
which jobs are submitted.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.jobs.spec_mistakes import WrongKeyError
from pipeline.jobs.spec_sections import Section

BATCH = ("slurm", "pbs", "sge", "lsf", "htcondor")
"""The kinds whose workers are jobs of a batch system."""

# Of each system those that choose resources, nodes, accounts and mail. Others name a shell, a command
# to be run before or after, files to copy, or where output goes.
_DIRECTIVES = {
    "slurm": r"--(qos|constraint|reservation|gres|gpus|exclude|nodelist|exclusive|licenses|nice|tmp|"
    r"mail-type|mail-user|mem-per-cpu|hint|clusters|switches|comment|requeue|no-requeue)(=\S+)?|"
    r"-[CLMwx] \S+",
    "pbs": r"-l (?!.*(pro|epi)logue)\S+|-[pPmM] \S+|-r [yn]",
    "sge": r"-(l|pe|P|p|q|m|M|R|ac|js) \S+( \S+)?",
    "lsf": r'-(R|m|G|sp|app|U|g|M|n|Jd|u) (\S+|"[^"]*")|-[xNB]',
    "htcondor": r"(\+[A-Za-z_]\w*|requirements|rank|request_\w+|accounting_group(_user)?|priority|"
    r"concurrency_limits|notification|notify_user|nice_user|max_retries|job_max_vacate_time) *= *\S.*",
}


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"expected one line of text, found {text!r}")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:@/+-]*$", examples=["name"])]
Walltime = Annotated[str, Field(pattern=r"^([0-9]+-)?[0-9]{1,3}:[0-9]{2}:[0-9]{2}$", examples=["04:00:00"])]
Memory = Annotated[
    str, Field(pattern=r"^[0-9]*[1-9][0-9]*(\.[0-9]+)? ?([kKMGT]i?)?B$", examples=["4GiB", "500MB"])
]


class Batch(Section):
    """``compute.batch``: what each job of a batch system asks for."""

    queue: Word | None = Field(
        default=None, description="Queue, or SLURM's partition. null: the system's own."
    )
    account: Word | None = Field(default=None, description="Account, or project, that is charged.")
    walltime: Walltime | None = Field(
        default=None,
        description="Longest time of a job, hours:minutes:seconds. Its workers end in good order before "
        "it is over, and others take their place. null: what Dask's configuration says, else half an hour.",
    )
    processes: int = Field(default=1, ge=1, description="Workers of each job.")
    cores: int | None = Field(
        default=None, ge=1, description="Cores of each job. null: processes × compute.threads_per_worker."
    )
    memory: Memory | None = Field(
        default=None, description="Memory of each job. null: processes × compute.memory_per_worker."
    )
    interface: Word | None = Field(
        default=None,
        description="Network interface, such as ib0, of this machine and the nodes. null: this machine "
        "listens at the one address by which others reach it.",
    )
    job_extra: list[Line] = Field(
        default=[],
        description="Further directives of each job that ask for resources, such as '--qos=low'; for "
        "HTCondor, such as '+Group = \"x\"'. Those that run something are for Dask's configuration to say.",
    )


def check_directives(kind: str, batch: Batch) -> None:
    """Raise WrongKeyError if a job says what its batch system does not know, or what is not for it to say."""
    for key in ("queue", "account") if kind == "htcondor" else ():
        if getattr(batch, key) is not None:
            raise WrongKeyError(key, "HTCondor has none; leave it out, or say it in job_extra")
    for number, line in enumerate(batch.job_extra):
        if not re.fullmatch(_DIRECTIVES[kind], line.strip(), re.IGNORECASE if kind == "htcondor" else 0):
            raise WrongKeyError(
                "job_extra",
                f"expected directives of {kind} that ask for resources, found {line!r} at {number}; what "
                "runs something, or is not known here, Dask's configuration may say",
            )
