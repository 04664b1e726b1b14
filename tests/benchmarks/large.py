"""Images of hundreds of megapixels and more: time, memory of each process, and the same bytes.

    python tests/benchmarks/large.py FOLDER [--kinds tiled strips jpeg png noise raster] [--outputs png tiff]
        [--sizes MEGAPIXELS …]      whole runs against the bare work, see bare.py
        [--linear A B]              time and memory at B megapixels over those at A
        [--identical MEGAPIXELS]    windows and workers against a run that does the image whole: same bytes?
        [--minibatch MEGAPIXELS]    method minibatch against kmeans: time and MSE
        [--memory 1GiB] [--work FOLDER] [--seed 0]

The images are mosaics of the photographs in FOLDER, see mosaics.py; in a `--work` folder they are kept,
and taken up again if size, seed and photographs are the same. Each is read once before the first run,
so that all find it in the page cache, as far as there is room.

A run is `segpipe run` in processes of its own: two Dask workers of `--memory`, 16 colours, label map,
quantized image and palette (16 clusters and the label map of a raster), in windows whatever the size;
start-up is part of its time. Memory is the most that a process has ever had resident (VmHWM), read every
50 ms; it counts pages of files too. The
bare work writes the label map that the run has made, so that what is compressed is the same, and its
files are held against the run's. Every line is a ratio to something measured in the same session. Exit
code 1 if outputs differ that should be the same.
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from bare import bare_work
from mosaics import KINDS, Mosaics

import pipeline

ROOT = Path(__file__).resolve().parents[2]
Sections = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Ran:
    """A run: seconds, the output root, peak MB of the driver and of the workers, the largest first."""

    seconds: float
    out: Path
    driver: float
    workers: list[float]

    @property
    def mse(self) -> float:
        return float(json.loads((self.out / "manifest.jsonl").read_text())["metrics"]["mse"])

    @property
    def bytes(self) -> int:
        """Of all outputs."""
        return sum((self.out / path).stat().st_size for path in files_of(self.out))


class Bench:
    """What is asked for on the command line, and where it is done."""

    def __init__(self, given: argparse.Namespace, work: Path) -> None:
        self.given = given
        self.work = work
        self._mosaics = Mosaics(given.folder, given.seed)
        (work / "inputs").mkdir(parents=True, exist_ok=True)

    def cases(self, megapixels: float) -> Iterator[tuple[Path, str, str]]:
        """The images of the kinds asked for, the format of the outputs, and a line's beginning."""
        for kind in self.given.kinds:
            image = self.image(kind, megapixels)
            for kept in self.given.outputs:
                yield image, kept, f"{kind:8}{megapixels:7g}{kept:>8}"

    def image(self, kind: str, megapixels: float) -> Path:
        image = self._mosaics.make(kind, megapixels, self.work / "inputs")
        with image.open("rb") as file:
            while file.read(1 << 24):
                pass
        return image

    @contextmanager
    def run(self, image: Path, kept: str, changed: Sections | None = None) -> Iterator[Ran]:
        """Run a job on one image; its outputs are there until the end of the `with`."""
        with tempfile.TemporaryDirectory(dir=self.work) as name:
            job, out = Path(name) / "job.yaml", Path(name) / "out"
            job.write_text(json.dumps(self._job(image, out, kept, changed or {})))
            seconds, driver, workers = _watched([sys.executable, "-m", "cli", "run", "-q", str(job)])
            yield Ran(seconds, out, driver, workers)

    def _job(self, image: Path, out: Path, kept: str, changed: Sections) -> Sections:
        sections: Sections = {
            "input": {"root": str(image.parent), "include": [image.name], "max_megapixels": 1e9},
            "output": {"root": str(out), "quantized": {"format": kept}, "labels": {"format": kept}},
            "quantize": {"colors": 16, "method": "segment" if image.name.startswith("raster") else "kmeans"},
            "large": {"above_megapixels": 0.001},
            "compute": {"cluster": "local", "workers": 2, "memory_per_worker": self.given.memory},
        }
        return {name: keys | changed.get(name, {}) for name, keys in sections.items()}

    def warm_up(self, changed: Sections | None = None) -> None:
        """Have all loops compiled, and the program in the page cache."""
        with self.run(self.image("noise", 0.3), "png", changed):
            pass


def _watched(command: list[str]) -> tuple[float, float, list[float]]:
    """Seconds of a command, and peak MB of its process and of the workers below it."""
    os.sync()  # what was written before is not to be written meanwhile
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    peaks: dict[int, float] = {}
    workers: set[int] = set()
    ended = threading.Event()

    def watch() -> None:
        root = psutil.Process(process.pid)
        while not ended.wait(0.05):
            with suppress(psutil.NoSuchProcess):
                for one in (root, *root.children(recursive=True)):
                    _look(one, peaks, workers)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - start
    ended.set()
    watcher.join()
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return seconds, peaks[process.pid], sorted((peaks[pid] for pid in workers & peaks.keys()), reverse=True)


def _look(process: psutil.Process, peaks: dict[int, float], workers: set[int]) -> None:
    """Note a process's peak; one that has just ended has none any more, and keeps what it had."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess, ProcessLookupError, FileNotFoundError):
        if any("spawn_main" in word for word in process.cmdline()):
            workers.add(process.pid)
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peaks[process.pid] = int(line.split()[1]) * 1024 / 1e6


def files_of(out: Path) -> set[Path]:
    """The outputs, relative to their root."""
    found = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
    return {path for path in found if path.parts[0] != ".segpipe"}


def differences(one: Path, other: Path) -> list[str]:
    """Outputs that are not the same in both trees."""
    ours, theirs = files_of(one), files_of(other)
    differing = {path for path in ours & theirs if not filecmp.cmp(one / path, other / path, shallow=False)}
    return sorted(map(str, (ours ^ theirs) | differing))


def against_bare(bench: Bench) -> bool:
    """Whole runs and the bare work."""
    bench.warm_up()
    print(
        f"{'kind':8}{'Mpx':>7}{'outputs':>8}{'run: s':>9}{'Mpx/s':>7}{'bare: s':>9}{'run/bare':>9}"
        f"{'in: MB':>8}{'out: MB':>8}{'out/in':>7}{'driver: MB':>12}{'workers: MB':>13}"
    )
    same = True
    for megapixels in bench.given.sizes:
        for image, kept, line in bench.cases(megapixels):
            with bench.run(image, kept) as ran:
                pictures = {name: kept for name in ("quantized", "labels") if (ran.out / name).exists()}
                seconds, made = bare_work(image, ran.out, pictures, ran.out.parent)
                unlike = [path for path in differences(ran.out, made) if path.startswith(tuple(pictures))]
                size = image.stat().st_size
                print(
                    f"{line}{ran.seconds:9.2f}{megapixels / ran.seconds:7.1f}{seconds:9.2f}"
                    f"{ran.seconds / seconds:9.2f}{size / 1e6:8.1f}{ran.bytes / 1e6:8.1f}"
                    f"{ran.bytes / size:7.2f}{ran.driver:12.0f}   {_megabytes(ran.workers)}"
                    + (f"   the bare work wrote others: {', '.join(unlike)}" if unlike else ""),
                    flush=True,
                )
                same &= not unlike
    return same


def linear(bench: Bench) -> bool:
    """Two sizes of the same kind."""
    bench.warm_up()
    small, large = bench.given.linear
    print(f"{large:g} Mpx over {small:g} Mpx, {large / small:.2f} times the pixels\n")
    print(
        f"{'kind':8}{'Mpx':>7}{'outputs':>8}{'of small: s':>13}{'of large: s':>13}{'time':>7}{'a pixel':>9}"
        f"{'driver':>8}{'workers':>12}   MB: driver, workers"
    )
    for kind in bench.given.kinds:
        for kept in bench.given.outputs:
            with bench.run(bench.image(kind, small), kept) as one:
                pass
            with bench.run(bench.image(kind, large), kept) as other:
                pass
            ratio = other.seconds / one.seconds
            shares = " ".join(f"{b / a:.2f}" for a, b in zip(one.workers, other.workers, strict=False))
            print(
                f"{kind:8}{large:7g}{kept:>8}{one.seconds:13.2f}{other.seconds:13.2f}{ratio:7.2f}"
                f"{ratio * small / large:9.2f}{other.driver / one.driver:8.2f}{shares:>12}   "
                f"{one.driver:.0f}, {_megabytes(one.workers)} → {other.driver:.0f}, "
                f"{_megabytes(other.workers)}",
                flush=True,
            )
    return True


def identical(bench: Bench) -> bool:
    """A run that does the image whole against windows of several sizes and any workers."""
    bench.warm_up()
    same = True
    print(f"{'kind':8}{'Mpx':>7}{'outputs':>8}{'window':>8}{'workers':>9}{'time / whole':>14}")
    for image, kept, line in bench.cases(bench.given.identical):
        enough: Sections = {
            "large": {"above_megapixels": 1e9},
            "compute": {"cluster": "inline", "memory_per_worker": "1TiB"},
        }
        with bench.run(image, kept, enough) as whole:
            for window in (512, 1000, 4096):
                for workers in (1, 2, 4, "inline"):
                    compute = {"cluster": "inline"} if workers == "inline" else {"workers": workers}
                    changed: Sections = {
                        "large": {"above_megapixels": 0.001, "window": window},
                        "compute": compute,
                    }
                    with bench.run(image, kept, changed) as ran:
                        unlike = differences(whole.out, ran.out)
                        said = f"DIFFERENT: {', '.join(unlike)}" if unlike else "identical"
                        print(
                            f"{line}{window:8}{workers:>9}{ran.seconds / whole.seconds:14.2f}   {said}",
                            flush=True,
                        )
                    same &= not unlike
    return same


def minibatch(bench: Bench) -> bool:
    """Mini-batch k-means, without and with exact steps at the end, against k-means on exact counts."""
    sampled = {"method": "minibatch", "refine": True}
    bench.warm_up()
    bench.warm_up({"quantize": sampled})
    print(
        f"{'kind':8}{'Mpx':>7}{'outputs':>8}{'k':>5}{'kmeans: s':>11}{'MSE':>10}{'refine':>9}"
        f"{'s':>9}{'MSE':>10}{'time':>8}{'MSE':>9}   (× kmeans)"
    )
    for image, kept, line in bench.cases(bench.given.minibatch):
        for k in (16, 64, 256):
            with bench.run(image, kept, {"quantize": {"colors": k}}) as exact:
                error = exact.mse
            for refine in (False, True):
                wanted = sampled | {"colors": k, "refine": refine}
                with bench.run(image, kept, {"quantize": wanted}) as ran:
                    print(
                        f"{line}{k:5}{exact.seconds:11.2f}{error:10.3f}{str(refine).lower():>9}"
                        f"{ran.seconds:9.2f}{ran.mse:10.3f}{ran.seconds / exact.seconds:8.2f}"
                        f"{ran.mse / error:9.4f}",
                        flush=True,
                    )
    return True


def _megabytes(values: list[float]) -> str:
    return " ".join(f"{value:.0f}" for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--outputs", nargs="+", default=["png"], choices=["png", "tiff"])
    parser.add_argument("--sizes", type=float, nargs="+", default=[250, 1000])
    parser.add_argument("--linear", type=float, nargs=2, metavar=("A", "B"))
    parser.add_argument("--identical", type=float, metavar="MEGAPIXELS")
    parser.add_argument("--minibatch", type=float, metavar="MEGAPIXELS")
    parser.add_argument("--memory", default="1GiB", help="of a worker: compute.memory_per_worker")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if Path(pipeline.__file__).parents[1] != ROOT:
        raise SystemExit(f"expected the pipeline of {ROOT}, found {pipeline.__file__}; set PYTHONPATH")
    modes = (("linear", linear), ("identical", identical), ("minibatch", minibatch))
    asked = [mode for name, mode in modes if getattr(given, name) is not None] or [against_bare]
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(given, (given.work or Path(name)).resolve())
        same = [mode(bench) for mode in asked]
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
