"""Packages and commands that only some jobs need: whether they are there, told before any work."""

import shutil
from importlib.util import find_spec

from pipeline.errors import SpecError
from pipeline.files.objects import is_url
from pipeline.jobs.spec_batch import BATCH
from pipeline.jobs.spec_compute import Compute

_OF_KIND = {
    "ssh": ("asyncssh", "ssh"),
    "kubernetes": ("dask_kubernetes", "kubernetes"),
    **dict.fromkeys(BATCH, ("dask_jobqueue", "hpc")),
}

_OF_PROTOCOL = {"s3": ("s3fs", "s3")}
_SUBMIT = {"slurm": "sbatch", "pbs": "qsub", "sge": "qsub", "lsf": "bsub", "htcondor": "condor_submit"}


def require_store(root: str) -> None:
    """Raise SpecError if a root is in a kind of store that needs a package that is not there."""
    module, extra = _OF_PROTOCOL.get(root.partition("://")[0] if is_url(root) else "", ("", ""))
    if module and find_spec(module) is None:
        raise SpecError(
            f"{root}: expected the package {module}, found none; install it with: "
            f"pip install 'segpipe[{extra}]'"
        )


def require_extras(compute: Compute) -> None:
    """Raise SpecError if the kind of cluster needs a package or a command that is not there."""
    module, extra = _OF_KIND.get(compute.cluster, ("", ""))
    if module and find_spec(module) is None:
        package = module.replace("_", "-")
        raise SpecError(
            f"compute.cluster {compute.cluster}: expected the package {package}, found none; "
            f"install it with: pip install 'segpipe[{extra}]'"
        )
    command = _SUBMIT.get(compute.cluster)
    if command and shutil.which(command) is None:
        raise SpecError(
            f"compute.cluster {compute.cluster}: expected the command {command} on this machine, found none; "
            "run where jobs are submitted from"
        )
