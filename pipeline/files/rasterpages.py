"""Which pages of a TIFF are its raster, and whether their samples can be read as numbers.

    one page, or several      the first that is neither a reduced copy nor a mask
    OME-TIFF                  of the first image: the pages of all channels, of the first plane of
                              all other axes

What is passed over (further pages, planes, levels) is told in notes.
"""

from itertools import takewhile
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import tifffile

from pipeline.errors import DamagedImage, TruncatedImage, UnsupportedImage
from pipeline.files.pieces import LARGEST_PIECE, pieces_of

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_LOOKED_AT = 64  # a stack may have millions of pages, and each is a walk through the file
_MOST_TAGS = 4096
_NO_COMPRESSION = 1
_PREDICTED = (5, 8, 32946, 34925, 50000)  # LZW, deflate, LZMA, Zstandard
_PALETTE = 3


class Base(NamedTuple):
    """A raster in its best resolution.

    Attributes
    ----------
    pages : tuple of tifffile's TiffPage
        Of the same size, kind and pieces; their bands follow one another.
    notes : tuple of str
        What was chosen, in words.
    """

    pages: tuple[Any, ...]
    notes: tuple[str, ...]


_PICTURES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP"}


def check_beginning(file: IO[bytes], size: int, name: str) -> None:
    """Check that a file begins like a TIFF, and that its first directory lies within it.

    Raises
    ------
    UnsupportedImage
        When it is no TIFF.
    TruncatedImage
        When the directory ends behind the file's end.
    """
    file.seek(0)
    head = file.read(16)
    order: Literal["big", "little"] = "big" if head.startswith(b"MM") else "little"
    version = int.from_bytes(head[2:4], order)
    if head[:2] not in (b"II", b"MM") or version not in (42, 43):
        for start, kind in _PICTURES.items():
            if head.startswith(start):
                raise UnsupportedImage(
                    f"{name}: expected a TIFF, found a {kind}; for photographs use kmeans with few colours "
                    "(quantize.method), or exclude it"
                )
        raise UnsupportedImage(
            f"{name}: expected a TIFF, found content that begins with {head[:12]!r}; "
            "save it anew as a tiled TIFF, or exclude it"
        )
    start, counter, entry = (head[4:8], 2, 12) if version == 42 else (head[8:16], 8, 20)
    place = int.from_bytes(start, order)
    file.seek(min(place, size))
    tags = int.from_bytes(file.read(counter), order)
    end = place + counter + (entry * tags if tags <= _MOST_TAGS else 0)
    if end > size:
        raise TruncatedImage(
            f"{name}: expected a directory up to byte {end}, found a file of {size} bytes; "
            "restore it from its source"
        )


def base_of(first: Any, name: str) -> Base:
    """Choose the pages of a TIFF that are its raster.

    Parameters
    ----------
    first : tifffile page
        The first.
    name : str
        The file's name, for messages.

    Raises
    ------
    UnsupportedImage
        When their samples cannot be read as numbers, or not in parts.
    DamagedImage
        When OME metadata and pages contradict each other.
    """
    series = first.parent.series if first.is_ome else []
    if series and series[0].kind == "ome":
        base = _ome(series, name)
    else:
        base = _first_full(first.parent)
        if first.is_ome:  # broken, or of an image that is spread over several files
            base = base._replace(notes=(*base.notes, "without its OME metadata"))
    for page in base.pages:
        _check(page, name)
    alike = {(pieces_of(page), page.dtype) for page in base.pages}
    if len(alike) > 1:
        raise UnsupportedImage(
            f"{name}: expected channels of one size and kind, found pages of {len(alike)} kinds; "
            "save it anew with all channels alike"
        )
    return base


def _first_full(tiff: Any) -> Base:
    """Choose the first page that is no reduced copy and no mask; the very first when all are."""
    kinds: list[int] = []
    for number in range(_LOOKED_AT):
        try:
            kinds.append(int(tiff.pages[number].subfiletype))
        except Exception:  # the last one, or a break behind the first: what lies before is sound
            break
    full = [number for number, kind in enumerate(kinds) if not kind & (_REDUCED | _MASK)]
    chosen = full[0] if full else 0
    page = tiff.pages[chosen]
    behind = list(takewhile(lambda kind: kind & (_REDUCED | _MASK), kinds[chosen + 1 :]))
    copies = sum(1 for kind in behind if not kind & _MASK) + len(page.subifds or ())
    notes = []
    pages = len(full)
    if tiff.is_imagej:  # which lists one page alone when they are many
        pages = max(pages, int((tiff.imagej_metadata or {}).get("images", 1)))
    if pages > 1:
        more = "more than " if len(kinds) == _LOOKED_AT and pages <= _LOOKED_AT else ""
        notes.append(f"page 1 of {more}{pages}")
    if copies:
        notes.append(f"base level of {copies + 1}")
    if any(kind & _MASK for kind in behind):
        notes.append("without its mask")
    return Base((page,), tuple(notes))


def _ome(series: list[Any], name: str) -> Base:
    """Choose the channels' pages of the first image that OME metadata tell of."""
    image = series[0]
    axes = [
        (axis, size)
        for axis, size in zip(image.get_axes(squeeze=False), image.get_shape(squeeze=False), strict=True)
        if axis not in "YXS"
    ]
    sizes = tuple(size for _, size in axes)
    planes = np.arange(int(np.prod(sizes))).reshape(sizes)
    wanted = planes[tuple(slice(None) if axis == "C" else 0 for axis, _ in axes)].ravel()
    there = sum(image[number] is not None for number in range(len(image)))
    if not there == len(image) == planes.size:
        raise DamagedImage(
            f"{name}: expected {planes.size} planes as its OME metadata tell, found {there}; "
            "restore it from its source"
        )
    notes = [f"plane 1 of {size} along {axis}" for axis, size in axes if axis != "C" and size > 1]
    if len(series) > 1:
        notes.insert(0, f"image 1 of {len(series)}")
    if len(image.levels) > 1:
        notes.append(f"base level of {len(image.levels)}")
    return Base(tuple(image[number].aspage() for number in wanted.tolist()), tuple(notes))


def _check(page: Any, name: str) -> None:
    """Refuse a page whose samples are no numbers, or that cannot be read in parts."""
    if not (page.imagewidth > 0 and page.imagelength > 0 and page.samplesperpixel > 0):
        raise DamagedImage(
            f"{name}: expected at least one pixel, found {page.imagewidth} × {page.imagelength} of "
            f"{page.samplesperpixel} bands; restore it from its source"
        )
    if why := _unreadable(page):
        raise UnsupportedImage(
            f"{name}: expected a raster of whole numbers or floats of 8 to 64 bits, found {why}; "
            "save it anew as a tiled TIFF of such numbers, or exclude it"
        )
    pieces = pieces_of(page)
    if not pieces.plain and pieces.bytes > LARGEST_PIECE:
        kind = "tiles" if page.is_tiled else "strips"
        raise UnsupportedImage(
            f"{name}: expected a raster that can be read in parts, found compressed {kind} of "
            f"{pieces.rows} × {pieces.cols} pixels, {pieces.bytes >> 20} MiB each "
            f"(at most {LARGEST_PIECE >> 20} can be held); save it anew as a tiled TIFF"
        )
    page.decode(None, 0)  # raises what of a page's kind stands in the way of decoding any piece


def _unreadable(page: Any) -> str | None:
    """Say what of a page's kind is in the way of reading its samples as numbers."""
    bits, compression, predictor = page.bitspersample, int(page.compression), int(page.predictor)
    if page.photometric == _PALETTE:
        return "a palette, whose numbers stand for colours"
    if page.dtype is not None and page.dtype.kind == "c":
        return "complex numbers"
    if page.dtype is None or page.dtype.kind not in "uif" or bits != 8 * page.dtype.itemsize:
        return f"samples of {bits} bits (sample format {page.sampleformat})"
    if page.imagedepth != 1 or (page.is_tiled and page.tiledepth != 1):
        return f"a volume of {page.imagedepth} planes in one page"
    if compression != _NO_COMPRESSION and compression not in tifffile.TIFF.DECOMPRESSORS:
        return f"the TIFF compression {compression}"
    images = tifffile.TIFF.IMAGE_COMPRESSIONS
    if predictor not in (1, 2, 3) or (predictor > 1 and compression not in {*_PREDICTED, *images}):
        return f"the TIFF predictor {predictor} with the compression {compression}"
    return None
