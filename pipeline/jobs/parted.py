"""Images that are done in parts by all workers: their work folders, and the steps of one of them.

What tasks hand on lies in a work folder below the output root's state, named after the state of the
image's file and all that its pixels depend on: a run that was killed goes on with what was done.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.errors import ImageError
from pipeline.files.outputs import sweep
from pipeline.files.sources import FileStat, open_regular
from pipeline.jobs.recipe import ALGORITHM_VERSION
from pipeline.jobs.slabs import Slab

Result = TypeVar("Result")
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[Any, Any]]]
Progress = Callable[[str, str, int, int], None]
"""See `Watcher.progressed`."""


class Team(NamedTuple):
    """Who does the parts, and who is told.

    workers : a map that ends early if the run is to stop.
    """

    workers: Map
    progress: Progress


class PartedImage(Protocol):
    """What all tasks on an image know of it."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def stat(self) -> FileStat:
        """The state of its file."""

    @property
    def work(self) -> Path:
        """The folder of what tasks hand on."""


Image = TypeVar("Image", bound=PartedImage)


class SlabTask(Protocol):
    """A task on a slab."""

    @property
    def slab(self) -> Slab:
        """The slab."""


class Folders:
    """The work folders of a run's images. What killed runs have left of others is removed."""

    def __init__(self, folder: Path, images: Mapping[str, PartedImage | ImageError]) -> None:
        self._folder = folder
        kept = {image.work for image in images.values() if not isinstance(image, ImageError)}
        for work in folder.iterdir() if folder.exists() else ():
            if work not in kept:
                shutil.rmtree(work, ignore_errors=True)

    def forget(self) -> None:
        """Remove what is left: there is nothing more to do."""
        shutil.rmtree(self._folder, ignore_errors=True)


def work_folder(folder: Path, path: Path, *said: Any) -> tuple[FileStat, Path]:
    """The state of a file and the work folder for it. said : what else the pixels depend on."""
    with open_regular(path) as (_, found):
        stat = FileStat(found.st_size, found.st_mtime_ns, found.st_ino)
    digest = hashlib.sha256(repr((*stat, *said, ALGORITHM_VERSION)).encode()).hexdigest()
    return stat, folder / digest[:24]


def attempt(
    image: Image | ImageError, team: Team, steps: "Callable[[Image, Steps], Result]", *, last: bool
) -> Result | Exception | None:
    """Take steps with an image: what comes of them, the error they end in, or None if the run is to stop.

    last : whether the work folder is of no use after them.
    """
    if isinstance(image, ImageError):
        return image
    image.work.mkdir(parents=True, exist_ok=True)
    sweep(image.work)
    answer: Result | Exception | None
    try:
        answer = steps(image, Steps(image, team))
    except _Ended as ended:
        answer = ended.answer
    if last and answer is not None:
        shutil.rmtree(image.work, ignore_errors=True)
    return answer


class _Ended(Exception):
    """There is no more to do, as the answer is an error, or None: the run is to stop."""

    def __init__(self, answer: Exception | None) -> None:
        super().__init__()
        self.answer = answer


class Steps:
    """Hands the tasks of an image to the workers; ends with the first of them that fails."""

    def __init__(self, image: PartedImage, team: Team) -> None:
        self._image = image
        self._team = team

    def one(self, function: Callable[[Any], Result], task: Any) -> Result:
        """What comes of a single task."""
        for _, answer in self._team.workers(function, [task]):
            if isinstance(answer, Exception):
                raise _Ended(answer)
            result: Result = answer
            return result
        raise _Ended(None)

    def through(
        self,
        step: str,
        function: Callable[[Any], Result],
        slabs: list[Slab],
        tasks: Iterable[SlabTask],
        over: Callable[[Any], None] = lambda task: None,
    ) -> list[Result]:
        """What comes of a task on each slab, in the slabs' order.

        step : what to call it. over : is called with each task that is over.
        """
        image = self._image
        found: dict[int, Result] = {}
        failed: list[Exception] = []
        total = sum(slab.pixels for slab in slabs)
        done = 0
        try:
            for task, answer in self._team.workers(function, _until(failed, tasks)):
                over(task)
                if isinstance(answer, Exception):
                    failed.append(answer)
                    continue
                found[task.slab.number] = answer
                done += task.slab.pixels
                self._team.progress(image.key, step, done, total)
        except ImageError as error:  # met by who makes the tasks
            raise _Ended(error) from None
        if failed:
            raise _Ended(failed[0])
        if len(found) < len(slabs):
            raise _Ended(None)
        return [found[slab.number] for slab in slabs]


def _until(failed: list[Exception], tasks: Iterable[SlabTask]) -> Iterator[SlabTask]:
    """The tasks, until one has failed."""
    for task in tasks:
        if failed:
            return
        yield task
