"""What a worker has to know of a job."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.color.kmeans import KMeans
from pipeline.files.formats import FORMATS
from pipeline.jobs.spec import JobSpec


@dataclass(frozen=True)
class Settings:
    """What a worker has to know of the job; the same for all its tasks."""

    input_root: Path
    output_root: Path
    formats: tuple[str, ...]
    max_pixels: int
    skip_unsupported: bool
    alpha: Literal["preserve", "flatten"]
    background: tuple[int, int, int]
    kmeans: KMeans
    method: str
    color_space: str
    quantized: bool
    labels: bool
    palettes: tuple[str, ...]
    recipe: str


def settings_of(spec: JobSpec, recipe: str) -> Settings:
    """Gather what workers need; `recipe` is the recipe's digest."""
    wanted = spec.quantize
    return Settings(
        input_root=Path(spec.input.root),
        output_root=Path(spec.output.root),
        formats=tuple(spec.input.formats or FORMATS),
        max_pixels=int(spec.input.max_megapixels * 1e6),
        skip_unsupported=spec.input.on_unsupported == "skip",
        alpha=wanted.alpha,
        background=(
            int(wanted.background[1:3], 16),
            int(wanted.background[3:5], 16),
            int(wanted.background[5:7], 16),
        ),
        kmeans=KMeans(wanted.colors, wanted.init, wanted.attempts, wanted.max_iter, wanted.tol, wanted.seed),
        method=wanted.method,
        color_space=wanted.color_space,
        quantized=spec.output.quantized.format != "none",
        labels=spec.output.labels.format != "none",
        palettes=tuple(sorted(set(spec.output.palette.formats))),
        recipe=recipe,
    )
