"""The files made of one image: quantized image, label map, palettes, regions."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from pipeline.color.clusters import describe_clusters
from pipeline.color.counts import ColorCounts
from pipeline.color.dither import dither
from pipeline.color.mapping import Fit, paint, show
from pipeline.color.metrics import Metrics
from pipeline.color.names import css_names
from pipeline.color.regions import draw_boundaries, find_regions, merge_specks
from pipeline.color.shrinking import shrink_factor
from pipeline.color.similarity import similarity
from pipeline.errors import UnsupportedImage
from pipeline.files import exports, png
from pipeline.files.geotags import NOTHING, Carried, carried_tags
from pipeline.files.headers import Header
from pipeline.files.images import Raster
from pipeline.files.tables import regions_csv
from pipeline.jobs.canvas import Canvas
from pipeline.jobs.comparisons import Views, comparison_file
from pipeline.jobs.previews import Previews, Product, preview_files
from pipeline.jobs.records import RegionFacts
from pipeline.jobs.settings import Settings
from pipeline.jobs.spec_sections import Comparison
from pipeline.jobs.thumbnails import Thumbnails, thumbnail


@dataclass(frozen=True, eq=False)
class Mapped:
    """What came of counting and fitting one image."""

    key: str
    raster: Raster
    counts: ColorCounts
    fitted: Fit
    metrics: Metrics


class Made(NamedTuple):
    """All output files of an image, and what was found in making them, if it was asked for."""

    products: list[Product]
    ssim: float | None
    regions: RegionFacts | None


def make_products(settings: Settings, result: Mapped) -> Made:
    """Map the image and write all the files that the job wants of it, in memory."""
    labels = paint(result.raster.pixels, result.raster.alpha, result.counts, result.fitted)
    shown = labels
    if settings.dither != "none":
        colors = result.fitted.palette.colors
        shown = dither(result.raster.pixels, result.raster.alpha, colors, settings.dither)
    products = _pictures(settings, result, labels, shown)
    if settings.preview:
        products += _previews(settings.preview, result, shown)
    if settings.thumbnail:
        products.append(_thumbnail(result, labels, shown))
    clear = int((result.raster.alpha == 0).sum()) if result.raster.alpha is not None else 0
    about = about_image(settings, result.key, result.counts, result.fitted, clear)
    source = PaletteSource(result.key, about, result.counts, result.fitted)
    products += palette_files(settings, f"palettes/{result.key}", "palette", source)
    ssim = None
    if settings.ssim:
        painted = show(shown, result.fitted.palette.colors, None)
        ssim = similarity(result.raster.pixels, painted, result.raster.alpha)
    regions, segments = None, labels
    if settings.regions_from is not None:
        segments = merge_specks(labels, settings.regions_from, len(result.fitted.palette))
        regions, more = _regions(settings, result, labels, segments)
        products += more
    if settings.comparison is not None:
        products.append(_comparison(settings.comparison, result, shown, segments))
    return Made(products, ssim, regions)


def _pictures(settings: Settings, result: Mapped, labels: NDArray[Any], shown: NDArray[Any]) -> list[Product]:
    """Quantized image and label map. shown : the label map, or the dithered places in the palette."""
    alpha = result.raster.alpha
    canvas = Canvas.of_whole(labels.shape, result.fitted.palette.colors, alpha, settings.pictures)
    carried = carried_for(settings, result.key, result.raster.header)
    files = canvas.files(labels, shown, alpha, carried, overviews=settings.overviews)
    return [Product(picture, canvas.path(picture, result.key), data) for picture, data in files]


def _previews(side: int, result: Mapped, shown: NDArray[Any]) -> list[Product]:
    height, width = shown.shape
    shrinking = Previews(0, height, width, shrink_factor(height, width, side))
    shrinking.add_image(0, 0, result.raster.pixels, result.raster.alpha)
    shrinking.add_quantized(shown, result.fitted.palette.colors, result.raster.alpha)
    return preview_files(result.key, [shrinking.arrays], height, width, shrinking.factor)


def _thumbnail(result: Mapped, labels: NDArray[Any], shown: NDArray[Any]) -> Product:
    height, width = labels.shape
    small = Thumbnails(0, height, height, width)
    small.add_image(0, 0, result.raster.pixels, result.raster.alpha)
    small.add_labels(labels, shown, result.fitted.palette.colors, result.raster.alpha)
    return thumbnail(result.key, [small.arrays], height, width)


def _comparison(wanted: Comparison, result: Mapped, shown: NDArray[Any], segments: NDArray[Any]) -> Product:
    height, width = shown.shape
    views = Views(wanted, 0, height, (height, width))
    views.add_image(0, 0, result.raster.pixels, result.raster.alpha)
    palette = result.fitted.palette
    views.add_result(shown, segments, palette.colors, result.raster.alpha)
    return comparison_file(result.key, wanted, [views.arrays], (height, width), (palette, result.metrics))


def carried_for(settings: Settings, key: str, header: Header) -> Carried:
    """What TIFF outputs take over from an image: where on Earth it lies, and its resolution."""
    if header.format != "tiff" or "tiff" not in settings.pictures.values():
        return NOTHING
    return carried_tags(settings.input_root / key)


class Telling(Protocol):
    """What is told of how a palette was found, and whether its tree is; of a job, its settings."""

    @property
    def about(self) -> dict[str, Any]:
        """The method and what it was asked for."""

    @property
    def tree(self) -> bool:
        """Whether the tree of a dynamic palette is told."""


class PaletteSource(NamedTuple):
    """A palette with all that its files tell: title, head of the JSON, counts and their fit."""

    title: str
    about: dict[str, Any]
    counts: ColorCounts
    fitted: Fit


def palette_files(settings: Settings, path: str, kind: str, source: PaletteSource) -> list[Product]:
    """The files that a job wants of a palette, as `path` with an ending."""
    palette = source.fitted.palette
    if "act" in settings.palettes and len(palette) > 256:  # one that is kept from before
        raise UnsupportedImage(
            f"{source.title}: expected at most 256 colours for a palette file of the format act, found "
            f"{len(palette)}; leave act out of output.palette.formats"
        )
    names = css_names(palette.colors) if settings.names else None
    products = []
    for ending in exports.FORMATS:
        if ending == "json" and ending in settings.palettes:
            products.append(Product(kind, f"{path}.json", palette_record(source, names)))
        elif ending in settings.palettes:
            data = exports.exported(ending, source.title, palette, names)
            products.append(Product(f"{kind}_{ending}", f"{path}.{ending}", data))
    return products


def palette_record(source: PaletteSource, names: list[str] | None) -> bytes:
    """The JSON of a palette: all that is known of it."""
    clusters = describe_clusters(source.counts, source.fitted.labels, len(source.fitted.palette))
    return exports.palette_json(source.about, source.fitted.palette, clusters, names)


def about_image(settings: Telling, key: str, counts: ColorCounts, fitted: Fit, clear: int) -> dict[str, Any]:
    """The head of an image's palette JSON. clear : its fully transparent pixels, which have a label too."""
    return {
        "image": key,
        **about_fit(settings, counts, fitted),
        "transparent": {"label": len(fitted.palette), "count": clear} if clear else None,
        "mse": round(fitted.squared_error / counts.total, 6),
    }


def about_fit(settings: Telling, counts: ColorCounts, fitted: Fit) -> dict[str, Any]:
    """What a palette JSON says of its fit."""
    findings = {name: value for name, value in fitted.findings.items() if name != "tree" or settings.tree}
    return {
        **settings.about,
        "colors_found": len(fitted.palette),
        "pixels": counts.total,
        "distinct_colors": len(counts),
        "inertia": fitted.compactness,
        "iterations": fitted.iterations,
        "converged": fitted.converged,
        **findings,
    }


def _regions(
    settings: Settings, result: Mapped, labels: NDArray[Any], merged: NDArray[Any]
) -> tuple[RegionFacts, list[Product]]:
    """The label map without specks, `merged`, and what else is wanted of its regions."""
    pixels, key = result.raster.pixels, result.key
    found = find_regions(merged, pixels, len(result.fitted.palette))
    products = [Product("regions", f"regions/{key}.png", png.grey(png.compress(merged, 8 * merged.itemsize)))]
    if settings.table:
        products.append(Product("regions_csv", f"regions/{key}.csv", regions_csv(found)))
    if settings.boundaries:
        drawn = png.truecolor(draw_boundaries(pixels, merged))
        products.append(Product("boundaries", f"boundaries/{key}.png", drawn))
    return RegionFacts(len(found), int((merged != labels).sum())), products
