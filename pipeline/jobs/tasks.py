"""What a worker does to a bundle of images: read, count, fit, map, write, tell.

A task may run twice, on two machines at once: every write is safe twice, and nothing but the
outputs of its own images is written. Its answer is small: records, never pixels.
"""

import os
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import NamedTuple

from pipeline.color.counts import count_colors
from pipeline.color.kmeans import MAX_COLORS
from pipeline.color.mapping import fit_palette
from pipeline.color.metrics import measure
from pipeline.errors import (
    EmptyFile,
    ImageError,
    NothingVisible,
    TooMuchMemory,
    UnexpectedError,
    UnsupportedImage,
)
from pipeline.files.headers import Header
from pipeline.files.images import Source, decode, identify, read_source
from pipeline.files.outputs import Commit
from pipeline.jobs.plan import verdict
from pipeline.jobs.products import Result, make_products
from pipeline.jobs.records import ColorFacts, Failure, InputFacts, MetricFacts, OutputFacts, Record
from pipeline.jobs.settings import Settings
from pipeline.jobs.statcache import FileState


class Outcome(NamedTuple):
    """What came of one image: its record, and the state of the file that was read, if it was."""

    record: Record
    state: FileState | None


def process_bundle(settings: Settings, keys: Sequence[str]) -> list[Outcome]:
    """Do some images; their outputs become final together at the end, flushed at once."""
    commit = Commit(settings.output_root)
    outcomes = [_process(settings, key, commit) for key in keys]
    failed = commit.publish()
    return [
        Outcome(_failed(settings, outcome.record.image, outcome.record.input, error), outcome.state)
        if (error := failed.get(outcome.record.image))
        else outcome
        for outcome in outcomes
    ]


def _process(settings: Settings, key: str, commit: Commit) -> Outcome:
    """Do one image up to its files beside their final names; whatever goes wrong becomes its record."""
    facts, state = None, None
    try:
        source = read_source(settings.input_root / key)
        state = FileState(*source.stat, source.sha256)
        facts = InputFacts(len(source.data), source.sha256)
        try:
            return Outcome(_quantize(settings, key, source, commit), state)
        except Exception:  # what the header says is worth recording, now that the rest is lost
            with suppress(ImageError):
                facts = _facts(source.sha256, identify(source, settings.formats, settings.max_pixels))
            raise
    except EmptyFile as error:
        return Outcome(_failed(settings, key, InputFacts(0), error), state)
    except ImageError as error:
        return Outcome(_failed(settings, key, facts, error), state)
    except MemoryError:
        short = TooMuchMemory(f"{key}: a worker ran out of memory; raise compute.memory_per_worker")
        return Outcome(_failed(settings, key, facts, short), state)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = str(error).replace(f"{settings.input_root}{os.sep}", "")  # records hold no absolute paths
        bug = UnexpectedError(f"{type(error).__name__} in {place.name}, line {place.lineno}: {text}")
        return Outcome(_failed(settings, key, facts, bug), state)


def _quantize(settings: Settings, key: str, source: Source, commit: Commit) -> Record:
    raster = decode(source, settings.formats, settings.max_pixels, settings.alpha, settings.background)
    counts = count_colors(raster.pixels, raster.alpha)
    if not len(counts):
        raise NothingVisible(f"{key}: expected pixels to count, found only fully transparent ones")
    if min(settings.kmeans.colors, len(counts)) == MAX_COLORS and counts.total < raster.pixels[..., 0].size:
        raise UnsupportedImage(
            f"{key}: {MAX_COLORS} colours and a label for transparent pixels are more than a label map of "
            f"16 bits can tell apart; ask for {MAX_COLORS - 1} colours"
        )
    fitted = fit_palette(counts, settings.kmeans)
    metrics = measure(counts, fitted.labels, fitted.palette.colors, fitted.inertia)
    products = make_products(settings, Result(key, raster, counts, fitted, metrics))
    written = commit.stage(key, {product.path: product.data for product in products})
    return Record(
        image=key,
        status="done",
        recipe=settings.recipe,
        input=_facts(raster.sha256, raster.header),
        outputs={product.kind: OutputFacts(*file) for product, file in zip(products, written, strict=True)},
        colors=ColorFacts(settings.kmeans.colors, len(fitted.palette)),
        metrics=MetricFacts(**asdict(metrics)),
        iterations=fitted.iterations,
        converged=fitted.converged,
        notes=raster.notes,
    )


def _facts(digest: str, header: Header) -> InputFacts:
    return InputFacts(header.bytes, digest, header.width, header.height, header.mode, header.format)


def _failed(settings: Settings, key: str, facts: InputFacts | None, error: ImageError) -> Record:
    kind = type(error).__name__
    status = verdict(kind, settings.skip_unsupported)
    return Record(key, status, settings.recipe, facts, error=Failure(kind, str(error)))
