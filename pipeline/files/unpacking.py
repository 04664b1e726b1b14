"""Decoding one strip or tile of a TIFF.

most             by tifffile
LERC             may be packed once more; has masks for NaN and for an opaque or clear alpha, and
                 planes of its own when bands differ in where they are NaN: as libtiff writes it
JPEG in planes   each is grey, whatever colours the page has
"""

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

_JPEG, _LERC = 7, 34887
_LERC_PARAMETERS = 50674  # the version, and what the result is packed by
_PLAIN, _DEFLATE, _ZSTD = 0, 1, 2


def unpacked(page: Any, data: bytes, number: int) -> Any:
    """Decode a piece.

    Parameters
    ----------
    page : tifffile page
        Of which it is one.
    data : bytes
        What the file holds of it.
    number : int
        Its own, counted through all planes.

    Returns
    -------
    (1, rows, columns, channels) array in the machine's byte order
        At the picture's edge it may be smaller than other pieces.

    Raises
    ------
    Exception
        Whatever the decoder raises.
    """
    if page.compression == _LERC:
        return _lerc(page, data, number)
    if page.compression == _JPEG and page.planarconfig == 2:
        _, _, (_, rows, cols, _) = page.decode(None, number)
        grey = imagecodecs.jpeg_decode(data, tables=page.jpegtables, shape=(rows, cols))
        return np.asarray(grey).reshape(1, *grey.shape[:2], -1)
    return page.decode(data, number, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0]


def most_copies(page: Any) -> int:
    """How many times the size of a decoded piece is held at most while one is decoded."""
    return 6 if page.compression == _LERC else 3


def _lerc(page: Any, data: bytes | bytearray, number: int) -> NDArray[Any]:
    """Decode LERC with its masks."""
    _, _, (_, rows, cols, channels) = page.decode(None, number)
    packed = (page.tags.valueof(_LERC_PARAMETERS) or (0, _PLAIN))[1]
    size = 2 * rows * cols * channels * page.dtype.itemsize + 65_536
    if packed == _DEFLATE:
        data = imagecodecs.zlib_decode(data, out=size)
    elif packed == _ZSTD:
        data = imagecodecs.zstd_decode(data, out=size)
    elif packed != _PLAIN:
        raise NotImplementedError(f"LERC that is packed by {packed}")
    samples, mask = imagecodecs.lerc_decode(data, masks=True)
    by_band = samples.ndim == 3 and (
        (mask is not None and mask.ndim == 3)
        or samples.shape == (channels, rows, cols) != (rows, cols, channels)
    )
    if by_band:
        samples = np.moveaxis(samples, 0, -1)
        mask = np.moveaxis(mask, 0, -1) if mask is not None and mask.ndim == 3 else mask
    samples = samples.reshape(*samples.shape[:2], -1)
    if mask is not None and mask.ndim == 2:
        mask = mask[..., None]
    if samples.dtype.kind == "f":
        samples = samples if mask is None else np.where(mask, samples, samples.dtype.type(np.nan))
    elif samples.dtype == np.uint8 and samples.shape[2] == channels - 1:
        alpha = np.ones((*samples.shape[:2], 1), bool) if mask is None else mask
        samples = np.concatenate([samples, alpha * np.uint8(255)], axis=2)
    decoded: NDArray[Any] = samples[None]
    return decoded
