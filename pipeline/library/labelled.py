"""Images of xarray: which dimension holds the channels, and results with the coordinates of the image.

xarray is imported only when there is an array of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHANNELS = ("band", "bands", "channel", "channels", "c", "rgb", "rgba")
"""Names of a dimension of channels, in lower case."""
_FREE = ("band", "channel", "rgb", "quantized_rgb")  # for images that had none: the first that is not taken


@dataclass(frozen=True, eq=False)
class Labels:
    """What a label map has from its image: dims, two of them, and the coordinates along these.

    image_dims, image_coords : the same of the image itself. channels : the name of its dimension of
    channels, and how many there are; None and 1 if it has none.
    """

    dims: tuple[Any, ...]
    coords: Mapping[Any, Any]
    image_dims: tuple[Any, ...]
    image_coords: Mapping[Any, Any]
    channels: tuple[Any, int]

    def label_map(self, labels: Any) -> Any:
        """Labels (height, width) as a DataArray."""
        from xarray import DataArray

        return DataArray(labels, dims=self.dims, coords=self.coords, name="labels")

    def image(self, image: Any) -> Any:
        """An image (height, width, channels) as a DataArray, its dimensions in the order they were in."""
        from xarray import DataArray

        name, number = self.channels
        fits = name is not None and number == image.shape[2]
        axis = next(axis for axis in _FREE if axis not in self.coords) if name is None else name
        coords = self.image_coords if fits else self.coords
        dressed = DataArray(image, dims=(*self.dims, axis), coords=coords, name="quantized")
        return dressed if name is None else dressed.transpose(*self.image_dims)


def unlabelled(image: Any) -> tuple[Any, Labels]:
    """The array (height, width) or (height, width, channels) of a DataArray, and what labels it.

    The dimension of channels is the one that has a name of `CHANNELS`, wherever it stands; without one,
    the last of three, if it is 1, 3 or 4 long. Raises ValueError if there is none.
    """
    if image.ndim not in (2, 3):
        raise ValueError(
            f"expected a DataArray of dims y, x or y, x, band, found dims {image.dims}; "
            "choose one image with isel"
        )
    if image.ndim == 2:
        return image.data, Labels(image.dims, dict(image.coords), image.dims, {}, (None, 1))
    named = [dim for dim in image.dims if str(dim).lower() in CHANNELS]
    if not named and image.shape[-1] in (1, 3, 4):
        named = [image.dims[-1]]
    if len(named) != 1:
        raise ValueError(
            f"expected a DataArray with one dimension of channels, named one of {', '.join(CHANNELS)}, "
            f"found dims {image.dims} of shape {image.shape}; rename it, or put it last"
        )
    [name] = named
    dims = tuple(dim for dim in image.dims if dim != name)
    coords = {key: value for key, value in image.coords.items() if name not in value.dims}
    labels = Labels(dims, coords, image.dims, dict(image.coords), (name, image.sizes[name]))
    return image.transpose(*dims, name).data, labels
