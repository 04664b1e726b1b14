"""What a job's method makes of its images: colours are quantized, rasters segmented."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from pipeline.files.objects import Place
from pipeline.jobs import rastertasks, tasks
from pipeline.jobs.large import LargeImages
from pipeline.jobs.lease import Lease
from pipeline.jobs.parted import Team
from pipeline.jobs.rasters import Rasters
from pipeline.jobs.routes import Route
from pipeline.jobs.settings import segmenting_of, settings_of
from pipeline.jobs.spec import JobSpec

InParts = Callable[[list[Route], Place, Team], LargeImages | Rasters]


class Trade(NamedTuple):
    """What workers have to know of the job, what gets one ready, and who does images in parts."""

    settings: Any  # Settings, or Segmenting
    ready: Callable[[], None]
    in_parts: InParts


def trade_of(spec: JobSpec, recipe: str, lease: Lease) -> Trade:
    """The trade of a job; `recipe` is the recipe's digest, `lease` the run's."""
    if spec.quantize.method == "segment":
        segmenting = replace(segmenting_of(spec, recipe), lease=lease)
        return Trade(segmenting, partial(rastertasks.get_ready, segmenting), partial(Rasters, segmenting))
    settings = replace(settings_of(spec, recipe), lease=lease)
    large = partial(LargeImages, settings, spec.large.window)
    return Trade(settings, partial(tasks.get_ready, settings), large)
