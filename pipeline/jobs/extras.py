"""Packages and commands that only some jobs need: whether they are there, told before any work."""

import shutil
from importlib.util import find_spec

from pipeline.errors import SpecError
from pipeline.jobs.spec_batch import BATCH
from pipeline.jobs.spec_compute import Compute

_OF_KIND = {
    "ssh": ("asyncssh", "ssh"),
    "kubernetes": ("dask_kubernetes", "kubernetes"),
    **dict.fromkeys(BATCH, ("dask_jobqueue", "hpc")),
}

_SUBMIT = {"slurm": "sbatch", "pbs": "qsub", "sge": "qsub", "lsf": "bsub", "htcondor": "condor_submit"}


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
