"""Whoever is killed, at whatever instant, leaves whole files, and the next run ends in the same tree."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from trees import Site, age, contents, debris, picture, plant, snapshot

REPO = Path(__file__).parents[1]
PROGRAM = [sys.executable, str(REPO / "cli.py")]
KEYS = ("a.png", "b.png", "deep/c.png")
OTHER = ("--set", "quantize.colors=3")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork and SIGKILL")


Kill = Callable[..., dict[str, Any]]


@contextmanager
def killing(*program: str | Path) -> Iterator[Kill]:
    """A function that runs the command line and has it killed at the N-th thing it does to the disk.

    program : what Python runs; it ends in `killer.py`. The function's `begun` is told the process id.
    """
    command = [sys.executable, *program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None

        def ask(
            at: int, below: Path, *arguments: str | Path, begun: Callable[[int], None] = lambda number: None
        ) -> dict[str, Any]:
            order = {"at": at, "below": str(below), "arguments": [str(argument) for argument in arguments]}
            killer.stdin.write(json.dumps(order) + "\n")
            killer.stdin.flush()
            begun(int(killer.stdout.readline()))
            answer: dict[str, Any] = json.loads(killer.stdout.readline())
            return answer

        yield ask
        killer.stdin.close()
        killer.wait(timeout=10)


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    with killing(REPO / "tests/killer.py") as ask:
        yield ask


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, if there is such a disk: nothing that is killed here depends on a real one."""
    memory = Path("/dev/shm")  # noqa: S108
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="segpipe-test-") as folder:
        yield Path(folder)


class Sweep:
    """Kills at every point of a run, each time on a fresh copy of the tree before it."""

    def __init__(
        self,
        kill: Kill,
        base: Path,
        arguments: tuple[str, ...],
        change: Callable[[Path], None] | None = None,
        **sections: dict[str, Any],
    ) -> None:
        self._kill = kill
        self._arguments = arguments
        self.site = Site(base / "site", **sections)
        plant(self.site.inputs, *KEYS)
        if arguments or change:  # a run that replaces what is there
            self.site.run()
        if change:
            change(self.site.inputs)
        self._before = base / "before"
        if self.site.outputs.exists():
            shutil.copytree(self.site.outputs, self._before, symlinks=True)
        self.old = contents(self._before)
        self.site.run(*arguments)
        self.new = contents(self.site.outputs)

    def restore(self) -> None:
        """Put the tree back to what it was before the run that is killed."""
        shutil.rmtree(self.site.outputs, ignore_errors=True)
        if self._before.exists():
            shutil.copytree(self._before, self.site.outputs, symlinks=True)

    def killed_at(self, number: int) -> str | None:
        """Run until killed; give the point, or None if the run survived."""
        self.restore()
        answer = self._kill(number, self.site.outputs, "run", self.site.job, *self._arguments)
        if answer["signal"] is None:
            assert answer["exit"] == 0
            return None
        assert answer["signal"] == signal.SIGKILL
        [point] = answer["points"]
        return re.sub(r"[0-9a-f]{8}\.part", "….part", point.replace(str(self.site.outputs), "OUT"))

    def complaints(self) -> Iterator[str]:
        """What is wrong with the tree that the dead left, and with what the next run makes of it."""
        for path, data in contents(self.site.outputs).items():
            if not Path(path).name.startswith(".segpipe-") and data not in (
                self.old.get(path),
                self.new.get(path),
            ):
                yield f"{path} is half-written"
        known = self._journaled()
        rows = [row for row in self.site.plan(*self._arguments)["images"] if row["work"]]
        again = {row["image"] for row in rows if row["reason"] != "palette changed"}  # these are spared
        if known & again:
            yield f"finished, but to be done again: {sorted(known & again)}"
        result = self.site.call("run", *self._arguments)
        if result.exit_code:
            yield f"the next run: {result.exit_code}, {result.stderr.strip()}"
        if contents(self.site.outputs) != self.new:
            yield "the next run ends in another tree"
        if again := self.site.reasons(*self._arguments):
            yield f"the next run but one has work: {again}"
        if left := debris(self.site.outputs):
            yield f"debris: {left}"

    def whole(self) -> list[str]:
        """Kill at one point after the other and hold the next run to account; returns the points."""
        points: list[str] = []
        wrong: list[str] = []
        while point := self.killed_at(len(points) + 1):
            points.append(point)
            wrong += [f"killed at {len(points)}, {point}: {complaint}" for complaint in self.complaints()]
        assert not wrong, "\n".join(wrong)
        return points

    def _journaled(self) -> set[str]:
        journal = self.site.state / "journal.jsonl"
        lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
        return {json.loads(line)["image"] for line in lines if line.startswith(b'{"image"')}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), OTHER], ids=["first", "replacing"])
def test_killed_at_every_point(kill, fast, arguments):
    sweep = Sweep(kill, fast, arguments)
    points = sweep.whole()
    passed = " ".join(points)
    for landmark in (
        "journal.jsonl, half done",
        "manifest.jsonl",
        "labels/deep/c.png.png",
        "lock",
    ):
        assert landmark in passed
    assert arguments or "stats.msgpack" in passed  # a re-run has nothing to add to it
    assert len(points) > 50


SHARED = {"quantize": {"scope": "job"}, "output": {"palette": {"formats": ["json", "gpl"]}}}


def come(inputs: Path) -> None:
    plant(inputs, "deep/n.png", seed=9)


def go(inputs: Path) -> None:
    (inputs / "b.png").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scope", "arguments", "change"),
    [
        ("job", (), None),
        ("job", OTHER, None),
        ("job", (), come),
        ("job", (), go),
        ("folder", OTHER, come),
    ],
)
def test_killed_at_every_point_on_the_way_to_a_shared_palette(kill, fast, arguments, change, scope):
    """Between palette and painting, too: whoever is painted is painted in the palette that is there."""
    sections = SHARED | {"quantize": {"scope": scope}}
    sweep = Sweep(kill, fast, arguments, change, **sections)
    points = sweep.whole()
    assert len(points) > 20
    if change is None or (change is come and scope == "job"):
        assert "shared/palette.json" in " ".join(points)


@pytest.mark.slow
def test_another_change_after_a_kill_between_palette_and_painting(kill, fast):
    """The palette of a run that was killed is nobody's; the next one may have other images."""
    sweep = Sweep(kill, fast, (), come, **SHARED)
    (sweep.site.inputs / "a.png").unlink()
    shutil.rmtree(sweep.site.outputs)
    sweep.site.run()
    expected = contents(sweep.site.outputs)
    number, wrong = 1, []
    while True:
        plant(sweep.site.inputs, "a.png")
        point = sweep.killed_at(number)
        if point is None:
            break
        (sweep.site.inputs / "a.png").unlink()
        sweep.site.run()
        sweep.site.call("prune")
        sweep.site.run()
        if contents(sweep.site.outputs) != expected:
            wrong.append(f"killed at {number}, {point}")
        number += 3
    assert number > 50
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_killed_again_and_again(kill, fast):
    """Each run is killed a little later than the one before, on the tree that that one left."""
    sweep = Sweep(kill, fast, OTHER)
    sweep.restore()
    for number in range(5, 500, 7):
        answer = kill(number, sweep.site.outputs, "run", sweep.site.job, *OTHER)
        if answer["signal"] is None:
            assert answer["exit"] == 0
            break
        assert answer["signal"] == signal.SIGKILL
    assert number > 20
    sweep.site.run(*OTHER)
    assert contents(sweep.site.outputs) == sweep.new
    assert debris(sweep.site.outputs) == []


@pytest.mark.slow
def test_a_kill_between_two_recipes_is_healed_by_either(kill, fast):
    """A run with the old recipe after a kill must not trust outputs that the killed one replaced."""
    sweep = Sweep(kill, fast, OTHER)
    number, wrong = 1, []
    while point := sweep.killed_at(number):
        result = sweep.site.call("run")
        if result.exit_code or contents(sweep.site.outputs) != sweep.old:
            wrong.append(f"killed at {number}, {point}: {result.stderr.strip()}")
        number += 3
    assert number > 50
    assert not wrong, "\n".join(wrong)


SHARDS = ("1/2", "2/2")


def part_of(site: Site, *shards: str, arguments: tuple[str, ...] = ()) -> None:
    for shard in shards:
        site.run("--shard", shard, *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), OTHER], ids=["first", "replacing"])
def test_a_shard_killed_at_every_point(kill, fast, arguments):
    """Whatever the other shard has done by then; and the parts make the tree of one run."""
    site = Site(fast / "site")
    plant(site.inputs, *KEYS)
    site.run(*arguments)
    expected = contents(site.outputs)
    shutil.rmtree(site.outputs)
    if arguments:
        site.run()
        shutil.copytree(site.outputs, fast / "before")
    number, wrong, passed = 1, [], []
    while True:
        shutil.rmtree(site.outputs, ignore_errors=True)
        if arguments:
            shutil.copytree(fast / "before", site.outputs)
        part_of(site, *SHARDS[1:][: number % 2], arguments=arguments)
        answer = kill(number, site.outputs, "run", site.job, "--shard", "1/2", *arguments)
        if answer["signal"] is None:
            break
        passed += answer["points"]
        if number % 3 == 0:  # else the run of the whole or the merge makes good what was killed
            part_of(site, *SHARDS, arguments=arguments)
            if again := site.reasons(*arguments):
                wrong.append(f"{answer['points']}: {again}")
        merged = site.call("merge") if number % 3 < 2 else None
        if merged is not None and merged.exit_code:
            wrong.append(f"{answer['points']}: {merged.stderr}")
        site.run(*arguments)
        if contents(site.outputs) != expected or debris(site.outputs):
            wrong.append(f"{answer['points']}: {debris(site.outputs)}")
        number += 1
    assert not wrong, "\n".join(wrong)
    assert number > 20
    assert any("1-of-2/manifest.jsonl" in point for point in passed)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["merge", "run"])
def test_a_merge_killed_at_every_point(kill, fast, command):
    """With an image that a killed shard was at, which nobody may take for done."""
    site = Site(fast / "site")
    plant(site.inputs, *KEYS, "x.png", "y.png")
    site.run(*OTHER)
    expected = contents(site.outputs)
    site.run()
    part_of(site, "2/2", arguments=OTHER)
    for number in range(1, 500):  # until one is killed when an image has one new file and two old ones
        shutil.copytree(site.outputs, fast / f"{number}")
        answer = kill(number, site.outputs, "run", site.job, "--shard", "1/2", *OTHER)
        assert answer["signal"], "was not killed in time"
        if "os.rename" in answer["points"][0] and "/labels/" in answer["points"][0]:
            break
        shutil.rmtree(site.outputs)
        (fast / f"{number}").rename(site.outputs)
    shutil.rmtree(fast / f"{number}")
    shutil.copytree(site.outputs, fast / "before")
    number, wrong = 1, []
    while True:
        shutil.rmtree(site.outputs)
        shutil.copytree(fast / "before", site.outputs)
        answer = kill(number, site.outputs, command, site.job, *(OTHER if command == "run" else ()))
        if answer["signal"] is None:
            break
        if number % 2:
            site.call("merge")
        site.run(*OTHER)
        if contents(site.outputs) != expected or debris(site.outputs) or site.reasons(*OTHER):
            wrong.append(f"{answer['points']}: {debris(site.outputs)}")
        number += 1
    assert not wrong, "\n".join(wrong)
    assert number > 20


def test_a_killed_prune_is_finished_by_the_next(kill, fast):
    site = Site(fast / "site")
    plant(site.inputs, *KEYS)
    site.run()
    (site.inputs / "deep/c.png").unlink()
    shutil.copytree(site.outputs, fast / "before")
    site.call("prune")
    pruned = contents(site.outputs)
    number, wrong = 1, []
    while True:
        shutil.rmtree(site.outputs)
        shutil.copytree(fast / "before", site.outputs)
        answer = kill(number, site.outputs, "prune", site.job)
        if answer["signal"] is None:
            break
        result = site.call("prune")
        site.call("run")
        if result.exit_code or contents(site.outputs) != pruned or debris(site.outputs):
            wrong.append(f"{answer['points']}: {result.stderr} {debris(site.outputs)}")
        number += 1
    assert number > 8
    assert not wrong, "\n".join(wrong)


def test_every_file_is_flushed_before_it_takes_its_name_and_before_its_record(kill, tmp_path):
    """What a power cut may take: names and records must not reach the disk before what they stand for."""
    site = Site(tmp_path)
    plant(site.inputs, *KEYS)
    answer = kill(0, site.outputs, "run", site.job)
    assert answer["exit"] == 0
    flushed: set[str] = set()
    unsettled: set[str] = set()
    linked = renamed = 0
    for point in answer["points"]:
        verb, _, rest = point.partition(" ")
        if verb == "write":
            flushed.discard(rest.removesuffix(", half done"))
            if rest.endswith("journal.jsonl"):
                assert not unsettled, f"recorded before {unsettled} were on the disk"
        elif verb == "fsync":
            flushed.add(rest)
            unsettled.discard(rest)
        elif verb == "os.link":  # the lock
            assert rest.split(" ")[0] in flushed
            linked += 1
        elif verb == "os.rename":
            temporary, final = rest.split(" ")[:2]
            assert temporary in flushed, f"{final} was named before its content was on the disk"
            unsettled.add(str(Path(final).parent))
            renamed += 1
    assert not unsettled
    assert renamed >= 3 * len(KEYS) + 1
    assert linked == 1


# In processes of their own, at no matter what instant.


def start(site: Site, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "run", site.job, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.002)


def wait_for_records(site: Site, process: subprocess.Popen[str], mark: bytes = b'{"image"') -> None:
    """Wait until some images are finished and recorded, or until the journal has another mark."""
    journal = site.state / "journal.jsonl"
    wait_for(journal, process)
    while mark not in journal.read_bytes():
        assert process.poll() is None
        time.sleep(0.002)


def busy(base: Path, images: int = 12) -> Site:
    """A job of some seconds: images so large that each is a task of its own."""
    site = Site(base, quantize={"colors": 64})
    picture(0, 2100, 1000).resize((2600, 1200)).save(site.inputs / "0.jpg", quality=70)
    for number in range(1, images):
        data = bytearray((site.inputs / "0.jpg").read_bytes())
        data[2:2] = b"\xff\xfe\x00\x03" + bytes([number])  # a comment, so that no two are the same file
        (site.inputs / f"{number}.jpg").write_bytes(data)
    for path in site.inputs.iterdir():
        age(path)
    return site


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A busy job, and the tree of a run that nobody disturbed."""
    site = busy(tmp_path_factory.mktemp("calm") / "site")
    site.run()
    expected = contents(site.outputs)
    shutil.rmtree(site.outputs)
    return site.base, expected


@pytest.fixture
def job(calm: tuple[Path, dict[str, bytes]]) -> Iterator[Site]:
    """The busy job before its first run."""
    site = Site(calm[0], quantize={"colors": 64})
    yield site
    shutil.rmtree(site.outputs, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize(("cluster", "again"), [("local", 1), ("local", 2), ("threads", 1)])
def test_killed_at_a_random_time(calm, job, cluster, again):
    delay = random.uniform(0, 0.6)  # noqa: S311
    process = start(job, "--cluster", cluster, "--workers", "2")
    wait_for(job.state / "journal.jsonl", process)
    time.sleep(delay)
    process.kill()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, f"it had ended by itself within {delay} s, {again}"
    for path, data in contents(job.outputs).items():
        assert Path(path).name.startswith(".segpipe-") or data == calm[1][path]
    job.run()
    assert contents(job.outputs) == calm[1]
    time.sleep(1)  # workers that have outlived their driver
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "cluster"),
    [
        (signal.SIGTERM, 143, "inline"),
        (signal.SIGINT, 130, "inline"),
        (signal.SIGTERM, 143, "threads"),
        (signal.SIGINT, 130, "local"),
        (signal.SIGUSR1, 7, "threads"),
        (signal.SIGUSR1, 7, "local"),
    ],
)
def test_a_signal_drains(calm, job, number, code, cluster):
    process = start(job, "--cluster", cluster, "--workers", "2", start_new_session=True)
    wait_for_records(job, process)
    if number != signal.SIGTERM:
        os.killpg(process.pid, number)  # as terminals and batch systems do, to all processes
    else:
        process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert "stopping: finishing what is under way" in told
    assert "Traceback" not in told
    records = job.records()
    assert 0 < len(records) < 12
    assert {record["status"] for record in records.values()} == {"done"}
    named = {output["path"] for record in records.values() for output in record["outputs"].values()}
    assert set(contents(job.outputs)) == named | {"manifest.jsonl"}
    assert debris(job.outputs) == []
    assert job.call("verify").exit_code == 0
    [log] = (job.state / "runs").iterdir()
    assert json.loads(log.read_bytes())["exit_code"] == code
    job.run()
    assert contents(job.outputs) == calm[1]


@pytest.mark.slow
def test_a_time_limit_drains(calm, job):
    process = start(job, *SLOW, "local", "--workers", "2", "--time-limit", "6s")
    _, told = process.communicate(timeout=120)
    assert process.returncode == 7, told
    assert "the time is over" in told
    assert job.call("verify").exit_code == 0
    assert len(job.records()) < 12
    assert debris(job.outputs) == []
    job.run()
    assert contents(job.outputs) == calm[1]


@pytest.mark.slow
def test_a_signal_to_all_its_processes_drains_too(calm, job):
    """As service managers and batch systems send SIGTERM: to the workers as well."""
    process = start(job, "--cluster", "local", "--workers", "2", start_new_session=True)
    wait_for_records(job, process)
    os.killpg(process.pid, signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143, told
    assert job.errors() == {}, "no image is to blame for a worker that was told to end"
    job.run()
    assert contents(job.outputs) == calm[1]


SLOW = ("--set", "quantize.attempts=100", "--cluster")
"""Images that take about a second each, so that signals find them at work."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "cluster"),
    [(signal.SIGINT, "inline"), (signal.SIGTERM, "inline"), (signal.SIGINT, "threads")],
)
def test_a_repeated_interrupt_ends_at_once(calm, job, cluster, first):
    """As the message says that is given on the first signal, whichever that was."""
    process = start(job, *SLOW, cluster, "--workers", "1")
    wait_for_records(job, process, b'{"begun"')
    time.sleep(0.1)
    for number in (first, signal.SIGINT):
        process.send_signal(number)
        time.sleep(0.2)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "interrupted; what was finished is kept" in told
    assert "Traceback" not in told
    assert debris(job.outputs) == [] or set(debris(job.outputs)) <= {
        ".segpipe/journal.jsonl",
        *part_files(job),
    }
    job.run()
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []


def part_files(site: Site) -> set[str]:
    return {name for name in debris(site.outputs) if name.endswith(".part")}


@pytest.mark.slow
def test_two_runs_at_once(calm, job):
    first = start(job)
    wait_for_records(job, first)
    result = job.run(code=4)
    assert f"process {first.pid} on {os.uname().nodename}" in result.stderr
    assert job.call("prune").exit_code in (0, 4)
    for command in ("plan", "status"):
        assert job.call(command).exit_code == 0
    _, told = first.communicate(timeout=60)
    assert first.returncode == 0, told
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []


@pytest.mark.slow
def test_many_runs_at_once_end_in_one_tree(calm, job):
    several = [start(job) for _ in range(4)]
    ends = []
    for process in several:
        _, told = process.communicate(timeout=120)
        ends.append(process.returncode)
        assert process.returncode in (0, 4), told
        assert "Traceback" not in told
    assert 0 in ends
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []


@pytest.mark.slow
def test_shards_at_once_of_which_some_are_killed(calm, job):
    """As tasks of an array job: at once, in any order, each again until it is through."""
    shards = [f"{number}/3" for number in (2, 3, 1)]
    several = [start(job, "--shard", shard, "--workers", "1") for shard in shards]
    time.sleep(random.uniform(0.5, 4))  # noqa: S311
    several[0].kill()
    for process in several:
        process.communicate(timeout=120)
    assert [process.returncode for process in several[1:]] == [0, 0]
    part_of(job, *shards)
    before = snapshot(job.outputs)
    part_of(job, *shards)
    assert snapshot(job.outputs) == before
    assert job.call("merge").exit_code == 0
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []
    assert job.call("plan", "--check").exit_code == 0


@pytest.mark.slow
def test_a_run_of_the_whole_and_shards_at_once_end_in_one_tree(calm, job):
    """Whoever is barred says so and has written nothing; it may be all of them."""
    several = [start(job, *words) for words in ((), ("--shard", "1/2"), (), ("--shard", "2/2"))]
    for process in several:
        _, told = process.communicate(timeout=120)
        assert process.returncode in (0, 4), told
        assert "Traceback" not in told
    job.run()
    assert contents(job.outputs) == calm[1]
    assert debris(job.outputs) == []
