"""What a worker does first to a raster: survey its slabs, and find the centres of all together.

    survey_slab    pixels → what the bands hold, a sample      any order, any worker
    fit_raster     samples → centres                           once

The windows in which pixels are read are the file's own: sums of floats depend on their order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.centers import label_type
from pipeline.color.distinct import Distinct
from pipeline.color.falsecolors import false_colors
from pipeline.color.minibatch import MiniBatch
from pipeline.color.rasterparts import SampleFit, drawn_of, fit_sample, label_part, survey_part
from pipeline.color.stretching import Stretch
from pipeline.color.surveys import Survey, has_data, value_of
from pipeline.errors import NothingVisible, UnsupportedImage
from pipeline.files.objects import Place
from pipeline.files.rasters import RasterLayout, open_raster
from pipeline.files.sources import FileStat, at_rest
from pipeline.files.windows import Window, cover
from pipeline.jobs.canvas import Canvas
from pipeline.jobs.handover import handed, keep, kept
from pipeline.jobs.needs import RASTER_PATCH_BYTES, RASTER_SAMPLE_BYTES, RASTER_SAMPLE_PIXELS
from pipeline.jobs.settings import Segmenting
from pipeline.jobs.slabs import Slab


@dataclass(frozen=True)
class Raster:
    """A raster: its place of work (see `workplaces`), and what its header says."""

    key: str
    stat: FileStat
    work: Place
    scratch: Place
    layout: RasterLayout

    @property
    def keys(self) -> tuple[str, ...]:
        """Its key: what is asked of it as a whole is a task too."""
        return (self.key,)

    @property
    def pixels(self) -> int:
        """How many it has."""
        return self.layout.height * self.layout.width

    @property
    def sample(self) -> int:
        """How many of them are drawn."""
        return max(1, min(RASTER_SAMPLE_PIXELS, RASTER_SAMPLE_BYTES // self.layout.pixel_bytes, self.pixels))


class RasterTask(NamedTuple):
    """A task: a slab. wanted : pixels to be drawn of the whole raster."""

    image: Raster
    slab: Slab
    wanted: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The raster's key."""
        return (self.image.key,)


class FitTask(NamedTuple):
    """A task: the centres, from the samples of all slabs."""

    image: Raster
    slabs: list[Slab]
    wanted: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The raster's key."""
        return (self.image.key,)


class Fitted(NamedTuple):
    """Centres, the pixels that have data, how many of them were drawn, and the label map's form.

    stretch : how the raster is shown in the report, if it is.
    """

    found: SampleFit
    valid: int
    drawn: int
    canvas: Canvas
    stretch: Stretch | None = None


def get_ready(settings: Segmenting) -> None:
    """Compile all loops that tasks with these settings use, or load them from the disk."""
    ramp = np.arange(600.0).reshape(20, 30, 1)
    for clusters in (2, 300):
        survey = survey_part(ramp, None, Survey.of_nothing(1), Distinct(clusters, 1))
        wanted = MiniBatch(clusters, batch_pixels=300, max_steps=1)
        found = fit_sample(ramp.reshape(-1, 1), survey, settings.scale, wanted)
        label_part(ramp, None, found, np.empty((20, 30), np.uint16), np.zeros(clusters, np.int64))
    drawn_of(0, 600, 600, 10, 0)


def survey_slab(settings: Segmenting, task: RasterTask) -> tuple[int, int]:
    """Survey a slab and draw its part of the sample, into a file of the work folder unless it is there.

    Returns the pixels that have data, and how many of them were drawn.
    """
    image, slab, wanted = task
    path = survey_path(image, slab, wanted)
    if (there := kept(path)) is None:
        layout = image.layout
        nodata = nodata_of(settings, layout)
        first = slab.row * layout.width
        places = drawn_of(first, first + slab.pixels, image.pixels, wanted, settings.seed)
        places = places.reshape(slab.height, slab.width)
        drawn = []
        survey, distinct = Survey.of_nothing(layout.bands), Distinct(settings.clusters, layout.bands)
        for window, pixels in raster_patches(settings, image, slab):
            survey = survey_part(pixels, nodata, survey, distinct)
            top = window.row - slab.row
            some = pixels[places[top : top + window.height, window.col : window.right]]
            drawn.append(some[has_data(some, nodata)])
        there = {"drawn": np.concatenate(drawn), "distinct": distinct.rows}
        there |= {name: np.asarray(value) for name, value in survey._asdict().items()}
        keep(path, **there)
    return int(there["seen"]), len(there["drawn"])


def fit_raster(settings: Segmenting, task: FitTask) -> Fitted:
    """Find the centres of all slabs together."""
    image, slabs, wanted = task
    layout = image.layout
    survey = Survey.of_nothing(layout.bands)
    distinct = Distinct(settings.clusters, layout.bands)
    samples = []
    for slab in slabs:
        part = handed(survey_path(image, slab, wanted))
        samples.append(part["drawn"])
        distinct.add(np.ascontiguousarray(part["distinct"].T))
        survey = survey.merged(
            Survey(int(part["seen"]), *(part[name] for name in ("means", "squares", "lows", "highs")))
        )
    if not survey.seen:
        raise NothingVisible(f"{image.key}: expected pixels to segment, found none with data in every band")
    drawn = sum(map(len, samples))
    if _few(samples, settings.clusters):  # there may be more, if rarer
        # Float64 for what has as many bytes: 64-bit integers do not come back whole.
        wide = layout.dtype in ("int64", "uint64")
        samples.append(distinct.rows.astype(np.float64 if wide else layout.dtype))
    sample = np.concatenate(samples)
    samples.clear()
    wanted_centers = MiniBatch(
        settings.clusters, settings.batch_pixels, seed=settings.seed, refine=settings.refine
    )
    complete = survey.seen == image.pixels
    try:
        survey.check()
        found = fit_sample(sample, survey, settings.scale, wanted_centers)
        label_type(len(found.centers), complete)
    except ValueError as error:
        raise UnsupportedImage(f"{image.key}: {error}") from error
    colors = false_colors(len(found.centers))
    canvas = Canvas(layout.width, layout.height, colors, not complete, False, settings.pictures)
    stretch = Stretch.of(sample) if settings.thumbnail else None
    return Fitted(found, survey.seen, drawn, canvas, stretch)


def _few(samples: list[NDArray[Any]], clusters: int) -> bool:
    """Whether there are no more distinct pixels than clusters."""
    found = Distinct(clusters, samples[0].shape[1])
    for sample in samples:
        found.add_pixels(sample)
    return len(found.rows) <= clusters


def survey_path(image: Raster, slab: Slab, wanted: int) -> Place:
    """Where the survey of a slab is, once it has been made."""
    return image.work / f"survey-{wanted}-{slab.row}-{slab.height}.npz"


def nodata_of(settings: Segmenting, layout: RasterLayout) -> Any:
    """The value of no data: the job's, else the file's own."""
    nodata = layout.nodata if settings.nodata is None else settings.nodata
    return value_of(nodata, np.dtype(layout.dtype))


def raster_patches(settings: Segmenting, image: Raster, slab: Slab) -> Iterator[tuple[Window, NDArray[Any]]]:
    """The pixels of a slab, window by window."""
    path = settings.input_root / image.key
    with at_rest(path, image.stat, image.key), open_raster(path, image.layout) as reader:
        for window in cover(slab.height, slab.width, *_window(image.layout)):
            placed = window._replace(row=window.row + slab.row)
            yield placed, reader.read(placed)


def _window(layout: RasterLayout) -> tuple[int, int]:
    """Rows and columns of a window: whole units of the file, as wide as `RASTER_PATCH_BYTES` allow."""
    rows, cols = layout.unit
    across = max(1, RASTER_PATCH_BYTES // (rows * cols * layout.pixel_bytes))
    wide = min(across * cols, layout.width)
    return rows * max(1, RASTER_PATCH_BYTES // (rows * wide * layout.pixel_bytes)), wide
