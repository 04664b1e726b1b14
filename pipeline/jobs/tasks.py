"""What a worker does to a bundle of images: read, count, fit, map, write, tell.

A task may run twice, on two machines at once: every write is safe twice, and nothing but the
outputs of its own images is written. Its answer is small: records, never pixels.
"""

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np

from pipeline.color.codebook import MAX_COLORS
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.mapping import Fit, fit_palette
from pipeline.color.metrics import Metrics, measure
from pipeline.color.warmup import warm_up
from pipeline.errors import (
    EmptyFile,
    ImageError,
    TimedOut,
    TooMuchMemory,
    UnexpectedError,
    UnreadableFile,
    UnsupportedImage,
)
from pipeline.files.headers import Header
from pipeline.files.images import Raster, Source, decode, identify, read_source
from pipeline.files.objects import Place, without_roots
from pipeline.files.readahead import Read, reading_ahead
from pipeline.files.sources import FileStat, read_small
from pipeline.files.writing import AnyCommit, commit_at
from pipeline.jobs.counting import counts_of
from pipeline.jobs.limits import in_time, time_for
from pipeline.jobs.plan import verdict
from pipeline.jobs.previews import Product
from pipeline.jobs.products import Mapped, make_products
from pipeline.jobs.records import ColorFacts, InputFacts, MetricFacts, OutputFacts, Record, failure_of
from pipeline.jobs.settings import Settings, SharedPalette
from pipeline.jobs.statcache import FileState

Found = TypeVar("Found")
Result = TypeVar("Result")


class Outcome(NamedTuple):
    """What came of one image: its record, and the state of the file that was read, if it was."""

    record: Record
    state: FileState | None


def get_ready(settings: Settings) -> None:
    """Compile all loops that tasks with these settings use, or load them from the disk."""
    warm_up()
    levels = np.arange(64 * 3, dtype=np.uint8).reshape(8, 8, 3)
    counts = count_colors(levels)
    fitted = fit_palette(counts, settings.method)
    metrics = measure(counts, fitted.labels, fitted.palette.colors, fitted.squared_error)
    raster = Raster(levels, None, "", FileStat(0, 0, 0), Header("png", 8, 8, "RGB", 1, 1, 0, 0), ())
    make_products(settings, Mapped("ramp", raster, counts, fitted, metrics))


class Painting(NamedTuple):
    """A task: some images to be done, in a palette that they share if there is one.

    megapixels : of all of them.
    """

    keys: tuple[str, ...]
    palette: SharedPalette | None = None
    megapixels: float = 0.0

    def split(self) -> "list[Painting]":
        """A task for each image."""
        return [self._replace(keys=(key,)) for key in self.keys]


class Counted(NamedTuple):
    """Merged counts, the SHA-256 of each image that was counted, and what came of the others.

    files : more counts, of a large image, where they lie: see `slabtasks`.
    """

    counts: ColorCounts
    contents: list[str]
    failures: list[Outcome]
    files: tuple[Place, ...] = ()


def process_bundle(settings: Settings, task: Painting) -> list[Outcome]:
    """Do some images; their outputs become final together at the end, flushed at once."""
    if task.palette is not None:
        settings = settings.sharing(task.palette)
    commit = commit_at(settings.output_root, settings.guard)
    seconds = time_for(settings.image_timeout, task.megapixels)
    with _reading_ahead(settings, task.keys) as read:
        outcomes = [_process(settings, key, read, commit, seconds) for key in task.keys]
    failed = commit.publish()
    return [
        Outcome(_failed(settings, outcome.record.image, outcome.record.input, error), outcome.state)
        if (error := failed.get(outcome.record.image))
        else outcome
        for outcome in outcomes
    ]


class Keyed(Protocol):
    """A task on some images."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The images' keys."""

    @property
    def megapixels(self) -> float:
        """Of all of them."""


def count_bundle(settings: Settings, task: Keyed) -> Counted:
    """Count the colours of some images together."""
    total = ColorCounts.of_nothing()
    contents: list[str] = []
    failures = []
    seconds = time_for(settings.image_timeout, task.megapixels)
    with _reading_ahead(settings, task.keys) as read:
        for key in task.keys:
            timed = partial(_read, settings, key, read, seconds)
            counts, state = _attempt(settings, key, timed, seconds, partial(_count, settings, key), _as_it_is)
            if isinstance(counts, Record):
                failures.append(Outcome(counts, state))
            else:
                total += counts
                contents += [state.sha256] if state else []
    return Counted(total, contents, failures)


def _reading_ahead(settings: Settings, keys: tuple[str, ...]) -> AbstractContextManager[Read]:
    return reading_ahead([settings.input_root / key for key in keys], read_source, read_small)


def _process(settings: Settings, key: str, read: Read, commit: AnyCommit, seconds: float | None) -> Outcome:
    """Do one image up to its files beside their final names."""
    steps = partial(_quantize, settings, key), partial(_stage, commit)
    return Outcome(*_attempt(settings, key, partial(_read, settings, key, read, seconds), seconds, *steps))


def _attempt(
    settings: Settings,
    key: str,
    read: Callable[[], Source],
    seconds: float | None,
    step: Callable[[Source], Found],
    finish: Callable[[Found], Result],
) -> tuple[Result | Record, FileState | None]:
    """Read an image, do something with it in the time given, finish; what goes wrong becomes its record."""
    facts, state = None, None
    try:
        source = read()
        state = FileState(*source.stat, source.sha256)
        facts = InputFacts(len(source.data), source.sha256)
        try:
            return finish(in_time(seconds, key, partial(step, source))), state
        except TimedOut:
            raise
        except Exception:  # what the header says is worth recording, now that the rest is lost
            with suppress(ImageError):
                facts = facts_of(source.sha256, identify(source, settings.formats, settings.max_pixels))
            raise
    except EmptyFile as error:
        return _failed(settings, key, InputFacts(0), error), state
    except ImageError as error:
        return _failed(settings, key, facts, error), state
    except MemoryError:
        short = TooMuchMemory(f"{key}: a worker ran out of memory; raise compute.memory_per_worker")
        return _failed(settings, key, facts, short), state
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = without_roots(str(error), (settings.input_root, settings.output_root))
        bug = UnexpectedError(f"{type(error).__name__} in {place.name}, line {place.lineno}: {text}")
        return _failed(settings, key, facts, bug), state


def _read(settings: Settings, key: str, read: Read, seconds: float | None) -> Source:
    """All bytes of an image's file; that they do not come is not its content's fault."""
    try:
        return in_time(seconds, key, partial(read, settings.input_root / key))
    except TimedOut as error:
        raise UnreadableFile(
            f"{key}: expected to read it within {seconds:g} s (compute.image_timeout), found no end of it; "
            "look at the disk or share that it lies on"
        ) from error


def _as_it_is(counts: ColorCounts) -> ColorCounts:
    return counts


def _count(settings: Settings, key: str, source: Source) -> ColorCounts:
    return _decode(settings, key, source)[1]


def _decode(settings: Settings, key: str, source: Source) -> tuple[Raster, ColorCounts]:
    """The pixels of an image and their counts."""
    raster = decode(source, settings.formats, settings.max_pixels, settings.alpha, settings.background)
    return raster, counts_of(key, raster)


def _quantize(settings: Settings, key: str, source: Source) -> tuple[Record, list[Product]]:
    """The record of an image but for its outputs, and these."""
    raster, counts = _decode(settings, key, source)
    fitted = fit_palette(counts, settings.method)
    refuse_too_many(key, fitted, counts.total < raster.pixels[..., 0].size)
    metrics = measure(counts, fitted.labels, fitted.palette.colors, fitted.squared_error)
    made = make_products(settings, Mapped(key, raster, counts, fitted, metrics))
    record = msgspec.structs.replace(
        record_of(settings, key, fitted, metrics, {}),
        input=facts_of(raster.sha256, raster.header),
        metrics=MetricFacts(**asdict(metrics), ssim=made.ssim),
        regions=made.regions,
        notes=raster.notes,
    )
    return record, made.products


def _stage(commit: AnyCommit, done: tuple[Record, list[Product]]) -> Record:
    """Write an image's outputs beside their final names."""
    record, products = done
    written = commit.stage(record.image, {product.path: product.data for product in products})
    outputs = {product.kind: OutputFacts(*file) for product, file in zip(products, written, strict=True)}
    return msgspec.structs.replace(record, outputs=outputs | record.outputs)


def refuse_too_many(key: str, fitted: Fit, transparent: bool) -> None:
    """Raise UnsupportedImage if there is no label left for transparent pixels."""
    if len(fitted.palette) == MAX_COLORS and transparent:
        raise UnsupportedImage(
            f"{key}: {MAX_COLORS} colours and a label for transparent pixels are more than a label map of "
            f"16 bits can tell apart; ask for {MAX_COLORS - 1} colours"
        )


def record_of(
    settings: Settings, key: str, fitted: Fit, metrics: Metrics, outputs: dict[str, OutputFacts]
) -> Record:
    """The record of an image that is done, but for its input and what else was found out."""
    shared = settings.shared
    return Record(
        image=key,
        status="done",
        recipe=settings.recipe,
        outputs=outputs | (shared.files if shared else {}),
        colors=ColorFacts(settings.asked, len(fitted.palette)),
        metrics=MetricFacts(**asdict(metrics)),
        inertia=fitted.compactness,
        iterations=fitted.iterations,
        converged=fitted.converged,
        findings={name: value for name, value in fitted.findings.items() if name != "tree"},
        members=shared.members if shared else "",
        frozen=bool(shared and shared.frozen),
    )


def facts_of(digest: str, header: Header) -> InputFacts:
    """What a record says of an input that was read."""
    return InputFacts(header.bytes, digest, header.width, header.height, header.mode, header.format)


def _failed(settings: Settings, key: str, facts: InputFacts | None, error: ImageError) -> Record:
    status = verdict(type(error).__name__, settings.skip_unsupported)
    return Record(key, status, settings.recipe, facts, error=failure_of(error))
