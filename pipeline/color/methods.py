"""The methods by the names and settings that Python programs give them."""

import logging
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np

from pipeline.color.checks import require_whole
from pipeline.color.codebook import MAX_COLORS, Method
from pipeline.color.counts import count_colors
from pipeline.color.dither import dither as dithered
from pipeline.color.dynamic import Dynamic
from pipeline.color.given import GivenPalette, Shareable
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette
from pipeline.color.sampled import Sampled
from pipeline.color.target import MEASURES, Target
from pipeline.color.warmup import announced, warm_up

METHODS = ("kmeans", "minibatch", "dynamic", "palette")


def method_of(colors: Any, method: str, settings: dict[str, Any]) -> Method:
    """The method for these settings. Raises ValueError if one is unknown or out of its range."""
    settings = dict(settings)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    given = isinstance(colors, np.ndarray) and colors.ndim
    if method == "palette" and not given:
        raise ValueError(f"method 'palette' needs colors, an array (k, 3) of uint8, not {colors!r}")
    if given and method in ("minibatch", "dynamic"):
        raise ValueError(f"an array of colors is for method 'palette', not {method!r}")
    if method == "dynamic":
        return Dynamic(**_known(settings, Dynamic))
    if given:
        return GivenPalette(colors, **_known(settings, GivenPalette))
    if isinstance(colors, str) and colors == "auto":
        return _target(method, settings)
    if method == "minibatch":
        batches = {name: settings.pop(name) for name in ("batch_pixels", "refine") if name in settings}
        return Sampled(KMeans(colors, **_known(settings, KMeans, "batch_pixels", "refine")), **batches)
    return KMeans(colors, **_known(settings, KMeans))


def metric_of(method: Method) -> str | None:
    """The metric by which a method tells what is near, if it is not the distance in a working space."""
    if isinstance(method, Shareable):
        return method.dynamic.metric
    return method.metric if isinstance(method, Dynamic | GivenPalette) else None


@cache
def get_ready(kind: type[Method], dither: str) -> None:
    """Before the first image of a kind: compiling is announced, not a silent pause."""
    levels = np.arange(64 * 3, dtype=np.uint8).reshape(8, 8, 3)
    with announced(logging.getLogger("segpipe").warning):
        warm_up()
        others: list[Method] = [
            Dynamic(5.0), Shareable(Dynamic(5.0)), GivenPalette(levels[0]), Sampled(KMeans(2))
        ]  # fmt: skip
        for method in others:
            if type(method) is kind:
                fit_palette(count_colors(levels), method)
        if dither != "none":
            dithered(levels, None, levels[0], dither)


def _target(method: str, settings: dict[str, Any]) -> Target:
    """As few colours as reach what is asked for."""
    targets = [(measure, settings.pop(measure)) for measure in MEASURES if measure in settings]
    if len(targets) != 1 or method != "kmeans":
        raise ValueError(f"colors='auto' is for method='kmeans' with one of {', '.join(MEASURES)}")
    most = settings.pop("max_colors", 256)
    require_whole("max_colors", most, 1, MAX_COLORS)
    return Target(*targets[0], KMeans(most, **_known(settings, KMeans, "max_colors", *MEASURES)))


def _known(settings: dict[str, Any], kind: type, *more: str) -> dict[str, Any]:
    """The settings, all of which a kind of method has; `more` are known too."""
    names = [*(each.name for each in fields(kind) if each.name not in ("colors", "kmeans")), *more]
    for name in settings:
        if name not in names:
            near = get_close_matches(name, [*names, "colors"], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise ValueError(f"unknown setting {name!r}; {hint}")
    return settings
