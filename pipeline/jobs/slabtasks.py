"""What a worker does to a slab of a large image, and to all of them together.

    count_slab   pixels → counts, a file each       any order, any worker
    fit_slabs    counts → palette, one file         once
    map_slab     pixels → parts of the pictures     any order, any worker
    join_slabs   parts → outputs                    once

What tasks hand on lies in a work folder below the output root's state: answers are small, and what
a killed run had counted is not counted again. Every file there is whole or absent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from pipeline.color import kernels
from pipeline.color.counts import ColorCounts, Tally
from pipeline.color.dither import dither
from pipeline.color.mapping import Fit, fit_palette, lookup_of, paint_part
from pipeline.color.metrics import Metrics, measure
from pipeline.errors import ChangedWhileReading, NothingVisible
from pipeline.files.headers import Header
from pipeline.files.images import flatten
from pipeline.files.layouts import Layout
from pipeline.files.outputs import Commit
from pipeline.files.patches import Patch
from pipeline.files.readers import open_windows
from pipeline.files.sources import FileStat, digest_file
from pipeline.files.windows import Window, cover
from pipeline.jobs.canvas import PATTERN_ROWS, Canvas, Part
from pipeline.jobs.handover import keep, keep_bytes, kept
from pipeline.jobs.memory import release_memory
from pipeline.jobs.products import PaletteSource, about_image, carried_for, palette_files
from pipeline.jobs.records import OutputFacts
from pipeline.jobs.settings import Settings
from pipeline.jobs.slabs import Slab
from pipeline.jobs.statcache import FileState
from pipeline.jobs.tasks import Counted, Outcome, facts_of, record_of, refuse_too_many

_PATCH = 1 << 22  # pixels that are read at once


@dataclass(frozen=True)
class Large:
    """A large image: what its header says, the state of its file, the work folder, the windows' side.

    notes : the policies that are applied to all its pixels, in words.
    """

    key: str
    header: Header
    layout: Layout
    stat: FileStat
    work: Path
    window: int
    notes: tuple[str, ...]


class SlabTask(NamedTuple):
    """A task: a slab. band : a file of its pixels, if they can only be read from top to bottom."""

    image: Large
    slab: Slab
    band: Path | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The image's key."""
        return (self.image.key,)


class SlabFacts(NamedTuple):
    """What was found in a slab besides colours.

    clear : fully transparent pixels. half : whether there are half transparent ones. laid : whether
    there were, and they have been laid over the background.
    """

    clear: int
    half: bool
    laid: bool


def count_slab(settings: Settings, task: SlabTask) -> SlabFacts:
    """Count the colours of a slab into a file of the work folder, unless it is there."""
    path = counts_path(task.image, task.slab)
    if (found := kept(path)) is None:
        tally = Tally()
        clear, half, laid = 0, False, False
        for patch, was_laid in _patches(settings, task):
            tally.add(patch.pixels, patch.alpha)
            laid |= was_laid
            if patch.alpha is not None:
                clear += int((patch.alpha == 0).sum())
                half |= bool(((patch.alpha > 0) & (patch.alpha < 255)).any())
        total = tally.drain()
        keep(path, codes=total.codes, counts=total.counts, facts=np.array([clear, half, laid]))
        return SlabFacts(clear, half, laid)
    clear, half, laid = found["facts"].tolist()
    return SlabFacts(clear, bool(half), bool(laid))


def _counted(image: Large, slabs: list[Slab]) -> ColorCounts:
    counts = merged(image, slabs)
    if not len(counts):
        raise NothingVisible(f"{image.key}: expected pixels to count, found only fully transparent ones")
    return counts


def merged(image: Large, slabs: list[Slab]) -> ColorCounts:
    """The counts of all slabs together, by a table over all colours: 128 MiB, however many there are."""
    table = np.zeros(kernels.CODES, np.int64)
    for slab in slabs:
        part = kept(counts_path(image, slab))
        if part is None:
            raise FileNotFoundError(f"{image.key}: the counts of rows {slab.row} and on are gone; run again")
        table[part["codes"]] += part["counts"]
    codes = np.flatnonzero(table)
    return ColorCounts(codes.astype(np.uint32), table[codes])


class MergeTask(NamedTuple):
    """A task: the counts of an image whose palette others share."""

    image: Large
    slabs: list[Slab]

    @property
    def keys(self) -> tuple[str, ...]:
        """The image's key."""
        return (self.image.key,)


def merge_slabs(settings: Settings, task: MergeTask) -> Counted:
    """The counts of all slabs together, and of which file they are."""
    counts = _counted(*task)
    return Counted(counts, [_digest(settings, task.image)], [])


class Fitted(NamedTuple):
    """What came of fitting a large image: the fit without its labels, its metrics, its pictures."""

    fit: Fit
    metrics: Metrics
    canvas: Canvas


class FitTask(NamedTuple):
    """A task: the palette. clear, half : as in `SlabFacts`, of all slabs."""

    image: Large
    slabs: list[Slab]
    clear: int
    half: bool

    @property
    def keys(self) -> tuple[str, ...]:
        """The image's key."""
        return (self.image.key,)


class JoinTask(NamedTuple):
    """A task: the outputs, from the parts of all slabs in order."""

    image: Large
    fitted: Fitted
    parts: list[dict[str, Part]]
    notes: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The image's key."""
        return (self.image.key,)


def fit_slabs(settings: Settings, task: FitTask) -> Fitted:
    """Find the palette of all slabs together; it and the palette files go into the work folder."""
    image, slabs, clear, half = task
    release_memory()  # of small arrays gone by: a palette of noise takes most of what a worker has
    counts = _counted(image, slabs)
    fitted = fit_palette(counts, settings.method)
    refuse_too_many(image.key, fitted, clear > 0)
    metrics = measure(counts, fitted.labels, fitted.palette.colors, fitted.squared_error)
    keep(image.work / "fit.npz", codes=counts.codes, labels=fitted.labels)
    about = about_image(settings, image.key, counts, fitted, clear)
    source = PaletteSource(image.key, about, counts, fitted)
    for product in palette_files(settings, "palette", "palette", source):
        keep_bytes(image.work / product.path, product.data)
    canvas = Canvas(
        image.layout.width, image.layout.height, fitted.palette.colors, clear > 0, half, settings.pictures
    )
    return Fitted(replace(fitted, labels=np.empty(0, np.int32)), metrics, canvas)


def map_slab(settings: Settings, task: SlabTask, canvas: Canvas) -> dict[str, Part]:
    """Make the parts of a slab's pictures."""
    image, slab = task.image, task.slab
    fitted = kept(image.work / "fit.npz")
    if fitted is None:
        raise FileNotFoundError(f"{image.key}: the palette is gone; run again")
    clear = len(canvas.colors)
    lookup = lookup_of(fitted["codes"], fitted["labels"], clear, canvas.clear)
    labels = np.empty((slab.height, image.layout.width), lookup.dtype)
    shown = labels if settings.dither == "none" else np.empty_like(labels)
    alpha = np.empty(labels.shape, np.uint8) if canvas.half or canvas.clear else None
    for patch, _ in _patches(settings, task):
        place = _place(patch.window, slab)
        painted = np.empty(patch.pixels.shape[:2], lookup.dtype)
        paint_part(patch.pixels, patch.alpha, lookup, clear, painted)
        labels[place] = painted
        if shown is not labels:
            shown[place] = dither(patch.pixels, patch.alpha, canvas.colors, settings.dither)
        if alpha is not None and patch.alpha is not None:
            alpha[place] = patch.alpha
    last = slab.row + slab.height == image.layout.height
    parts = {}
    for picture, part in canvas.encode(labels, shown, alpha, first=slab.row == 0, last=last).items():
        path = image.work / f"{picture}-{slab.number}"
        keep_bytes(path, part.read())
        parts[picture] = part._replace(data=path)
    return parts


def join_slabs(settings: Settings, task: JoinTask) -> Outcome:
    """Write the outputs of a large image from the parts of its slabs, and make them final."""
    image, fitted, parts, notes = task
    digest = _digest(settings, image)
    commit = Commit(settings.output_root)
    outputs = {}
    carried = carried_for(settings, image.key, image.header)
    for picture in fitted.canvas.formats:
        own = [part[picture] for part in parts]
        write = partial(
            fitted.canvas.write, picture=picture, parts=own, carried=carried, overviews=settings.overviews
        )
        path = fitted.canvas.path(picture, image.key)
        outputs[picture] = OutputFacts(*commit.stage_written(image.key, path, write))
    for ending in ("json", "gpl", "png"):
        if ending in settings.palettes:
            data = (image.work / f"palette.{ending}").read_bytes()
            [file] = commit.stage(image.key, {f"palettes/{image.key}.{ending}": data})
            outputs["palette" if ending == "json" else f"palette_{ending}"] = OutputFacts(*file)
    for error in commit.publish().values():
        raise error
    record = record_of(settings, image.key, fitted.fit, fitted.metrics, outputs)
    record = msgspec.structs.replace(record, input=facts_of(digest, image.header), notes=notes)
    return Outcome(record, FileState(*image.stat, digest))


def _digest(settings: Settings, image: Large) -> str:
    """The SHA-256 of the file, which must be what it was when the first of its pixels were read."""
    stat, digest = digest_file(settings.input_root / image.key)
    if stat != image.stat:
        raise _changed(image)
    return digest


def _patches(settings: Settings, task: SlabTask) -> Iterator[tuple[Patch, bool]]:
    """The pixels of a slab, window by window, and whether half-transparent ones had to be laid over."""
    for patch in _read(settings, task):
        if patch.alpha is None or settings.alpha == "preserve":
            yield patch, False
        else:
            yield patch, flatten(patch.pixels, patch.alpha, settings.background)


def _read(settings: Settings, task: SlabTask) -> Iterator[Patch]:
    image, slab = task.image, task.slab
    if task.band is not None:
        with np.load(task.band) as band:
            window = Window(slab.row, 0, slab.height, image.layout.width)
            yield Patch(window, band["pixels"], band.get("alpha"))
        return
    rows, cols = _window_of(image, slab, settings.dither != "none")
    path = settings.input_root / image.key
    with open_windows(path, image.header, image.layout) as reader:
        for window in cover(slab.height, image.layout.width, rows, cols):
            yield reader.read(window._replace(row=window.row + slab.row))
    found = path.stat()
    if FileStat(found.st_size, found.st_mtime_ns, found.st_ino) != image.stat:
        raise _changed(image)


def _changed(image: Large) -> ChangedWhileReading:
    return ChangedWhileReading(
        f"{image.key}: expected a file at rest, found one that changed while it was read; run again once "
        "nothing writes to it"
    )


def save_patch(path: Path, patch: Patch) -> None:
    """Put a patch into a file, for a task that cannot read it itself."""
    keep(path, pixels=patch.pixels, **({} if patch.alpha is None else {"alpha": patch.alpha}))


def _window_of(image: Large, slab: Slab, patterned: bool) -> tuple[int, int]:
    """Rows and columns of the windows that a slab is read in: whole units, so that none is decoded twice.

    patterned : whether a dithering pattern is to go on from window to window.
    """
    height, width = image.layout.unit
    cols = min(-(-image.window // width) * width, image.layout.width)
    most = max(1, _PATCH // cols)
    rows = -(-min(image.window, most) // height) * height
    if patterned:
        rows = -(-rows // PATTERN_ROWS) * PATTERN_ROWS
    return min(rows, slab.height), cols


def _place(window: Window, slab: Slab) -> tuple[slice, slice]:
    top = window.row - slab.row
    return slice(top, top + window.height), slice(window.col, window.col + window.width)


def counts_path(image: Large, slab: Slab) -> Path:
    """Where the counts of a slab are, once it has been counted."""
    return image.work / f"counts-{slab.row}.npz"
