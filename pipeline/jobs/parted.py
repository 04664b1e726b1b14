"""Images that are done in parts by all workers: the steps of one of them, from task to task.

What tasks hand on to each other lies in the image's work folder, see `workplaces`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.errors import ImageError
from pipeline.files.objects import Place
from pipeline.files.sources import FileStat, changed, digest_file
from pipeline.files.writing import remove_tree
from pipeline.jobs.limits import Timed, time_for
from pipeline.jobs.slabs import Slab
from pipeline.jobs.workplaces import furnish

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
    furnish(image.key, image.work, image.scratch)
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
