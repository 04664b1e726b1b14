"""What a worker has to know of a job."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.color.codebook import Method
from pipeline.color.dynamic import Dynamic
from pipeline.color.given import GivenPalette, Shareable
from pipeline.color.kmeans import KMeans
from pipeline.color.sampled import Sampled
from pipeline.color.target import Target
from pipeline.files.formats import FORMATS
from pipeline.files.objects import Place, place
from pipeline.files.outputs import Guard, allowed
from pipeline.jobs.lease import Lease
from pipeline.jobs.records import OutputFacts
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.spec_quantize import Quantize
from pipeline.jobs.spec_sections import Comparison


@dataclass(frozen=True, eq=False)
class SharedPalette:
    """The palette that the images of a group share, and the files it is in, by kind.

    members : digest of the images that it was found for, see `scopes.members_digest`. frozen :
    whether it is used for images that were not among them.
    """

    colors: NDArray[np.uint8]
    files: dict[str, OutputFacts]
    members: str
    frozen: bool = False

    @property
    def path(self) -> str:
        """Where it is, relative to the output root."""
        return self.files["shared"].path


@dataclass(frozen=True, kw_only=True)
class Lent:
    """What allows workers to write outputs. lease : None if nobody has to."""

    lease: Lease | None = None

    @property
    def guard(self) -> Guard:
        """To be asked before outputs become final."""
        return self.lease.check if self.lease else allowed


@dataclass(frozen=True, eq=False)
class Settings(Lent):
    """What a worker has to know of the job; the same for all its tasks.

    method : how palettes are found. about : what palette files say of that. asked : the number of
    colours, if the job gives one. regions_from : least pixels of a region, None if no regions are wanted.
    image_timeout : see `limits.time_for`.
    """

    input_root: Place
    output_root: Place
    formats: tuple[str, ...]
    max_pixels: int
    skip_unsupported: bool
    alpha: Literal["preserve", "flatten"]
    background: tuple[int, int, int]
    method: Method
    about: dict[str, Any]
    asked: int | Literal["auto"] | None
    color_space: str
    dither: str
    pictures: dict[str, str]
    overviews: bool
    preview: int | None
    thumbnail: bool
    comparison: Comparison | None
    palettes: tuple[str, ...]
    names: bool
    tree: bool
    ssim: bool
    regions_from: int | None
    table: bool
    boundaries: bool
    recipe: str
    shared: SharedPalette | None = None
    image_timeout: float | None = None

    @property
    def shared_method(self) -> Method:
        """How a palette is found that images share."""
        return Shareable(self.method) if isinstance(self.method, Dynamic) else self.method

    def sharing(self, palette: SharedPalette) -> "Settings":
        """The settings for images that get a shared palette."""
        metric = self.method.metric if isinstance(self.method, Dynamic) else None
        return replace(
            self,
            method=GivenPalette(palette.colors, self.color_space, metric),
            about={"method": "palette", "palette": palette.path, "color_space": self.color_space},
            asked=None if palette.frozen else self.asked,
            shared=palette,
        )


@dataclass(frozen=True)
class Segmenting(Lent):
    """What a worker has to know of a job on rasters; the same for all its tasks.

    clusters, batch_pixels, seed, refine : see `MiniBatch`; scale, nodata : see `rasters.segment`.
    pictures : the format of the label map under "labels", if it is wanted. thumbnail : whether the report
    shows the raster.
    """

    input_root: Place
    output_root: Place
    clusters: int
    batch_pixels: int
    seed: int
    refine: bool
    scale: str
    nodata: float | None
    pictures: dict[str, str]
    overviews: bool
    thumbnail: bool
    recipe: str


def segmenting_of(spec: JobSpec, recipe: str) -> Segmenting:
    """Gather what workers need of a job on rasters; `recipe` is the recipe's digest."""
    wanted = spec.quantize
    if wanted.colors == "auto":
        raise ValueError("the number of clusters has to be given")
    return Segmenting(
        input_root=place(spec.input.root),
        output_root=place(spec.output.root),
        clusters=wanted.colors,
        batch_pixels=wanted.batch_pixels,
        seed=wanted.seed,
        refine=wanted.refine,
        scale=wanted.scale,
        nodata=wanted.nodata,
        pictures={} if spec.output.labels.format == "none" else {"labels": spec.output.labels.format},
        overviews=spec.output.overviews,
        thumbnail=spec.output.report,
        recipe=recipe,
    )


def settings_of(spec: JobSpec, recipe: str) -> Settings:
    """Gather what workers need; `recipe` is the recipe's digest."""
    wanted = spec.quantize
    red, green, blue = bytes.fromhex(wanted.background[1:])
    return Settings(
        input_root=place(spec.input.root),
        output_root=place(spec.output.root),
        formats=tuple(spec.input.formats or FORMATS),
        max_pixels=spec.input.max_pixels,
        skip_unsupported=spec.input.on_unsupported == "skip",
        alpha=wanted.alpha,
        background=(red, green, blue),
        method=method_of(wanted),
        about=about_method(wanted),
        asked=wanted.colors if wanted.numbered else None,
        color_space=wanted.color_space,
        dither=wanted.dither,
        pictures={
            picture: section.format
            for picture, section in (("quantized", spec.output.quantized), ("labels", spec.output.labels))
            if section.format != "none"
        },
        overviews=spec.output.overviews,
        preview=spec.output.preview,
        thumbnail=spec.output.report,
        comparison=spec.output.comparison if spec.output.comparison.layout != "none" else None,
        palettes=tuple(sorted(set(spec.output.palette.formats))),
        names=spec.output.palette.names != "none",
        tree=spec.output.palette.tree,
        ssim=spec.output.ssim,
        regions_from=spec.regions.min_area if spec.regions.wanted else None,
        table=spec.regions.table != "none",
        boundaries=spec.regions.boundaries,
        recipe=recipe,
        image_timeout=spec.compute.image_timeout,
    )


def about_method(wanted: Quantize) -> dict[str, Any]:
    """What palette files say of how a palette was found."""
    return {
        "method": wanted.method,
        "color_space": "srgb" if wanted.method == "dynamic" else wanted.color_space,
        "colors_asked": wanted.colors if wanted.numbered else None,
        "seed": wanted.seed if wanted.numbered else None,
    }


def method_of(wanted: Quantize) -> Method:
    """The method that a job asks for, with its settings."""
    if wanted.method == "dynamic":
        return Dynamic(
            threshold=wanted.threshold,
            metric=wanted.metric,
            split_on=wanted.split_on,
            criterion=wanted.criterion,
            representative=wanted.representative,
            percentile=wanted.percentile,
            max_colors=wanted.max_colors,
        )
    if wanted.palette_colors is not None:
        return GivenPalette(wanted.palette_colors, wanted.color_space)
    kmeans = KMeans(
        colors=wanted.max_colors if wanted.colors == "auto" else wanted.colors,
        init=wanted.init if wanted.initial_colors is None else wanted.initial_colors,
        attempts=wanted.attempts,
        max_iter=wanted.max_iter,
        tol=wanted.tol,
        eps=wanted.eps,
        seed=wanted.seed,
        color_space=wanted.color_space,
        small_areas=wanted.small_areas,
    )
    if wanted.method == "minibatch":
        return Sampled(kmeans, wanted.batch_pixels, wanted.refine)
    if wanted.colors != "auto":
        return kmeans
    [(measure, value)] = wanted.target.model_dump(exclude_none=True).items()
    return Target(measure, value, kmeans)
