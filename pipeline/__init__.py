"""segpipe: quantize and segment images by colour. count → fit → map.

The house has six wings; each may import only those before it.

    errors    what can go wrong, and the exit code it ends in
    color/    maths on colours: arrays in, arrays out
    files/    reading and writing: paths, bytes and arrays
    library/  what Python programs call: any image in, results that notebooks show
    jobs/     one run: job spec, plan, tasks, workers, manifest
    views/    what people look at
    commands/ words ↔ functions, a module a noun
    cli.py    the commands gathered, and how their errors end

>>> from pipeline import quantize                  # doctest: +SKIP
>>> result = quantize(image, colors=16)            # doctest: +SKIP
>>> result.labels, result.palette, result.image, result.mse    # doctest: +SKIP

`fit_palette` and `apply_palette` are its two halves; `segment` is for rasters of any depth; `kmeans` stands
in for `cv2.kmeans`, `ColorQuantizer` for scikit-learn's `KMeans`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "ColorQuantizer",
    "Palette",
    "Quantized",
    "Segmented",
    "apply_palette",
    "fit_palette",
    "kmeans",
    "quantize",
    "read_palette",
    "segment",
]

_HOMES = {
    "ColorQuantizer": "library.estimator",
    "Palette": "library.palettes",
    "Quantized": "library.quantized",
    "Segmented": "color.rasters",
    "apply_palette": "library.quantizer",
    "fit_palette": "library.quantizer",
    "kmeans": "color.opencv",
    "quantize": "library.quantizer",
    "read_palette": "files.palettefiles",
    "segment": "color.rasters",
}

if TYPE_CHECKING:
    from pipeline.color.opencv import kmeans
    from pipeline.color.rasters import Segmented, segment
    from pipeline.files.palettefiles import read_palette
    from pipeline.library.estimator import ColorQuantizer
    from pipeline.library.palettes import Palette
    from pipeline.library.quantized import Quantized
    from pipeline.library.quantizer import apply_palette, fit_palette, quantize
else:  # type checkers are to find out about names that are not there

    def __getattr__(name: str) -> Any:
        """Load the public API when it is first asked for: the command line must start without numba."""
        if name in _HOMES:
            return getattr(import_module(f"pipeline.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names that are loaded when asked for, too, for those who complete what they type."""
    return sorted({*globals(), *__all__})
