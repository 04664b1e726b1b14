"""A raster, from its slabs to its label map: all workers take part in it.

    slabs ──survey, draw──► sample ──fit──► centres ──label──► parts ──join──► files

The steps are in `rastertasks` and `rasterlabels`.
"""

from functools import partial

from pipeline.errors import ImageError
from pipeline.files.objects import Place
from pipeline.jobs.parted import Steps, Team, attempt, digest_of
from pipeline.jobs.rasterlabels import JoinTask, join_raster, label_slab
from pipeline.jobs.rastertasks import FitTask, Raster, RasterTask, fit_raster, survey_slab
from pipeline.jobs.routes import Route
from pipeline.jobs.settings import Segmenting
from pipeline.jobs.slabs import slabs_of
from pipeline.jobs.tasks import Outcome
from pipeline.jobs.workplaces import Folders, workplace

_ENOUGH = 0.5  # of the pixels that were to be drawn: fewer had data


class Rasters:
    """The rasters of a run. folder : of all work folders."""

    def __init__(self, settings: Segmenting, routes: list[Route], folder: Place, team: Team) -> None:
        self._settings = settings
        self._team = team
        self._found = {route.decision.entry.key: _find(route, settings, folder) for route in routes}
        self._folders = Folders(folder, self._found)

    def process(self, key: str, palette: None = None) -> Outcome | Exception | None:
        """Do a raster: what comes of it, the error it ends in, or None if the run is to stop."""
        return attempt(self._found[key], self._team, partial(_process, self._settings), last=True)

    def forget(self) -> None:
        """Remove what is left of the work: there is nothing more to do."""
        self._folders.forget()


def _find(route: Route, settings: Segmenting, folder: Place) -> Raster | ImageError:
    entry, layout = route.decision.entry, route.raster
    if layout is None:
        raise ValueError(f"{entry.key} is no raster")
    said = "raster", settings.clusters, settings.seed, settings.nodata
    try:
        return Raster(entry.key, *workplace(folder, settings.input_root, entry, *said), layout)
    except ImageError as error:
        return error


def _process(settings: Segmenting, image: Raster, steps: Steps) -> Outcome:
    layout = image.layout
    slabs = slabs_of(layout.height, layout.width, layout.unit[0])

    def survey(wanted: int) -> tuple[int, int]:
        tasks = [RasterTask(image, slab, wanted) for slab in slabs]
        found = steps.through("surveyed", partial(survey_slab, settings), slabs, tasks)
        return sum(valid for valid, _ in found), sum(drawn for _, drawn in found)

    wanted = image.sample
    valid, drawn = survey(wanted)
    if drawn < _ENOUGH * min(wanted, valid):
        wanted = min(image.pixels, wanted * image.pixels // max(valid, 1))
        survey(wanted)
    fit, digest = partial(fit_raster, settings), partial(digest_of, settings)
    fitted, content = steps.both(fit, FitTask(image, slabs, wanted), digest, image)
    slabs = slabs_of(layout.height, layout.width, fitted.canvas.part_rows)
    tasks = [RasterTask(image, slab, wanted) for slab in slabs]
    labelled = steps.through("labelled", partial(label_slab, settings, fitted=fitted), slabs, tasks)
    return steps.last(partial(join_raster, settings), JoinTask(image, fitted, content, labelled))
