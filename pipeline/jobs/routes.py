"""The way each image takes, from its header alone: whole, in windows, or refused with the numbers.

In windows go images above `large.above_megapixels`, and those that whole would not fit a worker's
memory, if their files can be read in parts and nothing is asked for that needs all pixels at once.
Folders that are one image always do.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pipeline.errors import (
    EmptyFile,
    ImageError,
    TooManyPixels,
    TooMuchMemory,
    UnlistedFormat,
    UnsupportedImage,
)
from pipeline.files.ahead import mapped_ahead
from pipeline.files.failures import too_many_pixels
from pipeline.files.folders import is_image_folder
from pipeline.files.formats import NAMES, admits, listed
from pipeline.files.headers import Header
from pipeline.files.images import read_header
from pipeline.files.objects import Place
from pipeline.jobs.manifest import Manifest
from pipeline.jobs.needs import WORKER_BYTES, extra_bytes, needs_all, raster_bytes, window_bytes
from pipeline.jobs.plan import Decision, Plan, Reason, Request, verdict
from pipeline.jobs.records import Failure, InputFacts, Record
from pipeline.jobs.spec import JobSpec

if TYPE_CHECKING:  # what reads files in windows is loaded for the images that need it
    from pipeline.files.layouts import Layout
    from pipeline.files.rasters import RasterLayout

_READERS = 32  # threads; a header in a store takes its time to come, and no work


@dataclass(frozen=True, slots=True)
class Route:
    """One image's way. `refusal` says why it is not tried; `header` is None if it could not be read.

    peak_bytes : estimated memory of doing it, the worker's own not counted. layout : how its file is
    read in windows, if that is its way. raster : the same of a file that is read as numbers.
    """

    decision: Decision
    header: Header | None = None
    refusal: ImageError | None = None
    peak_bytes: int = 0
    layout: "Layout | None" = None
    raster: "RasterLayout | None" = None

    @property
    def parted(self) -> bool:
        """Whether all workers do it together, in parts."""
        return self.layout is not None or self.raster is not None

    @property
    def way(self) -> str:
        """The way in a word: windows, bands (as wide as the image, top to bottom), whole or refused."""
        if self.refusal is not None:
            return "refused"
        if not self.parted:
            return "whole"
        return "bands" if self.layout is not None and self.layout.kind == "rows" else "windows"

    @property
    def megapixels(self) -> float:
        """Size of the picture in millions of pixels; 0 if unknown."""
        return self.header.width * self.header.height / 1e6 if self.header else 0.0

    def foretold(self, request: Request) -> Record | None:
        """The record of a refused image: no worker is asked."""
        if self.refusal is None:
            return None
        entry, header = self.decision.entry, self.header
        facts = InputFacts(entry.bytes)
        if header is not None:
            facts = InputFacts(entry.bytes, None, header.width, header.height, header.mode, header.format)
        failure = Failure(type(self.refusal).__name__, str(self.refusal))
        status = verdict(failure.type, request.skip_unsupported)
        return Record(entry.key, status, request.digest, facts, error=failure)


def choose_routes(
    spec: JobSpec, root: Place, plan: Plan, manifest: Manifest, request: Request
) -> tuple[Plan, list[Route]]:
    """Choose the ways of the images to be done, from their headers.

    Those that are refused just as their records say already are no work: the plan is returned
    without them. root : the input root.
    """
    budget = memory_share(spec)
    chosen = list(_routes(spec, root, plan.work, budget))
    settled = {
        route.decision.entry.key: type(route.refusal).__name__
        for route in chosen
        if route.refusal and route.foretold(request) == manifest.records.get(route.decision.entry.key)
    }
    decisions = [
        Decision(decision.entry, False, Reason.FAILED_BEFORE, settled[decision.entry.key])
        if decision.entry.key in settled
        else decision
        for decision in plan.decisions
    ]
    left = [route for route in chosen if route.decision.entry.key not in settled]
    return Plan(decisions, plan.orphans), left


def worker_count(spec: JobSpec) -> int:
    """How many workers the job has: as it says, or one for each core that this process may use.

    With SSH, one for each machine.
    """
    compute = spec.compute
    if compute.workers or compute.adaptive.maximum:
        return compute.workers or compute.adaptive.maximum or 1
    if compute.cluster == "ssh":
        return len(compute.ssh.hosts)
    usable = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(usable(0)) if usable else os.cpu_count() or 1


def memory_share(spec: JobSpec) -> int:
    """Bytes that one image may use: what the job gives a worker, or its share of the machine's memory."""
    each = spec.compute.memory_bytes or _machine_memory() // worker_count(spec)
    return each // spec.compute.threads_per_worker


def _routes(spec: JobSpec, root: Place, work: list[Decision], budget: int) -> Iterable[Route]:
    """The route of each image, in order; headers are read side by side, for they may be far away."""
    return mapped_ahead(partial(_route, spec, root, budget=budget), work, _READERS)


def _route(spec: JobSpec, root: Place, decision: Decision, budget: int) -> Route:
    """What is broken is left to a worker, which can record the content with the error, if it fits."""
    entry = decision.entry
    if entry.error is not None:
        return Route(decision, refusal=entry.error)
    if spec.quantize.method == "segment":
        return _raster_route(spec, root, decision, budget)
    if is_image_folder(root / entry.key):
        return _folder_route(spec, root, decision, budget)
    try:
        header = _header(spec, root / entry.key)
    except (EmptyFile, TooManyPixels, UnlistedFormat) as error:
        return Route(decision, refusal=error)
    except ImageError as error:
        return Route(decision, refusal=error if entry.bytes + WORKER_BYTES > budget else None)
    peak = header.peak_bytes + extra_bytes(spec, header.width * header.height)
    fits = peak + WORKER_BYTES <= budget
    if fits and header.width * header.height <= spec.large.above_megapixels * 1e6:
        return Route(decision, header, None, peak)
    why = needs_all(spec)
    if not why:
        from pipeline.files.layouts import layout_of

        try:
            layout = layout_of(root / entry.key, header)
        except UnsupportedImage as error:
            why = str(error)
        except ImageError as error:  # of a header that claims too much, before anyone decodes it whole
            return Route(decision, header, None if fits else error, peak)
        else:
            need = window_bytes(layout, spec)
            refusal = _too_much(entry.key, header, min(need, peak), budget)
            return Route(decision, header, refusal, need, layout)
    return Route(decision, header, _too_much(entry.key, header, peak, budget, why), peak)


def _header(spec: JobSpec, path: Place) -> Header:
    return read_header(path, spec.input.formats or NAMES, spec.input.max_pixels)


def _folder_route(spec: JobSpec, root: Place, decision: Decision, budget: int) -> Route:
    """In windows or not at all: there is no other way to read a folder."""
    from pipeline.files.layouts import layout_of

    key = decision.entry.key
    try:
        header = _header(spec, root / key)
        layout = layout_of(root / key, header)
    except ImageError as error:
        return Route(decision, refusal=error)
    need = window_bytes(layout, spec)
    refusal: ImageError | None = _too_much(key, header, need, budget)
    if why := needs_all(spec):
        refusal = UnsupportedImage(
            f"{key}: expected a job that can be done in windows, the only way to read {header.format}, found "
            f"that {why}; leave that out, or save the image anew as TIFF or PNG"
        )
    return Route(decision, header, refusal, need, layout)


def _raster_route(spec: JobSpec, root: Place, decision: Decision, budget: int) -> Route:
    from pipeline.files.rasters import raster_layout

    key = decision.entry.key
    try:
        layout = raster_layout(root / key)
    except ImageError as error:
        return Route(decision, refusal=error)
    need = raster_bytes(layout, spec.quantize.batch_pixels)
    mode = f"{layout.bands} × {layout.dtype}"
    header = Header(layout.format, layout.width, layout.height, mode, 1, 1, layout.bytes, need)
    refusal: ImageError | None = _too_much(key, header, need, budget)
    most = spec.input.max_pixels
    if spec.input.formats and not admits(spec.input.formats, layout.format):
        refusal = UnlistedFormat(
            f"{key}: expected {listed(spec.input.formats)}, found {layout.format}; "
            f"add {layout.format} to input.formats to read it"
        )
    elif layout.width * layout.height > most:
        refusal = TooManyPixels(too_many_pixels(key, (layout.width, layout.height), most))
    return Route(decision, header, refusal, need, None, layout)


def _too_much(key: str, header: Header, peak: int, budget: int, why: str = "") -> TooMuchMemory | None:
    need = peak + WORKER_BYTES
    if need <= budget:
        return None
    told = f" ({why})" if why else ""
    return TooMuchMemory(
        f"{key}: {header.width} × {header.height} pixels need about {need / 1e6:.0f} MB{told}, "
        f"a worker has {budget / 1e6:.0f} MB; raise compute.memory_per_worker or use fewer workers"
    )


def _machine_memory() -> int:
    """Bytes of memory that this machine, or the container it pretends to be, may use."""
    total = int(psutil.virtual_memory().total)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total
