"""Images that hang, kill or eat memory, and workers and disks that fail: the same bytes in the end."""

import errno
import os
import random
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_workers import REPO, free_port, one_image_a_bundle, program, scheduler
from trees import Site, contents, debris, plant, snapshot

from pipeline.files import openfiles
from pipeline.jobs import workers
from pipeline.jobs.keeping import Keeper

KEYS = [f"{number % 2}/{number}.png" for number in range(10)]
BAD = "1/5.png"
LOCAL = ("--cluster", "local", "--workers", "2")

one_image_a_bundle = one_image_a_bundle


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run gives that nobody disturbs."""
    site = Site(tmp_path_factory.mktemp("calm") / "site")
    plant(site.inputs, *KEYS)
    site.run()
    return contents(site.outputs)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "site")
    plant(site.inputs, *KEYS)
    return site


class Poison:
    """What is given to workers that are started from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = monkeypatch
        self._log = folder / "poison.log"
        monkeypatch.setenv("POISON_LOG", os.fspath(self._log))
        monkeypatch.setenv("POISON", "")

    @contextmanager
    def given(self, *doses: str, ttl: str = "5 minutes") -> Iterator[None]:
        """Poison the workers of local clusters. ttl : how long a worker may be silent."""
        import dask
        import distributed  # noqa: F401 -- has its defaults before any is set

        self._patch.setenv("POISON", " ".join(doses))
        settings = {
            "distributed.worker.preload": [os.fspath(REPO / "tests" / "poison.py")],
            "distributed.deploy.lost-worker-timeout": "2s",
            "distributed.scheduler.worker-ttl": ttl,
        }
        with dask.config.set(settings):
            yield

    def at_work(self) -> bool:
        """Whether any image was decoded."""
        return self._log.exists()

    def decoded(self) -> Counter[str]:
        """How often each image was decoded since this was asked."""
        found = Counter(self._log.read_text().split()) if self._log.exists() else Counter()
        self._log.unlink(missing_ok=True)
        return found


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Poison:
    monkeypatch.setattr(workers, "_REVIVING", 0.5)
    return Poison(monkeypatch, tmp_path)


def others_done(site: Site, calm: dict[str, bytes], error: str) -> None:
    """All but the one are done, to the byte; and a run after it leaves all alone."""
    assert site.errors() == {BAD: error}
    found = contents(site.outputs)
    del found["manifest.jsonl"]
    assert found == {
        name: data for name, data in calm.items() if BAD not in name and name != "manifest.jsonl"
    }
    assert debris(site.outputs) == []
    before = snapshot(site.outputs)
    for told in (site.run(code=1).stderr, site.call("status").stdout, site.call("plan").stdout):
        assert f"{BAD}" in told
        assert error in told
    assert snapshot(site.outputs) == before


def healed(site: Site, calm: dict[str, bytes], done: set[str], *arguments: str) -> None:
    """The next run completes the tree, and does not touch what was finished."""
    files = {name for name in calm if any(f"{key}." in name for key in done)}
    before = {name: (site.outputs / name).stat().st_mtime_ns for name in files}
    site.run("--retry-failed", *arguments)
    assert contents(site.outputs) == calm
    assert debris(site.outputs) == []
    assert {name: (site.outputs / name).stat().st_mtime_ns for name in files} == before
    assert site.reasons() == {}


# Poisonous images.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "error", "most"),
    [("crash", "WorkerKilled", 4), ("hang", "TimedOut", 1), ("gorge", "WorkerKilled", 4)],
)
def test_a_poisonous_image_is_found_out(site, calm, poison, deed, error, most):
    options = {"hang": ["compute.image_timeout=1"], "gorge": ["compute.memory_per_worker=700MB"]}
    given = [word for setting in ["compute.retries=0", *options.get(deed, [])] for word in ("--set", setting)]
    with poison.given(f"{deed}:5.png"):
        result = site.run(*LOCAL, *given, code=1)
    assert f"failed: {BAD}: {error}: " in result.stderr
    assert 1 <= poison.decoded()["5.png"] <= most
    others_done(site, calm, error)
    healed(site, calm, set(KEYS) - {BAD})


@pytest.mark.slow
def test_two_at_once_and_innocents_between_them(site, calm, poison, one_image_a_bundle):
    with poison.given("hang:5.png", "crash:6.png"):
        more = ("--set", "compute.image_timeout=1", "--set", "compute.retries=0")
        site.run(*LOCAL, *more, code=1)
    assert site.errors() == {BAD: "TimedOut", "0/6.png": "WorkerKilled"}
    healed(site, calm, set(KEYS) - {BAD, "0/6.png"})


@pytest.mark.slow
def test_a_worker_that_stands_still_is_replaced(site, calm, poison):
    """Stopped as a whole, it cannot tell the time either: the scheduler misses it."""
    with poison.given("freeze_once:5.png", ttl="3s"):
        site.run(*LOCAL)
    assert contents(site.outputs) == calm


@pytest.mark.slow
def test_a_worker_that_nobody_would_replace_goes_on(site, calm, poison, monkeypatch):
    """It has no nanny: what hangs is left behind in it, and the rest is done beside that."""
    monkeypatch.setenv("POISON", "hang:5.png")
    with cluster("--preload", os.fspath(REPO / "tests" / "poison.py")) as (address, _):
        site.run("--cluster", address, "--set", "compute.image_timeout=1", code=1)
    others_done(site, calm, "TimedOut")


# Workers that are killed, and schedulers.


def worker_processes() -> list[psutil.Process]:
    """The worker processes of local clusters that this process has started."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


@contextmanager
def killer(seed: int, most: int, at_work: Callable[[], bool]) -> Iterator[list[int]]:
    """Kill workers at random moments; give those that were."""
    chance, over, killed = random.Random(seed), threading.Event(), []  # noqa: S311

    def kill() -> None:
        while not over.wait(chance.uniform(0.5, 2.5)) and len(killed) < most:
            if at_work() and (there := worker_processes()):
                victim = chance.choice(there)
                with suppress(psutil.Error):
                    victim.kill()
                    killed.append(victim.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.usefixtures("one_image_a_bundle")
def test_workers_killed_at_random_moments(site, calm, poison):
    """Each image takes a while, so that kills meet work."""
    with poison.given("slow:*"), killer(7, 3, poison.at_work) as killed:
        result = site.call("run", *LOCAL, "--set", "compute.retries=3")
    assert killed
    assert result.exit_code == 0, result.output
    assert contents(site.outputs) == calm
    assert debris(site.outputs) == []
    assert site.reasons() == {}


@pytest.mark.slow
@pytest.mark.parametrize("retries", [0, 1])
def test_a_worker_that_ate_too_much_once_is_forgiven(site, calm, poison, retries):
    """The nanny's kill meets all of a bundle, none of which is to blame."""
    with poison.given("gorge_once:5.png"):
        more = ("--set", "compute.memory_per_worker=700MB", "--set", f"compute.retries={retries}")
        site.run(*LOCAL, *more)
    assert contents(site.outputs) == calm
    assert site.reasons() == {}


@pytest.mark.slow
@pytest.mark.usefixtures("one_image_a_bundle")
def test_a_scheduler_that_is_killed_and_another_in_its_place(site, calm, monkeypatch):
    keep = Keeper.keep
    with cluster() as (address, chief):

        def fatal(self: Keeper, *arguments: Any) -> Any:
            kept = keep(self, *arguments)
            if len(self._summary.failures) + self._summary.done == 3:
                chief.kill()
                chief.wait()
            return kept

        monkeypatch.setattr(Keeper, "keep", fatal)
        site.run("--cluster", address, "--set", "compute.timeout=10", code=5)
        assert chief.returncode == -signal.SIGKILL
    monkeypatch.undo()
    done = set(site.records())
    assert 3 <= len(done) < len(KEYS)
    with cluster() as (address, _):
        healed(site, calm, done, "--cluster", address)


@contextmanager
def cluster(*options: str) -> Iterator[tuple[str, Any]]:
    """A scheduler with a worker, at an address of their own."""
    address = f"tcp://127.0.0.1:{free_port()}"
    words = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1", "--death-timeout", "5")
    with ExitStack() as stack:
        chief = stack.enter_context(scheduler(address))
        stack.enter_context(program("-m", "distributed.cli.dask_worker", address, *words, *options))
        yield address, chief


# Disks and shares that fail for a while.


class Failing:
    """A disk below a folder on which things fail for a while, after some have not."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, code: int, below: Path, after: int, most: int
    ) -> None:
        self.hits = 0
        self._left, self._most, self._code, self._below = after, most, code, os.fspath(below)
        opener, mkdir, replace = Path.open, Path.mkdir, Path.replace

        def opened(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if set(mode) & set("wxa+"):
                self._perhaps(path)
            return opener(path, mode, *arguments, **options)

        def made(path: Path, *arguments: Any, **options: Any) -> None:
            if not path.is_dir():
                self._perhaps(path)
            mkdir(path, *arguments, **options)

        def replaced(path: Path, target: Path) -> Path:
            self._perhaps(path)
            return replace(path, target)

        for name, function in (("open", opened), ("mkdir", made), ("replace", replaced)):
            monkeypatch.setattr(Path, name, function)

    def _perhaps(self, path: Path) -> None:
        if not os.fspath(path).startswith(self._below):
            return
        self._left -= 1
        if self._left < 0 and self.hits < self._most:
            self.hits += 1
            raise OSError(self._code, os.strerror(self._code), os.fspath(path))


@pytest.mark.slow
@pytest.mark.usefixtures("one_image_a_bundle")
@pytest.mark.parametrize(("code", "most"), [(errno.ENOSPC, 1), (errno.EROFS, 6), (errno.EIO, 10**6)])
def test_an_output_disk_that_fails_for_a_while(site, calm, monkeypatch, code, most):
    """Whatever it meets: outputs, journal, manifest, recipe, cache, lock."""
    after = 0
    while True:
        with monkeypatch.context() as patch:
            disk = Failing(patch, code, site.outputs, after, most)
            result = site.call("run")
        if not disk.hits:
            break
        assert result.exit_code in (0, 4), result.output
        if result.exit_code == 4:
            assert os.strerror(code) in result.stderr
        if site.manifest.exists():
            assert set(site.errors().values()) <= {"OutputNotWritable"}
        found = contents(site.outputs)
        assert all(
            calm[name] == data for name, data in found.items() if name in calm and name != "manifest.jsonl"
        )
        site.run()
        assert contents(site.outputs) == calm
        assert debris(site.outputs) == []
        before = snapshot(site.outputs)
        site.run()
        assert snapshot(site.outputs) == before
        shutil.rmtree(site.outputs)
        after += 11 if most > 1 else 7
    assert after > 60


@pytest.mark.slow
@pytest.mark.usefixtures("one_image_a_bundle")
@pytest.mark.parametrize("change", ["full", "read-only"])
def test_a_real_disk_that_fails_for_a_while(site, calm, tmp_path, monkeypatch, change):
    """Full from the third image on to the end of the run; or read-only from before its start."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs is not permitted here")
    ballast, there = disk / "ballast", ("--set", f"output.root={disk / 'out'}")
    keep = Keeper.keep

    def failing(self: Keeper, *arguments: Any) -> Any:
        kept = keep(self, *arguments)
        if self._summary.done == 3:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        return kept

    try:
        if change == "full":
            monkeypatch.setattr(Keeper, "keep", failing)
        else:
            site.run(*there, "--only", "0/[024].png")
            remounted(disk, "ro")
        result = site.run(*there, code=4)
        monkeypatch.undo()
        assert ("No space left" if change == "full" else "Read-only file system") in result.stderr
        remounted(disk, "rw")
        ballast.unlink(missing_ok=True)
        found = contents(disk / "out")
        assert len([name for name in found if name.startswith("labels/")]) == 3
        assert all(calm[name] == data for name, data in found.items() if name != "manifest.jsonl")
        assert len(site.reasons(*there)) == len(KEYS) - 3
        site.run(*there)
        assert contents(disk / "out") == calm
        assert debris(disk / "out") == []
    finally:
        subprocess.run(["umount", disk], check=True)


def remounted(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


@pytest.mark.usefixtures("one_image_a_bundle")
@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT])
def test_an_input_share_that_vanishes_for_a_while(site, calm, monkeypatch, code):
    """First files cannot be read to their end, then not even opened."""
    asked = {"read": 0, "open": 0}
    opener = os.open

    class Share(FileIO):
        def readall(self) -> bytes:
            asked["read"] += 1
            if 3 < asked["read"] <= 5:
                raise OSError(code, os.strerror(code))
            return super().readall()

    def opened(path: Any, *arguments: Any, **options: Any) -> int:
        if asked["read"] >= 5 and str(path).startswith(str(site.inputs)):
            asked["open"] += 1
            if asked["open"] < 3:
                raise OSError(code, os.strerror(code))
        return opener(path, *arguments, **options)

    monkeypatch.setattr(openfiles, "FileIO", Share)
    monkeypatch.setattr(os, "open", opened)
    result = site.run(code=1)
    monkeypatch.undo()
    assert list(site.errors().values()) == ["UnreadableFile"] * 4
    assert os.strerror(code) in result.stderr
    assert site.reasons() == dict.fromkeys(site.errors(), "failed before")
    healed(site, calm, set(site.records()) - set(site.errors()))
