"""What a job's method makes of its images: colours are quantized, rasters segmented."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.files.objects import Place
from pipeline.jobs import tasks
from pipeline.jobs.lease import Lease
from pipeline.jobs.routes import Route
from pipeline.jobs.settings import Settings, segmenting_of, settings_of
from pipeline.jobs.spec import JobSpec

if TYPE_CHECKING:  # what does images in parts is loaded for jobs that have such images
    from pipeline.jobs.large import LargeImages
    from pipeline.jobs.parted import Team
    from pipeline.jobs.rasters import Rasters

InParts = Callable[[list[Route], Place, "Team"], "LargeImages | Rasters"]


class Trade(NamedTuple):
    """What workers have to know of the job, what gets one ready, and who does images in parts."""

    settings: Any  # Settings, or Segmenting
    ready: Callable[[], None]
    in_parts: InParts


def trade_of(spec: JobSpec, recipe: str, lease: Lease) -> Trade:
    """The trade of a job; `recipe` is the recipe's digest, `lease` the run's."""
    if spec.quantize.method == "segment":
        from pipeline.jobs import rastertasks
        from pipeline.jobs.rasters import Rasters

        segmenting = replace(segmenting_of(spec, recipe), lease=lease)
        return Trade(segmenting, partial(rastertasks.get_ready, segmenting), partial(Rasters, segmenting))
    settings = replace(settings_of(spec, recipe), lease=lease)
    in_windows = partial(_in_windows, settings, spec.large.window)
    return Trade(settings, partial(tasks.get_ready, settings), in_windows)


def _in_windows(
    settings: Settings, window: int, routes: list[Route], folder: Place, team: "Team"
) -> "LargeImages":
    from pipeline.jobs.large import LargeImages

    return LargeImages(settings, window, routes, folder, team)
