"""Pictures larger than memory: their pixels in windows, or in bands from top to bottom.

    header = read_header(path, formats, max_pixels)
    layout = layout_of(path, header)
    with open_windows(path, header, layout) as reader:
        for patch in reader.bands(256): ...

The pixels are those of `images.decode`, byte by byte; of a Zarr folder, those of a PNG of the same numbers.
Half-transparent ones are handed on as they are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BufferedReader
from typing import IO, Protocol

from pipeline.errors import ChangedWhileReading
from pipeline.files.headers import Header
from pipeline.files.images import pages_note
from pipeline.files.layouts import Layout, look_at
from pipeline.files.objects import Place
from pipeline.files.openfiles import open_regular, shown
from pipeline.files.patches import Look, Patch
from pipeline.files.sources import unchanged
from pipeline.files.streams import StreamReader, expanded
from pipeline.files.tiffs import TiffReader, first_page
from pipeline.files.windows import Window
from pipeline.files.zarrpictures import ZarrReader, mode_of, zarr_look
from pipeline.files.zarrs import open_zarr

__all__ = ["Patch", "WindowReader", "open_windows"]


class WindowReader(Protocol):
    """Reads parts of one picture; for one thread of one process."""

    def read(self, window: Window) -> Patch:
        """Read a window that lies within the picture; only of layouts of the kind "windows".

        Raises
        ------
        ImageError
            When it cannot be decoded; the message tells the place.
        """

    def bands(self, rows: int) -> Iterator[Patch]:
        """Read all from top to bottom, so many rows at a time; the last band may be lower.

        Raises
        ------
        ImageError
            When a part cannot be decoded; the message tells the place.
        """


def notes_of(path: Place, header: Header, layout: Layout) -> tuple[str, ...]:
    """What `Raster.notes` would say of a picture, but for what hangs on its pixels."""
    if header.format == "zarr":
        return open_zarr(path).form.notes + zarr_look(header.mode).notes()
    with open_regular(path) as (raw, _), BufferedReader(raw) as file:
        return pages_note(header) + _look(file, header, layout, shown(path)).notes()


def _look(file: IO[bytes], header: Header, layout: Layout, name: str) -> Look:
    """How the samples that a reader gets are to be painted."""
    look = look_at(file, header, name)
    if layout.kind == "rows":
        return expanded(look)
    # The samples come in the machine's byte order, whatever the file's is.
    return replace(look, packed=look.packed.replace(";16L", ";16N").replace(";16B", ";16N"))


@contextmanager
def open_windows(path: Place, header: Header, layout: Layout) -> Iterator[WindowReader]:
    """Open a picture to be read in parts.

    Parameters
    ----------
    path : Path or ObjectPath
        The file.
    header : Header
        Its header, from `images.read_header`.
    layout : Layout
        Its layout, from `layouts.layout_of`.

    Raises
    ------
    ChangedWhileReading
        When the file's size is no longer that of its header, or a folder's form that of its layout.
    ImageError
        When it cannot be opened again.
    """
    name = shown(path)
    if header.format == "zarr":
        yield _zarr_reader(path, header, layout, name)
        return
    with open_regular(path) as (raw, found), BufferedReader(raw) as file:
        unchanged(found, header.bytes, name)
        look = _look(file, header, layout, name)
        if layout.kind == "rows":
            yield StreamReader(path, header, look)
            return
        with first_page(file, name) as page:
            yield TiffReader(file, page, look, name)


def _zarr_reader(path: Place, header: Header, layout: Layout, name: str) -> ZarrReader:
    array = open_zarr(path)
    form, unit = array.form, layout.unit
    found = form.height, form.width, form.unit, mode_of(form, name)
    if found != (layout.height, layout.width, unit, header.mode):
        raise ChangedWhileReading(
            f"{name}: expected {header.mode} of {layout.height} × {layout.width} in pieces of {unit} as when "
            f"its header was read, found {form}; run again once nothing writes to it"
        )
    return ZarrReader(array, zarr_look(header.mode))
