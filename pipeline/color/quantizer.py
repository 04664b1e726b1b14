"""count → fit → map, for an array."""

import logging
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.checks import require_whole
from pipeline.color.codebook import MAX_COLORS, Method
from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.dither import dither as dithered
from pipeline.color.dynamic import Dynamic
from pipeline.color.given import GivenPalette
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import Fit, fit_palette, paint, show
from pipeline.color.palette import Palette
from pipeline.color.sampled import Sampled
from pipeline.color.target import MEASURES, Target
from pipeline.color.warmup import announced, warm_up


@dataclass(frozen=True, eq=False)
class Quantized:
    """An image in few colours.

    labels : (height, width) uint8, or uint16 beyond 256 values: index into the palette;
    fully transparent pixels have the index after the last. alpha : (height, width) uint8, or None
    if every pixel is opaque. shown : the labels, or what dithering has made of them. fit, counts :
    what was fitted to what.

    `labels_`, `cluster_centers_`, `inertia_` and `n_iter_` are in the shapes of scikit-learn's
    `KMeans` after a fit to the visible pixels, `image[alpha > 0]`.
    """

    labels: NDArray[Any]
    alpha: NDArray[np.uint8] | None
    shown: NDArray[Any]
    fit: Fit
    counts: ColorCounts

    @property
    def palette(self) -> Palette:
        """The colours, most frequent first."""
        return self.fit.palette

    @property
    def image(self) -> NDArray[np.uint8]:
        """The quantized image, (height, width, 3) uint8, or 4 with alpha; transparent pixels are 0."""
        return show(self.shown, self.palette.colors, self.alpha)

    @property
    def mse(self) -> float:
        """Squared RGB distance to the palette's colours, summed over channels, mean over visible pixels."""
        return self.fit.squared_error / self.counts.total

    @property
    def labels_(self) -> NDArray[np.int32]:
        """Label of each visible pixel (n,), row by row; `cv2.kmeans` has them as (n, 1)."""
        visible = self.labels if self.alpha is None else self.labels[self.alpha > 0]
        return visible.reshape(-1).astype(np.int32)

    @property
    def cluster_centers_(self) -> NDArray[np.float64]:
        """The palette's colours (k, 3), in sRGB levels: the labels are the nearest of these."""
        return self.palette.colors.astype(np.float64)

    @property
    def inertia_(self) -> float:
        """Σ squared distance to these centres (OpenCV: compactness), in units of the space."""
        return self.fit.inertia

    @property
    def n_iter_(self) -> int:
        """Steps on the exact colours."""
        return self.fit.iterations


def quantize(
    image: Any, colors: Any = 16, *, method: str = "kmeans", dither: str = "none", **settings: Any
) -> Quantized:
    """Reduce an image to the `colors` colours that fit it best.

    Parameters
    ----------
    image : (height, width, 3) or (height, width, 4) uint8 array, or PIL image
        sRGB with straight alpha. It is not modified.
    colors : int, 1 to 65,536, or "auto", or (k, 3) uint8 array
        An image with fewer distinct colours keeps them all, and is reproduced exactly. "auto": as few
        as reach the target given as `psnr`, `mse` or `delta_e_p95`. An array is a palette to use as
        it is, such as `read_palette` gives. Of no account to "dynamic".
    method : "kmeans", "minibatch", "dynamic" or "palette"
    dither : "none", "floyd-steinberg" or "ordered"
        Of `image`; `labels` are never dithered.
    **settings
        Of `KMeans` (init, attempts, max_iter, tol, eps, seed, color_space, small_areas), of `Sampled`
        (batch_pixels, refine), of `Dynamic` (threshold, metric, split_on, …) or of `GivenPalette`
        (color_space, metric); `max_colors` with "auto".

    Returns
    -------
    Quantized
        From k-means with exactly `colors` palette entries (or all the image has), each used.

    Raises
    ------
    ValueError
        If the image has another shape or type, or no pixel that is not fully transparent, or a
        setting is unknown or out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from pipeline import quantize
    >>> row = np.array([[[0, 0, 0], [2, 2, 2], [250, 0, 0]]], np.uint8)
    >>> result = quantize(row, colors=2)
    >>> result.palette.hex, result.labels.tolist(), round(result.mse, 3)
    (['#010101', '#fa0000'], [[0, 0, 1]], 2.0)
    >>> quantize(row, method="dynamic", threshold=5).palette.hex
    ['#010101', '#fa0000']
    """
    pixels, alpha = _split(image)
    wanted = _method(colors, method, settings)
    _get_ready(type(wanted), dither)
    counts = count_colors(pixels, alpha)
    fitted = fit_palette(counts, wanted)
    labels = paint(pixels, alpha, counts, fitted)
    shown = labels if dither == "none" else dithered(pixels, alpha, fitted.palette.colors, dither)
    return Quantized(labels, alpha, shown, fitted, counts)


_METHODS = ("kmeans", "minibatch", "dynamic", "palette")


def _method(colors: Any, method: str, settings: dict[str, Any]) -> Method:
    """The method for these settings."""
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
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
        targets = [(measure, settings.pop(measure)) for measure in MEASURES if measure in settings]
        if len(targets) != 1 or method != "kmeans":
            raise ValueError(f"colors='auto' is for method='kmeans' with one of {', '.join(MEASURES)}")
        most = settings.pop("max_colors", 256)
        require_whole("max_colors", most, 1, MAX_COLORS)
        return Target(*targets[0], KMeans(most, **_known(settings, KMeans, "max_colors", *MEASURES)))
    if method == "minibatch":
        batches = {name: settings.pop(name) for name in ("batch_pixels", "refine") if name in settings}
        return Sampled(KMeans(colors, **_known(settings, KMeans, "batch_pixels", "refine")), **batches)
    return KMeans(colors, **_known(settings, KMeans))


def _known(settings: dict[str, Any], kind: type, *more: str) -> dict[str, Any]:
    """The settings, all of which a kind of method has; `more` are known too."""
    names = [*(each.name for each in fields(kind) if each.name not in ("colors", "kmeans")), *more]
    for name in settings:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise ValueError(f"unknown setting {name!r}; {hint}")
    return settings


@cache
def _get_ready(kind: type[Method], dither: str) -> None:
    """Before the first image of a kind: compiling is announced, not a silent pause."""
    levels = np.arange(64 * 3, dtype=np.uint8).reshape(8, 8, 3)
    with announced(logging.getLogger("segpipe").warning):
        warm_up()
        others: list[Method] = [Dynamic(5.0), GivenPalette(levels[0]), Sampled(KMeans(2))]
        for method in others:
            if type(method) is kind:
                fit_palette(count_colors(levels), method)
        if dither != "none":
            dithered(levels, None, levels[0], dither)


def _split(image: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Colours (height, width, 3), contiguous, and alpha or None if there is none or all is opaque."""
    if hasattr(image, "getbands"):  # a PIL image
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"expected a PIL image of 8 bits a channel, found mode {image.mode}; scale it")
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.dtype != np.uint8:
        raise ValueError(
            f"expected a uint8 array of shape (height, width, 3) or (height, width, 4) or a PIL image, "
            f"found shape {array.shape} of {array.dtype}"
        )
    alpha = np.ascontiguousarray(array[:, :, 3]) if array.shape[2] == 4 else None
    opaque = alpha is None or bool((alpha == 255).all())
    return np.ascontiguousarray(array[:, :, :3]), None if opaque else alpha
