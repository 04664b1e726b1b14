"""The section ``quantize`` of a job: how palettes are found, and how images get their colours."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from pipeline.files.palettefiles import read_palette
from pipeline.jobs.spec_mistakes import WrongKeyError
from pipeline.jobs.spec_roots import local_folder
from pipeline.jobs.spec_sections import Color, Number, Section, as_number

INITS = ("auto", "wu", "kmeans++", "pixels", "random")


Colors = Annotated[int, Field(ge=1, le=65536)]
AboveNothing = Annotated[float, Field(gt=0), BeforeValidator(as_number)]
NotNegative = Annotated[float, Field(ge=0), BeforeValidator(as_number)]


class Target(Section):
    """``quantize.target``: how good a palette has to be, by one measure."""

    psnr: AboveNothing | None = Field(
        default=None, description="Least PSNR in dB, per channel value as in scikit-image."
    )
    mse: NotNegative | None = Field(
        default=None,
        description="Largest mean squared RGB distance, summed over channels.",
    )
    delta_e_p95: NotNegative | None = Field(
        default=None, description="Largest CIEDE2000 difference of 95 % of the pixels."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Target":
        if len(self.model_dump(exclude_none=True)) > 1:
            raise ValueError("expected one of psnr, mse and delta_e_p95, found several")
        return self


class Quantize(Section):
    """``quantize``: how palettes are found."""

    method: Literal["kmeans", "minibatch", "dynamic", "palette", "segment"] = Field(
        default="kmeans",
        description="How the palette is found: kmeans (on the exact counts of all colours), minibatch (on "
        "batches of pixels drawn from the whole image), dynamic (as many colours as a threshold of "
        "difference needs), palette (a given one), or segment (no colours at all: clusters of the values of "
        "all bands of a TIFF, of any depth).",
    )
    colors: Colors | Literal["auto"] = Field(
        default=16,
        description="Palette entries; clusters, for segment. An image with fewer distinct colours keeps them "
        "all. auto: the fewest that reach the target. Of no account for dynamic and palette.",
    )
    target: Target = Field(
        default_factory=Target, description="What colors: auto has to reach; one of the measures below."
    )
    max_colors: int = Field(
        default=256, ge=1, le=65536, description="Most palette entries of colors: auto and of dynamic."
    )
    init: str = Field(
        default="auto",
        examples=[*INITS, "brand.gpl"],
        description="Where k-means starts: wu (variance cuts, no chance in it), kmeans++ (seeded draws), "
        "auto (both; the best start is refined), pixels (random ones of the image), random (colours), or the "
        "path of a palette file.",
    )
    attempts: int = Field(
        default=1,
        ge=1,
        le=100,
        description="How often k-means is done, each time from other seeds; the least inertia wins.",
    )
    max_iter: int = Field(
        default=100, ge=1, le=10_000, description="Most k-means iterations on exact colours."
    )
    tol: Number = Field(
        default=1e-4,
        ge=0,
        description="k-means stops once an iteration lowers the error by less than this share of it.",
    )
    eps: Number = Field(
        default=0.0,
        ge=0,
        description="k-means also stops once no centroid moves farther than this, in units of the colour "
        "space (8-bit levels in srgb). If given, steps are Lloyd's own; else they go beyond the means, "
        "which is faster.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=2**63 - 1,
        description="Start of all random draws; the same seed gives the same bytes.",
    )
    color_space: Literal["srgb", "linear", "lab", "oklab"] = Field(
        default="srgb",
        description="Space in which distances are measured; dynamic has metric instead.",
    )
    small_areas: Number = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Protects small areas of vivid colours: from 0, every pixel weighs the same, to 1, those "
        "that stand out from the image's own spread of colours weigh up to a thousand times as much.",
    )
    batch_pixels: int = Field(
        default=65536, ge=1, le=2**24, description="Pixels of each step of minibatch and segment."
    )
    refine: bool = Field(
        default=True,
        description="Whether minibatch ends with exact steps on the counts of all colours, segment on all "
        "pixels that it has drawn.",
    )
    scale: Literal["std", "range", "none"] = Field(
        default="std",
        description="What makes the bands of segment comparable: each over its standard deviation, each over "
        "its range, or as they are.",
    )
    nodata: Number | None = Field(
        default=None,
        description="Value, in any band, of pixels that hold no data, for segment. null: what the file says.",
    )
    threshold: Number = Field(
        default=10.0,
        ge=0,
        description="Largest difference between a colour and the palette's, for dynamic; black and white are "
        "100 apart.",
    )
    metric: Literal["redmean", "oklab", "cie76", "ciede2000"] = Field(
        default="redmean", description="Difference that the threshold is held against."
    )
    split_on: Literal["color", "white"] = Field(
        default="color",
        description="What dynamic splits by: the colours themselves, or only their distances from white.",
    )
    criterion: Literal["radius", "diameter"] = Field(
        default="radius",
        description="What has to be within the threshold: all colours of a cluster from its representative, "
        "or, stricter, from one another.",
    )
    representative: Literal["centroid", "median", "nearest", "mean_of_percentile"] = Field(
        default="centroid",
        description="Which colour stands for a cluster of dynamic: its mean, its median, its real colour "
        "nearest to the mean, or the mean of the percentile nearest to its median distance from white.",
    )
    percentile: Number = Field(
        default=5.0, gt=0, le=100, description="Share, in per cent, that mean_of_percentile averages."
    )
    palette: str | None = Field(
        default=None,
        validate_default=True,
        description="The palette file of the method palette: .gpl, .act, .ase, .hex, .txt, .css, .json, or "
        "an image such as .png; relative to this file.",
    )
    scope: Literal["image", "folder", "job"] = Field(
        default="image", description="What shares a palette: nothing, the images of a folder, or all."
    )
    freeze: bool = Field(
        default=False,
        description="Whether a shared palette stays as it is when images come or change.",
    )
    dither: Literal["none", "floyd-steinberg", "ordered"] = Field(
        default="none", description="Dithering of the quantized image; label maps are never dithered."
    )
    alpha: Literal["preserve", "flatten"] = Field(
        default="preserve",
        description="Transparency: keep it in the quantized image, or flatten it onto the background.",
    )
    background: Color = Field(
        default="#ffffff",
        description="What semi-transparent pixels are flattened onto; in quotes, or YAML reads a comment.",
    )

    @field_validator("palette")
    @classmethod
    def _is_there_if_needed(cls, palette: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("method") == "palette" and palette is None:
            raise ValueError("required, because quantize.method is 'palette'; such as 'brand.gpl'")
        if info.data.get("method", "palette") != "palette" and palette is not None:
            raise ValueError("given, but quantize.method is not 'palette'; set that, or leave this out")
        return None if palette is None else _palette_file(palette, info)

    @field_validator("init")
    @classmethod
    def _is_a_word_or_a_file(cls, init: str, info: ValidationInfo) -> str:
        return init if init in INITS else _palette_file(init, info)

    @model_validator(mode="after")
    def _can_be_read(self) -> "Quantize":
        for key, colors in (("palette", "palette_colors"), ("init", "initial_colors")):
            try:
                getattr(self, colors)
            except ValueError as error:
                known = f"; expected one of {', '.join(INITS)} or a palette file" if key == "init" else ""
                raise WrongKeyError(key, f"{error}{known}") from None
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> "Quantize":
        targets = self.target.model_dump(exclude_none=True)
        if self.colors == "auto" and self.method != "kmeans":
            raise WrongKeyError("colors", "'auto' is for quantize.method 'kmeans'; give a number")
        if self.colors == "auto" and not targets:
            raise WrongKeyError("target", "required, because quantize.colors is 'auto'; such as {psnr: 36}")
        if self.colors != "auto" and targets:
            raise WrongKeyError(
                "target", "given, but quantize.colors is not 'auto'; set that or leave this out"
            )
        if self.split_on == "white" and self.metric != "redmean":
            raise WrongKeyError("metric", "distances from white are redmean's; set that, or split_on: color")
        if (
            self.method in ("minibatch", "segment")
            and isinstance(self.colors, int)
            and self.batch_pixels < self.colors
        ):
            raise WrongKeyError(
                "batch_pixels",
                f"expected at least one pixel per colour, {self.colors}, found {self.batch_pixels}",
            )
        for key, value in (("scope", "image"), ("dither", "none"), ("alpha", "preserve")):
            if self.method == "segment" and getattr(self, key) != value:
                raise WrongKeyError(
                    key, f"quantize.method 'segment' knows no colours; leave this out, or set {value!r}"
                )
        if self.freeze and self.scope == "image":
            raise WrongKeyError(
                "freeze", "nothing is shared with quantize.scope 'image'; set 'folder' or 'job'"
            )
        if self.method == "dynamic" and self.scope != "image":
            for key, value in (("split_on", "color"), ("criterion", "radius")):
                if getattr(self, key) != value:
                    raise WrongKeyError(
                        key,
                        f"images that share a palette get its nearest colours, which {getattr(self, key)!r} "
                        f"does not bound; set quantize.scope 'image', or {key}: {value}",
                    )
        given = self.initial_colors
        most = "max_colors" if self.colors == "auto" else "colors"
        if given is not None and len(given) > getattr(self, most):
            raise WrongKeyError(
                "init",
                f"the palette has {len(given)} colours, more than quantize.{most}, {getattr(self, most)}",
            )
        return self

    @property
    def numbered(self) -> bool:
        """Whether the method is told how many colours to find."""
        return self.method in ("kmeans", "minibatch")

    @property
    def most_colors(self) -> int:
        """The most palette entries that an image can get."""
        if self.palette_colors is not None:
            return len(self.palette_colors)
        return self.max_colors if self.method == "dynamic" or self.colors == "auto" else self.colors

    @cached_property
    def palette_colors(self) -> NDArray[np.uint8] | None:
        """The given palette's colours (k, 3), read once."""
        return None if self.palette is None else read_palette(Path(self.palette))

    @cached_property
    def initial_colors(self) -> NDArray[np.uint8] | None:
        """The colours (k, 3) that k-means starts from, if a palette file gives them; read once."""
        return None if self.init in INITS else read_palette(Path(self.init))


def _palette_file(text: str, info: ValidationInfo) -> str:
    """The absolute path of a palette file; it is read when all keys are known to be sound."""
    base: Path | None = (info.context or {}).get("base")
    return local_folder(text, base)
