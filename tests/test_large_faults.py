"""Large images under kills, signals, full disks and damaged work folders: the same bytes in the end."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import test_crash
import test_large
from test_crash import REPO, Kill, Sweep, killing
from test_large import WINDOWS, textured
from trees import Site, age, contents, debris, picture

from pipeline.files import png
from pipeline.jobs import large, parted, slabpictures, slabs, slabtasks

IMAGE = textured(560, 64)  # so tall that TIFF files have several parts too
KEYS = ("b.png", "t.tif")
TIFFS = {"quantized": {"format": "tiff"}, "labels": {"format": "tiff"}, "overviews": True}
PRELUDE = """
import runpy, sys
sys.path[:0] = sys.argv[1:]
from pipeline.files import png
from pipeline.jobs import slabs, slabtasks
png._BAND_BYTES = 1 << 12
slabs.slabs_of.__defaults__, slabtasks._PATCH = (9_000,), 5_000
runpy.run_path(sys.argv[2] + "/killer.py", run_name="__main__")
"""

fast = test_crash.fast
pytestmark = [pytest.mark.usefixtures("small"), test_crash.pytestmark]


@contextmanager
def small_parts() -> Iterator[None]:
    """Slabs, patches, and parts of PNG files so small that there are several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs.slabs_of, "__defaults__", (9_000,))
        patch.setattr(slabtasks, "_PATCH", 5_000)
        patch.setattr(png, "_BAND_BYTES", 1 << 12)
        yield


@pytest.fixture
def small() -> Iterator[None]:
    with small_parts():
        yield


def plant(inputs: Path, *keys: str) -> None:
    """A picture that is read in windows, one in bands, and a small one."""
    for key in keys:
        if key.endswith(".tif"):
            test_large.tifffile.imwrite(
                inputs / key, IMAGE, tile=(64, 48), compression="zlib", photometric="rgb"
            )
        else:
            test_large.Image.fromarray(IMAGE).save(inputs / key)
        age(inputs / key)


def a_site(base: Path) -> Site:
    site = Site(base, output={"palette": {"formats": ["json", "gpl"]}})
    plant(site.inputs, *KEYS)
    picture(1).save(site.inputs / "small.png")
    return site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path / "site")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run gives that nobody disturbs and that does every image whole."""
    with small_parts():
        site = a_site(tmp_path_factory.mktemp("calm") / "site")
        site.run()
    return contents(site.outputs)


def held(site: Site, expected: dict[str, bytes], *arguments: str) -> None:
    """Hold the run that follows a disturbed one to account."""
    site.run(*WINDOWS, *arguments)
    assert contents(site.outputs) == expected
    assert debris(site.outputs) == []
    assert not (site.state / "large").exists()
    assert site.reasons(*WINDOWS, *arguments) == {}


# Killed.


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """As in `test_crash`, in a process with small slabs."""
    with killing("-c", PRELUDE, REPO, REPO / "tests") as ask:
        yield ask


SWEEPS = [
    ("t.tif", {}),
    ("b.png", {"output": TIFFS | {"preview": 60, "comparison": {"layout": "overlay", "height": 40}}}),
    ("b.jpg", {"quantize": {"colors": 300}}),
]


def sweep_of(kill: Callable[..., Any], base: Path, key: str, sections: dict[str, Any]) -> Sweep:
    return Sweep(kill, base, WINDOWS, lambda inputs: plant(inputs, key), **sections)


@pytest.mark.slow
@pytest.mark.parametrize(("key", "sections"), SWEEPS[:1])
def test_killed_at_every_point(kill, fast, key, sections):
    sweep = sweep_of(kill, fast, key, sections)
    passed = " ".join(sweep.whole())
    for landmark in ("counts-", "fit.npz", "quantized-", "labels-", f"labels/{key}", "manifest.jsonl"):
        assert landmark in passed


@pytest.mark.parametrize(("key", "sections"), SWEEPS)
def test_killed_at_some_points(kill, fast, key, sections):
    sweep = sweep_of(kill, fast, key, sections)
    number, wrong = 3, []
    while point := sweep.killed_at(number):
        wrong += [f"killed at {number}, {point}: {complaint}" for complaint in sweep.complaints()]
        number += 13
    assert number > 100
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("key", KEYS)
def test_what_a_killed_run_had_counted_is_not_counted_again(kill, fast, monkeypatch, key):
    sweep = sweep_of(kill, fast, key, {})
    sweep.restore()
    points = kill(0, sweep.site.outputs, "run", sweep.site.job, *WINDOWS)["points"]
    number = next(number for number, point in enumerate(points, 1) if "fit.npz" in point)
    assert "fit.npz" in (sweep.killed_at(number) or "")

    def counting(*arguments: Any) -> None:
        raise AssertionError("counted again")

    monkeypatch.setattr(slabtasks.Tally, "add", counting)
    assert list(sweep.complaints()) == []


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("step", ["count_slab", "map_slab"])
def test_workers_that_are_killed_are_replaced(site, monkeypatch, key, step):
    monkeypatch.setattr(png, "_BAND_BYTES", 1 << 20)  # as in the workers
    tiffs = ("--set", "output.quantized.format=tiff", "--set", "output.labels.format=tiff")
    site.run(*tiffs, "--set", "output.root=whole")
    victims: list[int] = []
    real = parted.Steps.through

    def drawn(tasks: Any) -> Iterator[Any]:
        for number, task in enumerate(tasks):
            if number == 1:  # the first is under way
                found = psutil.Process().children(recursive=True)
                victims.extend(child.pid for child in found if "spawn_main" in " ".join(child.cmdline()))
                for victim in victims:
                    os.kill(victim, signal.SIGKILL)
            yield task

    def through(self: Any, name: str, function: Any, parts: Any, tasks: Any, over: Any) -> Any:
        if self._image.key == key and function.func.__name__ == step:
            tasks = drawn(tasks)
        return real(self, name, function, parts, tasks, over)

    monkeypatch.setattr(parted.Steps, "through", through)
    site.run(*WINDOWS, *tiffs, "--cluster", "local", "--workers", "2")
    assert len(victims) == 2
    held(site, contents(site.base / "whole"), *tiffs)


def test_a_worker_that_outlives_its_driver_disturbs_nobody(site, expected, monkeypatch):
    """It is still painting by another palette when the next run puts the picture together."""
    late: list[tuple[Any, ...]] = []
    fit, paint, join = large.fit_slabs, large.map_slab, large.join_slabs

    def stopping(settings: Any, task: Any, canvas: Any) -> None:
        late.append((settings, task, canvas))
        raise KeyboardInterrupt

    monkeypatch.setattr(large, "map_slab", stopping)
    site.call("run", *WINDOWS, "--set", "quantize.colors=3", "--only", "t.tif")
    [(settings, task, canvas)] = late
    whole = slabs.slabs_of(*IMAGE.shape[:2], 64)

    def joining(*arguments: Any) -> Any:
        with suppress(Exception):
            fit(settings, slabpictures.FitTask(task.image, whole, 0, False))
        with suppress(Exception):
            paint(settings, task, canvas=canvas)
        return join(*arguments)

    monkeypatch.setattr(large, "map_slab", paint)
    monkeypatch.setattr(large, "join_slabs", joining)
    held(site, expected)


# Signals, and other runs.


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("step", ["add", "fit_palette", "paint_part"])
def test_a_signal_ends_the_run_and_the_next_goes_on(site, expected, monkeypatch, key, step):
    saved: list[str] = []
    place = slabtasks.Tally if step == "add" else slabpictures
    save, real = slabtasks.keep, getattr(place, step)
    left = [1 if step == "fit_palette" else 2]

    def saving(path: Path, **arrays: Any) -> None:
        saved.append(path.name)
        save(path, **arrays)

    def signalled(*arguments: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(slabtasks, "keep", saving)
    monkeypatch.setattr(place, step, signalled)
    site.run(*WINDOWS, "--only", key, code=143)
    assert not list(site.outputs.rglob(f"{key}.*"))
    assert [path.name for path in (site.state / "large").rglob("*") if path.name.startswith("run-")] == []
    site.run(*WINDOWS, "--only", key)
    counts = [name for name in saved if name.startswith("counts-")]
    assert sorted(counts) == sorted(set(counts))
    held(site, expected)


def test_another_run_meanwhile_is_locked_out(site, expected, monkeypatch):
    real = slabtasks.Tally.add
    codes: list[int] = []

    def counting(*arguments: Any) -> Any:
        if not codes:
            codes.append(0)
            codes[0] = site.call("run", *WINDOWS).exit_code
            assert site.call("plan", *WINDOWS).exit_code == 0
        return real(*arguments)

    monkeypatch.setattr(slabtasks.Tally, "add", counting)
    site.run(*WINDOWS)
    assert codes == [4]
    held(site, expected)
