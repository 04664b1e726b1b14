"""What no program can do without that makes the files of a run: the bare work, by two processes.

The picture is read twice (colours must be known before pixels get theirs) by the readers of a run,
and its pixels are dropped; label maps found ready are encoded and written by the writers of a run.
No counting, no fit, no painting, no digests, no Dask, no palettes. What can be read in windows is read
by both processes, and no piece is decoded twice in one pass. Of the others one process reads while the
other one waits, the first time, and encodes, the second time; then both encode what is left.
"""

import json
import multiprocessing
import os
import time
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
import tifffile

from pipeline.color.falsecolors import false_colors
from pipeline.files.formats import FORMATS
from pipeline.files.geotags import NOTHING, carried_tags
from pipeline.files.headers import Header
from pipeline.files.images import read_header
from pipeline.files.layouts import Layout, layout_of
from pipeline.files.palettefiles import read_palette
from pipeline.files.rasters import RasterLayout, open_raster, raster_layout
from pipeline.files.readers import open_windows
from pipeline.files.windows import cover
from pipeline.jobs.canvas import Canvas, Part
from pipeline.jobs.slabs import Slab, slabs_of

_WINDOW = 2048
_BAND_ROWS = 256


@dataclass(frozen=True)
class _Job:
    """A picture to be read, a label map of one byte a pixel to be written, and where to."""

    image: Path
    header: Header | None
    layout: Layout | RasterLayout
    labels: Path
    canvas: Canvas
    out: Path


def bare_work(image: Path, made: Path, formats: dict[str, str], work: Path) -> tuple[float, Path]:
    """Seconds, processes started included, and the folder of what was written.

    made : the outputs of a run, whose labels are written; they are decoded before the clock starts.
    """
    header, layout, colors = _known(image, made)
    canvas = Canvas(layout.width, layout.height, colors, False, False, formats)
    raw = work / "labels.raw"
    _decode(made / canvas.path("labels", image.name), raw, canvas)
    job = _Job(image, header, layout, raw, canvas, work / "bare")
    job.out.mkdir()
    os.sync()
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        _work(job, pool)
    seconds = time.perf_counter() - start
    raw.unlink()
    return seconds, job.out


def _known(
    image: Path, made: Path
) -> tuple[Header | None, Layout | RasterLayout, np.ndarray[Any, np.dtype[np.uint8]]]:
    """What is known of an image before it is read, and the colours of its labels; rasters have no header."""
    if (centers := made / "centers" / f"{image.name}.json").exists():
        return None, raster_layout(image), false_colors(len(json.loads(centers.read_text())["clusters"]))
    header = read_header(image, tuple(FORMATS), 1 << 62)
    return header, layout_of(image, header), read_palette(made / "palettes" / f"{image.name}.json")


def _opened(job: _Job) -> Any:
    if job.header is None:
        return open_raster(job.image, job.layout)
    return open_windows(job.image, job.header, job.layout)


def _work(job: _Job, pool: Pool) -> None:
    encoding = [(job, slab) for slab in _slabs(job, job.canvas.part_rows)]
    if job.header is None or job.layout.kind == "windows":
        reading = [(job, slab) for slab in _slabs(job, job.layout.unit[0])]
        pool.starmap(_read, reading, chunksize=1)
        again = pool.starmap_async(_read, reading, chunksize=1)
    else:
        pool.apply(_read_all, (job,))
        again = pool.apply_async(_read_all, (job,))
    parts = pool.starmap(_encode, encoding, chunksize=1)
    again.get()
    joining = [(job, picture, [part[picture] for part in parts]) for picture in job.canvas.formats]
    pool.starmap(_join, joining, chunksize=1)


def _slabs(job: _Job, unit: int) -> list[Slab]:
    return slabs_of(job.layout.height, job.layout.width, unit)


def _read(job: _Job, slab: Slab) -> None:
    """Read a slab in windows of whole pieces, of 2048 × 2048 pixels or as many."""
    unit_rows, unit_cols = job.layout.unit
    cols = min(-(-_WINDOW // unit_cols) * unit_cols, job.layout.width)
    rows = -(-max(1, min(_WINDOW, _WINDOW**2 // cols)) // unit_rows) * unit_rows
    with _opened(job) as reader:
        for window in cover(slab.height, job.layout.width, rows, cols):
            reader.read(window._replace(row=window.row + slab.row))


def _read_all(job: _Job) -> None:
    with _opened(job) as reader:
        for _ in reader.bands(_BAND_ROWS):
            pass


def _encode(job: _Job, slab: Slab) -> dict[str, Part]:
    """Encode a slab of the pictures into files."""
    shape = (job.layout.height, job.layout.width)
    labels = np.array(np.memmap(job.labels, np.uint8, "r", shape=shape)[slab.row : slab.row + slab.height])
    last = slab.row + slab.height == job.layout.height
    parts = {}
    for picture, part in job.canvas.encode(labels, labels, None, first=slab.row == 0, last=last).items():
        path = job.out / f"{picture}-{slab.number}"
        path.write_bytes(part.read())
        parts[picture] = part._replace(data=path)
    return parts


def _join(job: _Job, picture: str, parts: list[Part]) -> None:
    """Write a picture's file from its parts, down to the disk."""
    tiff = job.header is None or job.header.format == "tiff"
    carried = carried_tags(job.image) if tiff else NOTHING
    path = job.out / job.canvas.path(picture, job.image.name)
    path.parent.mkdir()
    with path.open("x+b") as file:
        job.canvas.write(file, picture, parts, carried, False)
        file.flush()
        os.fsync(file.fileno())
    for part in parts:
        if isinstance(part.data, Path):
            part.data.unlink()


def _decode(labels: Path, raw: Path, canvas: Canvas) -> None:
    """Turn a label map into a file of one byte a pixel."""
    if labels.suffix == ".png":
        pyvips.Image.new_from_file(str(labels), access="sequential").rawsave(str(raw))
    else:
        shape = (canvas.height, canvas.width)
        tifffile.imread(labels, out=np.memmap(raw, np.uint8, "w+", shape=shape))
