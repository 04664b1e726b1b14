"""A whole run over photographs, two processes, against a bare loop and other programs.

    python tests/benchmarks/throughput.py FOLDER [--colors 16] [--sharp NODE_MODULES_PARENT]

The bare loop reads, hashes, decodes with Pillow and encodes the same two PNGs with Pillow's
defaults, from label maps that it finds ready: it quantizes nothing and writes no palettes.
pngquant, mogrify (ImageMagick) and node with sharp take part if they are installed.
"""

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

_SHARP = """
const sharp = require('sharp'), fs = require('fs'), path = require('path');
sharp.concurrency(1);
const [folder, out, colors, effort] = process.argv.slice(2);
const files = fs.readdirSync(folder);
const next = async () => {
  for (let f; (f = files.pop());)
    await sharp(path.join(folder, f)).png({palette: true, colours: +colors, effort: +effort, dither: 0})
      .toFile(path.join(out, f + '.png'));
};
Promise.all([next(), next()]);
"""


def bare(job: tuple[Path, Path, bytes, Path]) -> None:
    """Do everything with one file but to quantize it."""
    path, labels, palette, out = job
    data = path.read_bytes()
    hashlib.sha256(data).hexdigest()
    np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    grey = Image.fromarray(np.load(labels))
    indexed = Image.fromarray(np.load(labels))
    indexed.putpalette(palette)
    grey.save(out / f"{path.name}.labels.png")
    indexed.save(out / f"{path.name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--colors", type=int, default=16)
    parser.add_argument("--sharp", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        photos = work / "photos"
        photos.mkdir()
        for path in given.folder.iterdir():
            if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
                shutil.copy(path, photos)
        megapixels = sum(_megapixels(path) for path in photos.iterdir())
        print(f"{len(list(photos.iterdir()))} photographs, {megapixels:.0f} Mpx, k = {given.colors}")
        seconds = {
            "segpipe": _timed(lambda: _segpipe(photos, work / "out", given.colors, "auto")),
            "segpipe, --cluster local": _timed(
                lambda: _segpipe(photos, work / "out2", given.colors, "local")
            ),
        }
        jobs = _bare_jobs(photos, work)
        seconds["bare loop"] = _timed(lambda: _bare(jobs))
        seconds |= _others(photos, work, given.colors, given.sharp)
        for what, took in seconds.items():
            print(f"{what:28}{took:8.2f} s{took / seconds['segpipe']:8.2f} × segpipe")


def _segpipe(photos: Path, out: Path, colors: int, cluster: str) -> None:
    job = out.with_suffix(".yaml")
    job.write_text(
        f"input: {{root: {photos}}}\noutput: {{root: {out}}}\n"
        f"quantize: {{colors: {colors}}}\ncompute: {{cluster: {cluster}, workers: 2}}\n"
    )
    subprocess.run([sys.executable, "-m", "cli", "run", "-q", str(job)], check=True)


def _bare_jobs(photos: Path, work: Path) -> list[tuple[Path, Path, bytes, Path]]:
    jobs = []
    for path in sorted(photos.iterdir()):
        labels = work / f"{path.name}.npy"
        np.save(labels, np.asarray(Image.open(work / "out" / "labels" / f"{path.name}.png")))
        palette = Image.open(work / "out" / "quantized" / f"{path.name}.png").getpalette() or []
        jobs.append((path, labels, bytes(palette), work))
    return jobs


def _bare(jobs: list[tuple[Path, Path, bytes, Path]]) -> None:
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(bare, jobs))


def _others(photos: Path, work: Path, colors: int, sharp: Path | None) -> dict[str, float]:
    seconds = {}
    files = [str(path) for path in sorted(photos.iterdir())]
    if shutil.which("mogrify"):
        (work / "magick").mkdir()
        command = ["xargs", "-P2", "-n1", "mogrify", "-path", str(work / "magick"), "-format", "png"]
        command += ["+dither", "-colors", str(colors)]
        limits = os.environ | {"MAGICK_THREAD_LIMIT": "1"}
        seconds["mogrify -colors"] = _timed(_command(command, files, limits))
    if shutil.which("pngquant"):
        pngs = []
        for path in photos.iterdir():  # it reads PNG only: decoding to PNG is not timed
            png = work / f"{path.stem}-input.png"
            Image.open(path).convert("RGB").save(png, compress_level=1)
            pngs.append(str(png))
        command = ["xargs", "-P2", "-n1", "pngquant", "--nofs", "--ext", "-q.png", str(colors)]
        limits = os.environ | {"OMP_NUM_THREADS": "1"}
        seconds["pngquant (from PNG)"] = _timed(_command(command, pngs, limits))
    if sharp and shutil.which("node"):
        script = sharp / "segpipe-benchmark.cjs"
        script.write_text(_SHARP)
        for effort in (1, 7):
            out = work / f"sharp{effort}"
            out.mkdir()
            command = ["node", str(script), str(photos), str(out), str(colors), str(effort)]
            seconds[f"sharp, effort {effort}"] = _timed(_command(command, [], dict(os.environ)))
        script.unlink()
    return seconds


def _command(command: list[str], names: list[str], environment: dict[str, str]) -> Callable[[], None]:
    def call() -> None:
        subprocess.run(command, input="\n".join(names), text=True, check=True, env=environment)

    return call


def _timed(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _megapixels(path: Path) -> float:
    with Image.open(path) as image:
        return image.width * image.height / 1e6


if __name__ == "__main__":
    main()
