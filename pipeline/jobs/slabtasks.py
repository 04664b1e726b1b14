"""What a worker does first to a slab of a large image: read it and count its colours.

    count_slab   pixels → counts, a file each     any order, any worker

What tasks hand on lies in a work folder below the output root's state: answers are small, and what
a killed run had counted is not counted again. Every file there is whole or absent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color import kernels
from pipeline.color.counts import ColorCounts, Tally
from pipeline.files.headers import Header
from pipeline.files.images import flatten
from pipeline.files.layouts import Layout
from pipeline.files.objects import Place
from pipeline.files.patches import Patch
from pipeline.files.readers import open_windows
from pipeline.files.sources import FileStat, at_rest
from pipeline.files.windows import Window, cover
from pipeline.files.writing import put
from pipeline.jobs.handover import handed, keep, kept, opened
from pipeline.jobs.settings import Settings
from pipeline.jobs.slabs import PATTERN_ROWS, Slab

_PATCH = 1 << 22  # pixels that are read at once


@dataclass(frozen=True)
class Large:
    """A large image: its place of work (see `workplaces`), what its header says, the windows' side.

    notes : the policies that are applied to all its pixels, in words.
    """

    key: str
    stat: FileStat
    work: Place
    scratch: Place
    header: Header
    layout: Layout
    window: int
    notes: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The image's key: what is asked of it as a whole is a task too."""
        return (self.key,)

    @property
    def pixels(self) -> int:
        """How many it has."""
        return self.layout.height * self.layout.width


class SlabTask(NamedTuple):
    """A task: a slab. band : a file of its pixels, if they can only be read from top to bottom."""

    image: Large
    slab: Slab
    band: Place | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The image's key."""
        return (self.image.key,)


class SlabFacts(NamedTuple):
    """What was found in a slab besides colours.

    clear : fully transparent pixels. half : whether there are half transparent ones. laid : whether
    there were, and they have been laid over the background.
    """

    clear: int
    half: bool
    laid: bool


def count_slab(settings: Settings, task: SlabTask) -> SlabFacts | None:
    """Count the colours of a slab into a file of the work folder, unless it is there.

    Returns None, having removed the file, if that is damaged and this task cannot read the pixels.
    """
    path = counts_path(task.image, task.slab)
    if (found := _counts(task.image, task.slab)) is None:
        if task.band is None and task.image.layout.kind == "rows":
            path.unlink(missing_ok=True)
            return None
        tally = Tally()
        clear, half, laid = 0, False, False
        for patch, was_laid in patches(settings, task):
            tally.add(patch.pixels, patch.alpha)
            laid |= was_laid
            if patch.alpha is not None:
                clear += int((patch.alpha == 0).sum())
                half |= bool(((patch.alpha > 0) & (patch.alpha < 255)).any())
        total = tally.drain()
        counts = total.counts.astype(np.uint32)
        keep(path, codes=total.codes, counts=counts, facts=np.array([clear, half, laid]))
        return SlabFacts(clear, half, laid)
    clear, half, laid = found["facts"].tolist()
    return SlabFacts(clear, bool(half), bool(laid))


def add_counts(counts: ColorCounts, files: Iterable[Place]) -> ColorCounts:
    """Counts, and those of slabs in files, by a table over all colours: 128 MiB, however many there are."""
    table = np.zeros(kernels.CODES, np.int64)
    table[counts.codes] = counts.counts
    for file in files:
        part = handed(file)
        kernels.add_counts(part["codes"], part["counts"], table)
    codes = np.flatnonzero(table)
    return ColorCounts(codes.astype(np.uint32), table[codes])


def patches(settings: Settings, task: SlabTask) -> Iterator[tuple[Patch, bool]]:
    """The pixels of a slab, window by window, and whether half-transparent ones had to be laid over."""
    for patch in _read(settings, task):
        if patch.alpha is None or settings.alpha == "preserve":
            yield patch, False
        else:
            yield patch, flatten(patch.pixels, patch.alpha, settings.background)


def _read(settings: Settings, task: SlabTask) -> Iterator[Patch]:
    image, slab = task.image, task.slab
    if task.band is not None:
        window = Window(slab.row, 0, slab.height, image.layout.width)
        with opened(task.band) as band:
            yield Patch(window, np.load(band), np.load(band) if image.layout.alpha else None)
        return
    rows, cols = _window_of(image, slab, settings.dither != "none")
    path = settings.input_root / image.key
    with (
        at_rest(path, image.stat, image.key),
        open_windows(path, image.header, image.layout) as reader,
    ):
        for window in cover(slab.height, image.layout.width, rows, cols):
            yield reader.read(window._replace(row=window.row + slab.row))


def save_patch(path: Place, patch: Patch) -> None:
    """Put a patch into a file, for a task that cannot read it itself."""

    def write(file: BinaryIO) -> None:
        for array in patch[1:]:
            if array is not None:
                np.save(file, array)

    put(path, write)


def _window_of(image: Large, slab: Slab, patterned: bool) -> tuple[int, int]:
    """Rows and columns of the windows that a slab is read in: whole units, so that none is decoded twice.

    patterned : whether a dithering pattern is to go on from window to window.
    """
    height, width = image.layout.unit
    cols = min(-(-image.window // width) * width, image.layout.width)
    most = max(1, _PATCH // cols)
    rows = -(-min(image.window, most) // height) * height
    if patterned:
        rows = -(-rows // PATTERN_ROWS) * PATTERN_ROWS
    return min(rows, slab.height), cols


def counts_path(image: Large, slab: Slab) -> Place:
    """Where the counts of a slab are, once it has been counted."""
    return image.work / f"counts-{slab.row}-{slab.height}.npz"


def _counts(image: Large, slab: Slab) -> dict[str, NDArray[Any]] | None:
    """The counts of a slab, or None if there are none, or not of all its pixels."""
    found = kept(counts_path(image, slab))
    if found is None or found.keys() != {"codes", "counts", "facts"}:
        return None
    return found if found["counts"].sum() + found["facts"][0] == slab.pixels else None
