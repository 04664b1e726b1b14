"""The palette that programs are given: one that a notebook shows."""

from dataclasses import dataclass
from functools import cached_property

from pipeline.color import palette as core
from pipeline.color.codebook import Method
from pipeline.color.mapping import Fit
from pipeline.color.methods import metric_of
from pipeline.library.htmls import palette_html


@dataclass(frozen=True, eq=False)
class Palette(core.Palette):
    """sRGB colours in order of count (descending), then darker first, then red, green, blue.

    A palette that was given keeps its own order.

    Attributes
    ----------
    colors : (k, 3) uint8 array
        sRGB, all distinct.
    counts : (k,) int64 array
        Pixels of each, of all images that it was fitted to.
    color_space : str
        Where it is told which colour is nearest: "srgb", "linear", "lab" or "oklab".
    metric : str or None
        To tell it by that instead; a threshold's palette ("dynamic") has one.

    Examples
    --------
    >>> import numpy as np
    >>> from pipeline import fit_palette
    >>> palette = fit_palette(np.array([[[0, 0, 0], [0, 0, 0], [255, 128, 0]]], np.uint8), colors=2)
    >>> palette.hex, palette.shares.round(2).tolist(), len(palette)
    (['#000000', '#ff8000'], [0.67, 0.33], 2)
    """

    color_space: str = "srgb"
    metric: str | None = None

    def _repr_html_(self) -> str:
        """Show it in a notebook: a bar as wide as the shares, and each colour's code and share."""
        return palette_html(self.colors, self.counts)

    def _repr_png_(self) -> bytes:
        """Show it where there are pictures but no HTML: numbered bars."""
        return self._png

    @cached_property
    def _png(self) -> bytes:
        from pipeline.files.bars import palette_png

        return palette_png(self)


def palette_of(fitted: Fit, method: Method) -> Palette:
    """The palette of a fit, which remembers by what it is told which colour is nearest."""
    found = fitted.palette
    return Palette(found.colors, found.counts, fitted.space, metric_of(method))
