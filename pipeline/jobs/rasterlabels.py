"""What a worker does to a raster whose centres are known: label its slabs, write the label map.

    label_slab     pixels → parts of label map and thumbnail   any order, any worker
    join_raster    parts → files, centres as JSON              once

What is handed on lies in the folder that is the run's own, see `workplaces`.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.centers import label_type
from pipeline.color.rasterparts import label_part
from pipeline.files.exports import centers_json
from pipeline.files.geotags import NOTHING, carried_tags
from pipeline.files.objects import Place
from pipeline.files.sources import changed, state_of
from pipeline.files.writing import commit_at
from pipeline.jobs.canvas import Part
from pipeline.jobs.handover import handed, keep
from pipeline.jobs.pictureparts import keep_parts, publish, stage_file, stage_pictures
from pipeline.jobs.previews import Product
from pipeline.jobs.rastertasks import Fitted, Raster, RasterTask, nodata_of, raster_patches
from pipeline.jobs.rasterthumbnails import RasterThumbnails, raster_thumbnail
from pipeline.jobs.records import ColorFacts, InputFacts, Record
from pipeline.jobs.settings import Segmenting
from pipeline.jobs.slabs import Slab
from pipeline.jobs.statcache import FileState
from pipeline.jobs.tasks import Outcome


class Labelled(NamedTuple):
    """What came of a slab: its part of the label map, pixels by label, Σ squared scaled distance."""

    parts: dict[str, Part]
    seen: NDArray[np.int64]
    inertia: float


class JoinTask(NamedTuple):
    """A task: the outputs, from what came of all slabs in order."""

    image: Raster
    fitted: Fitted
    digest: str
    labelled: list[Labelled]

    @property
    def keys(self) -> tuple[str, ...]:
        """The raster's key."""
        return (self.image.key,)


def label_slab(settings: Segmenting, task: RasterTask, fitted: Fitted) -> Labelled:
    """Label a slab, and make its parts of the label map and the thumbnail."""
    image, slab, _ = task
    nodata = nodata_of(settings, image.layout)
    k = len(fitted.found.centers)
    labels: NDArray[Any] = np.empty((slab.height, slab.width), label_type(k, not fitted.canvas.clear))
    seen = np.zeros(k, np.int64)
    inertia = 0.0
    small = _thumbnails(image, slab, fitted)
    for window, pixels in raster_patches(settings, image, slab):
        top = window.row - slab.row
        place = labels[top : top + window.height, window.col : window.right]
        inertia += label_part(pixels, nodata, fitted.found, place, seen)
        if small is not None:
            small.add(window, pixels, place)
    if small is not None:
        keep(_thumbnails_path(image, slab.number), **small.arrays)
    last = slab.row + slab.height == image.layout.height
    parts = fitted.canvas.encode(labels, labels, None, first=slab.row == 0, last=last)
    return Labelled(keep_parts(image.scratch, slab.number, parts), seen, inertia)


def join_raster(settings: Segmenting, task: JoinTask) -> Outcome:
    """Write label map, centres and thumbnail, and make them final."""
    image, fitted, digest, labelled = task
    path = settings.input_root / image.key
    if state_of(path) != image.stat:
        raise changed(image.key)
    layout = image.layout
    seen = np.sum([one.seen for one in labelled], axis=0)
    about = _about(settings, task)
    commit = commit_at(settings.output_root, settings.guard)
    both_tiff = layout.format == "tiff" and "tiff" in settings.pictures.values()
    carried = carried_tags(path, as_stored=True) if both_tiff else NOTHING
    parts = [one.parts for one in labelled]
    outputs = stage_pictures(commit, image.key, fitted.canvas, parts, carried, settings.overviews)
    data = centers_json(about, fitted.found.centers, seen)
    outputs["centers"] = stage_file(commit, image.key, f"centers/{image.key}.json", data)
    if settings.thumbnail:
        product = _strip(image, len(labelled))
        outputs[product.kind] = stage_file(commit, image.key, product.path, product.data)
    publish(commit)
    mode = f"{layout.bands} × {layout.dtype}"
    record = Record(
        image=image.key,
        status="done",
        recipe=settings.recipe,
        input=InputFacts(layout.bytes, digest, layout.width, layout.height, mode, layout.format),
        outputs=outputs,
        colors=ColorFacts(settings.clusters, len(fitted.found.centers)),
        inertia=about["inertia"],
        iterations=fitted.found.steps,
        converged=fitted.found.converged,
        notes=layout.notes,
    )
    return Outcome(record, FileState(*image.stat, digest))


def _thumbnails(image: Raster, slab: Slab, fitted: Fitted) -> RasterThumbnails | None:
    if fitted.stretch is None:
        return None
    height, width = image.layout.height, image.layout.width
    return RasterThumbnails(slab.row, slab.height, height, width, fitted.stretch, len(fitted.found.centers))


def _strip(image: Raster, slabs: int) -> Product:
    """The thumbnail, from the sums of so many slabs."""
    sums = [handed(_thumbnails_path(image, number)) for number in range(slabs)]
    return raster_thumbnail(image.key, sums, image.layout.height, image.layout.width)


def _thumbnails_path(image: Raster, number: int) -> Place:
    """Where the small copies of a slab are. number : the slab's."""
    return image.scratch / f"thumbnails-{number}.npz"


def _about(settings: Segmenting, task: JoinTask) -> dict[str, Any]:
    """What the centres' JSON says besides the clusters."""
    image, fitted = task.image, task.fitted
    found, layout = fitted.found, image.layout
    return {
        "raster": image.key,
        "clusters_asked": settings.clusters,
        "clusters_found": len(found.centers),
        "seed": settings.seed,
        "bands": layout.bands,
        "type": layout.dtype,
        "pixels": fitted.valid,
        "drawn": fitted.drawn,
        "no_data": {"label": len(found.centers), "count": image.pixels - fitted.valid}
        if fitted.canvas.clear
        else None,
        "scale": settings.scale,
        "offsets": found.frame.offsets.tolist(),
        "scales": found.frame.scales.tolist(),
        "inertia": math.fsum(one.inertia for one in task.labelled),
        "steps": found.steps,
        "converged": found.converged,
    }
