"""The pictures made of an image: how each is stored, in parts that can be made anywhere.

Quantized image and label map are encoded in parts of whole rows; those of all parts, in order, make the
file: the same bytes whether an image was done whole or in slabs.

    png     an indexed picture at its smallest depth, true colour if that cannot say it; grey labels
    tiff    the same in tiles, of 8 bits: labels have the palette's colours too, if there are at most 256
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.mapping import show
from pipeline.files import png, tiff
from pipeline.files.geotags import Carried
from pipeline.files.objects import Place
from pipeline.files.tiles import TILE, compress_tiles
from pipeline.jobs.slabs import PATTERN_ROWS

ENDINGS = {"png": ".png", "tiff": ".tif"}


class Part(NamedTuple):
    """A part of a picture: its compressed bytes, or the file that they are in.

    tiles : bytes of each tile of a TIFF. size, checksum : of a PNG, the bytes before compression and
    their Adler-32.
    """

    data: bytes | Place
    tiles: tuple[int, ...] = ()
    size: int = 0
    checksum: int = 1

    def read(self) -> bytes:
        """The bytes."""
        return self.data if isinstance(self.data, bytes) else self.data.read_bytes()


@dataclass(frozen=True, eq=False)
class Canvas:
    """What decides how the pictures of an image are stored; the same for all its parts.

    colors : (k, 3) uint8, the palette. clear, half : whether the image has fully and half transparent
    pixels. formats : "png" or "tiff" for each picture that is wanted, of "quantized" and "labels".
    """

    width: int
    height: int
    colors: NDArray[np.uint8]
    clear: bool
    half: bool
    formats: dict[str, str]

    @classmethod
    def of_whole(
        cls,
        shape: tuple[int, ...],
        colors: NDArray[np.uint8],
        alpha: NDArray[np.uint8] | None,
        formats: dict[str, str],
    ) -> "Canvas":
        """The canvas of an image (height, width) all of whose pixels are there: its alpha tells the rest."""
        height, width = shape
        clear = alpha is not None and not alpha.all()
        half = alpha is not None and bool(((alpha > 0) & (alpha < 255)).any())
        return cls(width, height, colors, clear, half, formats)

    @property
    def part_rows(self) -> int:
        """Rows that parts must be multiples of, but for the last: a power of two."""
        return max([PATTERN_ROWS, *(self._unit_of(picture) for picture in self.formats)])

    def path(self, picture: str, key: str) -> str:
        """Where the file of a picture goes, relative to the output root."""
        return f"{picture}/{key}{ENDINGS[self.formats[picture]]}"

    def encode(
        self,
        labels: NDArray[Any],
        shown: NDArray[Any],
        alpha: NDArray[np.uint8] | None,
        *,
        first: bool = True,
        last: bool = True,
    ) -> dict[str, Part]:
        """Encode a part (rows, width) of the pictures that are wanted.

        shown : `labels`, or what dithering has made of them; where both are stored alike, and are the
        same, they are compressed once.
        """
        made: dict[tuple[str, int, int], Part] = {}
        parts = {}
        for picture, kind in self.formats.items():
            depth, channels = self._samples_of(picture)
            image = labels if picture == "labels" else shown
            if channels > 1:
                image = show(shown, self.colors, alpha if channels == 4 else None)
            same = (kind, depth, id(image))
            if same not in made:
                made[same] = _encoded(kind, image, depth, first, last)
            parts[picture] = made[same]
        return parts

    def files(
        self,
        labels: NDArray[Any],
        shown: NDArray[Any],
        alpha: NDArray[np.uint8] | None,
        carried: Carried,
        *,
        overviews: bool,
    ) -> Iterator[tuple[str, bytes]]:
        """The pictures that are wanted of an image that is one part, each as a whole file."""
        for picture, part in self.encode(labels, shown, alpha).items():
            file = BytesIO()
            self.write(file, picture, [part], carried, overviews)
            yield picture, file.getvalue()

    def write(
        self, file: BinaryIO, picture: str, parts: Sequence[Part], carried: Carried, overviews: bool
    ) -> None:
        """Write a picture's file from all its parts, top first.

        carried : what a TIFF takes over from another. overviews : whether it holds reduced copies.
        """
        depth, channels = self._samples_of(picture)
        if self.formats[picture] == "png":
            file.write(self._png_opening(picture, depth, channels))
            checksum = 1
            for part in parts:
                file.write(part.read())
                checksum = png.join_checksums(checksum, part.checksum, part.size)
            file.write(png.closing(checksum))
            return
        write = tiff.write_pyramid if overviews else tiff.write_tiff
        write(file, self._tiff_picture(depth, channels), _tiles(parts), carried=carried)

    def _png_opening(self, picture: str, depth: int, channels: int) -> bytes:
        if channels > 1:
            return png.truecolor_opening(self.width, self.height, channels)
        if picture == "labels":
            return png.grey_opening(self.width, self.height, depth)
        return png.indexed_opening(self.width, self.height, depth, self.colors, self.clear)

    def _tiff_picture(self, depth: int, channels: int) -> tiff.Picture:
        if channels > 1:
            return tiff.truecolor(self.width, self.height, channels)
        if depth == 16:
            return tiff.grey(self.width, self.height, depth, len(self.colors) if self.clear else None)
        return tiff.indexed(self.width, self.height, self.colors, self.clear)

    def _samples_of(self, picture: str) -> tuple[int, int]:
        """Bits of a sample, and samples of a pixel."""
        depth = png.smallest_depth(len(self.colors) + self.clear)
        if picture == "labels":
            return max(8, depth), 1
        if self.half or depth == 16:  # more than palettes of 256 entries can say
            return 8, 4 if self.half or self.clear else 3
        return depth if self.formats[picture] == "png" else 8, 1

    def _unit_of(self, picture: str) -> int:
        """Rows that are compressed together."""
        return (
            TILE if self.formats[picture] == "tiff" else png.band_rows(self.width, *self._samples_of(picture))
        )


def _encoded(kind: str, image: NDArray[Any], depth: int, first: bool, last: bool) -> Part:
    if kind == "png":
        samples = png.compress(image, depth, first=first, last=last)
        return Part(png.data_chunks(samples), (), samples.size, samples.checksum)
    tiles = compress_tiles(image, last=last).tiles
    return Part(b"".join(tiles), tuple(map(len, tiles)))


def _tiles(parts: Sequence[Part]) -> Iterator[bytes]:
    """The tiles of all parts, one by one."""
    for part in parts:
        data, place = memoryview(part.read()), 0
        for size in part.tiles:
            yield bytes(data[place : place + size])
            place += size
