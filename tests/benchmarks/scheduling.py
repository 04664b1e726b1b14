"""What a run costs beyond its tasks: two workers of a local cluster against a bare pool of two processes.

python tests/benchmarks/scheduling.py [--images 5000] [--megapixels 0.4] [--colors 16] [--rounds 3] [--quick]

The bare pool makes the very calls that the run's workers make: the same bundles with the same
settings, in the same order, flushes to the disk included; but nobody surveys, plans, keeps a journal or
writes a manifest. Rounds alternate, medians are printed. Start-up is the time until the first task
begins: of the run by its log, of the pool until both processes have compiled loops.

The images are crops of procedural pictures with the spectrum and grain of photographs, JPEG and PNG, in
a folder below the current one that is removed at the end.
"""

import argparse
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image

from pipeline.jobs import tasks
from pipeline.jobs.bundles import bundle
from pipeline.jobs.settings import settings_of
from pipeline.jobs.spec import load_spec
from pipeline.jobs.survey import Options, survey

WORKERS = 2
_SOURCES = 8  # pictures that images are cropped from


class Took(NamedTuple):
    """Seconds of all, and of what came before the first task."""

    all: float
    start_up: float

    @property
    def work(self) -> float:
        """Seconds from the first task on."""
        return self.all - self.start_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--megapixels", type=float, default=0.4)
    parser.add_argument("--colors", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="300 images, one round")
    given = parser.parse_args()
    images, rounds = (300, 1) if given.quick else (given.images, given.rounds)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        work = Path(name)
        make_images(work / "in", images, given.megapixels)
        found: dict[str, list[Took]] = {"run": [], "bare": []}
        for number in range(rounds):
            for what in sorted(found, reverse=number % 2 == 0):
                found[what].append((_run if what == "run" else _bare)(work, given.colors))
                print(
                    f"round {number + 1}, {what:8}",
                    *(f"{took:8.2f} s" for took in found[what][-1]),
                    flush=True,
                )
    print(f"{images} images of {given.megapixels} Mpx, k = {given.colors}, medians of {rounds} rounds")
    print(f"{'':24}{'run':>10}{'bare':>10}{'run/bare':>10}")
    for what, of in (("all", "all"), ("start-up", "start_up"), ("without start-up", "work")):
        run, bare = (median(getattr(took, of) for took in found[kind]) for kind in ("run", "bare"))
        print(f"{what:24}{run:8.2f} s{bare:8.2f} s{run / bare:10.3f}")


def make_images(folder: Path, count: int, megapixels: float) -> None:
    """Write crops of procedural pictures: each its own, mirrored and lit differently."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    height = round((megapixels * 1e6 * 2 / 3) ** 0.5)
    width = round(megapixels * 1e6 / height)
    sources = [_picture(generator, 2 * height, 2 * width) for _ in range(_SOURCES)]
    for number in range(count):
        source = sources[number % _SOURCES]
        y, x = generator.integers(0, height), generator.integers(0, width)
        crop = source[y : y + height, x : x + width][:, :: 1 - 2 * (number % 2)]
        lit = np.clip(crop * generator.uniform(0.7, 1.1, 3), 0, 255).astype(np.uint8)
        name = folder / f"{number:05}"
        if number % 4 == 3:
            Image.fromarray(lit).save(name.with_suffix(".png"), compress_level=1)
        else:
            Image.fromarray(lit).save(name.with_suffix(".jpg"), quality=90)


def _picture(
    generator: np.random.Generator, height: int, width: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Noise with an amplitude of one over the frequency, as in photographs; channels hang together."""
    y, x = np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width)
    falling = 1 / np.maximum(np.hypot(y, x), 1 / max(height, width))
    planes = []
    for _ in range(3):
        noise = np.fft.rfft2(generator.normal(size=(height, width)))
        plane = np.fft.irfft2(noise * falling, s=(height, width))
        planes.append(plane / plane.std())
    light, one, other = planes
    channels = [light + 0.4 * one, light - 0.2 * one + 0.2 * other, light - 0.4 * other]
    picture = 120 + 50 * np.dstack(channels) + generator.normal(0, 2, (height, width, 1))
    return picture.astype(np.float32)


def _job(work: Path, colors: int, out: str) -> Path:
    job = work / f"{out}.yaml"
    job.write_text(
        f"input: {{root: {work / 'in'}}}\noutput: {{root: {work / out}}}\n"
        f"quantize: {{colors: {colors}}}\ncompute: {{cluster: local, workers: {WORKERS}}}\n"
    )
    return job


def _run(work: Path, colors: int) -> Took:
    job = _job(work, colors, "run")
    start = time.perf_counter()
    command = [sys.executable, "-m", "cli", "run", str(job), "--log-json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        begun = 0.0
        for line in process.stderr or ():
            if not begun and json.loads(line)["event"] == "started":
                begun = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"segpipe run ended with {process.returncode}")
    took = Took(time.perf_counter() - start, begun)
    shutil.rmtree(work / "run")
    return took


def _bare(work: Path, colors: int) -> Took:
    spec = load_spec(_job(work, colors, "bare"))
    found = survey(spec, Options(), time.time_ns())
    settings = settings_of(spec, found.request.digest)
    paintings = [tasks.Painting(tuple(r.decision.entry.key for r in group)) for group in bundle(found.routes)]
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(WORKERS, tasks.get_ready, (settings,)) as pool:
        _expect_both(pool)
        begun = time.perf_counter() - start
        done = sum(
            len(outcomes)
            for outcomes in pool.imap_unordered(partial(tasks.process_bundle, settings), paintings)
        )
    took = Took(time.perf_counter() - start, begun)
    if done != len(found.routes):
        raise SystemExit(f"{done} of {len(found.routes)} images came out of the bare pool")
    shutil.rmtree(work / "bare")
    return took


def _expect_both(pool: Pool) -> None:
    """Wait until all processes are ready: each takes one of as many calls that last a while."""
    pool.map(time.sleep, [0.3] * WORKERS, 1)


if __name__ == "__main__":
    main()
