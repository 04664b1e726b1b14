"""count → fit → map for images of any kind: quantize, fit a palette to some, apply it to others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import ColorCounts
from pipeline.color.dither import METHODS as DITHERS
from pipeline.color.dynamic import Dynamic
from pipeline.color.given import GivenPalette, Shareable
from pipeline.color.mapping import fit_palette as fit_counts
from pipeline.color.methods import get_ready, method_of
from pipeline.library.palettes import Palette, palette_of
from pipeline.library.pictures import Picture, picture_of, pictures_of
from pipeline.library.quantized import Quantized


def quantize(
    image: Any, colors: Any = 16, *, method: str = "kmeans", dither: str = "none", **settings: Any
) -> Quantized:
    """Reduce an image to the `colors` colours that fit it best.

    Parameters
    ----------
    image : array, PIL image, xarray.DataArray or dask array
        uint8 (height, width, 3) or (height, width, 4), sRGB with straight alpha; or (height, width), grey; or
        floats of these shapes from 0 to 1, where NaN is transparent. A PIL image of any mode is brought to
        that as files are: by its ICC profile, 16 bits by the high byte; only its EXIF orientation is not
        applied. A DataArray has a dimension of channels named band or channel, in any place. It is not
        modified.
    colors : int, 1 to 65,536, or "auto", or (k, 3) uint8 array
        An image with fewer distinct colours keeps them all, and is reproduced exactly. "auto": as few
        as reach the target given as `psnr`, `mse` or `delta_e_p95`. An array is a palette to use as
        it is, such as `read_palette` gives. Of no account to "dynamic".
    method : "kmeans", "minibatch", "dynamic" or "palette"
    dither : "none", "floyd-steinberg" or "ordered"
        Of `image`; `labels` are never dithered. Dask arrays can have "ordered" only.
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

    See Also
    --------
    fit_palette, apply_palette : The two halves of it, for a palette that images share.

    Notes
    -----
    Distinct colours are counted exactly; weighted k-means runs on the counts, from variance cuts [1]_ and
    greedy k-means++ [2]_, by Lloyd's steps [3]_ on an octree [4]_. Sums are integers and chance is seeded:
    the same image gives the same palette on any machine. Mini-batches are [5]_'s.

    A dask array is read once, chunk by chunk, to count; its labels come back as a dask array of the same
    chunks and values as NumPy's would be.

    References
    ----------
    .. [1] X. Wu, "Color quantization by dynamic programming and principal analysis", ACM Transactions on
       Graphics 11(4), 1992.
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    .. [3] S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2), 1982.
    .. [4] T. Kanungo et al., "An efficient k-means clustering algorithm", IEEE PAMI 24(7), 2002.
    .. [5] D. Sculley, "Web-scale k-means clustering", WWW 2010.

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
    >>> quantize(np.array([[0.0, 0.5, 1.0]]), colors=3).palette.hex
    ['#000000', '#808080', '#ffffff']
    """
    picture = picture_of(image)
    _require_dither(dither, picture)
    wanted = method_of(colors, method, settings)
    get_ready(type(wanted), dither)
    counts = picture.count()
    fitted = fit_counts(counts, wanted)
    labels = picture.paint(counts, fitted)
    found = fitted.palette.colors
    shown = labels if dither == "none" else picture.dither(found, dither)
    return Quantized(labels, shown, picture, wanted, found, (fitted, counts))


def fit_palette(images: Any, colors: Any = 16, *, method: str = "kmeans", **settings: Any) -> Palette:
    """Find the palette that fits an image, or many together, best.

    Parameters
    ----------
    images : an image of any kind that `quantize` takes, or an iterable of such
        They are counted one after the other, and only one is held at a time: a generator that opens files
        will do for any number of them.
    colors, method, **settings
        As in `quantize`; "dynamic" finds a palette in which no colour is farther than `threshold` from the
        nearest entry by `metric`.

    Returns
    -------
    Palette
        In order of count; it remembers the `color_space` or `metric` by which colours are near.

    Raises
    ------
    TypeError
        If `images` is neither an image nor an iterable.
    ValueError
        As `quantize` does, and if there are no images.

    See Also
    --------
    apply_palette : To paint images with it.

    Notes
    -----
    Counts of colours add up, so neither the order of the images nor how they are parted into chunks changes
    the palette. A large image counts for more than a small one. For the algorithm see `quantize` [1]_.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from pipeline import fit_palette
    >>> night = np.full((2, 3, 3), (0, 0, 64), np.uint8)
    >>> day = np.full((2, 2, 3), (255, 240, 200), np.uint8)
    >>> palette = fit_palette([night, day], colors=2)
    >>> palette.hex, palette.counts.tolist()
    (['#000040', '#fff0c8'], [6, 4])
    """
    wanted = method_of(colors, method, settings)
    if isinstance(wanted, Dynamic):
        wanted = Shareable(wanted)
    get_ready(type(wanted), "none")
    counts, seen = ColorCounts.of_nothing(), 0
    for picture in pictures_of(images):
        counts += picture.count()
        seen += 1
    if not seen:
        raise ValueError("expected an image or more, found none")
    return palette_of(fit_counts(counts, wanted), wanted)


def apply_palette(
    image: Any,
    palette: Palette | NDArray[np.uint8],
    *,
    dither: str = "none",
    color_space: str | None = None,
    metric: str | None = None,
) -> Quantized:
    """Give every pixel the nearest colour of a palette.

    Parameters
    ----------
    image : array, PIL image, xarray.DataArray or dask array
        As in `quantize`.
    palette : Palette, or (k, 3) uint8 array
        From `fit_palette`, from an earlier `Quantized`, or an array such as `read_palette` gives.
    dither : "none", "floyd-steinberg" or "ordered"
        Of `image`; `labels` are never dithered. Dask arrays can have "ordered" only.
    color_space : "srgb", "linear", "lab" or "oklab", optional
        Where distances are measured; by default where the palette was fitted, and "srgb" for an array.
    metric : "redmean", "oklab", "cie76" or "ciede2000", optional
        To measure by that instead.

    Returns
    -------
    Quantized
        Its palette has the same colours in the same order, and this image's counts.

    Raises
    ------
    TypeError
        If the palette is neither a `Palette` nor an array.
    ValueError
        If the image or the palette has another shape or type, or a setting is none of these.

    See Also
    --------
    fit_palette : To find a palette.
    quantize : Both at once.

    Notes
    -----
    Of equally near colours the first is taken. A dask array is not read before its labels are: each chunk is
    counted and painted by itself. Errors are diffused as by [1]_, thresholds are those of [2]_.

    References
    ----------
    .. [1] R. W. Floyd and L. Steinberg, "An adaptive algorithm for spatial grey scale", Proceedings of the
       Society of Information Display 17(2), 1976.
    .. [2] B. E. Bayer, "An optimum method for two-level rendition of continuous-tone pictures", ICC 1973.

    Examples
    --------
    >>> import numpy as np
    >>> from pipeline import apply_palette
    >>> flag = np.array([[0, 0, 0], [255, 0, 0], [255, 255, 0]], np.uint8)
    >>> image = np.array([[[10, 0, 0], [200, 30, 0], [250, 250, 10]]], np.uint8)
    >>> result = apply_palette(image, flag)
    >>> result.labels.tolist(), result.palette.counts.tolist()
    ([[0, 1, 2]], [1, 1, 1])
    """
    picture = picture_of(image)
    _require_dither(dither, picture)
    colors, space = palette, color_space or "srgb"
    if isinstance(palette, Palette):
        colors = palette.colors
        if color_space is None:
            space, metric = palette.color_space, metric or palette.metric
    if not isinstance(colors, np.ndarray):
        raise TypeError(
            f"expected a Palette or an array (k, 3) of uint8, found {type(palette).__name__}; "
            "read_palette makes one of a file"
        )
    wanted = GivenPalette(colors, space, metric)
    get_ready(GivenPalette, dither)
    labels, found = picture.match(wanted, len(colors))
    shown = labels if dither == "none" else picture.dither(colors, dither)
    return Quantized(labels, shown, picture, wanted, colors, found)


def _require_dither(method: str, picture: Picture) -> None:
    if method not in ("none", *DITHERS):
        raise ValueError(f"expected a dithering method out of none, {', '.join(DITHERS)}; found {method!r}")
    picture.require_dither(method)
