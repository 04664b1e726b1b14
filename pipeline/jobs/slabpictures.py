"""What a worker does to a large image whose slabs are counted: find the palette, make the pictures.

    fit_slabs    counts → palette, one file         once
    map_slab     pixels → parts of the pictures     any order, any worker
    join_slabs   parts → outputs                    once

What is handed on lies in the folder that is the run's own, see `workplaces`.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import ColorCounts, release_tables
from pipeline.color.dither import dither
from pipeline.color.mapping import Fit, fit_palette, lookup_of, paint_part
from pipeline.color.metrics import Metrics, measure
from pipeline.color.shrinking import shrink_factor
from pipeline.files.exports import FORMATS
from pipeline.files.objects import Place
from pipeline.files.sources import changed, state_of
from pipeline.files.windows import Window
from pipeline.files.writing import commit_at
from pipeline.jobs.canvas import Canvas, Part
from pipeline.jobs.comparisons import Views, comparison_file
from pipeline.jobs.handover import handed, keep, keep_bytes
from pipeline.jobs.memory import release_memory
from pipeline.jobs.pictureparts import keep_parts, publish, stage_file, stage_pictures
from pipeline.jobs.previews import Previews, Product, preview_files
from pipeline.jobs.products import (
    PaletteSource,
    about_image,
    carried_for,
    palette_files,
)
from pipeline.jobs.settings import Settings
from pipeline.jobs.slabs import Slab
from pipeline.jobs.slabtasks import Large, SlabTask, add_counts, counts_path, patches
from pipeline.jobs.statcache import FileState
from pipeline.jobs.tasks import Outcome, facts_of, record_of, refuse_too_many
from pipeline.jobs.thumbnails import Thumbnails, thumbnail


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
    digest: str
    slabs: list[Slab]
    parts: list[dict[str, Part]]
    notes: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The image's key."""
        return (self.image.key,)


def fit_slabs(settings: Settings, task: FitTask) -> Fitted:
    """Find the palette of all slabs together; it and the palette files go into the work folder."""
    image, slabs, clear, half = task
    release_tables()
    release_memory()  # of small arrays gone by: a palette of noise takes most of what a worker has
    counts = add_counts(ColorCounts.of_nothing(), [counts_path(image, slab) for slab in slabs])
    fitted = fit_palette(counts, settings.method)
    refuse_too_many(image.key, fitted, clear > 0)
    metrics = measure(counts, fitted.labels, fitted.palette.colors, fitted.squared_error)
    keep(image.scratch / "fit.npz", codes=counts.codes, labels=fitted.labels)
    about = about_image(settings, image.key, counts, fitted, clear)
    source = PaletteSource(image.key, about, counts, fitted)
    for product in palette_files(settings, "palette", "palette", source):
        keep_bytes(image.scratch / product.path, product.data)
    canvas = Canvas(
        image.layout.width, image.layout.height, fitted.palette.colors, clear > 0, half, settings.pictures
    )
    return Fitted(replace(fitted, labels=np.empty(0, np.int32)), metrics, canvas)


def map_slab(settings: Settings, task: SlabTask, canvas: Canvas) -> dict[str, Part]:
    """Make the parts of a slab's pictures."""
    image, slab = task.image, task.slab
    clear = len(canvas.colors)
    lookup = _lookup(image.scratch / "fit.npz", clear, canvas.clear)
    labels = np.empty((slab.height, image.layout.width), lookup.dtype)
    shown = labels if settings.dither == "none" else np.empty_like(labels)
    alpha = np.empty(labels.shape, np.uint8) if canvas.half or canvas.clear else None
    previews, small = _previews(settings, image, slab), _thumbnails(settings, image, slab)
    views = _views(settings, image, slab)
    copies = [copy for copy in (previews, small, views) if copy is not None]
    for patch, _ in patches(settings, task):
        place = _place(patch.window, slab)
        painted = np.empty(patch.pixels.shape[:2], lookup.dtype)
        paint_part(patch.pixels, patch.alpha, lookup, clear, painted)
        labels[place] = painted
        if shown is not labels:
            shown[place] = dither(patch.pixels, patch.alpha, canvas.colors, settings.dither)
        if alpha is not None and patch.alpha is not None:
            alpha[place] = patch.alpha
        for copy in copies:
            copy.add_image(patch.window.row, patch.window.col, patch.pixels, patch.alpha)
    if previews is not None:
        previews.add_quantized(shown, canvas.colors, alpha)
        keep(image.scratch / f"previews-{slab.number}.npz", **previews.arrays)
    if small is not None:
        small.add_labels(labels, shown, canvas.colors, alpha)
        keep(image.scratch / f"thumbnails-{slab.number}.npz", **small.arrays)
    if views is not None:
        views.add_result(shown, labels, canvas.colors, alpha)
        keep(image.scratch / f"views-{slab.number}.npz", **views.arrays)
    last = slab.row + slab.height == image.layout.height
    parts = canvas.encode(labels, shown, alpha, first=slab.row == 0, last=last)
    return keep_parts(image.scratch, slab.number, parts)


def join_slabs(settings: Settings, task: JoinTask) -> Outcome:
    """Write the outputs of a large image from the parts of its slabs, and make them final."""
    image, fitted, digest, slabs, parts, notes = task
    if state_of(settings.input_root / image.key) != image.stat:
        raise changed(image.key)
    endings = [ending for ending in FORMATS if ending in settings.palettes]
    palettes = {ending: (image.scratch / f"palette.{ending}").read_bytes() for ending in endings}
    commit = commit_at(settings.output_root, settings.guard)
    carried = carried_for(settings, image.key, image.header)
    outputs = stage_pictures(commit, image.key, fitted.canvas, parts, carried, settings.overviews)
    for product in _small_copies(settings, image, slabs):
        outputs[product.kind] = stage_file(commit, image.key, product.path, product.data)
    for ending, data in palettes.items():
        kind = "palette" if ending == "json" else f"palette_{ending}"
        outputs[kind] = stage_file(commit, image.key, f"palettes/{image.key}.{ending}", data)
    if (wanted := settings.comparison) is not None:
        sums = [handed(image.scratch / f"views-{slab.number}.npz") for slab in slabs]
        size, found = (image.layout.height, image.layout.width), (fitted.fit.palette, fitted.metrics)
        product = comparison_file(image.key, wanted, sums, size, found)
        outputs[product.kind] = stage_file(commit, image.key, product.path, product.data)
    publish(commit)
    record = record_of(settings, image.key, fitted.fit, fitted.metrics, outputs)
    record = msgspec.structs.replace(record, input=facts_of(digest, image.header), notes=notes)
    return Outcome(record, FileState(*image.stat, digest))


def _small_copies(settings: Settings, image: Large, slabs: list[Slab]) -> Iterator[Product]:
    """Previews and thumbnail, from the sums of all slabs."""
    height, width = image.layout.height, image.layout.width
    if settings.preview is not None:
        sums = [handed(image.scratch / f"previews-{slab.number}.npz") for slab in slabs]
        factor = shrink_factor(height, width, settings.preview)
        yield from preview_files(image.key, sums, height, width, factor)
    if settings.thumbnail:
        sums = [handed(image.scratch / f"thumbnails-{slab.number}.npz") for slab in slabs]
        yield thumbnail(image.key, sums, height, width)


@lru_cache(maxsize=1)  # a worker paints many slabs by it
def _lookup(path: Place, clear: int, transparent: bool) -> NDArray[Any]:
    fitted = handed(path)
    return lookup_of(fitted["codes"], fitted["labels"], clear, transparent).copy()


def _previews(settings: Settings, image: Large, slab: Slab) -> Previews | None:
    if settings.preview is None:
        return None
    height, width = image.layout.height, image.layout.width
    return Previews(slab.row, slab.height, width, shrink_factor(height, width, settings.preview))


def _thumbnails(settings: Settings, image: Large, slab: Slab) -> Thumbnails | None:
    if not settings.thumbnail:
        return None
    return Thumbnails(slab.row, slab.height, image.layout.height, image.layout.width)


def _views(settings: Settings, image: Large, slab: Slab) -> Views | None:
    if settings.comparison is None:
        return None
    return Views(settings.comparison, slab.row, slab.height, (image.layout.height, image.layout.width))


def _place(window: Window, slab: Slab) -> tuple[slice, slice]:
    top = window.row - slab.row
    return slice(top, top + window.height), slice(window.col, window.col + window.width)
