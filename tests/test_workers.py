"""Workers of every kind: the same bytes, a bounded window, and what is left when one dies."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from trees import Site, contents, debris, plant

from pipeline.errors import WorkerDied, WorkersLost
from pipeline.jobs import inspection, workers
from pipeline.jobs.spec_compute import Compute
from pipeline.jobs.workers import open_workers

REPO = Path(__file__).parents[1]
KEYS = [f"{number % 3}/{number}.png" for number in range(11)]


def silent(text: str) -> None:
    """Hear no announcement."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, dict[str, bytes]]:
    """A job and its tree as one worker makes it, in this process."""
    site = Site(tmp_path_factory.mktemp("workers") / "site")
    plant(site.inputs, *KEYS)
    (site.inputs / "bad.png").write_bytes(b"no picture")
    site.run(code=1)
    expected = contents(site.outputs)
    shutil.rmtree(site.outputs)
    return site, expected


@pytest.fixture
def site(alone: tuple[Site, dict[str, bytes]]) -> Iterator[Site]:
    """The job before its first run."""
    yield alone[0]
    shutil.rmtree(alone[0].outputs, ignore_errors=True)


@pytest.fixture
def one_image_a_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles so small that several workers get something to do."""
    monkeypatch.setattr("pipeline.jobs.bundles._IMAGES", 1)


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python program beside us until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=REPO, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a Dask scheduler on this machine with two workers."""
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        stack.enter_context(scheduler(address))
        worker = (
            "-m",
            "distributed.cli.dask_worker",
            address,
            "--nworkers",
            "2",
            "--nthreads",
            "1",
            "--no-dashboard",
        )
        stack.enter_context(program(*worker, "--host", "127.0.0.1"))
        yield address


@contextmanager
def scheduler(address: str) -> Iterator[subprocess.Popen[bytes]]:
    host, port = address.removeprefix("tcp://").split(":")
    options = ("--host", host, "--port", port, "--no-dashboard", "--no-show")
    with program("-m", "distributed.cli.dask_scheduler", *options) as process:
        for _ in range(300):
            try:
                socket.create_connection((host, int(port)), 0.2).close()
                break
            except OSError:
                assert process.poll() is None, "the scheduler did not start"
                time.sleep(0.1)
        yield process


@pytest.mark.usefixtures("one_image_a_bundle")
@pytest.mark.parametrize("count", ["1", "2", "4"])
@pytest.mark.parametrize("kind", ["inline", "threads"])
def test_the_same_tree_in_one_process(alone, site, kind, count):
    site.run("--cluster", kind, "--workers", count, code=1)
    assert contents(site.outputs) == alone[1]
    assert debris(site.outputs) == []


@pytest.mark.slow
@pytest.mark.parametrize("count", ["1", "2", "4"])
def test_the_same_tree_from_a_local_cluster(alone, site, count):
    """In a process of its own, as a user starts it, which also shows that nothing is said on the way."""
    command = [
        sys.executable,
        "-W",
        "error::ResourceWarning",
        REPO / "cli.py",
        "run",
        site.job,
        "--cluster",
        "local",
    ]
    done = subprocess.run([*command, "--workers", count], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert contents(site.outputs) == alone[1]
    assert debris(site.outputs) == []
    last = ("failed: bad.png: ", "every failure, ", "outputs: ")
    words = ("segpipe: ", f"{len(KEYS)} done, 1 failed in ", *last)
    assert all(line.startswith(words) for line in done.stderr.splitlines()), done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("one_image_a_bundle")
def test_the_same_tree_from_a_running_cluster(alone, site, address):
    for _ in range(2):  # a cluster is used more than once
        site.run("--cluster", address, code=1)
        assert contents(site.outputs) == alone[1]
        shutil.rmtree(site.outputs)


@pytest.mark.slow
@pytest.mark.usefixtures("one_image_a_bundle")
def test_a_cluster_that_goes_away_is_5_and_a_later_run_completes(alone, site, monkeypatch):
    """The scheduler dies while the first image is recorded."""
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        chief = stack.enter_context(scheduler(address))
        worker = (
            "-m",
            "distributed.cli.dask_worker",
            address,
            "--nthreads",
            "1",
            "--no-dashboard",
            "--no-nanny",
        )
        stack.enter_context(program(*worker, "--host", "127.0.0.1", "--death-timeout", "5"))
        from pipeline.jobs.keeping import Keeper

        keep = Keeper.keep

        def fatal(self: Keeper, *arguments: Any) -> None:
            if chief.poll() is None:
                chief.kill()
                chief.wait()
            keep(self, *arguments)

        monkeypatch.setattr(Keeper, "keep", fatal)
        result = site.run("--cluster", address, "--set", "compute.timeout=10", code=5)
        assert "segpipe: error:" in result.stderr
    monkeypatch.undo()
    assert set(site.errors()) <= {"bad.png"}
    site.run(code=1)
    assert contents(site.outputs) == alone[1]


@pytest.mark.slow
@pytest.mark.usefixtures("one_image_a_bundle")
def test_a_cluster_that_loses_all_its_workers_is_5(site):
    """The scheduler lives on. In a process of its own: a run that waits for ever must not take us with it."""
    address = f"tcp://127.0.0.1:{free_port()}"
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv.pop(1)); import cli;"
        "from pipeline.jobs import bundles; from pipeline.jobs.keeping import Keeper;"
        "bundles._IMAGES = 1; keep = Keeper.keep; victim = int(sys.argv.pop(1));"
        "Keeper.keep = lambda self, *rest: (os.kill(victim, signal.SIGKILL), keep(self, *rest));"
        "cli.main()"
    )
    with ExitStack() as stack:
        stack.enter_context(scheduler(address))
        worker = (
            "-m",
            "distributed.cli.dask_worker",
            address,
            "--nthreads",
            "1",
            "--no-dashboard",
            "--no-nanny",
        )
        only = stack.enter_context(program(*worker, "--host", "127.0.0.1"))
        command = [sys.executable, "-c", script, REPO, str(only.pid), "run", site.job, "--cluster", address]
        command += ["--set", "compute.timeout=3"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=25)
    assert done.returncode == 5, done.stderr
    assert not site.errors().keys() - {"bad.png"}


@pytest.mark.slow
def test_a_cluster_without_workers_is_5(site):
    address = f"tcp://127.0.0.1:{free_port()}"
    with scheduler(address):
        result = site.run("--cluster", address, "--set", "compute.timeout=2", code=5)
    assert "no Dask worker came within 2 s" in result.stderr


def test_a_cluster_that_is_not_there_is_5(site):
    address = f"tcp://127.0.0.1:{free_port()}"
    result = site.run("--cluster", address, "--set", "compute.timeout=2", code=5)
    assert address in result.stderr
    assert "check that it runs" in result.stderr
    assert not [name for name in contents(site.outputs) if name != "manifest.jsonl"]


@pytest.mark.slow
def test_workers_of_another_version_are_refused(address, monkeypatch):
    ours = inspection.versions()
    monkeypatch.setattr(workers, "versions", lambda: (("segpipe", "9.9.9"), *ours[1:]))
    compute = Compute(cluster="address", address=address)
    with (
        pytest.raises(
            WorkersLost, match=f"expected segpipe 9.9.9, found segpipe {ours[0][1]}; install the same"
        ),
        open_workers("address", 1, compute, silent),
    ):
        pass


# Maps.


def double(item: int) -> int:
    """Work, or fail, or take the worker down."""
    if item == 13:
        raise ValueError("unlucky")
    if item == 66:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * item


@pytest.mark.parametrize("kind", ["inline", "threads"])
def test_a_map_gives_every_answer_and_every_error(kind):
    with open_workers(kind, 2, Compute(), silent) as some:
        answers = dict(some.map(double, [1, 13, 3]))
    assert answers[1] == 2
    assert answers[3] == 6
    assert isinstance(answers[13], ValueError)


@pytest.mark.parametrize(("kind", "count", "most"), [("inline", 1, 1), ("threads", 1, 2), ("threads", 3, 6)])
def test_items_are_drawn_no_further_than_there_is_room(kind, count, most):
    drawn = answered = ahead = 0

    def items() -> Iterator[int]:
        nonlocal drawn, ahead
        for item in range(40):
            drawn += 1
            ahead = max(ahead, drawn - answered)
            yield item

    with open_workers(kind, count, Compute(), silent) as some:
        for _ in some.map(abs, items()):
            answered += 1
    assert answered == 40
    assert ahead <= most


def test_threads_work_at_the_same_time():
    meeting = threading.Barrier(3, timeout=20)
    with open_workers("threads", 3, Compute(), silent) as some:
        answers = [answer for _, answer in some.map(lambda _: meeting.wait(), range(3))]
    assert sorted(answers) == [0, 1, 2]


def test_ending_the_items_ends_the_map():
    with open_workers("threads", 2, Compute(), silent) as some:
        done = some.map(double, iter([1, 2, 3]))
        assert len(list(done)) == 3
        assert list(some.map(double, [])) == []


@pytest.mark.slow
def test_a_local_cluster_survives_a_worker_that_dies():
    """In a process of its own, whose end shows that no process of it is left hanging."""
    script = f"""
import sys
sys.path[:0] = [{str(REPO)!r}, {str(REPO / "tests")!r}]
from pipeline.jobs.spec_compute import Compute
from pipeline.errors import WorkerDied
from pipeline.jobs.workers import open_workers
from test_workers import double

if __name__ == "__main__":
    drawn = answered = ahead = 0

    def items():
        global drawn, ahead
        for item in [1, 13, 66, *range(2, 9)]:
            drawn += 1
            ahead = max(ahead, drawn - answered)
            yield item

    with open_workers("local", 2, Compute(retries=1), lambda text: None) as some:
        answers = {{}}
        for item, answer in some.map(double, items()):
            answered += 1
            answers[item] = answer
        innocent = [item for item, answer in answers.items() if item != 66 and type(answer) is WorkerDied]
        for item in innocent:  # it died of its neighbour; alone it does not
            answers |= dict(some.map(double, [item]))
    assert type(answers.pop(66)) is WorkerDied, answers
    assert type(answers.pop(13)) is ValueError, answers
    assert all(answer == 2 * item for item, answer in answers.items()), answers
    assert len(answers) == 8
    assert ahead <= 4, ahead
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "tests")])}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


# A run whose workers die.


class Deadly:
    """Workers that die of every bundle that holds a certain key."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.bundles: list[tuple[str, ...]] = []

    def map(self, function: Callable[[Any], Any], items: Any) -> Iterator[tuple[Any, Any]]:
        for item in items:
            self.bundles.append(item.keys)
            yield item, WorkerDied("by design") if self._key in item.keys else function(item)

    def whole(self) -> bool:
        return True


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> Deadly:
    fake = Deadly("1/4.png")

    @contextmanager
    def opened(*arguments: object) -> Iterator[Deadly]:
        yield fake

    monkeypatch.setattr(workers, "open_workers", opened)
    return fake


def test_the_image_that_kills_is_found_out_and_left_alone(alone, site, deadly):
    result = site.run(code=1)
    assert sorted(deadly.bundles[0]) == sorted([*KEYS, "bad.png"])
    assert deadly.bundles[1:] == [*((key,) for key in deadly.bundles[0]), ("1/4.png",), ("1/4.png",)]
    assert site.errors() == {"1/4.png": "WorkerKilled", "bad.png": "NotAnImage"}
    assert "its worker died" in result.stderr
    assert len(site.records()) == len(KEYS) + 1
    deadly.bundles.clear()
    assert "1/4.png" in site.run(code=1).stderr
    assert deadly.bundles == []
    site.run("--set", "quantize.seed=1", code=1)  # another recipe, another chance
    assert any("1/4.png" in bundle for bundle in deadly.bundles)


def test_a_quarantined_image_is_tried_again_when_asked_for(alone, site, deadly, monkeypatch):
    site.run(code=1)
    monkeypatch.undo()
    assert site.reasons() == {}
    site.run("--retry-failed", code=1)
    assert contents(site.outputs) == alone[1]


def test_a_run_that_loses_its_workers_keeps_what_is_finished(alone, site, monkeypatch):
    class Lost:
        def map(self, function: Callable[[Any], Any], items: Any) -> Iterator[tuple[Any, Any]]:
            item = next(iter(items))
            yield item, function(item)
            raise WorkersLost("by design")

    @contextmanager
    def opened(*arguments: object) -> Iterator[Lost]:
        yield Lost()

    with monkeypatch.context() as patch:
        patch.setattr(workers, "open_workers", opened)
        patch.setattr("pipeline.jobs.bundles._IMAGES", 5)
        site.run(code=5)
    assert len(site.records()) == 5
    assert site.call("verify").exit_code == 0
    site.run(code=1)
    assert contents(site.outputs) == alone[1]


def test_an_error_of_the_task_itself_is_a_row(site, monkeypatch):
    monkeypatch.setattr("pipeline.files.outputs.Commit.publish", lambda self: 1 / 0)
    site.run(code=1)
    assert set(site.errors().values()) == {"UnexpectedError"}
    monkeypatch.undo()
    site.run(code=1)
    assert site.errors() == {"bad.png": "NotAnImage"}
