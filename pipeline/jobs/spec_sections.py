"""The sections of a job: every key with its type, bounds, default and description."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.jobs.spec_roots import root_of

ImageFormat = Literal[
    "jpeg", "png", "tiff", "webp", "gif", "bmp", "ppm", "tga", "ico", "jpeg2000", "avif", "pcx", "sgi", "psd",
    "mpo", "dds", "qoi", "icns", "blp", "fits", "ftex", "gbr", "xpm", "cur", "dcx", "dib", "fli", "im", "msp",
    "pcd", "pixar", "spider", "sun", "xbm", "zarr",
]  # fmt: skip
SavedFormat = Literal["png", "tiff", "none"]
PaletteFormat = Literal["json", "gpl", "png", "ase", "act", "hex", "txt", "css"]


def as_number(value: Any) -> Any:
    """Read ``1e-4`` as a number: PyYAML speaks YAML 1.1, where it is text for want of a dot."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)
    return value


def _root(text: str, info: ValidationInfo) -> str:
    base: Path | None = (info.context or {}).get("base")
    return root_of(text, base)


Number = Annotated[float, BeforeValidator(as_number)]
Root = Annotated[str, AfterValidator(_root)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#ffffff"]), AfterValidator(str.lower)]


class Section(BaseModel):
    """What all sections share: immutable, no unknown keys, nothing converted silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, value: Any) -> Any:
        """Read a section without keys as all defaults: YAML gives null for it."""
        return {} if value is None else value


class Input(Section):
    """``input``: what is read, and what is refused."""

    root: Root = Field(
        description="Folder whose images are read, relative to this file, or a URL such as "
        "s3://bucket/photos. Never written to. Required."
    )
    include: list[str] = Field(
        default=[],
        description="Glob patterns, relative to the root, of the files to read, such as '**/*.jpg'. "
        "Empty: every file with the extension of a known image format.",
    )
    exclude: list[str] = Field(
        default=[],
        description="Glob patterns of files and folders to leave out, even if include names them.",
    )
    formats: list[ImageFormat] = Field(
        default=[],
        description="Image formats that may be decoded, judged by content, not by name. Empty: all of them.",
    )
    max_megapixels: Number = Field(
        default=170.0,
        gt=0,
        description="Images with more pixels, in millions, are refused from their header, before decoding.",
    )
    follow_symlinks: bool = Field(
        default=False, description="Whether symbolic links that lead out of the root are followed."
    )
    on_unsupported: Literal["fail", "skip"] = Field(
        default="fail",
        description="What a file that is no supported image counts as: a failed image, or none at all.",
    )

    @property
    def max_pixels(self) -> int:
        """The most pixels that an image may have: 1.001 × 10⁶ is a little less than 1,001,000 in floats."""
        return int(round(self.max_megapixels * 1e6, 3))


class Quantized(Section):
    """``output.quantized``: the images in palette colours."""

    format: SavedFormat = Field(
        default="png",
        description="Format of the images in palette colours: png, tiff (BigTIFF in tiles), or none.",
    )


class Labels(Section):
    """``output.labels``: the label maps."""

    format: SavedFormat = Field(
        default="png",
        description="Format of the label maps, whose values are places in the palette: png (grey), tiff "
        "(BigTIFF in tiles, shown in the palette's colours), or none.",
    )


class PaletteFiles(Section):
    """``output.palette``: the palette files."""

    formats: list[PaletteFormat] = Field(
        default=["json"],
        description="Palette files to write: json (always; the full record), gpl (GIMP, Inkscape, Krita), "
        "png (numbered bars, as long as the colours' shares), ase (Adobe swatch exchange), act (Adobe colour "
        "table, of up to 256 colours), hex (Lospec), txt (Paint.NET), css (custom properties).",
    )
    names: Literal["none", "css"] = Field(
        default="none",
        description="Whether json, gpl, ase and css tell the colours' names: css, the name in CSS that looks "
        "least different (CIEDE2000), or none.",
    )
    tree: bool = Field(
        default=False, description="Whether the JSON of a dynamic palette tells the tree of its splits."
    )

    @field_validator("formats")
    @classmethod
    def _has_json(cls, formats: list[PaletteFormat]) -> list[PaletteFormat]:
        if "json" not in formats:
            raise ValueError("'json' has to be in the list; the other palette files are made from it")
        return formats


class Comparison(Section):
    """``output.comparison``: pictures that show image and result together."""

    layout: Literal["none", "side-by-side", "strip", "overlay"] = Field(
        default="none",
        description="Pictures in comparisons/ for papers and slides, with the palette as a bar: side-by-side "
        "(image and quantized image), strip (beneath each other), overlay (the image with the segments' "
        "boundaries), or none.",
    )
    height: int = Field(
        default=512,
        ge=32,
        le=2048,
        description="Largest height, in pixels, of each image in them; none gets wider than twice that.",
    )


class Output(Section):
    """``output``: what is written."""

    root: Root = Field(
        description="Folder that everything is written to, relative to this file, or a URL such as "
        "s3://bucket/results. It has to lie apart from the input root. Required."
    )
    quantized: Quantized = Field(default_factory=Quantized, description="Images in palette colours.")
    labels: Labels = Field(default_factory=Labels, description="Which palette entry each pixel has.")
    palette: PaletteFiles = Field(default_factory=PaletteFiles, description="Each image's palette.")
    overviews: bool = Field(
        default=False,
        description="Whether TIFF outputs hold reduced copies of themselves, so that viewers open them fast.",
    )
    preview: int | None = Field(
        default=None,
        ge=16,
        le=4096,
        description="Largest side, in pixels, of small copies of each image and its quantized image, in "
        "previews/. null: none are written.",
    )
    report: bool = Field(
        default=False,
        description="Whether runs write a report, report/index.html: a gallery of all images for a browser, "
        "with thumbnails of original, quantized image and segments.",
    )
    comparison: Comparison = Field(
        default_factory=Comparison, description="Pictures that show image and result together."
    )
    ssim: bool = Field(
        default=False,
        description="Whether the structural similarity of image and quantized image is measured too; it "
        "takes longer than all the rest.",
    )


class Regions(Section):
    """``regions``: the connected regions of the label map, for segmentation."""

    min_area: int = Field(
        default=1,
        ge=1,
        description="Regions of fewer pixels are merged into their surroundings, in a label map of its own.",
    )
    table: Literal["csv", "none"] = Field(
        default="none",
        description="A table of the regions: label, area, bounding box, centroid, mean colour.",
    )
    boundaries: bool = Field(
        default=False, description="Whether to write the image with the regions' boundaries drawn in."
    )

    @property
    def wanted(self) -> bool:
        """Whether regions are to be looked for at all."""
        return self.min_area > 1 or self.table != "none" or self.boundaries


class Large(Section):
    """``large``: images that are done in windows, by all workers together."""

    above_megapixels: float = Field(
        default=100.0,
        gt=0,
        description="Larger images are done in windows, if their files allow it, as are those that do not "
        "fit a worker's memory. It does not change what comes out of sound files.",
    )
    window: int = Field(
        default=2048,
        ge=64,
        le=65536,
        description="Side of the windows, in pixels; rounded up to whole tiles of the file.",
    )
