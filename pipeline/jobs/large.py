"""A large image, from its slabs to its outputs: all workers take part in it.

    slabs ──count──► counts ──fit──► palette ──map──► parts ──join──► files

What tasks hand on lies in a work folder below the output root's state, named after the state of the
image's file and all that its pixels depend on: a run that was killed goes on with the counts there are.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import ImageError
from pipeline.files.images import laid_over
from pipeline.files.outputs import sweep
from pipeline.files.readers import notes_of, open_windows
from pipeline.files.sources import FileStat, open_regular
from pipeline.jobs.recipe import ALGORITHM_VERSION
from pipeline.jobs.routes import Route
from pipeline.jobs.settings import Settings, SharedPalette
from pipeline.jobs.slabs import Slab, slabs_of
from pipeline.jobs.slabtasks import (
    FitTask,
    JoinTask,
    Large,
    MergeTask,
    SlabFacts,
    SlabTask,
    count_slab,
    counts_path,
    fit_slabs,
    join_slabs,
    map_slab,
    merge_slabs,
    save_patch,
)
from pipeline.jobs.tasks import Counted, Outcome

Result = TypeVar("Result")
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[Any, Any]]]
Progress = Callable[[str, str, int, int], None]
"""See `Watcher.progressed`."""


class LargeImages:
    """The large images of a run. What killed runs have left of others is removed.

    folder : of all work folders. window : side of the windows. workers : a map that ends early if the
    run is to stop; what is asked of an image then is None.
    """

    def __init__(
        self,
        routes: list[Route],
        settings: Settings,
        folder: Path,
        window: int,
        workers: Map,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._workers = workers
        self._progress = progress
        self._found = {route.decision.entry.key: _find(route, settings, folder, window) for route in routes}
        self._forget_others()

    def count(self, key: str) -> Counted | Exception | None:
        """Count the colours of an image that shares its palette; the counts are kept until it is done."""
        return self._attempt(key, self._settings, _Steps.counted)

    def process(self, key: str, palette: SharedPalette | None) -> Outcome | Exception | None:
        """Do an image, in a palette that it shares if there is one."""
        settings = self._settings.sharing(palette) if palette else self._settings
        answer = self._attempt(key, settings, _Steps.outcome)
        image = self._found[key]
        if answer is not None and isinstance(image, Large):
            shutil.rmtree(image.work, ignore_errors=True)
        return answer

    def forget(self) -> None:
        """Remove what is left in the work folders: there is nothing more to do."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _attempt(
        self, key: str, settings: Settings, steps: "Callable[[_Steps], Result]"
    ) -> Result | Exception | None:
        image = self._found[key]
        if isinstance(image, Exception):
            return image
        image.work.mkdir(parents=True, exist_ok=True)
        sweep(image.work)
        try:
            return steps(_Steps(image, settings, self._workers, self._progress))
        except _Ended as ended:
            return ended.answer

    def _forget_others(self) -> None:
        kept = {image.work for image in self._found.values() if isinstance(image, Large)}
        for work in self._folder.iterdir() if self._folder.exists() else ():
            if work not in kept:
                shutil.rmtree(work, ignore_errors=True)


def _find(route: Route, settings: Settings, folder: Path, window: int) -> Large | ImageError:
    """What tasks have to know of an image, or why it cannot be told."""
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

    def counted(self) -> Counted:
        slabs, _ = self._count()
        return self._one(partial(merge_slabs, self._settings), MergeTask(self._image, slabs))

    def outcome(self) -> Outcome:
        image, settings = self._image, self._settings
        slabs, facts = self._count()
        clear, half = sum(fact.clear for fact in facts), any(fact.half for fact in facts)
        fitted = self._one(partial(fit_slabs, settings), FitTask(image, slabs, clear, half))
        paint = partial(map_slab, settings, canvas=fitted.canvas)
        mapped = self._slabs(fitted.canvas.part_rows) if fitted.canvas.formats else []
        parts = self._through("mapped", paint, mapped)
        laid = any(fact.laid for fact in facts)
        notes = (*image.notes, *((laid_over(settings.background),) if laid else ()))
        return self._one(partial(join_slabs, settings), JoinTask(image, fitted, parts, notes))

    def _count(self) -> tuple[list[Slab], list[SlabFacts]]:
        layout = self._image.layout
        slabs = self._slabs(layout.unit[0] if layout.kind == "windows" else 1)
        return slabs, self._through("counted", partial(count_slab, self._settings), slabs)

    def _slabs(self, unit: int) -> list[Slab]:
        return slabs_of(self._image.layout.height, self._image.layout.width, unit)

    def _one(self, function: Callable[[Any], Result], task: Any) -> Result:
        for _, answer in self._workers(function, [task]):
            if isinstance(answer, Exception):
                raise _Ended(answer)
            result: Result = answer
            return result
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
