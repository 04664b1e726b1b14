"""What Pillow's and the system's exceptions mean, in our words.

    nothing there                                  VanishedFile
    permission, a failing disk (an errno)          UnreadableFile
    an object of another version                   ChangedWhileReading
    a folder, a pipe, a device                     UnsupportedImage
    no bytes                                       EmptyFile
    begins like no format that we know             NotAnImage
    a format that the job does not list            UnlistedFormat
    a kind of a known format without a decoder     UnsupportedImage
    ends too early                                 TruncatedImage
    anything else wrong inside a known format      DamagedImage
    more pixels than admitted                      TooManyPixels
    MemoryError                                    TooMuchMemory

Messages name the file, not its folder: they go into the manifest, which must not depend on where
the input root lies.
"""

import os
import re
import struct
from collections.abc import Callable, Iterable
from typing import IO

from PIL import Image, UnidentifiedImageError

from pipeline.errors import (
    ChangedWhileReading,
    DamagedImage,
    ImageError,
    NotAnImage,
    TooManyPixels,
    TooMuchMemory,
    TruncatedImage,
    UnlistedFormat,
    UnreadableFile,
    UnsupportedImage,
    VanishedFile,
)
from pipeline.files.formats import FORMATS, listed, our_name, pillow_names
from pipeline.files.objectfiles import Replaced

_CUT_SHORT = re.compile(
    r"truncat|unexpected end|end of (file|data)|eof|too short|not enough|incomplete|no more|"
    r"requires a buffer|could not read|failed to read|\(0 bytes|buffer is not large enough|got only",
    re.IGNORECASE,
)
_NO_DECODER = re.compile(
    r"unsupported|not supported|unimplemented|not implemented|"
    r"unknown (pixel mode|data organi|raw mode|compr)|"
    r"cannot find loader|not available|decoder .* not|not installed",
    re.IGNORECASE,
)


def failed_reading(error: OSError, name: str) -> ImageError:
    """Say what it means that a file could not be opened or read as a file."""
    if isinstance(error, FileNotFoundError):
        return VanishedFile(f"{name}: was listed but is gone; run again once the folder is at rest")
    if isinstance(error, Replaced):
        return ChangedWhileReading(
            f"{name}: expected a file at rest, found one that was replaced while it was read; run again once "
            "nothing writes to it"
        )
    if isinstance(error, IsADirectoryError):
        return UnsupportedImage(f"{name}: expected a file, found a folder; exclude it")
    if isinstance(error, PermissionError):
        return UnreadableFile(f"{name}: expected a readable file, found one without permission; grant it")
    return UnreadableFile(f"{name}: cannot be read ({error.strerror or error}); check the disk or the share")


def failed_opening(
    error: Exception, stream: IO[bytes], name: str, asked: tuple[Iterable[str], int]
) -> ImageError:
    """Say what it means that Pillow could not open a file.

    Parameters
    ----------
    error : Exception
        What `Image.open` raised.
    stream : binary file
        The content; it is looked at again to tell a broken header from a foreign file.
    name : str
        The file's name.
    asked : tuple
        The formats that the job lists, and the most pixels that it admits.
    """
    formats, max_pixels = asked
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(stream, name, list(formats))
    if isinstance(error, Image.DecompressionBombError):
        return TooManyPixels(too_many_pixels(name, _claimed_size(stream, formats), max_pixels))
    return _broken_header(error, stream, name, _sure_format(_prefix(stream)) or "image")


def failed_decoding(error: Exception, name: str, found: str) -> ImageError:
    """Say what it means that Pillow could not decode a file of the format `found`."""
    if isinstance(error, ImageError):
        return error
    detail = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, MemoryError):
        return TooMuchMemory(
            f"{name}: expected memory enough to decode the {found}, found too little; "
            "raise compute.memory_per_worker"
        )
    if isinstance(error, Image.DecompressionBombError):
        return TooManyPixels(
            f"{name}: the {found} unpacks to more than its header says ({detail}); raise input.max_megapixels"
        )
    if isinstance(error, OSError) and error.errno is not None:
        return failed_reading(error, name)
    if isinstance(error, NotImplementedError) or _NO_DECODER.search(detail):
        return UnsupportedImage(
            f"{name}: expected a {found} of a common kind, found one that is not read ({detail}); "
            "save it anew in a common kind, or exclude it"
        )
    if isinstance(error, EOFError | struct.error | IndexError) or _CUT_SHORT.search(detail):
        return TruncatedImage(
            f"{name}: expected a whole {found}, found one that ends before its picture does ({detail}); "
            "restore it from its source"
        )
    return DamagedImage(
        f"{name}: expected a sound {found}, found broken content ({detail}); restore it from its source"
    )


def too_many_pixels(name: str, size: tuple[int, int] | None, max_pixels: int) -> str:
    """Write the refusal of a large image, with its numbers and the key to raise."""
    limit = f"input.max_megapixels is {max_pixels / 1e6:.15g}"
    if size is None:
        return f"{name}: has far more pixels than are admitted ({limit}); raise that, or exclude it"
    width, height = size
    return (
        f"{name}: {width} × {height} = {width * height / 1e6:.6g} megapixels, more than are admitted "
        f"({limit}); raise that, or exclude it"
    )


def _unidentified(stream: IO[bytes], name: str, formats: list[str]) -> ImageError:
    """Tell a broken header, a format that is not listed and a foreign file apart."""
    prefix = _prefix(stream)
    found = _sure_format(prefix)
    if found is not None and FORMATS[found].pillow in pillow_names(formats):
        return _broken_header(_refusal(stream, found), stream, name, found)
    found = found or _other_format(stream, formats)
    if found is not None:
        return UnlistedFormat(
            f"{name}: expected {listed(formats)}, found {found}; add {found} to input.formats to read it"
        )
    return NotAnImage(
        f"{name}: expected {listed(formats)}, found content that begins with {prefix[:12]!r}; exclude it, "
        "or convert it to one of these"
    )


def _broken_header(error: Exception, stream: IO[bytes], name: str, found: str) -> ImageError:
    """Tell a file that was cut short from one with a broken header.

    A WebP states its length, and a TIFF where its directory is: often at the very end. Pillow
    calls both broken, whatever the reason.
    """
    prefix = _prefix(stream)
    needed = 0
    if found == "webp":
        needed = int.from_bytes(prefix[4:8], "little") + 8
    elif found == "tiff":
        needed = int.from_bytes(prefix[4:8], "little" if prefix.startswith(b"II") else "big") + 2
    length = stream.seek(0, os.SEEK_END)
    if length < needed:
        error = EOFError(f"it has {length} bytes and needs at least {needed}")
    return failed_decoding(error, name, found)


def _prefix(stream: IO[bytes]) -> bytes:
    """Read the first bytes, from which Pillow's plug-ins tell whether a file may be theirs."""
    stream.seek(0)
    return stream.read(16)


def _sure_format(prefix: bytes) -> str | None:
    """Name the format that the first bytes prove, if one."""
    for entry in FORMATS.values():
        accept = Image.OPEN.get(entry.pillow, (None, None))[1]
        if entry.sure and accept is not None and accept(prefix):
            return entry.name
    return None


def _other_format(stream: IO[bytes], formats: list[str]) -> str | None:
    """Name the format that a file proves to be of when it may be any that we know."""
    for name in pillow_names(name for name in FORMATS if name not in formats):
        try:
            with Image.open(stream, formats=[name]) as image:
                return our_name(image.format)
        except UnidentifiedImageError:
            continue
        except Image.DecompressionBombError:
            return our_name(name)  # its header is sound, and claims more pixels than Pillow would take
        except Exception:
            break
    return None


def _refusal(stream: IO[bytes], found: str) -> Exception:
    """Ask the format's plug-in why it refused the header, which `Image.open` does not hand on."""
    try:
        _by_plug_in(stream, found)
    except Exception as error:
        return error
    return UnidentifiedImageError("its header cannot be read")


def _claimed_size(stream: IO[bytes], formats: Iterable[str]) -> tuple[int, int] | None:
    """Read width and height from a header that Pillow holds for a decompression bomb.

    The plug-in is asked directly; those that would take memory for the picture at this point
    check the size themselves and refuse again, then it stays unknown.
    """
    prefix = _prefix(stream)
    for pillow_name in pillow_names(formats):
        accept: Callable[[bytes], bool | str] | None = Image.OPEN[pillow_name][1]
        if accept is None or accept(prefix):
            try:
                return _by_plug_in(stream, pillow_name.lower())
            except Exception:  # noqa: S112 -- a weak signature: the next format may be the right one
                continue
    return None


def _by_plug_in(stream: IO[bytes], found: str) -> tuple[int, int]:
    """Open a file by the plug-in of one format; give the size that the header claims."""
    stream.seek(0)
    with Image.OPEN[FORMATS[found].pillow][0](stream, "") as image:
        return image.size
