"""The recipe: the part of a job that can change an image's outputs, and its digest.

An image whose bytes and recipe are those of the last run needs no work. What cannot change an
output (workers, folders, which images) has no place in it; what can, has to be in it.
"""

import hashlib
import json
from typing import Any

from pipeline.jobs.spec import JobSpec

ALGORITHM_VERSION = 1
"""Raised by hand whenever the same recipe would give other bytes: a change in counting, fitting,
mapping or encoding. All images are then done anew, with "algorithm changed" as the reason."""


def recipe(spec: JobSpec) -> dict[str, Any]:
    """Return the recipe under dotted keys, such as ``{"quantize.colors": 16, …}``.

    Values are plain JSON. Two jobs that mean the same outputs have equal recipes.
    """
    found: dict[str, Any] = {"algorithm": ALGORITHM_VERSION}
    found |= _flat("quantize", spec.quantize.model_dump())
    found |= _flat("output", spec.output.model_dump(exclude={"root"}))
    found["output.palette.formats"] = sorted(set(spec.output.palette.formats))
    if spec.quantize.alpha != "flatten":
        del found["quantize.background"]
    return found


def recipe_digest(recipe: dict[str, Any]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of the recipe's canonical JSON."""
    canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _flat(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {key: value}
    return {
        name: leaf for below, inner in value.items() for name, leaf in _flat(f"{key}.{below}", inner).items()
    }
