"""How much faster two workers are than one, and how much of a network's latency bundles hide.

python tests/benchmarks/scaling.py [--photos FOLDER] [--rounds 3] [--images 1000] [--latency 0.05] [--quick]

Efficiency is t(1) / (2 × t(2)) of a local cluster over photographs, from the first task to the last
record; start-up is told beside it. The simulated cluster has two workers, for whom every opening of an
input takes so many seconds more; the images are small. It is measured in bundles and with bundles of
one image, and without latency; "hidden" is the part of the latency that nobody waits for.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.files import sources

WORKERS = 2
_LATENCY = "SEGPIPE_BENCHMARK_LATENCY"
_DATA = Path(__file__).parents[3] / "shared" / "data" / "cq100"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, default=_DATA)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--quick", action="store_true", help="100 small images, one round")
    given = parser.parse_args()
    images, rounds = (100, 1) if given.quick else (given.images, given.rounds)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        _efficiency(Path(name), given.photos.resolve(), rounds)
        _hiding(Path(name), images, given.latency)


def _efficiency(work: Path, photos: Path, rounds: int) -> None:
    took: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, found in took.items():
            found.append(_run(work, photos, workers))
    print(f"photographs in {photos.name}, medians of {rounds} rounds")
    for workers, found in took.items():
        start, rest = (median(column) for column in zip(*found, strict=True))
        print(f"{f'{workers} workers':32}{rest:8.2f} s, after {start:.2f} s of start-up")
    one, two = (median(rest for _, rest in took[workers]) for workers in (1, 2))
    print(f"{'efficiency':32}{one / (2 * two):8.3f}")


def _hiding(work: Path, images: int, latency: float) -> None:
    from overhead import _photo_like

    inputs = _photo_like(work / "small", images, 64)
    waits = images * latency / WORKERS  # if each were waited for
    print(f"{images} images of 64 × 64, {WORKERS} workers, {latency * 1e3:.0f} ms for each opening")
    for what, most in (("in bundles", 64), ("bundles of one", 1)):
        _, plain = _run(work, inputs, WORKERS, most)
        _, late = _run(work, inputs, WORKERS, most, latency)
        hidden = 1 - (late - plain) / waits
        told = f"{plain:.2f} s without latency: {late / plain:.2f} ×, {hidden:.0%} hidden"
        print(f"{what:32}{late:8.2f} s, {told}")


def _run(work: Path, inputs: Path, workers: int, most: int = 64, latency: float = 0.0) -> tuple[float, float]:
    """Seconds until the first task, and from there until the last image is kept. most : of a bundle."""
    with tempfile.TemporaryDirectory(dir=work) as name:
        job = Path(name) / "job.yaml"
        job.write_text(
            f"input: {{root: {inputs}}}\noutput: {{root: {Path(name) / 'out'}}}\n"
            f"quantize: {{colors: 16}}\ncompute: {{cluster: local, workers: {workers}}}\n"
        )
        command = [sys.executable, __file__, "--drive", str(most), "run", str(job), "--log-json"]
        environment = os.environ | {_LATENCY: str(latency)}
        start = time.perf_counter()
        seen: dict[str, float] = {}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            for line in process.stderr or ():
                seen[json.loads(line)["event"]] = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"segpipe run ended with {process.returncode}")
        return seen["started"], seen["finished"] - seen["started"]


def _drive(most: int, arguments: list[str]) -> None:
    """Be the run, with bundles of at most so many images."""
    import cli
    from pipeline.jobs import bundles

    bundles._IMAGES = most
    cli.main(arguments, prog_name="segpipe")


def _delay(seconds: float) -> None:
    """Let every opening of an input take so much longer in this process."""
    opening = sources.open_regular

    @contextmanager
    def slowly(path: Path) -> Iterator[Any]:
        time.sleep(seconds)
        with opening(path) as opened:
            yield opened

    sources.open_regular = slowly


if __name__ == "__mp_main__" and float(os.environ.get(_LATENCY, 0)):
    _delay(float(os.environ[_LATENCY]))  # a worker, which has this file from the process that started it
elif __name__ == "__main__":
    if sys.argv[1:2] == ["--drive"]:
        _drive(int(sys.argv[2]), sys.argv[3:])
    else:
        main()
