"""What quantizing an image gives: labels, palette, image, and how good they are."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.codebook import Method
from pipeline.color.counts import ColorCounts
from pipeline.color.mapping import Fit, fit_palette, show
from pipeline.library.htmls import palette_html, picture_html
from pipeline.library.palettes import Palette, palette_of
from pipeline.library.pictures import Picture, Whole

_LARGEST = 512  # pixels of a side that a notebook shows
_INDEXED = 256


@dataclass(frozen=True, eq=False, repr=False)
class Quantized:
    """An image in few colours; `quantize` and `apply_palette` make it.

    Of a NumPy array or PIL image all arrays are NumPy's. Of a dask array they are dask arrays of the same
    chunks, computed when asked for. Of an `xarray.DataArray` `labels` and `image` are DataArrays with its
    coordinates.

    Attributes
    ----------
    label_map : array
        The labels as a plain array, NumPy's or dask's.
    shown : array
        The same, or what dithering has made of it.
    picture : Picture
        The image itself.
    method : Method
        What found the palette; it holds its settings.
    colors : (k, 3) uint8 array
        The palette's, in its order.
    found : tuple of Fit and ColorCounts, or None
        What was fitted, and to which counts; None while a dask array is still to be counted.

    Notes
    -----
    `labels_`, `cluster_centers_`, `inertia_` and `n_iter_` are in the shapes of scikit-learn's
    `KMeans` after a fit to the visible pixels, `image[alpha > 0]`.

    What `apply_palette` made of a dask array is counted, chunk by chunk, when one of `palette`, `counts`,
    `fit`, `mse` and `inertia_` is first asked for.
    """

    label_map: Any
    shown: Any
    picture: Picture
    method: Method
    colors: NDArray[np.uint8]
    found: tuple[Fit, ColorCounts] | None

    @property
    def labels(self) -> Any:
        """Places in the palette, (height, width) uint8, or uint16 beyond 256 values.

        Fully transparent pixels have the one after the last. Never dithered.
        """
        labels = self.picture.labels
        return self.label_map if labels is None else labels.label_map(self.label_map)

    @property
    def image(self) -> Any:
        """The quantized image, (height, width, 3) uint8, or 4 with alpha; transparent pixels are 0."""
        image = self.picture.show(self.shown, self.colors)
        labels = self.picture.labels
        return image if labels is None else labels.image(image)

    @property
    def alpha(self) -> Any:
        """Alpha (height, width) uint8, or None if every pixel is opaque."""
        return self.picture.alpha

    @property
    def palette(self) -> Palette:
        """The colours, most frequent first, or in the order they were given."""
        return palette_of(self.fit, self.method)

    @property
    def fit(self) -> Fit:
        """What was fitted, or assigned, to the counts."""
        return self._measured[0]

    @property
    def counts(self) -> ColorCounts:
        """The distinct colours of the visible pixels."""
        return self._measured[1]

    @property
    def mse(self) -> float:
        """Squared RGB distance to the palette's colours, summed over channels, mean over visible pixels."""
        return self.fit.squared_error / self.counts.total

    @property
    def labels_(self) -> Any:
        """Label of each visible pixel (n,) int32, row by row; `cv2.kmeans` has them as (n, 1)."""
        alpha = self.alpha
        visible = self.label_map.reshape(-1) if alpha is None else self.label_map[alpha > 0]
        return visible.astype(np.int32)

    @property
    def cluster_centers_(self) -> NDArray[np.float64]:
        """The palette's colours (k, 3), in sRGB levels: the labels are the nearest of these."""
        return self.colors.astype(np.float64)

    @property
    def inertia_(self) -> float:
        """Σ squared distance to these centres (OpenCV: compactness), in units of the space."""
        return self.fit.inertia

    @property
    def n_iter_(self) -> int:
        """Steps on the exact colours."""
        return self.fit.iterations

    @cached_property
    def _measured(self) -> tuple[Fit, ColorCounts]:
        if self.found is not None:
            return self.found
        counts = self.picture.count()
        return fit_palette(counts, self.method), counts

    def __repr__(self) -> str:
        height, width = self.label_map.shape
        mse = "" if self.found is None else f", MSE {self.mse:.4g}"
        return f"<Quantized {width} × {height}, {len(self.colors)} colours{mse}>"

    def _repr_html_(self) -> str:
        """Show it in a notebook: the image, made smaller, and its palette. Of dask nothing is computed."""
        height, width = self.label_map.shape
        facts: list[tuple[str, Any]] = [("pixels", f"{width:,} × {height:,}"), ("colours", len(self.colors))]
        counts = None
        if self.found is not None:
            facts.append(("MSE", f"{self.mse:.4g}"))
            counts = self.fit.palette.counts
        return picture_html(self._repr_png_(), facts, palette_html(self.colors, counts))

    def _repr_png_(self) -> bytes | None:
        """The image as a PNG, of every nth pixel if it is large; None of dask arrays."""
        if not isinstance(self.picture, Whole):
            return None
        from pipeline.files import png

        step = -(-max(self.label_map.shape) // _LARGEST)
        shown = np.ascontiguousarray(self.shown[::step, ::step])
        alpha = self.picture.alpha
        if alpha is not None:
            alpha = np.ascontiguousarray(alpha[::step, ::step])
        values = len(self.colors) + (alpha is not None)
        if values > _INDEXED or (alpha is not None and bool(((alpha > 0) & (alpha < 255)).any())):
            return png.truecolor(show(shown, self.colors, alpha))
        samples = png.compress(shown, png.smallest_depth(values))
        return png.indexed(samples, self.colors, alpha is not None)
