"""What a run costs beside its images: start-up, tiny images, and a re-run that has nothing to do.

python tests/benchmarks/overhead.py [--images 100000] [--thumbnails 10000]

The images are made for the purpose, in a folder below the current one that is removed at the end.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SEGPIPE = [sys.executable, "-m", "cli"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--thumbnails", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        work = Path(name)
        _start_up(work)
        _thumbnails(work / "thumbnails", given.thumbnails)
        _nothing_to_do(work / "many", given.images)


def _start_up(work: Path) -> None:
    """Help, a plan of ten images, one small image; the shortest of five times."""
    job = _job(work / "ten", _photo_like(work / "ten" / "in", 10, 256))
    one = _job(work / "one", _photo_like(work / "one" / "in", 1, 256))
    for what, command in (
        ("segpipe --help", ["--help"]),
        ("segpipe plan, 10 images", ["plan", str(job)]),
        ("segpipe run, 1 image of 256 × 256", ["run", "--force", "-q", str(one)]),
    ):
        took = min(_run(command)[0] for _ in range(5))
        print(f"{what:44}{took:8.2f} s")


def _thumbnails(folder: Path, count: int) -> None:
    job = _job(folder, _photo_like(folder / "in", count, 64))
    took, _ = _run(["run", "-q", str(job)])
    print(f"{f'{count} thumbnails of 64 × 64':44}{took:8.2f} s  {took / count * 1e3:.2f} ms an image")


def _nothing_to_do(folder: Path, count: int) -> None:
    """Hard links to some small images, done once; then timed doing nothing."""
    originals = sorted(_photo_like(folder / "originals", 100, 16).iterdir())
    inputs = folder / "in"
    for i in range(count):
        parent = inputs / f"{i // 1000:03}"
        parent.mkdir(parents=True, exist_ok=True)
        os.link(originals[i % len(originals)], parent / f"{i:06}.png")
    job = _job(folder, inputs)
    took, _ = _run(["run", "-q", str(job)])
    print(f"{f'{count} images of 16 × 16, first run':44}{took:8.2f} s  {took / count * 1e3:.2f} ms an image")
    took, peak = min(_run(["run", "-q", str(job)]) for _ in range(3))
    print(f"{f'{count} images, nothing to do':44}{took:8.2f} s  {peak:.0f} MB at most")


def _photo_like(folder: Path, count: int, side: int) -> Path:
    """Write PNGs of smooth colour with grain; time of change set back, as of images that lie about."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[0:side, 0:side] / side
    generator = np.random.default_rng(0)
    for i in range(count):
        waves = [np.sin(a * x + b * y + c) for a, b, c in generator.uniform(0, 6, (3, 3))]
        grain = generator.normal(0, 6, (side, side, 3))
        image = np.clip(128 + 90 * np.dstack(waves) + grain, 0, 255).astype(np.uint8)
        path = folder / f"{i:06}.png"
        Image.fromarray(image).save(path)
        os.utime(path, (1e9, 1e9))
    return folder


def _job(folder: Path, inputs: Path) -> Path:
    job = folder / "job.yaml"
    job.write_text(f"input: {{root: {inputs}}}\noutput: {{root: {folder / 'out'}}}\n")
    return job


def _run(command: list[str]) -> tuple[float, float]:
    """Seconds, and the largest resident size of the process in MB."""
    start = time.perf_counter()
    process = subprocess.Popen([*SEGPIPE, *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"segpipe {' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
