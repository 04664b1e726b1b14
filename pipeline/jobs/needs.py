"""What work on an image needs: memory, and whether all of its pixels at once."""

from typing import TYPE_CHECKING

from pipeline.files.png import band_rows
from pipeline.jobs.slabs import PATTERN_ROWS, SLAB_PIXELS
from pipeline.jobs.spec import JobSpec

if TYPE_CHECKING:
    from pipeline.files.layouts import Layout
    from pipeline.files.rasters import RasterLayout

WORKER_BYTES = 250_000_000
"""What a worker needs before it has read anything: the interpreter, its libraries, compiled loops."""

# Bytes a pixel, or a distinct colour, beyond what reading and quantizing take.
_REGIONS = 48
_ALL_REGIONS = 190
_SPLIT = 96

# Bytes a pixel of comparison pictures: of a small copy that they are made of, and of what is drawn.
_VIEWS = 180
_DRAWN = 18

# Of images that are done in windows: see `slabtasks`.
_PATCH_BYTES = (1 << 22) * 5
_TALLEST_PART = 512
_TABLES = 112 << 20
_MERGING = 128 << 20
_COUNTED = 12
_FITTING = {"kmeans": 36, "palette": 36, "minibatch": 46, "dynamic": 76}
_FITTING_WEIGHTED = 90

# Of rasters: see `rastertasks`.
RASTER_PATCH_BYTES = 32 << 20
RASTER_SAMPLE_BYTES = 128 << 20
RASTER_SAMPLE_PIXELS = 1 << 22
_BLOCKS = 64 << 20
_BLOCK_PIXELS = 1 << 16
_START_PIXELS = 1 << 17
_COPIES = 4  # of points in float64: as they are, in planes, and two on the way to scaled units


def window_bytes(layout: "Layout", spec: JobSpec) -> int:
    """Estimated memory of the costliest step of an image that is done in windows."""
    pixels = layout.height * layout.width
    formats = spec.output.quantized.format, spec.output.labels.format
    tallest = _TALLEST_PART if "tiff" in formats else max(PATTERN_ROWS, band_rows(layout.width, 1))
    slab = min(pixels, max(SLAB_PIXELS, layout.width * tallest))
    reading = layout.decoder_bytes + _PATCH_BYTES + slab * (8 + 2 * layout.alpha)
    distinct = min(pixels, 1 << 24)
    fitting = _FITTING_WEIGHTED if spec.quantize.small_areas else _FITTING[spec.quantize.method]
    mapping = reading + _TABLES + comparing_bytes(spec, pixels)
    return max(mapping, distinct * _COUNTED + max(_MERGING, distinct * fitting))


def needs_all(spec: JobSpec) -> str:
    """What of a job needs all pixels of an image at once, if anything."""
    if spec.quantize.dither == "floyd-steinberg":
        return "quantize.dither 'floyd-steinberg' needs the image whole"
    if spec.regions.wanted:
        return "regions need the image whole"
    return "output.ssim needs the image whole" if spec.output.ssim else ""


def extra_bytes(spec: JobSpec, pixels: int) -> int:
    """What a job asks beyond k-means, label map and quantized image takes in memory at most."""
    each = 2 * (spec.quantize.dither != "none") + 6 * spec.output.ssim
    if spec.regions.wanted:  # as they come, regions may be as many as pixels
        each += _REGIONS if spec.regions.min_area > 1 else _ALL_REGIONS
    distinct = min(pixels, 1 << 24) * (spec.quantize.method == "dynamic")
    return pixels * each + distinct * _SPLIT + comparing_bytes(spec, pixels)


def comparing_bytes(spec: JobSpec, pixels: int) -> int:
    """What comparison pictures of an image of so many pixels take in memory at most."""
    wanted = spec.output.comparison
    if wanted.layout == "none":
        return 0
    most = 2 * wanted.height**2
    return _VIEWS * min(pixels, most) + _DRAWN * most


def raster_bytes(layout: "RasterLayout", batch_pixels: int = _BLOCK_PIXELS) -> int:
    """Estimated memory of the costliest step of segmenting a raster."""
    pixels = layout.height * layout.width
    rows, cols = layout.unit
    whole = pixels * layout.pixel_bytes
    window = min(whole, max(RASTER_PATCH_BYTES, rows * cols * layout.pixel_bytes))
    slab = min(pixels, max(SLAB_PIXELS, layout.width * max(_TALLEST_PART, rows)))
    drawn = min(pixels, RASTER_SAMPLE_PIXELS, RASTER_SAMPLE_BYTES // layout.pixel_bytes)
    sample = drawn * layout.pixel_bytes
    point = _COPIES * 8 * layout.bands
    reading = layout.decoder_bytes + 2 * window + _BLOCKS + min(_BLOCK_PIXELS, pixels) * point
    fitting = _BLOCKS + (min(batch_pixels, drawn) + min(_START_PIXELS, drawn)) * point
    return max(reading + slab + 2 * sample, reading + 6 * slab, 2 * sample + fitting)
