"""Workers in other processes, as users start them: found, held against ours, waited for, and lost."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from test_workers import free_port, program, scheduler
from trees import Site, contents, debris, plant

REPO = Path(__file__).parents[1]
KEYS = [f"{number % 3}/{number}.png" for number in range(6)]
WORKER = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1", "--death-timeout", "20")

AS_ANOTHER = """
import sys
from importlib import metadata
import pipeline
name, version = sys.argv[1:3]
if name == "segpipe":
    pipeline.__version__ = version
else:
    real = metadata.version
    metadata.version = lambda asked: version if asked == name else real(asked)
sys.argv[1:3] = []
from distributed.cli.dask_worker import main
main()
"""
"""A worker with another version of segpipe or of a package, so it says."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, dict[str, bytes]]:
    """A job, and its tree as one process makes it."""
    site = Site(tmp_path_factory.mktemp("elsewhere") / "site")
    plant(site.inputs, *KEYS)
    site.run()
    expected = contents(site.outputs)
    shutil.rmtree(site.outputs)
    return site, expected


@pytest.fixture
def site(alone: tuple[Site, dict[str, bytes]]) -> Iterator[Site]:
    """The job before its first run."""
    yield alone[0]
    shutil.rmtree(alone[0].outputs, ignore_errors=True)


def worker(*options: str) -> list[str]:
    return ["-m", "distributed.cli.dask_worker", *options, *WORKER]


@contextmanager
def running(site: Site, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, which is not left behind."""
    command = [sys.executable, REPO / "cli.py", "run", site.job, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def tidy(site: Site) -> bool:
    """Whether nothing is left of what workers had to see."""
    return debris(site.outputs) == [] and not list(site.state.glob("*seen*"))


@pytest.mark.slow
def test_a_scheduler_is_found_by_its_file(alone, site, tmp_path):
    file = tmp_path / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    with ExitStack() as stack:
        stack.enter_context(
            program("-m", "distributed.cli.dask_scheduler", *options, "--scheduler-file", str(file))
        )
        while not file.exists():
            time.sleep(0.1)
        stack.enter_context(program(*worker("--scheduler-file", str(file))))
        site.run("--cluster", "address", "--set", f"compute.scheduler_file={file}")
    assert contents(site.outputs) == alone[1]
    assert tidy(site)


@pytest.mark.parametrize("content", ["", "{}", "[]", "no json", '{"address": "nowhere"}'])
def test_a_file_of_no_scheduler_is_5(site, tmp_path, content):
    file = tmp_path / "scheduler.json"
    file.write_text(content)
    result = site.run(
        "--cluster",
        "address",
        "--set",
        f"compute.scheduler_file={file}",
        "--set",
        "compute.timeout=2",
        code=5,
    )
    assert f"compute.scheduler_file {file}: expected a Dask scheduler" in result.stderr
    assert tidy(site)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of an authority and of a pair that it has signed."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    base = tmp_path_factory.mktemp("tls")
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
    commands = [
        [*new, "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"],
        [*new[:2], *new[3:6], "-subj", "/CN=segpipe", "-keyout", "key.pem", "-out", "asked.pem"],
        shlex.split(
            "openssl x509 -req -in asked.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem"
        ),
    ]
    for command in commands:
        subprocess.run(command, cwd=base, check=True, capture_output=True)
    return {"ca_file": f"{base}/ca.pem", "cert": f"{base}/cert.pem", "key": f"{base}/key.pem"}


@pytest.mark.slow
def test_connections_are_encrypted(alone, site, certificates):
    address = f"tls://127.0.0.1:{free_port()}"
    tls = ["--tls-ca-file", certificates["ca_file"]]
    tls += ["--tls-cert", certificates["cert"], "--tls-key", certificates["key"]]
    given = [word for key, value in certificates.items() for word in ("--set", f"compute.tls.{key}={value}")]
    options = (
        "--host",
        "tls://127.0.0.1",
        "--port",
        address.rpartition(":")[2],
        "--no-dashboard",
        "--no-show",
    )
    with ExitStack() as stack:
        stack.enter_context(program("-m", "distributed.cli.dask_scheduler", *options, *tls))
        stack.enter_context(program(*worker(address, *tls)[:-4], "--death-timeout", "20"))
        site.run("--cluster", address, *given)
        assert contents(site.outputs) == alone[1]
        shutil.rmtree(site.outputs)
        plain = address.replace("tls:", "tcp:")
        for wrong in ([plain], [plain, *given]):
            result = site.run("--cluster", *wrong, "--set", "compute.timeout=2", code=5)
            assert "expected a Dask scheduler" in result.stderr
            assert [thread for thread in threading.enumerate() if thread.name == "IO loop"] == []


@pytest.mark.slow
def test_a_local_cluster_can_be_encrypted_too(alone, site, certificates):
    given = [word for key, value in certificates.items() for word in ("--set", f"compute.tls.{key}={value}")]
    with running(site, "--cluster", "local", "--workers", "2", *given) as process:
        assert process.wait(60) == 0
    assert contents(site.outputs) == alone[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["segpipe", "numpy", "pillow", "numba", "msgspec", "zlib-ng"])
def test_a_worker_of_another_version_is_refused(site, name):
    address = f"tcp://127.0.0.1:{free_port()}"
    with scheduler(address), program("-c", AS_ANOTHER, name, "0.0.7", address, *WORKER):
        result = site.run("--cluster", address, code=5)
    assert f"found {name} 0.0.7; install the same versions on every worker" in result.stderr
    assert f"expected {name} " in result.stderr
    assert site.records() == {}
    assert tidy(site)


@pytest.mark.slow
def test_a_worker_without_segpipe_is_refused(site):
    address = f"tcp://127.0.0.1:{free_port()}"
    with scheduler(address), program("-c", WITHOUT, address, *WORKER):
        result = site.run("--cluster", address, code=5)
    assert "expected segpipe " in result.stderr
    assert "install the same versions on every worker" in result.stderr
    assert site.records() == {}


DYING_ONCE = """
import os, signal, sys
from pathlib import Path
from pipeline.files.outputs import Commit
flag, publish = Path(sys.argv.pop(1)), Commit.publish
def dying(self):
    if self._groups and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return publish(self)
Commit.publish = dying
from distributed.cli.dask_worker import main
main()
"""
"""A worker that is killed when its first images lie beside their final names."""


@pytest.mark.slow
def test_a_killed_worker_leaves_nothing_behind_in_a_run_that_goes_on(alone, site, tmp_path):
    address, flag = f"tcp://127.0.0.1:{free_port()}", tmp_path / "died"
    with ExitStack() as stack:
        stack.enter_context(scheduler(address))
        both = [stack.enter_context(program("-c", DYING_ONCE, str(flag), address, *WORKER)) for _ in "12"]
        site.run("--cluster", address)
        assert flag.exists()
        assert [process.poll() for process in both].count(-signal.SIGKILL) == 1
    assert contents(site.outputs) == alone[1]
    assert tidy(site)


WITHOUT = "import sys; sys.modules['pipeline'] = None; from distributed.cli.dask_worker import main; main()"
SLOWLY = """
import sys, time
sys.path.insert(0, sys.argv.pop(1))
from pipeline.jobs import bundles
from pipeline.jobs.keeping import Keeper
bundles._IMAGES = 1
keep = Keeper.keep
Keeper.keep = lambda self, *rest: (time.sleep(2), keep(self, *rest))[1]
import cli
cli.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("lacking", ["version", "segpipe"])
def test_a_worker_that_joins_late_is_held_against_ours_too(alone, site, tmp_path, lacking):
    """It may have a task before anyone has looked at it: it does none."""
    address = f"tcp://127.0.0.1:{free_port()}"
    late = ["-c", WITHOUT] if lacking == "segpipe" else ["-c", AS_ANOTHER, "numpy", "0.0.7"]
    with ExitStack() as stack:
        stack.enter_context(scheduler(address))
        stack.enter_context(program(*worker(address)))
        command = [sys.executable, "-c", SLOWLY, REPO, "run", site.job, "--cluster", address]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        stack.callback(process.kill)
        journal = site.state / "journal.jsonl"
        while not (journal.exists() and b'"status":"done"' in journal.read_bytes().replace(b" ", b"")):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.1)
        stack.enter_context(program(*late, address, *WORKER))
        _, told = process.communicate(timeout=60)
    assert "Traceback" not in told
    records = site.records()
    assert {record["status"] for record in records.values()} == {"done"}
    if lacking == "segpipe":  # it may not even get so far as to join
        assert process.returncode in (0, 5), told
    else:
        assert process.returncode == 5, told
        assert "found numpy 0.0.7; install the same versions on every worker" in told
        assert 0 < len(records) < len(KEYS)
    site.run()
    assert contents(site.outputs) == alone[1]


needs_namespaces = pytest.mark.skipif(
    not (shutil.which("ip") and hasattr(os, "geteuid") and os.geteuid() == 0), reason="needs ip and root"
)


@pytest.fixture
def network() -> Iterator[tuple[list[str], list[str]]]:
    """Command prefixes of two network namespaces that reach each other, and nothing else."""
    names = [f"segpipe{os.getpid()}{end}" for end in "ab"]
    links = [f"sp{os.getpid() % 10**8}{end}" for end in "ab"]

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    with ExitStack() as stack:
        try:
            for name in names:
                ip("netns", "add", name)
                stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=False)
            ip("link", "add", links[0], "type", "veth", "peer", "name", links[1])
            for number, (name, link) in enumerate(zip(names, links, strict=True)):
                ip("link", "set", link, "netns", name)
                ip("-n", name, "address", "add", f"10.213.7.{number + 1}/24", "dev", link)
                ip("-n", name, "link", "set", link, "up")
                ip("-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        one, other = (["ip", "netns", "exec", name] for name in names)
        yield one, other


@pytest.mark.slow
@needs_namespaces
def test_machines_that_share_a_folder_and_nothing_else(alone, site, network):
    """The driver and the scheduler in one namespace, the worker in the other."""
    here, there = network
    address = "tcp://10.213.7.1:8786"
    options = ["--host", "10.213.7.1", "--port", "8786", "--no-dashboard", "--no-show"]
    commands = [
        [*here, sys.executable, "-m", "distributed.cli.dask_scheduler", *options],
        [*there, sys.executable, *worker(address)[:-3], "10.213.7.2", "--death-timeout", "30"],
    ]
    with ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(
                command, cwd=REPO, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        run = [*here, sys.executable, REPO / "cli.py", "run", site.job, "--cluster", address]
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    assert contents(site.outputs) == alone[1]
    assert tidy(site)


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("unshare") and hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="needs unshare and root",
)
@pytest.mark.parametrize(
    ("hidden", "words"),
    [("out", "expected to see output.root"), ("in", "expected images in input.root")],
)
def test_a_worker_that_does_not_see_the_folders_is_told(site, hidden, words):
    address = f"tcp://127.0.0.1:{free_port()}"
    site.outputs.mkdir(exist_ok=True)
    folder = site.base / hidden
    mount = f"mount -t tmpfs none '{folder}' && exec \"$@\""
    if subprocess.run(["unshare", "-m", "sh", "-c", mount, "sh", "true"], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    with ExitStack() as stack:
        stack.enter_context(scheduler(address))
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", mount, "sh", sys.executable, *worker(address)],
            cwd=REPO,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        result = site.run("--cluster", address, code=5)
    assert f"on {os.uname().nodename}: {words} {folder}" in result.stderr
    assert "mount the same folders under the same paths" in result.stderr
    assert tidy(site)
    assert site.records() == {}


@pytest.mark.slow
@pytest.mark.parametrize("listening", [True, False], ids=["without workers", "nobody"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_wait_for_workers(site, listening, number, code):
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        if listening:
            stack.enter_context(scheduler(address))
        process = stack.enter_context(running(site, "--cluster", address))
        deadline = time.monotonic() + 30
        while not list(site.state.glob("*seen*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(3)
        process.send_signal(number)
        asked = time.monotonic()
        _, told = process.communicate(timeout=30)
    assert process.returncode == code, told
    assert time.monotonic() - asked < 8
    assert "Traceback" not in told
    assert tidy(site)
    assert site.records() == {}
    [log] = (site.state / "runs").iterdir()
    assert json.loads(log.read_bytes())["exit_code"] == code


@pytest.mark.slow
def test_a_signal_ends_the_start_of_a_local_cluster(alone, site):
    with running(site, "--cluster", "local", "--workers", "2") as process:
        while not (site.state / "lock").exists():
            time.sleep(0.02)
        time.sleep(0.7)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 143, told
    assert "Traceback" not in told
    site.run()
    assert contents(site.outputs) == alone[1]


SBATCH = """#!/bin/sh
# Hand a job in: it is run at once, beside us.
cp "$1" "{base}/job.sh"
setsid sh "{base}/job.sh" </dev/null >>"{base}/log" 2>&1 &
echo "Submitted batch job $!"
echo $! >>"{base}/jobs"
"""
SCANCEL = """#!/bin/sh
echo "$1" >>"{base}/cancelled"
kill -9 -- "-$1"
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A batch system of this machine alone; gives the folder of its notes."""
    pytest.importorskip("dask_jobqueue")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.format(base=tmp_path))
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    yield tmp_path
    for name in (tmp_path / "jobs").read_text().split() if (tmp_path / "jobs").exists() else []:
        try:
            os.killpg(int(name), signal.SIGKILL)
        except ProcessLookupError:
            continue


BY_JOBS = (
    "--cluster",
    "slurm",
    "--set",
    "compute.memory_per_worker=1GiB",
    "--set",
    "compute.batch.interface=lo",
)


@pytest.mark.slow
def test_jobs_of_a_batch_system_do_the_work_and_are_cancelled(alone, site, slurm, monkeypatch):
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__JOB_SCRIPT_PROLOGUE", f"['touch {slurm}/prologue']")
    with running(site, *BY_JOBS, "--workers", "2") as process:
        _, told = process.communicate(timeout=90)
    assert process.returncode == 0, told
    assert contents(site.outputs) == alone[1]
    jobs = (slurm / "jobs").read_text().split()
    assert len(jobs) == 2
    assert sorted((slurm / "cancelled").read_text().split()) == sorted(jobs)
    assert (slurm / "prologue").exists()
    assert tidy(site)


@pytest.mark.slow
def test_there_are_more_workers_where_there_is_more_work(alone, site, slurm):
    many = [f"more/{number}.png" for number in range(300)]
    plant(site.inputs, *many)
    options = (*BY_JOBS, "--set", "compute.adaptive.maximum=2", "--set", "quantize.attempts=30")
    try:
        with running(site, *options) as process:
            _, told = process.communicate(timeout=120)
    finally:
        shutil.rmtree(site.inputs / "more")
    assert process.returncode == 0, told
    assert len((slurm / "jobs").read_text().split()) == 2


@pytest.mark.slow
def test_a_job_that_is_refused_is_5_at_once(site, slurm):
    (slurm / "bin" / "sbatch").write_text("#!/bin/sh\necho 'invalid partition' >&2; exit 1\n")
    with running(site, *BY_JOBS, "--workers", "1") as process:
        _, told = process.communicate(timeout=40)
    assert process.returncode == 5, told
    assert "compute.cluster slurm: a job could not be submitted" in told
    assert "invalid partition" in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_a_job_that_never_starts_is_5(site, slurm):
    (slurm / "bin" / "sbatch").write_text("#!/bin/sh\necho 'Submitted batch job 1234567'\n")
    (slurm / "bin" / "scancel").write_text(f"#!/bin/sh\necho $1 >>{slurm}/cancelled\n")
    with running(site, *BY_JOBS, "--workers", "1", "--set", "compute.timeout=3") as process:
        _, told = process.communicate(timeout=40)
    assert process.returncode == 5, told
    assert "no Dask worker came within 3 s" in told
    assert (slurm / "cancelled").read_text().split() == ["1234567"]


@pytest.mark.slow
def test_kubernetes_that_cannot_be_reached_is_5(site, tmp_path):
    pytest.importorskip("dask_kubernetes")
    config = tmp_path / "kubeconfig"
    port = free_port()
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )
    environment = {**os.environ, "KUBECONFIG": str(config)}
    command = [sys.executable, REPO / "cli.py", "run", site.job, "--cluster", "kubernetes", "--workers", "1"]
    command += ["--set", "compute.kubernetes.image=x", "--set", "compute.timeout=8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 5, done.stderr
    assert "compute.cluster kubernetes: no Dask cluster within 8 s" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """A machine behind SSH, this one: the settings by which it is reached."""
    pytest.importorskip("asyncssh")
    folder = tmp_path_factory.mktemp("ssh")
    with program(str(REPO / "tests" / "sshd.py"), str(folder)) as process:
        while not (folder / "port").exists():
            assert process.poll() is None
            time.sleep(0.05)
        port = (folder / "port").read_text()
        given = {"port": port, "key_file": folder / "user", "known_hosts": folder / "known"}
        yield ["hosts=[127.0.0.1]", *(f"{key}={value}" for key, value in given.items())]


def behind(settings: list[str], *more: str) -> list[str]:
    words = [word for one in settings for word in ("--set", f"compute.ssh.{one}")]
    return ["--cluster", "ssh", *words, *more]


@pytest.mark.slow
@pytest.mark.parametrize("encrypted", [False, True])
def test_machines_behind_ssh_do_the_work(alone, site, ssh, certificates, monkeypatch, encrypted):
    monkeypatch.setenv("PYTHONPATH", f"{REPO}:{os.environ.get('PYTHONPATH', '')}")
    tls = [word for key, value in certificates.items() for word in ("--set", f"compute.tls.{key}={value}")]
    with running(site, *behind(ssh, "--workers", "2", *(tls if encrypted else []))) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert contents(site.outputs) == alone[1]
    assert tidy(site)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["known_hosts=/dev/null", "key_file=/nowhere", "SEGPIPE_SSH_PYTHON"])
def test_a_machine_that_lets_nobody_in_is_5(site, ssh, monkeypatch, wrong):
    if "=" not in wrong:
        monkeypatch.setenv(wrong, "/nowhere/python")
        wrong = "port=" + ssh[1].removeprefix("port=")
    with running(site, *behind([*ssh, wrong], "--set", "compute.timeout=15")) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 5, told
    assert "compute.ssh.hosts 127.0.0.1: no scheduler and workers" in told
    assert "Traceback" not in told
