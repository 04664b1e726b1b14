"""The recipe: the part of a job that can change an image's outputs, and its digest.

An image whose bytes and recipe are those of the last run needs no work. What cannot change an
output (workers, folders, which images) has no place in it; what can, has to be in it.
"""

import hashlib
import json
from typing import Any

from pipeline.jobs.spec import JobSpec

ALGORITHM_VERSION = 4
"""Raised by hand whenever the same recipe would give other bytes: a change in counting, fitting,
mapping or encoding. All images are then done anew, with "algorithm changed" as the reason."""


_KEYS = {
    "kmeans": ("colors", "init", "attempts", "max_iter", "tol", "eps", "seed", "color_space", "small_areas"),
    "minibatch": (
        "colors",
        "batch_pixels",
        "refine",
        "max_iter",
        "tol",
        "eps",
        "seed",
        "color_space",
        "small_areas",
    ),
    "dynamic": ("threshold", "metric", "split_on", "criterion", "representative", "percentile", "max_colors"),
    "palette": ("palette", "color_space"),
    "segment": ("colors", "batch_pixels", "refine", "seed", "scale", "nodata"),
}
"""The keys of `quantize` that each method heeds."""

_OFF = {
    "quantize.dither": "none",
    "quantize.eps": 0.0,
    "quantize.scope": "image",
    "quantize.small_areas": 0.0,
    "output.overviews": False,
    "output.palette.names": "none",
    "output.palette.tree": False,
    "output.preview": None,
    "output.report": False,
    "output.ssim": False,
}
"""What has no effect and is left out, so that recipes of before these keys are recipes still."""

_OF_COLORS = (
    "quantize.alpha",
    "output.quantized.format",
    "output.palette.formats",
    "output.palette.names",
    "output.palette.tree",
    "output.preview",
)
"""What is of no account where there are no colours."""


def recipe(spec: JobSpec) -> dict[str, Any]:
    """Return the recipe under dotted keys, such as ``{"quantize.colors": 16, …}``.

    Values are plain JSON. Two jobs that mean the same outputs have equal recipes.
    """
    found: dict[str, Any] = {"algorithm": ALGORITHM_VERSION}
    found |= _flat("quantize", _of_quantize(spec))
    found |= _flat("output", spec.output.model_dump(exclude={"root"}))
    found["output.palette.formats"] = sorted(set(spec.output.palette.formats))
    if spec.output.comparison.layout == "none":
        del found["output.comparison.layout"], found["output.comparison.height"]
    if spec.quantize.method == "segment":
        return {key: value for key, value in found.items() if key not in _OF_COLORS and _matters(key, value)}
    if spec.regions.wanted:
        found |= _flat("regions", spec.regions.model_dump())
    if spec.quantize.method != "dynamic":
        del found["output.palette.tree"]
    return {key: value for key, value in found.items() if _matters(key, value)}


def _matters(key: str, value: Any) -> bool:
    return key not in _OFF or value != _OFF[key]


def recipe_digest(recipe: dict[str, Any]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of the recipe's canonical JSON."""
    canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _of_quantize(spec: JobSpec) -> dict[str, Any]:
    """The keys of the section that its method heeds; palette files are told by their colours."""
    quantize = spec.quantize
    auto = quantize.colors == "auto"
    heeded = _KEYS[quantize.method] + ("method", "scope", "dither", "alpha")
    heeded += ("max_colors",) * auto + ("background",) * (quantize.alpha == "flatten")
    found = quantize.model_dump(include=set(heeded))
    if auto:
        found["target"] = quantize.target.model_dump(exclude_none=True)
    for key, colors in (("init", quantize.initial_colors), ("palette", quantize.palette_colors)):
        if key in found and colors is not None:
            found[key] = "sha256:" + hashlib.sha256(colors.tobytes()).hexdigest()[:16]
    return found


def _flat(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {key: value}
    return {
        name: leaf for below, inner in value.items() for name, leaf in _flat(f"{key}.{below}", inner).items()
    }
