"""A large image, from its slabs to its outputs: all workers take part in it.

    slabs ──count──► counts ──fit──► palette ──map──► parts ──join──► files

What tasks hand on lies in a work folder below the output root's state, named after the state of the
image's file and all that its pixels depend on: a run that was killed goes on with the counts there are.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import ImageError
from pipeline.files.images import laid_over
from pipeline.files.outputs import sweep
from pipeline.files.readers import notes_of, open_windows
from pipeline.files.sources import FileStat, open_regular
from pipeline.jobs.recipe import ALGORITHM_VERSION
from pipeline.jobs.routes import Route
from pipeline.jobs.settings import Settings
from pipeline.jobs.slabs import Slab, slabs_of
from pipeline.jobs.slabtasks import (
    FitTask,
    JoinTask,
    Large,
    SlabTask,
    count_slab,
    counts_path,
    fit_slabs,
    join_slabs,
    map_slab,
    save_patch,
)

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[Any, Any]]]
Progress = Callable[[str, str, int, int], None]
"""See `Watcher.progressed`."""


def find_large(route: Route, settings: Settings, folder: Path, window: int) -> Large | ImageError:
    """What tasks have to know of an image, or why it cannot be told. folder : of all work folders."""
    key, header, layout = route.decision.entry.key, route.header, route.layout
    if header is None or layout is None:
        raise ValueError(f"{key} is no image that is done in windows")
    path = settings.input_root / key
    try:
        with open_regular(path) as (_, found):
            stat = FileStat(found.st_size, found.st_mtime_ns, found.st_ino)
        notes = notes_of(path, header, layout)
    except ImageError as error:
        return error
    said = (key, *stat, settings.alpha, settings.background, ALGORITHM_VERSION)
    name = hashlib.sha256(repr(said).encode()).hexdigest()[:24]
    return Large(key, header, layout, stat, folder / name, window, notes)


def forget_others(folder: Path, images: list[Large]) -> None:
    """Remove the work folders that killed runs have left, but for those of images that are to be done."""
    kept = {image.work for image in images}
    for work in folder.iterdir() if folder.exists() else ():
        if work not in kept:
            shutil.rmtree(work, ignore_errors=True)
    if not kept:
        with suppress(OSError):
            folder.rmdir()


def process_large(image: Large, settings: Settings, workers: Map, progress: Progress) -> Any:
    """Do an image; returns its outcome, the error that it failed with, or None if the run is to stop.

    workers : a map that ends early if the run is to stop.
    """
    image.work.mkdir(parents=True, exist_ok=True)
    sweep(image.work)
    try:
        outcome = _Steps(image, settings, workers, progress).outcome()
    except _Ended as ended:
        outcome = ended.answer
    if outcome is not None:
        shutil.rmtree(image.work, ignore_errors=True)
        with suppress(OSError):  # others are still to be done
            image.work.parent.rmdir()
    return outcome


class _Ended(Exception):
    """There is no more to do, as the answer is an error, or None: the run is to stop."""

    def __init__(self, answer: Exception | None) -> None:
        super().__init__()
        self.answer = answer


class _Steps:
    """The steps from slabs to files."""

    def __init__(self, image: Large, settings: Settings, workers: Map, progress: Progress) -> None:
        self._image = image
        self._settings = settings
        self._workers = workers
        self._progress = progress

    def outcome(self) -> Any:
        image, settings = self._image, self._settings
        unit = image.layout.unit[0] if image.layout.kind == "windows" else 1
        slabs = self._slabs(unit)
        facts = self._through("counted", partial(count_slab, settings), slabs)
        clear, half = sum(fact.clear for fact in facts), any(fact.half for fact in facts)
        fitted = self._one(partial(fit_slabs, settings), FitTask(image, slabs, clear, half))
        paint = partial(map_slab, settings, canvas=fitted.canvas)
        mapped = self._slabs(fitted.canvas.part_rows) if fitted.canvas.formats else []
        parts = self._through("mapped", paint, mapped)
        laid = any(fact.laid for fact in facts)
        notes = (*image.notes, *((laid_over(settings.background),) if laid else ()))
        return self._one(partial(join_slabs, settings), JoinTask(image, fitted, parts, notes))

    def _slabs(self, unit: int) -> list[Slab]:
        return slabs_of(self._image.layout.height, self._image.layout.width, unit)

    def _one(self, function: Callable[[Any], Any], task: Any) -> Any:
        for _, answer in self._workers(function, [task]):
            if isinstance(answer, Exception):
                raise _Ended(answer)
            return answer
        raise _Ended(None)

    def _through(self, step: str, function: Callable[[Any], Any], slabs: list[Slab]) -> list[Any]:
        """What comes of all slabs, in their order."""
        width, total = self._image.layout.width, self._image.layout.height * self._image.layout.width
        if not slabs:
            return []
        found: dict[int, Any] = {}
        failed: list[Exception] = []
        done = 0
        read = step == "mapped" or not self._are_counted(slabs)
        tasks = self._tasks(slabs) if read else map(self._task, slabs)
        try:
            for task, answer in self._workers(function, _until(failed, tasks)):
                if task.band is not None:
                    task.band.unlink(missing_ok=True)
                if isinstance(answer, Exception):
                    failed.append(answer)
                else:
                    found[task.slab.number] = answer
                    done += task.slab.height * width
                    self._progress(self._image.key, step, done, total)
        except ImageError as error:  # met by the one reader of all
            raise _Ended(error) from None
        if failed:
            raise _Ended(failed[0])
        if len(found) < len(slabs):
            raise _Ended(None)
        return [found[slab.number] for slab in slabs]

    def _are_counted(self, slabs: list[Slab]) -> bool:
        return all(counts_path(self._image, slab).exists() for slab in slabs)

    def _task(self, slab: Slab) -> SlabTask:
        return SlabTask(self._image, slab)

    def _tasks(self, slabs: list[Slab]) -> Iterator[SlabTask]:
        """The slabs; with their pixels, if those can only be read in this order, by one reader: here."""
        image = self._image
        if image.layout.kind == "windows":
            yield from map(self._task, slabs)
            return
        path = self._settings.input_root / image.key
        with open_windows(path, image.header, image.layout) as reader:
            for slab, patch in zip(slabs, reader.bands(slabs[0].height), strict=True):
                band = image.work / f"band-{slab.number}.npz"
                save_patch(band, patch)
                yield SlabTask(image, slab, band)


def _until(failed: list[Exception], tasks: Iterable[SlabTask]) -> Iterator[SlabTask]:
    """The tasks, until one has failed."""
    for task in tasks:
        if failed:
            return
        yield task
