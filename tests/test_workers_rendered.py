"""What is asked of batch systems, of Kubernetes and of machines behind SSH: rendered, nobody is asked."""

import importlib
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask
import pytest
from pydantic import ValidationError
from trees import Site, contents, plant

from pipeline.errors import SpecError
from pipeline.jobs import extras
from pipeline.jobs.clusters import batch, encryption, kubernetes, ssh
from pipeline.jobs.spec_compute import BATCH, Compute


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is reached at its loopback address."""
    monkeypatch.setattr(batch, "_own_address", lambda: "127.0.0.1")


def compute(kind: str, **sections: Any) -> Compute:
    given: dict[str, Any] = {"workers": 3, "memory_per_worker": "4GiB", "threads_per_worker": 2}
    given |= {"memory_per_worker": None} if "memory" in sections.get("batch", {}) else {}
    return Compute.model_validate(given | {"cluster": kind} | sections)


def script(kind: str, **sections: Any) -> str:
    pytest.importorskip("dask_jobqueue")
    return batch.job_script(compute(kind, **sections))


FULL = {
    "queue": "short",
    "account": "lab7",
    "walltime": "04:00:00",
    "processes": 2,
}
RUN = {
    "python": "/shared/venv/bin/python",
    "job-script-prologue": ["module load gcc", "export TMPDIR=/scratch"],
}
EXTRA = {"slurm": "--qos=low", "pbs": "-p 5", "sge": "-pe smp 4", "lsf": '-R "span[hosts=1]"'}
HEADERS = {
    "slurm": [
        "#SBATCH -J segpipe",
        "#SBATCH -p short",
        "#SBATCH -A lab7",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=8G",
        "#SBATCH -t 04:00:00",
        "#SBATCH --qos=low",
    ],
    "pbs": [
        "#PBS -N segpipe",
        "#PBS -q short",
        "#PBS -A lab7",
        "#PBS -l select=1:ncpus=4:mem=8192MB",
        "#PBS -l walltime=04:00:00",
        "#PBS -p 5",
    ],
    "sge": ["#$ -N segpipe", "#$ -q short", "#$ -P lab7", "#$ -l h_rt=04:00:00", "#$ -pe smp 4"],
    "lsf": [
        "#BSUB -J segpipe",
        "#BSUB -q short",
        '#BSUB -P "lab7"',
        "#BSUB -n 4",
        "#BSUB -W 04:00",
        '#BSUB -R "span[hosts=1]"',
    ],
}


def worker_options(text: str) -> list[str]:
    [line] = [line for line in text.splitlines() if "dask_worker" in line]
    return line[line.index("-m distributed") :].strip("'\" ").split()


@pytest.mark.parametrize("kind", HEADERS)
def test_a_job_asks_for_what_its_workers_need(kind):
    pytest.importorskip("dask_jobqueue")  # whose import sets defaults
    with dask.config.set({f"jobqueue.{kind}.{key}": value for key, value in RUN.items()}):
        text = script(kind, batch=FULL | {"job_extra": [EXTRA[kind]]})
    lines = text.splitlines()
    assert [line for line in HEADERS[kind] if line not in lines] == [], text
    assert lines.index("module load gcc") < lines.index("export TMPDIR=/scratch")
    assert lines[-1 if lines[-1] else -2].startswith("/shared/venv/bin/python -m distributed.cli.dask_worker")
    options = worker_options(text)
    told = dict(pairwise(options))
    assert (told["--nthreads"], told["--nworkers"], told["--memory-limit"]) == ("2", "2", "4.00GiB")
    assert (told["--lifetime"], told["--lifetime-stagger"]) == ("14100s", "150s")
    assert told["--death-timeout"] == "3600.0"
    assert "0.0.0.0" not in text  # noqa: S104 -- told not to


def test_a_job_of_htcondor():
    extra = ['+Project = "x"', "accounting_group = lab7"]
    text = script("htcondor", batch={"job_extra": extra, "cores": 8})
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in ("RequestCpus = 8", '+Project = "x"', "accounting_group = lab7", "MY.DaskWorkerCores = 2"):
        assert line in lines, text
    assert "--lifetime" not in text, "HTCondor has no walltime"


@pytest.mark.parametrize("kind", BATCH)
def test_a_job_is_one_worker_unless_it_says_otherwise(kind):
    options = worker_options(script(kind))
    assert "--nworkers" not in options
    assert options[options.index("--nthreads") + 1] == "2"
    assert ("--lifetime" in options) == (kind != "htcondor"), "of half an hour, Dask's default"


def test_the_memory_of_a_job_is_shared_out():
    given = compute("slurm", batch={"memory": "8GiB", "processes": 4})
    assert given.memory_bytes == 2 * 2**30
    assert "#SBATCH --mem=8G" in batch.job_script(given)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("slurm", "#SBATCH --cpus-per-task=16"),
        ("lsf", "#BSUB -n 16"),
        ("pbs", "select=1:ncpus=16:mem=4096MB"),
    ],
)
def test_more_cores_than_threads_can_be_asked_for(kind, line):
    text = script(kind, batch={"cores": 16})
    assert line in text
    assert worker_options(text)[worker_options(text).index("--nthreads") + 1] == "2"


@pytest.mark.parametrize(
    ("walltime", "lifetime", "stagger"),
    [("01:00:00", 3300, 150), ("1-02:00:00", 93300, 150), ("00:10:00", 480, 60)],
)
def test_workers_have_ended_before_their_job_is_killed(walltime, lifetime, stagger):
    options = worker_options(script("slurm", batch={"walltime": walltime}))
    told = dict(pairwise(options))
    assert (told["--lifetime"], told["--lifetime-stagger"]) == (f"{lifetime}s", f"{stagger}s")


@pytest.mark.parametrize("kind", BATCH)
def test_certificates_are_passed_on(tmp_path, kind):
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text("PEM")
    files = {"ca_file": str(tmp_path / "ca"), "cert": str(tmp_path / "cert"), "key": str(tmp_path / "key")}
    options = batch.job_options(compute(kind, tls=files))
    assert options["protocol"] == "tls://"
    security = options["security"]
    assert security.require_encryption
    assert security.get_tls_config_for_role("worker")["ca_file"] == files["ca_file"]
    pytest.importorskip("dask_jobqueue")
    job = batch._class_of(kind).job_cls("tls://127.0.0.1:1", name="w", **worker_arguments(options))
    assert f"--tls-key {files['key']}" in job.job_script()


def worker_arguments(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "scheduler_options"}


def test_the_scheduler_listens_at_one_address_or_interface():
    assert batch.job_options(compute("slurm"))["scheduler_options"]["host"] == "127.0.0.1"
    options = batch.job_options(compute("slurm", batch={"interface": "ib0"}))
    assert options["interface"] == "ib0"
    assert "host" not in options["scheduler_options"]
    assert options["scheduler_options"]["dashboard_address"] == "127.0.0.1:0"


def test_certificates_that_cannot_be_read_are_a_mistake(tmp_path):
    given = compute("local", tls=dict.fromkeys(("ca_file", "cert", "key"), str(tmp_path / "none.pem")))
    with pytest.raises(SpecError, match=r"compute\.tls\.ca_file: .*none\.pem: cannot be read: No such file"):
        encryption.security_of(given.tls)
    assert encryption.security_of(Compute().tls) is None


def test_pods_of_kubernetes():
    pytest.importorskip("dask_kubernetes")
    volumes = [{"claim": "photos", "path": "/data"}, {"claim": "results", "path": "/out"}]
    section = {"image": "registry.example/segpipe:1.2", "volumes": volumes}
    spec = kubernetes.cluster_spec(3, compute("kubernetes", kubernetes=section))
    assert (spec["apiVersion"], spec["kind"]) == ("kubernetes.dask.org/v1", "DaskCluster")
    assert re.fullmatch(r"segpipe-[0-9a-f]{8}", spec["metadata"]["name"])
    worker = spec["spec"]["worker"]
    assert worker["replicas"] == 3
    [container] = worker["spec"]["containers"]
    assert container["image"] == "registry.example/segpipe:1.2"
    assert shlex.join(container["args"]).startswith(
        "dask-worker --nthreads 2 --nworkers 1 --memory-limit 4294967296 --name"
    )
    amounts = {"cpu": "2", "memory": "4294967296"}
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/data", "/out"]
    named = {volume["name"]: volume["persistentVolumeClaim"] for volume in worker["spec"]["volumes"]}
    assert [named[mount["name"]] for mount in container["volumeMounts"]] == [
        {"claimName": "photos"},
        {"claimName": "results"},
    ]


def test_machines_behind_ssh(monkeypatch):
    monkeypatch.setenv("SEGPIPE_SSH_PYTHON", "/opt/python")
    section = {"hosts": ["127.0.0.1", "localhost"], "user": "me", "port": 2222}
    parts = ssh.ssh_spec(3, compute("ssh", ssh=section))
    login = {"connect_timeout": 60.0, "username": "me", "port": 2222}
    scheduler = parts["scheduler"]["options"]
    assert (scheduler["address"], scheduler["connect_options"]) == ("127.0.0.1", login)
    assert scheduler["kwargs"] == {"host": "127.0.0.1", "port": 0, "dashboard": False}
    workers = [part["options"] for _, part in sorted(parts["workers"].items())]
    assert [worker["address"] for worker in workers] == ["127.0.0.1", "localhost", "127.0.0.1"]
    for worker in workers:
        assert worker["remote_python"] == "/opt/python"
        assert worker["kwargs"] == {
            "host": "127.0.0.1",
            "nthreads": 2,
            "dashboard": False,
            "death_timeout": 60.0,
            "memory_limit": 4 * 2**30,
        }


MISTAKES = [
    ({"cluster": "ssh"}, "ssh", "required, because compute.cluster is 'ssh'"),
    ({"cluster": "slurm", "memory_per_worker": "1GB"}, "workers", "or give compute.adaptive.maximum"),
    ({"cluster": "slurm", "workers": 2}, "batch", "such as '8GiB'"),
    (
        {"cluster": "pbs", "workers": 2, "memory_per_worker": "1GB", "batch": {"memory": "1GB"}},
        "batch",
        "leave",
    ),
    ({"cluster": "kubernetes", "workers": 2}, "kubernetes", "required, because"),
    (
        {"workers": 1, "cluster": "slurm", "adaptive": {"maximum": 4}, "memory_per_worker": "1B"},
        "workers",
        "it too",
    ),
    ({"adaptive": {"minimum": 5, "maximum": 4}}, "adaptive", "at least the minimum, 5, found 4"),
    ({"tls": {"key": "/k"}}, "tls", "give all three"),
    ({"tls": {"ca_file": "/k"}}, "tls", "give all three"),
    ({"cluster": "address"}, "address", "such as 'tcp://host:8786'"),
    (
        {"cluster": "address", "address": "tcp://a:1", "scheduler_file": "/f"},
        "address",
        "leave one of them out",
    ),
    ({"batch": {"walltime": "4h"}}, "batch", "pattern"),
    ({"batch": {"queue": "a\n#SBATCH -o /x"}}, "batch", "pattern"),
    ({"batch": {"job_extra": ["--qos=low\nrm -r ."]}}, "batch", "one line of text"),
    ({"batch": {"script_prologue": ["rm -r ."]}}, "batch", "Extra inputs"),
    ({"ssh": {"python": "python"}}, "ssh", "Extra inputs"),
    ({"ssh": {"hosts": ["-oProxyCommand=x"]}}, "ssh", "pattern"),
]


@pytest.mark.parametrize(("given", "key", "words"), MISTAKES, ids=lambda value: str(value)[:40])
def test_mistakes_are_told_by_key(given, key, words):
    with pytest.raises(ValidationError) as caught:
        Compute.model_validate(given)
    [mistake] = caught.value.errors()
    assert mistake["loc"][0] == key
    assert words in mistake["msg"]


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        ("htcondor", "universe = local"),
        ("htcondor", "Queue = 1"),
        ("htcondor", "include : rm -r . |"),
        ("htcondor", "queue x from rm -r . |"),
        ("htcondor", "include command : a = b"),
        ("htcondor", "+PreCmd"),
        ("lsf", "-E 'rm -r .'"),
        ("lsf", "-L /tmp/shell"),
        ("pbs", "-S /tmp/shell"),
        ("pbs", "-l prologue=/tmp/script"),
        ("pbs", "-l nodes=1,epilogue=/tmp/script"),
        ("sge", "-S /tmp/shell"),
        ("sge", "-prolog /tmp/script"),
        ("slurm", "--wrap=rm"),
        ("slurm", "--output=/etc/passwd"),
        ("slurm", "--qos=low --output=/etc/passwd"),
        ("slurm", "--bcast"),
    ],
)
def test_a_job_file_has_nothing_run(kind, extra):
    with pytest.raises(ValidationError, match=f"expected directives of {kind} that ask for resources"):
        compute(kind, batch={"job_extra": [extra]})


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        ("htcondor", '+Group = "x"'),
        ("htcondor", "request_GPUs = 1"),
        ("lsf", "-G lab7"),
        ("pbs", "-l place=excl"),
        ("sge", "-pe smp 4"),
        ("slurm", "--exclusive"),
        ("slurm", "-C haswell"),
    ],
)
def test_a_job_file_may_ask_for_resources(kind, extra):
    assert compute(kind, batch={"job_extra": [extra]}).batch.job_extra == [extra]


def test_mistakes_have_their_place_in_the_file(tmp_path):
    site = Site(tmp_path)
    site.job.write_text(
        "input: {root: in}\noutput: {root: out}\ncompute:\n  cluster: slurm\n  batch:\n    wall_time: 1\n"
        "    processes: 0\n",
        encoding="utf-8",
    )
    told = site.call("plan").stderr
    assert "job.yaml:6:5: compute.batch.wall_time: unknown key; did you mean 'walltime'?" in told
    assert "job.yaml:7:16: compute.batch.processes: expected a whole number of at least 1, found 0" in told
    assert "compute.workers: required, because compute.cluster is 'slurm'" in told


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Site]:
    """A job of a kind that is not to be had here; nothing may come of it."""
    site = Site(tmp_path, compute={"workers": 1, "memory_per_worker": "1GiB"})
    plant(site.inputs, "a.png")
    yield site
    assert contents(site.outputs) == {}


@pytest.mark.parametrize(
    ("kind", "package", "extra"),
    [
        ("slurm", "dask-jobqueue", "hpc"),
        ("kubernetes", "dask-kubernetes", "kubernetes"),
        ("ssh", "asyncssh", "ssh"),
    ],
)
def test_a_missing_package_is_told_with_how_to_install_it(untouched, monkeypatch, kind, package, extra):
    found = importlib.util.find_spec
    name = package.replace("-", "_")
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == name else found(module))
    more = ("compute.ssh.hosts=[localhost]", "compute.kubernetes.image=x")
    settings = [word for override in more for word in ("--set", override)]
    result = untouched.run("--cluster", kind, *settings, code=2)
    assert f"expected the package {package}, found none" in result.stderr
    assert f"pip install 'segpipe[{extra}]'" in result.stderr


def test_a_machine_that_cannot_submit_jobs_is_told(untouched, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", "/nowhere")
    result = untouched.run("--cluster", "slurm", code=2)
    assert "expected the command sbatch on this machine, found none" in result.stderr
