"""The way each image takes, from its header alone: whole, in windows, or refused with the numbers.

In windows go images above `large.above_megapixels`, and those that whole would not fit a worker's
memory, if their files can be read in parts and nothing is asked for that needs all pixels at once.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.errors import (
    EmptyFile,
    ImageError,
    TooManyPixels,
    TooMuchMemory,
    UnlistedFormat,
    UnsupportedImage,
)
from pipeline.files.formats import FORMATS
from pipeline.files.headers import Header
from pipeline.files.images import read_header
from pipeline.files.layouts import Layout, layout_of
from pipeline.jobs.manifest import Manifest
from pipeline.jobs.plan import Decision, Plan, Reason, Request, verdict
from pipeline.jobs.records import Failure, InputFacts, Record
from pipeline.jobs.slabs import SLAB_PIXELS
from pipeline.jobs.spec import JobSpec

WORKER_BYTES = 250_000_000
"""What a worker needs before it has read anything: the interpreter, its libraries, compiled loops."""

# Bytes a pixel, or a distinct colour, beyond what reading and quantizing take.
_REGIONS = 48
_ALL_REGIONS = 190
_SPLIT = 96

# Of images that are done in windows: see `slabtasks`.
_PATCH_BYTES = (1 << 22) * 5
_TALLEST_PART = 512
_TABLES = 112 << 20
_MERGING = 128 << 20
_COUNTED = 12
_FITTING = 30


@dataclass(frozen=True)
class Route:
    """One image's way. `refusal` says why it is not tried; `header` is None if it could not be read.

    peak_bytes : estimated memory of doing it, the worker's own not counted. layout : how its file is
    read in windows, if that is its way.
    """

    decision: Decision
    header: Header | None = None
    refusal: ImageError | None = None
    peak_bytes: int = 0
    layout: Layout | None = None

    @property
    def way(self) -> str:
        """The way in a word: windows, bands (as wide as the image, top to bottom), whole or refused."""
        if self.refusal is not None:
            return "refused"
        if self.layout is None:
            return "whole"
        return "windows" if self.layout.kind == "windows" else "bands"

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
    spec: JobSpec, root: Path, plan: Plan, manifest: Manifest, request: Request
) -> tuple[Plan, list[Route]]:
    """Choose the ways of the images to be done, from their headers.

    Those that are refused just as their records say already are no work: the plan is returned
    without them. root : the input root.
    """
    budget = memory_share(spec)
    chosen = [_route(spec, root, decision, budget) for decision in plan.work]
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
    """How many workers the job has: as it says, or one for each core that this process may use."""
    if spec.compute.workers:
        return spec.compute.workers
    usable = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(usable(0)) if usable else os.cpu_count() or 1


def memory_share(spec: JobSpec) -> int:
    """Bytes that one image may use: what the job gives a worker, or its share of the machine's memory."""
    each = spec.compute.memory_bytes or _machine_memory() // worker_count(spec)
    return each // spec.compute.threads_per_worker


def _route(spec: JobSpec, root: Path, decision: Decision, budget: int) -> Route:
    """A header that cannot be read is left to a worker, which can record the content with the error."""
    entry = decision.entry
    if entry.error is not None:
        return Route(decision, refusal=entry.error)
    formats = spec.input.formats or tuple(FORMATS)
    try:
        header = read_header(root / entry.key, formats, int(spec.input.max_megapixels * 1e6))
    except (EmptyFile, TooManyPixels, UnlistedFormat) as error:
        return Route(decision, refusal=error)
    except ImageError:
        return Route(decision)
    peak = header.peak_bytes + _extra_bytes(spec, header.width * header.height)
    fits = peak + WORKER_BYTES <= budget
    if fits and header.width * header.height <= spec.large.above_megapixels * 1e6:
        return Route(decision, header, None, peak)
    why = _needs_all(spec)
    if not why:
        try:
            layout = layout_of(root / entry.key, header)
        except UnsupportedImage as error:
            why = str(error)
        except ImageError:
            return Route(decision)
        else:
            need = window_bytes(layout)
            refusal = _too_much(entry.key, header, min(need, peak), budget)
            return Route(decision, header, refusal, need, layout)
    return Route(decision, header, _too_much(entry.key, header, peak, budget, why), peak)


def window_bytes(layout: Layout) -> int:
    """Estimated memory of the costliest step of an image that is done in windows."""
    pixels = layout.height * layout.width
    slab = min(pixels, max(SLAB_PIXELS, layout.width * _TALLEST_PART))
    reading = layout.decoder_bytes + _PATCH_BYTES + slab * (8 + 2 * layout.alpha)
    distinct = min(pixels, 1 << 24)
    return max(reading + _TABLES, distinct * _COUNTED + max(_MERGING, distinct * _FITTING))


def _needs_all(spec: JobSpec) -> str:
    """What of a job needs all pixels of an image at once, if anything."""
    if spec.quantize.dither == "floyd-steinberg":
        return "quantize.dither 'floyd-steinberg' needs the image whole"
    if spec.regions.wanted:
        return "regions need the image whole"
    return "output.ssim needs the image whole" if spec.output.ssim else ""


def _extra_bytes(spec: JobSpec, pixels: int) -> int:
    """What a job asks beyond k-means, label map and quantized image takes in memory at most."""
    each = 2 * (spec.quantize.dither != "none") + 6 * spec.output.ssim
    if spec.regions.wanted:  # as they come, regions may be as many as pixels
        each += _REGIONS if spec.regions.min_area > 1 else _ALL_REGIONS
    distinct = min(pixels, 1 << 24) * (spec.quantize.method == "dynamic")
    return pixels * each + distinct * _SPLIT


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
