"""What JPEG, PNG and WebP files say of their structure: markers and chunks, without their content."""

import os
import re
import struct
from typing import IO, NamedTuple

_MARKERS_ALONE = {0x01, *range(0xD0, 0xDA)}
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_END_OF_IMAGE = 0xD9
_READ_BYTES = 1 << 20
_SIGNATURE_BYTES = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_OF_THE_PICTURE = (b"eXIf", b"iCCP", b"tRNS", b"PLTE")


class JpegScan(NamedTuple):
    """The kind of frame (its marker), and the components in it and in its first scan."""

    frame: int
    components: int
    scanned: int


class PngData(NamedTuple):
    """Bits a pixel, whether interlaced, bytes of image data, and later chunks that tell how it looks."""

    bits: int
    interlaced: bool
    bytes: int
    late: tuple[str, ...]


def jpeg_scan(file: IO[bytes]) -> JpegScan:
    """Read a JPEG's markers up to its first scan.

    Raises
    ------
    EOFError
        When the file ends before it.
    ValueError
        When something else than a marker stands where one must.
    """
    file.seek(2)
    frame = components = 0
    while True:
        if (byte := _exactly(file, 1)) != b"\xff":
            raise ValueError(f"found {byte!r} at byte {file.tell() - 1} where a JPEG marker must be")
        while (byte := _exactly(file, 1)) == b"\xff":
            pass
        marker = byte[0]
        if marker in _MARKERS_ALONE:
            continue
        body = _exactly(file, max(struct.unpack(">H", _exactly(file, 2))[0] - 2, 0))
        if marker == 0xDA:
            return JpegScan(frame, components, body[0] if body else 0)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) > 5:
            frame, components = marker, body[5]


def check_jpeg_data(file: IO[bytes]) -> None:
    """Check that a JPEG's one scan goes on to the end of the image, without decoding it.

    A decoder takes a marker for the end of the data and makes up the rest of the picture.

    Raises
    ------
    EOFError
        When the file ends before the image does.
    ValueError
        When another marker stands in its way.
    """
    jpeg_scan(file)
    kept = b""
    while read := file.read(_READ_BYTES):
        data = kept + read
        if found := _MARKER.search(data):
            if found[1][0] != _END_OF_IMAGE:
                place = file.tell() - len(data) + found.start()
                raise ValueError(f"found the marker {found[1][0]:#x} at byte {place}, within the pixels")
            return
        kept = b"\xff" if data.endswith(b"\xff") else b""
    raise EOFError("it ends without the marker of its end")


def png_data(file: IO[bytes]) -> PngData:
    """Walk over a PNG's chunks.

    Raises
    ------
    EOFError
        When the file ends within its image data, or before any.
    """
    length = file.seek(0, os.SEEK_END)
    place = _SIGNATURE_BYTES
    file.seek(place + 16)
    depth, kind, _, _, interlaced = _exactly(file, 5)
    data, late = 0, []
    while place + 8 <= length:
        file.seek(place)
        size, name = struct.unpack(">I4s", _exactly(file, 8))
        place += size + 12
        if name == b"IEND":
            break
        if name == b"IDAT":
            data += size
            if place > length:
                raise EOFError(f"its image data goes on to byte {place} and it has {length} bytes")
        elif data and name in _OF_THE_PICTURE:
            late.append(name.decode())
    if not data:
        raise EOFError(f"no image data in {length} bytes")
    return PngData(depth * _CHANNELS.get(kind, 1), interlaced != 0, data, tuple(late))


def webp_length(file: IO[bytes]) -> int:
    """The length that a WebP says it has, in bytes."""
    file.seek(0)
    return int(struct.unpack("<4xI", _exactly(file, 8))[0]) + 8


def _exactly(file: IO[bytes], size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise EOFError(f"it ends at byte {file.tell()}")
    return found
