"""Palettes of a few images without a job: count → fit, one after another in this process."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.color.codebook import Method
from pipeline.color.counts import ColorCounts
from pipeline.color.mapping import fit_palette
from pipeline.color.warmup import warm_up_for
from pipeline.errors import ImageError, SpecError, TooMuchMemory
from pipeline.files.formats import FORMATS
from pipeline.files.images import read_image
from pipeline.jobs.counting import counts_of
from pipeline.jobs.products import PaletteSource, about_fit, about_image
from pipeline.jobs.settings import about_method, method_of
from pipeline.jobs.spec_quantize import Quantize
from pipeline.jobs.spec_sections import Input

_MOST_PIXELS = int(Input.model_fields["max_megapixels"].default * 1e6)


class Wish(NamedTuple):
    """How palettes are to be found: the method, and what is told of it."""

    method: Method
    about: dict[str, Any]
    tree: bool = False


class Refused(NamedTuple):
    """An image that has no palette, and why."""

    image: str
    error: ImageError


def wish_of(**quantize: Any) -> Wish:
    """Make a wish of keys of the section `quantize`; what is left out is as in a job."""
    threshold = quantize.get("threshold", 0)
    if not 0 <= threshold < float("inf"):
        raise SpecError(f"--threshold: expected a number of at least 0, found {threshold}; give another")
    section = Quantize.model_validate(quantize)
    return Wish(method_of(section), about_method(section))


def expect_images(images: Sequence[Path]) -> None:
    """Raise SpecError unless each of the paths is there and no folder."""
    for path in images:
        if path.is_dir():
            raise SpecError(
                f"{_name(path)}: expected an image, found a folder; name its images, or write a job for it: "
                "`segpipe init`"
            )
        if not path.exists():
            raise SpecError(f"{_name(path)}: expected an image, found none; check the path")


def palettes_of(
    images: Sequence[Path], wish: Wish, *, together: bool, announce: Callable[[str], None]
) -> Iterator[PaletteSource | Refused]:
    """Yield the palette of each image, or of all together at the end, and what came of the others.

    announce : told if the loops have to be compiled first.
    """
    warm_up_for(wish.method, announce)
    total, counted = ColorCounts.of_nothing(), []
    for path in images:
        name = _name(path)
        try:
            counts, clear = _count(path)
        except ImageError as error:
            yield Refused(name, error)
            continue
        if together:
            total += counts
            counted.append(name)
        else:
            fitted = fit_palette(counts, wish.method)
            yield PaletteSource(
                _name(Path(path.name)), about_image(wish, name, counts, fitted, clear), counts, fitted
            )
    if counted:
        fitted = fit_palette(total, wish.method)
        mse = round(fitted.squared_error / total.total, 6)
        about = {"images": counted, **about_fit(wish, total, fitted), "mse": mse}
        yield PaletteSource("palette", about, total, fitted)


def _count(path: Path) -> tuple[ColorCounts, int]:
    """The counts of an image, and its fully transparent pixels."""
    try:
        raster = read_image(path, tuple(FORMATS), _MOST_PIXELS)
        counts = counts_of(path.name, raster)
    except MemoryError as error:
        raise TooMuchMemory(
            f"{path.name}: expected memory for its pixels, found too little; let a job do it in windows"
        ) from error
    return counts, raster.pixels[..., 0].size - counts.total


def _name(path: Path) -> str:
    """A path as it can be written down."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
