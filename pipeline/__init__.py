"""segpipe: quantize and segment images by colour. count → fit → map.

The house has four wings; each may import only those before it.

    errors    what can go wrong, and the exit code it ends in
    color/    maths on colours: arrays in, arrays out
    files/    reading and writing: paths, bytes and arrays
    jobs/     one run: job spec, plan, tasks, workers, manifest
    views/    what people look at
    cli.py    words ↔ functions

>>> from pipeline import quantize                  # doctest: +SKIP
>>> result = quantize(image, colors=16)            # doctest: +SKIP
>>> result.labels, result.palette, result.image, result.mse    # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Quantized", "Segmented", "kmeans", "quantize", "read_palette", "segment"]

_HOMES = {
    "Quantized": "color.quantizer",
    "Segmented": "color.rasters",
    "kmeans": "color.opencv",
    "quantize": "color.quantizer",
    "read_palette": "files.palettefiles",
    "segment": "color.rasters",
}

if TYPE_CHECKING:
    from pipeline.color.opencv import kmeans
    from pipeline.color.quantizer import Quantized, quantize
    from pipeline.color.rasters import Segmented, segment
    from pipeline.files.palettefiles import read_palette


def __getattr__(name: str) -> Any:
    """Load the public API when it is first asked for: the command line must start without numba."""
    if name in _HOMES:
        return getattr(import_module(f"pipeline.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
