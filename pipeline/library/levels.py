"""Arrays of any admitted kind brought to colour channels of 8 bits and alpha.

What becomes of each:

    uint8       (height, width), (height, width, 1)   grey
                (height, width, 3)                    sRGB
                (height, width, 4)                    sRGB with straight alpha
    floats      of the same shapes                    0 to 1 → 0 to 255, rounded to the nearest;
                                                      a pixel with NaN is transparent; anything
                                                      outside of 0 to 1 is refused, never stretched
    all others                                        refused: what 16 bits mean their owner knows
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 64  # that are brought to floats of 64 bits at a time

Split = tuple[NDArray[np.uint8], NDArray[np.uint8] | None]
"""Colours (height, width, 3), contiguous, and alpha (height, width), None when opaque throughout."""


def split(image: Any) -> Split:
    """Colours and alpha of an array. Raises ValueError if it is not as told above."""
    array = np.asarray(image)
    require_kind(array.shape, array.dtype)
    if array.ndim == 2:
        array = array[:, :, None]
    clear = None
    if array.dtype.kind == "f":
        array, clear = _of_floats(array)
    alpha = np.ascontiguousarray(array[:, :, 3]) if array.shape[2] == 4 else None
    if clear is not None:
        alpha = np.where(clear, 0, 255 if alpha is None else alpha).astype(np.uint8)
    if alpha is not None and bool((alpha == 255).all()):
        alpha = None
    colors = array[:, :, :3] if array.shape[2] > 1 else np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(colors), alpha


def require_kind(shape: tuple[int, ...], dtype: Any) -> None:
    """Raise ValueError unless an array of this shape and type is admitted."""
    fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    kind = np.dtype(dtype)
    if fits and (kind == np.uint8 or kind.kind == "f"):
        return
    deep = "; scale it to 8 bits first, as image >> 8 does to 16" if fits and kind.kind in "iu" else ""
    raise ValueError(
        "expected a uint8 array of shape (height, width, 3) or (height, width, 4), or (height, width) for "
        "grey, floats from 0 to 1 of these shapes, an xarray.DataArray, a dask array or a PIL image, "
        f"found shape {shape} of {kind}{deep}"
    )


def _of_floats(array: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """The levels of floats (height, width, channels), and which pixels hold NaN, None if there are none."""
    levels = np.empty(array.shape, np.uint8)
    clear = np.zeros(array.shape[:2], np.bool_)
    for top in range(0, len(array), _ROWS):
        values = array[top : top + _ROWS].astype(np.float64)
        clear[top : top + _ROWS] = np.isnan(values).any(axis=2)
        values[clear[top : top + _ROWS]] = 0
        if values.size and not 0 <= values.min() <= values.max() <= 1:
            raise ValueError(
                f"expected floats from 0 to 1, found values from {values.min():g} to {values.max():g}; "
                "scale them, or give uint8"
            )
        levels[top : top + _ROWS] = np.rint(values * 255)
    return levels, clear if clear.any() else None
