"""Pillow on a leash: an image is opened from an explicit list of formats, up to our own limit.

Pillow keeps its pixel limit and Python its warning filters in module variables. Both are changed
only while one of our calls is under way, never switched off, and put back when the last of the
threads that are reading has finished; so images can be decoded side by side.
"""

import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TextIO

from PIL import Image, ImageFile

from pipeline.errors import TooManyPixels, UnlistedFormat
from pipeline.files.failures import failed_decoding, failed_opening, too_many_pixels
from pipeline.files.formats import admits, listed, our_name, pillow_names

# All plug-ins at once, here, for 40 ms: Pillow would import them when it meets the first file that is
# none of its own five formats, and what it knows would depend on what has been read before.
Image.init()
# What Pillow logs is told by errors and notes already; without a handler Python would print it.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class _Leash:
    """The limits and listeners of all threads that are reading at the moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: list[int] = []
        self._heard: dict[int, list[str]] = {}

    @contextmanager
    def held(self, max_pixels: int) -> Iterator[list[str]]:
        """Admit `max_pixels` in this thread's images; give the list that gathers its warnings."""
        heard: list[str] = []
        thread = threading.get_ident()
        with self._lock:
            if not self._limits:
                self._take()
            self._limits.append(max_pixels)
            outer, self._heard[thread] = self._heard.get(thread), heard
            self._set_limit()
        try:
            yield heard
        finally:
            with self._lock:
                self._limits.remove(max_pixels)
                self._set_limit()
                del self._heard[thread]
                if outer is not None:
                    self._heard[thread] = outer
                if not self._limits:
                    self._give_back()

    def _take(self) -> None:
        self._pillow_limit = Image.MAX_IMAGE_PIXELS
        self._filters = warnings.catch_warnings()
        self._filters.__enter__()
        self._show = warnings.showwarning
        warnings.filterwarnings("always", module=r"PIL\.")
        warnings.showwarning = self._listen

    def _give_back(self) -> None:
        self._filters.__exit__(None, None, None)
        Image.MAX_IMAGE_PIXELS = self._pillow_limit

    def _set_limit(self) -> None:
        if self._pillow_limit is not None:
            Image.MAX_IMAGE_PIXELS = max(self._pillow_limit, *self._limits, 0)

    def _listen(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Stand in for `warnings.showwarning`: keep what a reading thread causes, pass on the rest."""
        heard = self._heard.get(threading.get_ident())
        # What is left unclosed is told whenever it is collected: in the middle of somebody's image.
        if heard is None or issubclass(category, ResourceWarning):
            self._show(message, category, filename, lineno, file, line)
        elif not issubclass(category, Image.DecompressionBombWarning):
            heard.append(" ".join(str(message).split()))


_LEASH = _Leash()


@contextmanager
def opened(
    stream: IO[bytes], name: str, formats: Sequence[str], max_pixels: int
) -> Iterator[tuple[ImageFile.ImageFile, list[str]]]:
    """Open an image without decoding it.

    What is done within the `with` runs under the same limit, and its exceptions leave it as one
    of those below.

    Parameters
    ----------
    stream : binary file
        At any position.
    name : str
        The file's name, for messages.
    formats : sequence of str
        The formats that may be opened (keys of `pipeline.files.formats.FORMATS`). The content
        decides which one it is, never the name.
    max_pixels : int
        The largest width × height that is admitted.

    Yields
    ------
    tuple of Pillow image and list of str
        The image, and the warnings that Pillow gave so far; the list grows while it decodes.

    Raises
    ------
    NotAnImage, UnlistedFormat, UnsupportedImage, TruncatedImage, DamagedImage, TooManyPixels, TooMuchMemory
        See `pipeline.files.failures`.
    """
    with _LEASH.held(max_pixels) as warned:
        try:
            image = Image.open(stream, formats=pillow_names(formats))
        except Exception as error:
            raise failed_opening(error, stream, name, (formats, max_pixels)) from error
        with image:
            width, height = image.size
            if width * height > max_pixels:
                raise TooManyPixels(too_many_pixels(name, (width, height), max_pixels))
            if not admits(formats, found := our_name(image.format)):
                raise UnlistedFormat(
                    f"{name}: expected {listed(formats)}, found {found}; "
                    f"add {found} to input.formats to read it"
                )
            try:
                yield image, warned
            except Exception as error:
                raise failed_decoding(error, name, found) from error
