"""The most memory that the process of a run has at once, workers left out, by the number of images.

python tests/benchmarks/driver_memory.py [--images 10000 30000 100000] [--top 15] [--quick]

The images are 8 × 8 pixels, hard links to a hundred, and really done by two workers of a local cluster; then
the same job is run again, with nothing to do. Printed are VmHWM as the process itself reads it at its end,
and the slope in bytes an image, by least squares. --top N: instead the N places that hold most of what
Python has allocated when it is most, of the smallest number of images (tracemalloc; slow). Linux only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from overhead import _photo_like as photo_like

_GOAL = 300  # MB at 100,000 images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--top", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="500, 1000 and 2000 images")
    given = parser.parse_args()
    counts = [500, 1000, 2000] if given.quick else given.images
    peaks: dict[str, list[float]] = {"first run": [], "nothing to do": []}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        originals = sorted(photo_like(Path(name) / "originals", 100, 8).iterdir())
        for count in counts[:1] if given.top else counts:
            job = _job(Path(name) / str(count), originals, count)
            for what, found in peaks.items():
                seconds, peak = _measured(job, given.top)
                found.append(peak)
                print(f"{count:8} images, {what:16}{peak:8.0f} MB{seconds:8.1f} s", flush=True)
    if len(counts) > 1 and not given.top:
        for what, found in peaks.items():
            slope, base = np.polyfit(counts, found, 1)
            told = f"{slope * 1e6:.0f} bytes an image beyond {base:.0f} MB"
            print(f"{what:16}{told}; at 100,000: {base + slope * 1e5:.0f} MB (goal: {_GOAL})")


def _job(folder: Path, originals: list[Path], count: int) -> Path:
    """A job of so many hard links to the originals, a thousand in a folder."""
    for number in range(count):
        parent = folder / "in" / f"{number // 1000:03}"
        parent.mkdir(parents=True, exist_ok=True)
        os.link(originals[number % len(originals)], parent / f"{number:06}.png")
    job = folder / "job.yaml"
    job.write_text(
        f"input: {{root: {folder / 'in'}}}\noutput: {{root: {folder / 'out'}}}\n"
        "quantize: {colors: 4}\ncompute: {cluster: local, workers: 2}\n"
    )
    return job


def _measured(job: Path, top: int) -> tuple[float, float]:
    """Seconds, and the process's peak in MB, of a run."""
    start = time.perf_counter()
    told = job.with_name("peak")
    command = [sys.executable, __file__, "--drive", str(told), str(top), "run", "-q", str(job)]
    subprocess.run(command, check=True)
    return time.perf_counter() - start, float(told.read_text())


def _drive(told: Path, top: int, arguments: list[str]) -> None:
    """Be the run, and tell at the end what it took."""
    import cli

    if top:
        _trace(top)
    try:
        cli.main(arguments, prog_name="segpipe")
    finally:
        [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
        told.write_text(str(int(line.split()[1]) * 1024 / 1e6))


def _trace(top: int) -> None:
    """Show what holds most when the last record is kept, or the plan is made and there is nothing to do."""
    from pipeline.jobs import run
    from pipeline.jobs.ledger import Books

    def show() -> None:
        for found in tracemalloc.take_snapshot().statistics("lineno")[:top]:
            print(found)

    close, nothing = Books.close, run._nothing_to_do

    def closing(self: Books) -> None:
        show()
        close(self)

    def doing_nothing(*arguments: object) -> object:
        show()
        return nothing(*arguments)  # type: ignore[arg-type]

    Books.close, run._nothing_to_do = closing, doing_nothing  # type: ignore[method-assign, assignment]
    tracemalloc.start()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--drive"]:
        _drive(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    else:
        main()
