"""The files made of one image: quantized image, label map, palettes."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.clusters import describe_clusters
from pipeline.color.counts import ColorCounts
from pipeline.color.mapping import Fit, paint
from pipeline.color.metrics import Metrics
from pipeline.files import exports, png
from pipeline.files.images import Raster
from pipeline.jobs.settings import Settings


@dataclass(frozen=True, eq=False)
class Result:
    """What came of counting and fitting one image."""

    key: str
    raster: Raster
    counts: ColorCounts
    fitted: Fit
    metrics: Metrics


class Product(NamedTuple):
    """One output file: what it is, where it goes below the output root, its bytes."""

    kind: str
    path: str
    data: bytes


def make_products(settings: Settings, result: Result) -> list[Product]:
    """Map the image and write all the files that the job wants of it, in memory."""
    return [*_pictures(settings, result), *_palettes(settings, result)]


def _pictures(settings: Settings, result: Result) -> list[Product]:
    """Quantized image and label map; with 8 bits a sample both hold the same stream, made once."""
    alpha = result.raster.alpha
    palette = result.fitted.palette
    labels = paint(result.raster.pixels, alpha, result.counts, result.fitted)
    clear = alpha is not None and not alpha.all()
    half = alpha is not None and bool(((alpha > 0) & (alpha < 255)).any())
    depth = png.smallest_depth(len(palette) + clear)
    samples = png.compress(labels, max(depth, 8)) if settings.labels else None
    products = []
    if settings.quantized:
        if half or depth == 16:  # more than an indexed PNG can say
            picture = png.truecolor(_painted(labels, palette.colors, alpha))
        else:
            shared = samples if samples and depth == 8 else png.compress(labels, depth)
            picture = png.indexed(shared, palette.colors, clear)
        products.append(Product("quantized", f"quantized/{result.key}.png", picture))
    if samples:
        products.append(Product("labels", f"labels/{result.key}.png", png.grey(samples)))
    return products


def _painted(
    labels: NDArray[Any], colors: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    image = np.concatenate([colors, np.zeros((1, 3), np.uint8)])[labels]
    return image if alpha is None else np.dstack([image, alpha])


def _palettes(settings: Settings, result: Result) -> list[Product]:
    palette = result.fitted.palette
    path = f"palettes/{result.key}"
    products = []
    if "json" in settings.palettes:
        clusters = describe_clusters(result.counts, result.fitted.labels, len(palette))
        data = exports.palette_json(_about(settings, result), palette, clusters)
        products.append(Product("palette", f"{path}.json", data))
    if "gpl" in settings.palettes:
        products.append(Product("palette_gpl", f"{path}.gpl", exports.palette_gpl(result.key, palette)))
    return products


def _about(settings: Settings, result: Result) -> dict[str, Any]:
    """The head of a palette JSON. Pixels of alpha 0 have the label after the last, if there are any."""
    alpha = result.raster.alpha
    clear = int((alpha == 0).sum()) if alpha is not None else 0
    return {
        "image": result.key,
        "method": settings.method,
        "color_space": settings.color_space,
        "colors_asked": settings.kmeans.colors,
        "colors_found": len(result.fitted.palette),
        "pixels": result.counts.total,
        "distinct_colors": len(result.counts),
        "transparent": {"label": len(result.fitted.palette), "count": clear} if clear else None,
        "inertia": result.fitted.inertia,
        "mse": result.metrics.mse,
        "seed": settings.kmeans.seed,
        "iterations": result.fitted.iterations,
        "converged": result.fitted.converged,
    }
