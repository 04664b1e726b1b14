"""Hundreds of kills at random instants: nothing finished is lost, and the tree is always the same.

    python tests/benchmarks/soak.py [--kills 300] [--images 200] [--seed 0] [--quick]

A job of small images of many kinds is run again and again into one output root, in one process, in
threads, in shards, on a local cluster and on a running Dask cluster. Drivers, workers, nannies and the
scheduler are killed (SIGKILL; some drivers are asked to end); only kills that have landed while the
run held its lock are counted, of workers and the like only while images were under way. The next run
goes on from what is there; when one comes through, its tree is held against that of a run that nobody
disturbed, byte for byte, and the next recipe has all to be done again.

After each kill of a driver, no final name has a file that is not whole, and no record is lost. Ends
with 1 if anything was. Linux only. The drivers' last words are in the folder that it names, if any.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ground import STATE, Ground
from victims import Cluster, Driver, kill_other

from pipeline.color.warmup import warm_up

RECIPES = ("quantize.colors=5", "quantize.colors=9")
SHARDS = 3
_WAYS = {"inline": 30, "threads": 25, "shards": 20, "local": 12, "address": 13}
_POLITE = {signal.SIGTERM: 143, signal.SIGINT: 130}
_THROUGH = (0, 1)  # 1: some images are broken
_MOST = 12.0  # seconds for each kill, at the very most
_WORDS = {
    "amid": "of these while images were done",
    "runs": "runs and shards started",
    "through": "runs of the whole that came through",
    "lost": "finished images lost",
    "differing": "differing files",
    "debris": "files of debris",
}


class Soak:
    """Runs on one output root, and what has become of them."""

    def __init__(self, ground: Ground, seed: int, logs: Path) -> None:
        self.landed: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.tally: Counter[str] = Counter(dict.fromkeys(_WORDS, 0))
        self.recipe = RECIPES[0]
        self._ground = ground
        self._chance = random.Random(seed)  # noqa: S311
        self._cluster = Cluster()
        self._pace = dict.fromkeys(_WAYS, 120.0)  # images a second
        self._quiet_from = 0.0
        self._logs = logs

    def round(self) -> None:
        """Start a run, or shards, kill whom chance tells, and look at what is left."""
        way = self._chance.choices(list(_WAYS), list(_WAYS.values()))[0]
        known = self._ground.finished(self.recipe)
        if way == "shards":
            drivers = [self._start("inline", "--shard", f"{n}/{SHARDS}") for n in range(1, SHARDS + 1)]
        else:
            drivers = [self._start(way)]
        begun = time.monotonic()
        if way in ("local", "address"):
            known |= self._kill_workers(way, drivers[0])
        known |= self._kill_drivers(way, drivers, self._ground.images - len(known))
        self._judge(way, drivers, known, time.monotonic() - begun)

    def finish(self) -> None:
        """Let one run come through."""
        self._judge("inline", [self._start("inline")], self._ground.finished(self.recipe), 0)

    def close(self) -> None:
        """End all processes."""
        self._cluster.close()

    def _start(self, way: str, *more: str) -> Driver:
        where = self._cluster.keep_up() if way == "address" else way
        self.tally["runs"] += 1
        words = ["run", str(self._ground.job), "--set", self.recipe, "--cluster", where, "--log-json", *more]
        return Driver(words, self._logs / f"{self.tally['runs']:04}")

    def _kill_drivers(self, way: str, drivers: list[Driver], left: int) -> dict[str, str]:
        """Kill one at a random instant of what it has to do; returns what was finished just before."""
        driver = self._chance.choice(drivers)
        _until(driver, lambda: self._holds(driver))
        span = 0.05 + 1.2 * left / self._pace[way]
        end = time.monotonic() + self._chance.uniform(0, span)
        _until(driver, lambda: time.monotonic() > end)
        if driver.ended():
            return {}
        known = self._ground.finished(self.recipe)
        held, amid = self._holds(driver), driver.started()
        number = self._chance.choices([signal.SIGKILL, *_POLITE], [8, 1, 1])[0]
        driver.kill(number)
        code = driver.wait()
        if held and code == _POLITE.get(number, -number):
            self.landed[f"driver, {way}, {signal.Signals(number).name}"] += 1
            self.tally["amid"] += amid
        elif held and code not in _THROUGH:
            self.wrong.append(f"{way}: asked by signal {number} to end, it ended with {code}")
        return known

    def _kill_workers(self, way: str, driver: Driver) -> dict[str, str]:
        """Kill up to three processes that work for it; returns what was finished before the last."""
        known: dict[str, str] = {}
        for _ in range(self._chance.choice([1, 2, 2, 3])):
            _until(driver, driver.started)
            end = time.monotonic() + self._chance.uniform(0, 0.3)
            _until(driver, lambda end=end: time.monotonic() > end)
            known |= self._ground.finished(self.recipe)
            if driver.ended() or not self._ground.under_way(self.recipe):
                break
            self._kill_helper(way, driver)
        return known

    def _kill_helper(self, way: str, driver: Driver) -> None:
        whom = "worker"
        if way == "address":
            whom = self._chance.choices(["worker", "nanny", "scheduler"], [7, 3, 1])[0]
        if whom == "scheduler":
            landed = self._cluster.kill_scheduler()
        elif whom == "nanny":
            landed = self._cluster.kill_nanny(self._chance.randrange(2))
        else:
            workers = driver.workers() if way == "local" else self._cluster.workers()
            landed = bool(workers) and kill_other(self._chance.choice(workers))
        self.landed[f"{whom}, {way}, SIGKILL"] += landed
        self.tally["amid"] += landed

    def _judge(self, way: str, drivers: list[Driver], known: dict[str, str], seconds: float) -> None:
        """Look at the tree after all drivers have ended."""
        before = len(known)
        codes = [driver.wait() for driver in drivers]
        self._quiet_from = time.monotonic() + 2 if way in ("local", "address") else self._quiet_from
        fit = {*_THROUGH, -signal.SIGKILL, *_POLITE.values(), *(-number for number in _POLITE)}
        fit |= {5} if way == "address" else set()
        self._complain(f"run {self.tally['runs']}, {way}", [f"ended with {c}" for c in codes if c not in fit])
        lost = self._ground.lost(self.recipe, known)
        self.tally["lost"] += len(lost)
        self._complain(f"after run {self.tally['runs']}, {way}", [f"{key} is lost" for key in lost])
        self._complain(f"after run {self.tally['runs']}, {way}", list(self._ground.complaints(self.recipe)))
        if len(drivers) == 1 and codes[0] in _THROUGH:
            self._came_through(way)
        elif len(drivers) == 1 and seconds and len(self._ground.finished(self.recipe)) > before + 20:
            made = len(self._ground.finished(self.recipe)) - before
            self._pace[way] = 0.7 * self._pace[way] + 0.3 * made / seconds

    def _came_through(self, way: str) -> None:
        """Hold the tree against the undisturbed one, and go on with the next recipe."""
        time.sleep(max(0.0, self._quiet_from - time.monotonic()))  # workers that have outlived their driver
        self.tally["through"] += 1
        differing, debris = self._ground.differences(self.recipe), self._ground.debris()
        self.tally["differing"] += len(differing)
        self.tally["debris"] += len(debris)
        self._complain(
            f"run {self.tally['runs']}, {way}, came through", [f"{path} differs" for path in differing]
        )
        self._complain(
            f"run {self.tally['runs']}, {way}, came through", [f"{path} is left" for path in debris]
        )
        for path in debris:  # told once
            (self._ground.outputs / path).unlink()
        self.recipe = RECIPES[RECIPES.index(self.recipe) - 1]

    def _complain(self, when: str, complaints: list[str]) -> None:
        self.wrong += [f"{when}: {complaint}" for complaint in complaints]

    def _holds(self, driver: Driver) -> bool:
        """Whether a driver holds its lock: it is past looking, and not yet through."""
        for lock in (self._ground.outputs / STATE).rglob("lock"):
            try:
                if lock.read_text().split("\n")[0] == str(driver.pid):
                    return True
            except OSError:
                continue
        return False


def _until(driver: Driver, done: Callable[[], object]) -> None:
    """Wait for something, or for the driver's end."""
    while not (driver.ended() or done()):
        time.sleep(0.002)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="40 kills")
    given = parser.parse_args()
    kills = 40 if given.quick else given.kills
    logs = Path(tempfile.mkdtemp(prefix="segpipe-soak-"))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        ground = Ground(Path(name), given.images, given.seed)
        _undisturbed(ground, logs)
        soak = Soak(ground, given.seed, logs)
        begun = time.monotonic()
        try:
            while soak.landed.total() < kills and time.monotonic() - begun < _MOST * kills:
                soak.round()
                _progress(soak, kills)
            soak.finish()
        finally:
            soak.close()
    _show(soak, time.monotonic() - begun)
    if soak.wrong or soak.landed.total() < kills:
        raise SystemExit(f"{len(soak.wrong)} violations; what the drivers said: {logs}")
    shutil.rmtree(logs)


def _undisturbed(ground: Ground, logs: Path) -> None:
    """Make the trees that runs have to end in, in processes that nobody kills."""
    warm_up()
    for recipe in RECIPES:
        driver = Driver(["run", str(ground.job), "--set", recipe], logs / "undisturbed")
        if (code := driver.wait()) not in _THROUGH:
            raise SystemExit(f"the undisturbed run ended with {code}: {(logs / 'undisturbed').read_text()}")
        ground.expect(recipe)
        shutil.rmtree(ground.outputs)


def _progress(soak: Soak, kills: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{soak.landed.total()} of {kills} kills, {len(soak.wrong)} violations ")


def _show(soak: Soak, seconds: float) -> None:
    for whom, count in sorted(soak.landed.items()):
        print(f"{f'killed: {whom}':44}{count:8}")
    print(f"{'kills that landed':44}{soak.landed.total():8}")
    for what in _WORDS:
        print(f"{_WORDS[what]:44}{soak.tally[what]:8}")
    print(f"{'violations':44}{len(soak.wrong):8}")
    print(f"{'seconds':44}{seconds:8.0f}")
    for text in soak.wrong[:50]:
        print(text)


if __name__ == "__main__":
    main()
