"""A large image, from its slabs to its outputs: all workers take part in it.

    slabs ──count──► counts ──fit──► palette ──map──► parts ──join──► files

The steps are in `slabtasks` and `slabpictures`.
"""

from collections.abc import Iterator
from functools import partial

from pipeline.color.counts import ColorCounts
from pipeline.errors import ImageError
from pipeline.files.images import laid_over
from pipeline.files.objects import Place
from pipeline.files.readers import notes_of, open_windows
from pipeline.files.sources import at_rest
from pipeline.jobs.counting import nothing_visible
from pipeline.jobs.parted import Steps, Team, attempt, digest_of
from pipeline.jobs.routes import Route
from pipeline.jobs.settings import Settings, SharedPalette
from pipeline.jobs.slabpictures import FitTask, JoinTask, fit_slabs, join_slabs, map_slab
from pipeline.jobs.slabs import Slab, slabs_of
from pipeline.jobs.slabtasks import (
    Large,
    SlabFacts,
    SlabTask,
    count_slab,
    counts_path,
    save_patch,
)
from pipeline.jobs.tasks import Counted, Outcome
from pipeline.jobs.workplaces import Folders, workplace


class LargeImages:
    """The large images of a run.

    folder : of all work folders. window : side of the windows.
    """

    def __init__(
        self, settings: Settings, window: int, routes: list[Route], folder: Place, team: Team
    ) -> None:
        self._settings = settings
        self._team = team
        self._found = {route.decision.entry.key: _find(route, settings, folder, window) for route in routes}
        self._folders = Folders(folder, self._found)

    def count(self, key: str) -> Counted | Exception | None:
        """Count the colours of an image that shares its palette; the counts are kept until it is done.

        What comes of it, the error it ends in, or None if the run is to stop; so with `process`.
        """
        return attempt(self._found[key], self._team, partial(_count, self._settings), last=False)

    def process(self, key: str, palette: SharedPalette | None) -> Outcome | Exception | None:
        """Do an image, in a palette that it shares if there is one."""
        settings = self._settings.sharing(palette) if palette else self._settings
        return attempt(self._found[key], self._team, partial(_process, settings), last=True)

    def forget(self) -> None:
        """Remove what is left of the work: there is nothing more to do."""
        self._folders.forget()


def _find(route: Route, settings: Settings, folder: Place, window: int) -> Large | ImageError:
    """What tasks have to know of an image, or why it cannot be told."""
    entry, header, layout = route.decision.entry, route.header, route.layout
    if header is None or layout is None:
        raise ValueError(f"{entry.key} is no image that is done in windows")
    try:
        place = workplace(folder, settings.input_root, entry, settings.alpha, settings.background)
        notes = notes_of(settings.input_root / entry.key, header, layout)
    except ImageError as error:
        return error
    return Large(entry.key, *place, header, layout, window, notes)


def _count(settings: Settings, image: Large, steps: Steps) -> Counted:
    slabs, _ = _count_slabs(settings, image, steps)
    content = steps.one(partial(digest_of, settings), image)
    return Counted(ColorCounts.of_nothing(), [content], [], tuple(counts_path(image, slab) for slab in slabs))


def _process(settings: Settings, image: Large, steps: Steps) -> Outcome:
    slabs, facts = _count_slabs(settings, image, steps)
    clear, half = sum(fact.clear for fact in facts), any(fact.half for fact in facts)
    fit, digest = partial(fit_slabs, settings), partial(digest_of, settings)
    fitted, content = steps.both(fit, FitTask(image, slabs, clear, half), digest, image)
    wanted = fitted.canvas.formats or settings.preview or settings.thumbnail or settings.comparison
    mapped = _slabs(image, fitted.canvas.part_rows) if wanted else []
    paint = partial(map_slab, settings, canvas=fitted.canvas)
    parts = steps.through("mapped", paint, mapped, _read(settings, image, mapped), _remove_band)
    laid = any(fact.laid for fact in facts)
    notes = (*image.notes, *((laid_over(settings.background),) if laid else ()))
    return steps.last(partial(join_slabs, settings), JoinTask(image, fitted, content, mapped, parts, notes))


def _count_slabs(settings: Settings, image: Large, steps: Steps) -> tuple[list[Slab], list[SlabFacts]]:
    slabs = _slabs(image, image.layout.unit[0] if image.layout.kind == "windows" else 1)
    facts: list[SlabFacts | None] = [None]
    while None in facts:  # of counts that were damaged, and are gone now
        there = all(counts_path(image, slab).exists() for slab in slabs)
        tasks = map(partial(SlabTask, image), slabs) if there else _read(settings, image, slabs)
        facts = steps.through("counted", partial(count_slab, settings), slabs, tasks, _remove_band)
    found = [fact for fact in facts if fact is not None]
    if sum(fact.clear for fact in found) == image.layout.height * image.layout.width:
        raise nothing_visible(image.key)
    return slabs, found


def _slabs(image: Large, unit: int) -> list[Slab]:
    return slabs_of(image.layout.height, image.layout.width, unit)


def _read(settings: Settings, image: Large, slabs: list[Slab]) -> Iterator[SlabTask]:
    """The tasks; with their pixels, if those can only be read in this order, by one reader: here."""
    if image.layout.kind == "windows" or not slabs:
        yield from map(partial(SlabTask, image), slabs)
        return
    path = settings.input_root / image.key
    with (
        at_rest(path, image.stat, image.key),
        open_windows(path, image.header, image.layout) as reader,
    ):
        for slab, patch in zip(slabs, reader.bands(slabs[0].height), strict=True):
            band = image.scratch / f"band-{slab.number}.npy"
            save_patch(band, patch)
            yield SlabTask(image, slab, band)


def _remove_band(task: SlabTask) -> None:
    if task.band is not None:
        task.band.unlink(missing_ok=True)
