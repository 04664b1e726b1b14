"""Images that are done in parts by all workers: their work folders, and the steps of one of them.

What tasks hand on lies in a work folder below the output root's state, named after the state of the
image's file and all that its pixels depend on: a run that was killed goes on with what it had found out
of the pixels. All else lies in a folder in it that is a run's own: a worker that outlives its driver
must not write into what the next run makes.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.errors import ChangedWhileReading, ImageError
from pipeline.files.listing import Entry
from pipeline.files.objects import Place
from pipeline.files.sources import FileStat, changed, digest_file, stamp_of
from pipeline.files.writing import remove_if_empty, remove_tree, sweep
from pipeline.jobs.limits import Timed, time_for
from pipeline.jobs.recipe import ALGORITHM_VERSION
from pipeline.jobs.slabs import Slab

_WORK_NAME = "[0-9a-f]" * 24
_KEY = "image"  # the file in a work folder that names it
Result = TypeVar("Result")
Other = TypeVar("Other")
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[Any, Any]]]
Progress = Callable[[str, str, int, int], None]
"""See `Watcher.progressed`."""


class Team(NamedTuple):
    """Who does the parts, and who is told.

    workers : a map that ends early if the run is to stop. image_timeout : see `limits.time_for`; each step
    of an image has the time of all of it.
    """

    workers: Map
    progress: Progress
    image_timeout: float | None = None


class PartedImage(Protocol):
    """What all tasks on an image know of it."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def stat(self) -> FileStat:
        """The state of its file."""

    @property
    def work(self) -> Place:
        """The folder of what the next run may go on with."""

    @property
    def scratch(self) -> Place:
        """The folder in it that is this run's alone."""

    @property
    def pixels(self) -> int:
        """How many it has."""


Image = TypeVar("Image", bound=PartedImage)


class SlabTask(Protocol):
    """A task on a slab."""

    @property
    def slab(self) -> Slab:
        """The slab."""


class Folders:
    """The work folders of a run's images. What killed runs have left of other states of them is removed."""

    def __init__(self, folder: Place, images: Mapping[str, PartedImage | ImageError]) -> None:
        self._folder = folder
        self._ours = {key: image.work for key, image in images.items() if not isinstance(image, ImageError)}
        for work, key in _left(folder):
            if key in images and work != self._ours.get(key):
                remove_tree(work)

    def forget(self) -> None:
        """Remove what is left of them: there is nothing more to do."""
        for work in self._ours.values():
            remove_tree(work)
        remove_if_empty(self._folder)


def forget_gone(folder: Place, keys: set[str]) -> None:
    """Remove what killed runs have left of images that are not among `keys`. folder : of all work folders."""
    for work, key in _left(folder):
        if key not in keys:
            remove_tree(work)
    remove_if_empty(folder)


def _left(folder: Place) -> list[tuple[Place, str]]:
    """The work folders that are there, nothing else (a link to a larger disk may be), and their images."""
    found = []
    for work in folder.glob(_WORK_NAME):
        try:
            found.append((work, (work / _KEY).read_text("utf-8")))
        except (OSError, ValueError):
            found.append((work, ""))
    return found


class Workplace(NamedTuple):
    """The state of an image's file, its work folder, and the folder in it that is this run's alone."""

    stat: FileStat
    work: Place
    scratch: Place


def workplace(folder: Place, root: Place, entry: Entry, *said: Any) -> Workplace:
    """Where to work on an image. folder : of all work folders. said : what else its pixels depend on.

    Raises ImageError if its file cannot be opened, or is not the one that was listed.
    """
    stat, ctime_ns = stamp_of(root / entry.key)
    if stat[:2] != (entry.bytes, entry.mtime_ns) or entry.inode not in (0, stat.inode):  # 0: not listed
        raise ChangedWhileReading(
            f"{entry.key}: expected the file that was listed, of {entry.bytes} bytes, found one that was "
            f"changed since, of {stat.bytes}; run again once nothing writes to it"
        )
    # The time of the last change of any kind too: who writes into a file may set its other time back.
    all_said = (entry.key, *stat, ctime_ns, *said, ALGORITHM_VERSION)
    work = folder / hashlib.sha256(repr(all_said).encode()).hexdigest()[:24]
    return Workplace(stat, work, work / f"run-{secrets.token_hex(4)}")


class Rooted(Protocol):
    """What of a job's settings tells where its images are."""

    @property
    def input_root(self) -> Place:
        """The folder."""


def digest_of(settings: Rooted, image: PartedImage) -> str:
    """The SHA-256 of an image's file, which must be what it was when the first of its pixels were read."""
    stat, digest = digest_file(settings.input_root / image.key)
    if stat != image.stat:
        raise changed(image.key)
    return digest


def attempt(
    image: Image | ImageError, team: Team, steps: "Callable[[Image, Steps], Result]", *, last: bool
) -> Result | Exception | None:
    """Take steps with an image: what comes of them, the error they end in, or None if the run is to stop.

    last : whether the work folder is of no use after them.
    """
    if isinstance(image, ImageError):
        return image
    image.work.mkdir(parents=True, exist_ok=True)
    (image.work / _KEY).write_text(image.key, "utf-8")
    sweep(image.work)
    for scratch in image.work.glob("run-*"):
        remove_tree(scratch)
    image.scratch.mkdir()
    answer: Result | Exception | None
    try:
        answer = steps(image, Steps(image, team))
    except _Ended as ended:
        answer = ended.answer
    except ImageError as error:
        answer = error
    finally:
        remove_tree(image.scratch)
    if last and answer is not None:
        remove_tree(image.work)
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
        self._seconds = time_for(team.image_timeout, image.pixels / 1e6)

    def one(self, function: Callable[[Any], Result], task: Any) -> Result:
        """What comes of a single task."""
        result: Result = self.last(Timed(function, self._seconds), task)
        return result

    def last(self, function: Callable[[Any], Result], task: Any) -> Result:
        """What comes of the task that writes the outputs: it may take any time."""
        for _, answer in self._team.workers(function, [task]):
            if isinstance(answer, Exception):
                raise _Ended(answer)
            result: Result = answer
            return result
        raise _Ended(None)

    def both(
        self, one: Callable[[Any], Result], task: Any, other: Callable[[Any], Other], other_task: Any
    ) -> tuple[Result, Other]:
        """What comes of two tasks that are done at the same time, if there are workers for both."""
        calls = [_Call(one, task), _Call(other, other_task)]
        found = {id(call): answer for call, answer in self._team.workers(Timed(_done, self._seconds), calls)}
        answers = [found.get(id(call)) for call in calls]
        for answer in answers:
            if answer is None or isinstance(answer, Exception):
                raise _Ended(answer)
        return answers[0], answers[1]  # type: ignore[return-value]  # of which kinds, the functions tell

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
        failed: dict[int, Exception] = {}
        total = sum(slab.pixels for slab in slabs)
        done = 0
        for task, answer in self._team.workers(Timed(function, self._seconds), _until(failed, tasks)):
            over(task)
            if isinstance(answer, Exception):
                failed[task.slab.number] = answer
                continue
            found[task.slab.number] = answer
            done += task.slab.pixels
            self._team.progress(image.key, step, done, total)
        if failed:
            # Tasks are begun in order: none above the topmost that failed is left out, whoever was faster.
            raise _Ended(failed[min(failed)])
        if len(found) < len(slabs):
            raise _Ended(None)
        return [found[slab.number] for slab in slabs]


class _Call(NamedTuple):
    """A task with the function that does it."""

    function: Callable[[Any], Any]
    task: Any

    @property
    def keys(self) -> tuple[str, ...]:
        """The image's key."""
        keys: tuple[str, ...] = self.task.keys
        return keys


def _done(call: _Call) -> Any:
    return call.function(call.task)


def _until(failed: dict[int, Exception], tasks: Iterable[SlabTask]) -> Iterator[SlabTask]:
    """The tasks, until one has failed, or who makes them: what is under way is awaited."""
    made = 0
    try:
        for task in tasks:
            if failed:
                return
            yield task
            made += 1
    except Exception as error:
        failed[made] = error
