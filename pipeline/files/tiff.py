"""BigTIFF files of tiles: label maps, indexed pictures, true colour.

    file.write ← one writer, row by row of tiles ← tiles compressed anywhere, see `pipeline.files.tiles`

A file's bytes depend on the picture, its colours and what it carries alone. Reduced levels, for
viewers, are sub-images of the picture, so that a reader of pages finds a single one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.files.geotags import NOTHING, Carried, Tag
from pipeline.files.tiles import TILE, Layout, counted, halve_tiles

_NODATA, _ASCII = 42113, 2
_ENTRIES = 256
_REDUCED = 1


@dataclass(frozen=True)
class Picture:
    """What a file's samples are, made by `indexed`, `grey` or `truecolor`.

    colors : the 256 entries of a palette, (256, 3) uint8.
    nodata : the value that stands for no pixel: TIFF palettes have no transparent entries.
    """

    layout: Layout
    photometric: Literal["palette", "minisblack", "rgb"]
    colors: NDArray[np.uint8] | None = None
    nodata: int | None = None


def indexed(width: int, height: int, colors: NDArray[np.uint8], clear: bool) -> Picture:
    """Describe a picture of uint8 indices of sRGB colours (k, 3); with `clear`, index k is no pixel.

    Raises ValueError for other colours, or more than 256 entries.
    """
    if colors.dtype != np.uint8 or colors.ndim != 2 or colors.shape[1] != 3:
        raise ValueError(f"expected colours (k, 3) of uint8, found {colors.shape} of {colors.dtype}")
    if not 1 <= len(colors) + clear <= _ENTRIES:
        raise ValueError(f"expected 1 to {_ENTRIES} palette entries, found {len(colors) + clear}")
    entries = np.zeros((_ENTRIES, 3), np.uint8)
    entries[: len(colors)] = colors
    return Picture(Layout(width, height), "palette", entries, len(colors) if clear else None)


def grey(width: int, height: int, depth: int = 16, nodata: int | None = None) -> Picture:
    """Describe a picture of numbers of 8 or 16 bits; `nodata` is the one that stands for no pixel.

    Raises ValueError for other depths and numbers that do not fit.
    """
    layout = Layout(width, height, 1, depth)
    if nodata is not None and not 0 <= nodata < 1 << depth:
        raise ValueError(f"expected a value of {depth} bits for no pixel, found {nodata}")
    return Picture(layout, "minisblack", None, nodata)


def truecolor(width: int, height: int, channels: int = 3) -> Picture:
    """Describe an sRGB picture of 3 channels, or 4 with alpha, of 8 bits; raises ValueError for others."""
    if channels not in (3, 4):
        raise ValueError(f"expected 3 channels, or 4 with alpha, found {channels}")
    return Picture(Layout(width, height, channels), "rgb")


def write_tiff(
    file: BinaryIO,
    picture: Picture,
    tiles: Iterable[bytes],
    overviews: Sequence[Iterable[bytes]] = (),
    carried: Carried = NOTHING,
) -> None:
    """Write a BigTIFF file.

    Parameters
    ----------
    file : at the start of an empty file that can seek
    tiles : the compressed tiles, row by row; taken one at a time
    overviews : the tiles of the first levels of `picture.layout.levels`, each taken up when those before
        it are written
    carried : what the file takes over from another, see `carried_tags`

    Raises ValueError for a wrong number of tiles or overviews, when part of the file may be written.
    """
    levels = picture.layout.levels
    if len(overviews) > len(levels):
        raise ValueError(f"expected at most {len(levels)} overviews, found {len(overviews)}")
    with _writer(file) as writer:
        _write_picture(writer, picture, tiles, len(overviews), carried)
        for level, reduced in zip(levels, overviews, strict=False):
            _write_level(writer, picture, level, reduced, subfiletype=_REDUCED)


def write_pyramid(
    file: BinaryIO, picture: Picture, tiles: Iterable[bytes], carried: Carried = NOTHING
) -> None:
    """Write a BigTIFF file with all its overviews, each made from what is written of the one before.

    The bytes are those of `write_tiff` with every level. The file must be readable too.
    """
    levels = picture.layout.levels
    with _writer(file) as writer:
        sizes: list[int] = []
        _write_picture(writer, picture, _measured(tiles, sizes), len(levels), carried)
        for above, level in zip((picture.layout, *levels), levels, strict=False):
            stored = _stored(file, file.tell() - sum(sizes), sizes, above.columns)
            sizes = []
            reduced = _measured(halve_tiles(above, stored), sizes)
            _write_level(writer, picture, level, reduced, subfiletype=_REDUCED)


def _writer(file: BinaryIO) -> Any:
    # All that the library would choose by the machine or by the file's name is chosen here.
    return tifffile.TiffWriter(file, bigtiff=True, byteorder="<", ome=False, shaped=False)


def _write_picture(
    writer: Any, picture: Picture, tiles: Iterable[bytes], overviews: int, carried: Carried
) -> None:
    """Write the picture itself, with the tags that tell of it as a whole."""
    stated: dict[str, Any] = {}
    if carried.resolution is not None:
        stated = {"resolution": carried.resolution, "resolutionunit": carried.unit}
    if overviews:
        stated["subifds"] = overviews
    _write_level(writer, picture, picture.layout, tiles, carried.geo, **stated)


def _write_level(
    writer: Any,
    picture: Picture,
    layout: Layout,
    tiles: Iterable[bytes],
    geo: Iterable[Tag] = (),
    **stated: Any,
) -> None:
    tags: list[tuple[int, int, int, object, bool]]
    tags = [(code, kind, len(value), value, True) for code, kind, value in geo]
    if picture.nodata is not None:
        tags.append((_NODATA, _ASCII, 0, str(picture.nodata), True))
    if picture.colors is not None:
        stated["colormap"] = picture.colors.T.astype(np.uint16) * 257
    if layout.channels == 4:
        stated["extrasamples"] = ["unassalpha"]
    stream = counted(tiles, layout)
    writer.write(
        chain(stream),  # the library would close a generator before it has told of tiles too many
        shape=layout.shape,
        dtype=layout.dtype,
        tile=(TILE, TILE),
        compression="adobe_deflate",
        photometric=picture.photometric,
        planarconfig="contig" if layout.channels > 1 else None,
        metadata=None,
        software=False,
        extratags=tags,
        **stated,
    )
    next(stream, None)


def _measured(tiles: Iterable[bytes], sizes: list[int]) -> Iterator[bytes]:
    """Hand on tiles, and append their sizes."""
    for tile in tiles:
        sizes.append(len(tile))
        yield tile


def _stored(file: BinaryIO, place: int, sizes: list[int], columns: int) -> Iterator[bytes]:
    """Read tiles that lie one after the other, a row of them at a time, whoever writes in between."""
    for first in range(0, len(sizes), columns):
        row = sizes[first : first + columns]
        writing = file.tell()
        file.seek(place)
        data = file.read(sum(row))
        file.seek(writing)
        place += len(data)
        end = 0
        for size in row:
            yield data[end : end + size]
            end += size
