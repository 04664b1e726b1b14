"""One image in several numbers of colours, to choose by eye: count once, then fit → map for each.

All is as the job would do it, but for the number of colours and a palette that images share: each image
gets its own here.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import ColorCounts
from pipeline.color.dither import dither
from pipeline.color.mapping import Fit, fit_palette, paint, show
from pipeline.color.metrics import Metrics, measure
from pipeline.color.palette import Palette
from pipeline.color.shrinking import Shrinking, join_shrunk, shrink_factor
from pipeline.color.warmup import warm_up_for
from pipeline.errors import InputError, SpecError, TooMuchMemory
from pipeline.files.geotags import NOTHING
from pipeline.files.images import Raster, read_image
from pipeline.files.listing import list_inputs
from pipeline.files.objects import Place
from pipeline.jobs.canvas import Canvas
from pipeline.jobs.counting import counts_of
from pipeline.jobs.nearness import did_you_mean, nearest_keys
from pipeline.jobs.settings import Settings, settings_of
from pipeline.jobs.spec import load_spec
from pipeline.jobs.tasks import refuse_too_many

SIDE = 400
"""Pixels of a copy's larger side, at most."""


class Given(NamedTuple):
    """The image: its name, size, file's bytes, distinct colours, and a small copy, (h, w, 3 or 4)."""

    name: str
    width: int
    height: int
    bytes: int
    colors: int
    picture: NDArray[np.uint8]


class Choice(NamedTuple):
    """The image in some colours. asked : how many; bytes : of the indexed PNG that a job would write."""

    asked: int
    palette: Palette
    metrics: Metrics
    bytes: int
    picture: NDArray[np.uint8]


def settings_for(job: Path, overrides: Sequence[str], colors: Sequence[int]) -> list[Settings]:
    """What a job would be with each of these numbers of colours; SpecError if it cannot be that."""
    quantize = load_spec(job, overrides).quantize
    if not quantize.numbered:
        raise SpecError(
            f"{job}: expected a method that is told how many colours to find, found quantize.method "
            f"{quantize.method!r}; add --set quantize.method=kmeans"
        )
    fixed = (*overrides, "quantize.target={}", "output.palette.formats=[json]")
    return [settings_of(load_spec(job, (*fixed, f"quantize.colors={count}")), "") for count in colors]


def find_image(settings: Settings, image: str) -> Place:
    """The file that is meant by the key of an image of the job, or by a path."""
    for path in (settings.input_root / image, Path(image)):
        with suppress(OSError):  # of a name too long for any file
            if image and path.is_file():
                return path
    if (
        image.endswith(".zarr")
        and isinstance(settings.input_root, Path)
        and (settings.input_root / image).is_dir()
    ):
        raise SpecError(f"{image}: expected a picture, found a Zarr; compare does not read these, run does")
    raise SpecError(
        f"{image}: expected the key of an image, as `segpipe plan -v` lists them, or the path of one, found "
        f"no such file; {_meant(settings, image) or 'check it'}"
    )


def _meant(settings: Settings, image: str) -> str:
    """Which images were most likely meant."""
    if not isinstance(settings.input_root, Path):  # a listing takes its time there
        return ""
    with suppress(InputError):
        keys = [entry.key for entry in list_inputs(settings.input_root).entries]
        return did_you_mean(nearest_keys(image, keys, settings.input_root)).strip()
    return ""


def compared(
    wanted: Sequence[Settings], name: str, path: Place, announce: Callable[[str], None]
) -> tuple[Given, list[Choice]]:
    """The image, and what it is with each of these settings.

    announce : told if the loops have to be compiled first. Raises ImageError.
    """
    warm_up_for(wanted[0].method, announce)
    try:
        raster = _read(wanted[0], path)
        counts = counts_of(name, raster)
        height, width = raster.pixels.shape[:2]
        picture = _small(raster.pixels, raster.alpha)
        given = Given(name, width, height, raster.header.bytes, len(counts), picture)
        return given, [_choice(settings, name, raster, counts) for settings in wanted]
    except MemoryError as error:
        raise TooMuchMemory(
            f"{name}: expected memory for its pixels, found too little; compare a smaller copy"
        ) from error


def _read(settings: Settings, path: Place) -> Raster:
    return read_image(path, settings.formats, settings.max_pixels, settings.alpha, settings.background)


def _choice(settings: Settings, name: str, raster: Raster, counts: ColorCounts) -> Choice:
    fitted = fit_palette(counts, settings.method)
    refuse_too_many(name, fitted, counts.total < raster.pixels[..., 0].size)
    colors = fitted.palette.colors
    shown = paint(raster.pixels, raster.alpha, counts, fitted)
    if settings.dither != "none":
        shown = dither(raster.pixels, raster.alpha, colors, settings.dither)
    metrics = measure(counts, fitted.labels, colors, fitted.squared_error)
    small = _small(show(shown, colors, None), raster.alpha)
    size = len(_png(fitted, shown, raster.alpha))
    asked = settings.asked if isinstance(settings.asked, int) else len(colors)
    return Choice(asked, fitted.palette, metrics, size, small)


def _png(fitted: Fit, shown: NDArray[Any], alpha: NDArray[np.uint8] | None) -> bytes:
    """The quantized image as a job would write it."""
    canvas = Canvas.of_whole(shown.shape, fitted.palette.colors, alpha, {"quantized": "png"})
    [(_, data)] = canvas.files(shown, shown, alpha, NOTHING, overviews=False)
    return data


def _small(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    shrinking = Shrinking(0, height, width, shrink_factor(height, width, SIDE))
    shrinking.add(0, 0, pixels, alpha)
    small: NDArray[np.uint8] = join_shrunk([(0, shrinking.sums)], height, width, shrinking.factor)
    return small
