"""Large pictures made of photographs, written from top to bottom: less than 1 GB of memory at any size.

    tiled     RGB, tiles of 512 × 512, deflate with differences
    strips    RGB, strips of 64 rows, LZW with differences
    jpeg      baseline, quality 90, up to 65,500 pixels a side
    png       not interlaced, level 1
    noise     tiles without compression, every sample drawn by itself: as many colours as there can be
    raster    four bands of 12 bits in 16 (red, green, blue, infrared), tiles, Zstandard, placed on Earth

A mosaic's cells of 1000 × 1000 pixels are photographs, each from a place of its own, some mirrored,
each somewhat brighter or darker. The same photographs, size and seed give the same pixels.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pyvips
import tifffile
from numpy.typing import NDArray
from PIL import Image

KINDS = {"tiled": "tif", "strips": "tif", "jpeg": "jpg", "png": "png", "noise": "tif", "raster": "tif"}
Pixels = NDArray[Any]

_CELL = 1000
_TILE = 512
_STRIP = 64
_PHOTO_BYTES = 300_000_000  # of all photographs; each is cropped to its share
_JPEG_SIDE = 65_500
_GEO = (
    (33550, 12, 3, (10.0, 10.0, 0.0), True),  # metres a pixel
    (33922, 12, 6, (0.0, 0.0, 0.0, 500_000.0, 6_000_000.0, 0.0), True),
    (34735, 3, 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633), True),
)


class Mosaics:
    """The mosaics of the photographs in a folder."""

    def __init__(self, photos: Path, seed: int) -> None:
        endings = (".jpg", ".jpeg", ".png")
        self._paths = sorted(path for path in photos.iterdir() if path.suffix.lower() in endings)
        if not self._paths:
            raise SystemExit(f"{photos}: expected photographs (.jpg or .png), found none")
        self._seed = seed

    def make(self, kind: str, megapixels: float, folder: Path) -> Path:
        """Write a picture, unless it is there; it is almost square."""
        width = round((megapixels * 1e6) ** 0.5)
        height = round(megapixels * 1e6 / width)
        if kind == "jpeg" and max(width, height) > _JPEG_SIDE:
            raise SystemExit(f"a JPEG has at most {_JPEG_SIDE} pixels a side, not {width} × {height}")
        said = (self._seed, *((path.name, path.stat().st_size) for path in self._paths))
        digest = hashlib.sha256(repr(said).encode()).hexdigest()[:8]
        path = folder / f"{kind}-{megapixels:g}-{digest}.{KINDS[kind]}"
        if not path.exists():
            unfinished = path.with_name(f"unfinished-{path.name}")
            if kind in ("jpeg", "png"):
                self._stream(kind, unfinished, width, height)
            else:
                self._tiff(kind, unfinished, width, height)
            unfinished.replace(path)
        return path

    @cached_property
    def _photos(self) -> list[Pixels]:
        """The photographs, or as many of them as find room."""
        paths = self._paths[: _PHOTO_BYTES // (3 * _CELL**2)]
        side = int((_PHOTO_BYTES / 3 / len(paths)) ** 0.5)
        return [_photo(path, side) for path in paths]

    def _bands(self, width: int, height: int, rows: int) -> Iterator[Pixels]:
        """A mosaic from top to bottom, so many rows at a time."""
        for top in range(0, height, rows):
            band = np.empty((min(rows, height - top), width, 3), np.uint8)
            for row in range(top // _CELL, -(-(top + len(band)) // _CELL)):
                low, high = max(top, row * _CELL), min(top + len(band), (row + 1) * _CELL)
                for left in range(0, width, _CELL):
                    cell, levels = self._cell(row, left // _CELL)
                    part = cell[low - row * _CELL : high - row * _CELL, : width - left]
                    band[low - top : high - top, left : left + _CELL] = levels[part]
            yield band

    def _cell(self, row: int, column: int) -> tuple[Pixels, Pixels]:
        """What a cell shows, and what becomes of its 256 levels."""
        draw = np.random.default_rng((self._seed, row, column))
        photo = self._photos[draw.integers(len(self._photos))]
        top, left = (int(draw.integers(length - _CELL + 1)) for length in photo.shape[:2])
        down, across = (1 - 2 * int(draw.integers(2)) for _ in range(2))
        levels = np.arange(256) * draw.uniform(0.75, 1.25) + draw.uniform(-20, 20)
        cell = photo[top : top + _CELL, left : left + _CELL]
        return cell[::down, ::across], np.clip(np.rint(levels), 0, 255).astype(np.uint8)

    def _raster(self, width: int, height: int) -> Iterator[Pixels]:
        """Tiles of four bands of 12 bits; infrared is made up of the others."""
        for number, tile in enumerate(_tiles(self._bands(width, height, _TILE))):
            deep = np.empty((_TILE, _TILE, 4), np.uint16)
            deep[..., :3] = tile
            deep[..., 3] = (tile[..., 1].astype(np.uint16) * 3 + 255 - tile[..., 0]) // 4
            grain = np.random.default_rng((self._seed, number)).integers(0, 16, deep.shape, np.uint16)
            yield deep << 8 | grain << 4

    def _tiff(self, kind: str, path: Path, width: int, height: int) -> None:
        channels, depth = (4, 2) if kind == "raster" else (3, 1)
        if kind == "noise":
            pieces, stored = _noise(width, height, self._seed), {}
        elif kind == "raster":
            pieces = self._raster(width, height)
            stored = {
                "compression": "zstd",
                "predictor": 2,
                "extratags": _GEO,
                "extrasamples": ["unspecified"],
            }
        elif kind == "tiled":
            pieces = _tiles(self._bands(width, height, _TILE))
            stored = {"compression": "zlib", "predictor": 2}
        else:
            pieces = _strips(self._bands(width, height, _STRIP))
            stored = {"compression": "lzw", "predictor": 2}
        if stored.get("compression") in ("zlib", "zstd"):
            stored["compressionargs"] = {"level": 1}
        tifffile.imwrite(
            path,
            pieces,
            shape=(height, width, channels),
            dtype=np.dtype(f"u{depth}"),
            photometric="rgb",
            bigtiff=height * width * channels * depth > 4e9,
            metadata=None,
            **({"rowsperstrip": _STRIP} if kind == "strips" else {"tile": (_TILE, _TILE)}),
            **stored,
        )

    def _stream(self, kind: str, path: Path, width: int, height: int) -> None:
        """Hand a mosaic to libvips as a PNG file without compression, which it reads while it writes."""
        chunks = _stored_png(self._bands(width, height, _STRIP), width, height)
        left = memoryview(b"")

        def read(size: int) -> bytes:
            nonlocal left
            left = left or memoryview(next(chunks, b""))
            data, left = left[:size], left[size:]
            return bytes(data)

        source = pyvips.SourceCustom()
        source.on_read(read)
        image = pyvips.Image.pngload_source(source, access="sequential", unlimited=True, fail_on="warning")
        if kind == "jpeg":
            image.jpegsave(str(path), Q=90)
        else:
            image.pngsave(str(path), compression=1, filter="sub")


def _photo(path: Path, side: int) -> Pixels:
    """A photograph's middle, up to so many pixels a side; a small one is continued by its mirror images."""
    with Image.open(path) as image:
        left, top = (max(0, (length - side) // 2) for length in image.size)
        box = (left, top, min(left + side, image.width), min(top + side, image.height))
        pixels = np.asarray(image.crop(box).convert("RGB"))
    missing = [(0, max(0, _CELL - length)) for length in pixels.shape[:2]]
    return np.pad(pixels, (*missing, (0, 0)), mode="symmetric")


def _tiles(bands: Iterator[Pixels]) -> Iterator[Pixels]:
    """The tiles of bands as high as they are, filled up with zeros."""
    for band in bands:
        for left in range(0, band.shape[1], _TILE):
            part = band[:, left : left + _TILE]
            tile = np.zeros((_TILE, _TILE, part.shape[2]), part.dtype)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def _strips(bands: Iterator[Pixels]) -> Iterator[bytes]:
    """Compressed strips: tifffile takes no others one by one."""
    for band in bands:
        yield imagecodecs.lzw_encode(imagecodecs.delta_encode(band, axis=1))


def _stored_png(bands: Iterator[Pixels], width: int, height: int) -> Iterator[bytes]:
    """A PNG file, part by part."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))
        )

    packer = zlib.compressobj(0)
    yield b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    for band in bands:
        rows = np.zeros((len(band), 1 + 3 * width), np.uint8)  # each begins with its filter: 0, none
        rows[:, 1:] = band.reshape(len(band), -1)
        yield chunk(b"IDAT", packer.compress(rows))
    yield chunk(b"IDAT", packer.flush()) + chunk(b"IEND", b"")


def _noise(width: int, height: int, seed: int) -> Iterator[Pixels]:
    draw = np.random.default_rng(seed)
    for _ in range(-(-width // _TILE) * -(-height // _TILE)):
        yield draw.integers(0, 256, (_TILE, _TILE, 3), np.uint8)
