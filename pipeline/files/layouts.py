"""In what pieces a picture can be read, told from its file's headers; nothing is decoded.

    TIFF, strips or tiles    any window; none, LZW, deflate, PackBits, Zstandard, LZMA, JPEG
    Zarr, of uint8           any window
    PNG, JPEG, WebP          from top to bottom

Only whole, and refused here: what needs the whole picture decoded before its first row is known
(progressive JPEG, interlaced PNG, huge strips), what is turned by EXIF, what has channels in planes,
samples that are stretched by their range or are neither grey nor RGB, and other formats.
"""

from dataclasses import dataclass
from io import BufferedReader
from typing import IO, Any, Literal

from pipeline.errors import DamagedImage, TruncatedImage, UnsupportedImage
from pipeline.files.containers import jpeg_scan, png_data, webp_length
from pipeline.files.decoder import opened
from pipeline.files.failures import failed_decoding
from pipeline.files.headers import Header
from pipeline.files.objects import Place
from pipeline.files.openfiles import open_regular, shown
from pipeline.files.patches import PER_PIXEL, Look, look_of
from pipeline.files.pieces import LARGEST_PIECE, Pieces, check_pieces, pieces_of
from pipeline.files.sources import unchanged
from pipeline.files.streams import BAND_ROWS, expanded
from pipeline.files.tiffs import first_page
from pipeline.files.zarrpictures import painting_bytes
from pipeline.files.zarrs import open_zarr

_DEFLATE_RATIO = 1032  # the most that deflate can shrink anything
_JPEG_PIXELS_PER_BYTE = 512  # a block of 8 × 8 takes a bit at the very least
_PAINT_BYTES = 24 * 64  # a column of the rows that are painted at a time
_STREAM_BANDS = 8
_LIBRARY_BYTES = 40 << 20  # buffers of the decoders, whatever the picture's size

_CHANNELS = {"L": 1, "L;I": 1, "LX": 2, "LA": 2, "La": 2, "P": 1, "RGB": 3, "RGBX": 4, "RGBA": 4, "RGBa": 4}
_DEEP = {"I;16": 1, "I;16B": 1, "I;16N": 1} | {
    f"{name};16{order}": count for name, count in _CHANNELS.items() if count > 2 for order in "LBN"
}
_PREDICTED = {5: "LZW", 8: "deflate", 32946: "deflate", 50000: "Zstandard", 34925: "LZMA"}
_COMPRESSIONS = {1: "none", 7: "JPEG", 32773: "PackBits", **_PREDICTED}


@dataclass(frozen=True)
class Layout:
    """In what pieces a picture can be read.

    Attributes
    ----------
    kind : {"windows", "rows"}
        Whether any window can be read alone, by any process, or all only from top to bottom.
    height, width : int
        In pixels.
    unit : tuple of 2 int
        Rows and columns that the file stores as one piece. Aligned windows of multiples of it
        decode nothing twice.
    decoder_bytes : int
        Memory that decoding takes besides the pixels that are handed out, at most.
    alpha : bool
        Whether the file has an alpha channel or a transparent colour.
    """

    kind: Literal["windows", "rows"]
    height: int
    width: int
    unit: tuple[int, int]
    decoder_bytes: int
    alpha: bool


def layout_of(path: Place, header: Header) -> Layout:
    """Tell in what pieces a picture can be read.

    Parameters
    ----------
    path : Path or ObjectPath
        The file.
    header : Header
        Its header, from `images.read_header`.

    Raises
    ------
    UnsupportedImage
        When it can only be read whole; the message says why.
    TruncatedImage
        When the file is too short for the picture that it claims to hold.
    ImageError
        When its headers cannot be read, as `images.read_header` does.
    """
    name = shown(path)
    if header.format == "zarr":
        return _zarr(path, header)
    if header.format not in ("tiff", "png", "jpeg", "webp"):
        raise _only_whole(name, f"the format {header.format}")
    if header.orientation != 1:
        raise _only_whole(name, f"a picture that EXIF orientation {header.orientation} turns")
    with open_regular(path) as (raw, found), BufferedReader(raw) as file:
        unchanged(found, header.bytes, name)
        look = look_at(file, header, name)
        if look.mode not in PER_PIXEL:
            raise _only_whole(name, f"pixels of the mode {look.mode}")
        if header.format == "tiff":
            with first_page(file, name) as page:
                return _tiff(page, look, header, name)
        try:
            {"jpeg": _check_jpeg, "png": _check_png, "webp": _check_webp}[header.format](file, header, name)
        except Exception as error:
            raise failed_decoding(error, name, header.format) from error
    return _stream(look, header)


def look_at(file: IO[bytes], header: Header, name: str) -> Look:
    """Tell how Pillow would hold a picture; errors as in `decoder.opened`."""
    file.seek(0)
    with opened(file, name, (header.format,), header.width * header.height) as (image, _):
        return look_of(image)


def _zarr(path: Place, header: Header) -> Layout:
    """Take an array's form over."""
    form = open_zarr(path).form
    memory = form.decoder_bytes + painting_bytes(form)
    return Layout("windows", form.height, form.width, form.unit, memory, header.mode == "RGBA")


def _tiff(page: Any, look: Look, header: Header, name: str) -> Layout:
    """Check a TIFF's first page."""
    pieces = pieces_of(page)
    why = _unusual(page, look) or _mismatch(page, pieces, look)
    if why:
        raise _only_whole(name, why)
    if (pieces.width, pieces.height) != (header.width, header.height):
        raise DamagedImage(
            f"{name}: expected {header.width} × {header.height} pixels, found a page of "
            f"{pieces.width} × {pieces.height}; restore it from its source"
        )
    if not pieces.plain and pieces.bytes > LARGEST_PIECE:
        kind = "tiles" if page.is_tiled else "strips"
        raise _only_whole(
            name,
            f"compressed {kind} of {pieces.rows} × {pieces.cols} pixels, {pieces.bytes >> 20} MiB each "
            f"(at most {LARGEST_PIECE >> 20} can be held)",
        )
    check_pieces(page, pieces, header.bytes, name)
    if pieces.plain:
        decoder = (8 << 20) + 2 * pieces.width * pieces.channels * pieces.depth
    else:
        decoder = max(page.databytecounts) + 3 * pieces.bytes + pieces.rows * pieces.width * (3 + look.alpha)
    unit = (1, pieces.width) if pieces.plain else (pieces.rows, pieces.cols)
    memory = decoder + pieces.cols * _PAINT_BYTES + _LIBRARY_BYTES
    return Layout("windows", pieces.height, pieces.width, unit, memory, look.alpha)


def _unusual(page: Any, look: Look) -> str | None:
    """Say what of a page's kind is in the way of reading it in windows."""
    compression = int(page.compression)
    if compression not in _COMPRESSIONS:
        return f"the TIFF compression {compression}"
    if page.planarconfig != 1 and page.samplesperpixel > 1:
        return "channels stored in planes, one after the other"
    if page.fillorder != 1:
        return "bits stored in reversed order"
    if page.photometric not in ((2, 6, 0, 1) if compression == 7 else (0, 1, 2, 3)):
        return f"the TIFF photometric interpretation {int(page.photometric)}"
    if page.predictor not in ((1, 2) if compression in _PREDICTED else (1,)):
        return f"the TIFF predictor {int(page.predictor)} with {_COMPRESSIONS[compression]}"
    if look.stored not in _CHANNELS | _DEEP:
        return f"samples of the kind {look.stored or look.mode}"
    return None


def _mismatch(page: Any, pieces: Pieces, look: Look) -> str | None:
    """Say where the two readers of a page understand it differently."""
    channels = (_CHANNELS | _DEEP)[look.stored]
    depth = 2 if look.stored in _DEEP else 1
    if (pieces.channels, page.bitspersample, page.dtype) == (channels, 8 * depth, f"u{depth}"):
        return None
    return (
        f"{pieces.channels} samples a pixel of {page.bitspersample} bits ({page.dtype}) "
        f"where {channels} of {8 * depth} are expected"
    )


def _check_jpeg(file: IO[bytes], header: Header, name: str) -> None:
    scan = jpeg_scan(file)
    if scan.frame not in (0xC0, 0xC1):
        kind = "progressive" if scan.frame == 0xC2 else f"of the kind {scan.frame:#x}"
        raise _only_whole(name, f"a JPEG that is {kind}, not baseline")
    if scan.scanned < scan.components:
        raise _only_whole(
            name, f"a JPEG whose first scan has {scan.scanned} of its {scan.components} components"
        )
    _check_claim(header, name, header.width * header.height // _JPEG_PIXELS_PER_BYTE, header.bytes)


def _check_png(file: IO[bytes], header: Header, name: str) -> None:
    data = png_data(file)
    if data.interlaced:
        raise _only_whole(name, "an interlaced PNG")
    if data.late:
        raise _only_whole(name, f"a PNG with {' and '.join(data.late)} behind its pixels")
    raw = header.height * (-(-header.width * data.bits // 8) + 1)
    _check_claim(header, name, raw // _DEFLATE_RATIO, data.bytes)


def _check_webp(file: IO[bytes], header: Header, name: str) -> None:
    if header.frames > 1:
        raise _only_whole(name, f"an animation of {header.frames} frames")
    _check_claim(header, name, webp_length(file), header.bytes)


def _check_claim(header: Header, name: str, needed: int, found: int) -> None:
    """Refuse a file that is shorter than its picture can possibly be."""
    if found < needed:
        raise TruncatedImage(
            f"{name}: expected at least {needed} bytes for {header.width} × {header.height} pixels, "
            f"found {found}; restore it from its source"
        )


def _stream(look: Look, header: Header) -> Layout:
    pixel = len(expanded(look).mode) * 2
    if header.format == "webp":
        decoder = 8 * header.width * header.height + header.bytes
    else:
        decoder = _STREAM_BANDS * BAND_ROWS * header.width * pixel
    memory = decoder + header.width * _PAINT_BYTES + _LIBRARY_BYTES
    return Layout("rows", header.height, header.width, (1, header.width), memory, look.alpha)


def _only_whole(name: str, why: str) -> UnsupportedImage:
    return UnsupportedImage(
        f"{name}: expected a picture that can be read in parts, found {why}; "
        "save it anew as a tiled TIFF, or raise compute.memory_per_worker to read it whole"
    )
