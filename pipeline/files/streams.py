"""PNG, JPEG and WebP files from top to bottom, in bounded memory (WebP: one decoded picture)."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from pipeline.errors import ImageError
from pipeline.files.containers import check_jpeg_data
from pipeline.files.failures import failed_decoding
from pipeline.files.headers import Header
from pipeline.files.objects import Place
from pipeline.files.openfiles import RawFile, open_regular, shown
from pipeline.files.patches import Look, Patch, blank, rebanded
from pipeline.files.sources import unchanged
from pipeline.files.windows import Window, cover

# What libvips logs is told by errors already.
logging.getLogger("pyvips").addHandler(logging.NullHandler())
pyvips.concurrency_set(1)  # each thread would have rows of its own in memory; workers are many already

BAND_ROWS = 64
_LOADERS = {
    "jpeg": ("jpegload_source", {"unlimited": True}),
    "png": ("pngload_source", {"unlimited": True}),
    "webp": ("webpload_source", {}),
}
_CHANNELS = {"1": 1, "L": 1, "I;16": 1, "I;16B": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_GREY_ALPHA = "LA;16B"  # held as RGBA by Pillow
_DEPTHS = {"uchar": np.uint8, "ushort": np.uint16}


class StreamReader:
    """Reads a file from top to bottom, each time anew; for one thread.

    Parameters
    ----------
    path : Path or ObjectPath
        The file.
    header : Header
        Its header: format and size.
    look : Look
        How its pixels are to be read, from `expanded`.
    """

    def __init__(self, path: Place, header: Header, look: Look) -> None:
        self._path = path
        self._header = header
        self._look = look

    def read(self, window: Window) -> Patch:
        """Refuse: such a file cannot be entered in the middle.

        Raises
        ------
        ValueError
            Always; a layout of the kind "rows" says so before.
        """
        raise ValueError(f"{shown(self._path)} can only be read from top to bottom, not at {window}")

    def bands(self, rows: int) -> Iterator[Patch]:
        """Read all from top to bottom, so many rows at a time.

        Raises
        ------
        ImageError
            When the file cannot be decoded. What was given before is not to be trusted then: some
            damage shows only at the end.
        """
        return rebanded(self._decoded(), self._header.height, rows)

    def _decoded(self) -> Iterator[Patch]:
        height, width = self._header.height, self._header.width
        with open_regular(self._path) as (file, found):
            unchanged(found, self._header.bytes, shown(self._path))
            feed = _Feed(file)
            with self._told("before its first row", feed):
                if self._header.format == "jpeg":
                    # libvips fails at each warning of the decoder but those of the very last rows.
                    feed.check_jpeg()
                source = feed.source()  # which must live as long as the image does
                image = self._opened(source)
            for window in cover(height, width, min(BAND_ROWS, height), width):
                with self._told(str(window), feed):
                    # A region that lived on would hold a thousand rows more.
                    data = image.crop(0, window.row, width, window.height).write_to_memory()
                    samples = np.frombuffer(data, _DEPTHS[image.format])
                    patch = blank(window, self._look.alpha)
                    self._paint(samples.reshape(window.height, width, image.bands), patch)
                yield patch

    def _opened(self, source: Any) -> Any:
        """Open the file in libvips."""
        loader, options = _LOADERS[self._header.format]
        image = getattr(pyvips.Image, loader)(source, access="sequential", fail_on="warning", **options)
        expected = (self._header.width, self._header.height)
        if (image.width, image.height) != expected:
            raise ValueError(
                f"it decodes to {image.width} × {image.height}, not {expected[0]} × {expected[1]}"
            )
        channels = 2 if self._look.stored == _GREY_ALPHA else _CHANNELS[self._look.mode]
        if image.format not in _DEPTHS or image.bands < channels:
            raise ValueError(f"it decodes to {image.bands} channels of {image.format}")
        return image

    def _paint(self, samples: NDArray[Any], patch: Patch) -> None:
        if self._look.stored == _GREY_ALPHA:
            samples = samples[..., [0, 0, 0, 1]]
        # A transparent colour comes as one channel more; the policy finds it by the colour itself.
        samples = samples[..., : _CHANNELS[self._look.mode]]
        if samples.dtype == np.uint16 and not self._look.mode.startswith("I;16"):
            samples = (samples >> 8).astype(np.uint8)
        self._look.paint(samples, patch.pixels, patch.alpha)

    @contextmanager
    def _told(self, place: str, feed: "_Feed") -> Iterator[None]:
        try:
            yield
            feed.check()
        except ImageError:
            raise
        except Exception as error:
            feed.check()
            detail = " ".join(getattr(error, "detail", str(error)).split()) or type(error).__name__
            cut = isinstance(error, EOFError) or "remature end" in detail or "ot enough" in detail
            name = f"{shown(self._path)}, {place}"
            kind = (
                EOFError if cut else type(error) if isinstance(error, OSError | MemoryError) else ValueError
            )
            failed = error if kind is type(error) else kind(detail)
            raise failed_decoding(failed, name, self._header.format) from error


class _Feed:
    """A file as libvips reads it; of its descriptor it would map all into memory in the end.

    libvips takes a file that cannot be read on for one that ends: `check` raises what it was.
    """

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._error: OSError | None = None

    def check_jpeg(self) -> None:
        """Check a JPEG's data; errors as `check_jpeg_data`."""
        stream = BufferedReader(self._file)
        try:
            check_jpeg_data(stream)
        finally:
            stream.detach()

    def source(self) -> Any:
        """The file from its beginning."""
        self._file.seek(0)
        source = pyvips.SourceCustom()
        source.on_read(self._read)
        source.on_seek(self._file.seek)
        return source

    def check(self) -> None:
        """Raise OSError if the file could not be read."""
        if self._error is not None:
            raise self._error

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size) or b""
        except OSError as error:
            self._error = error
            return b""


def expanded(look: Look) -> Look:
    """Tell how the pixels look once a palette's colours stand in the place of its indices."""
    if look.mode == "P":
        mode = "RGBA" if look.alpha else "RGB"
        return Look(mode, look.stored, mode, None, look.profile, None, look.alpha)
    return Look(look.mode, look.stored, look.mode, look.key, look.profile, None, look.alpha)
