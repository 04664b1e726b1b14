"""A glance at an input root before there is a job: what lies there, from names and some headers.

The effort is bounded but for the listing: of many images the largest files and some others, evenly spread,
are looked at. Nothing is decoded, and nothing is written.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from glob import escape
from typing import NamedTuple

from pipeline.errors import ImageError, InputError, SpecError
from pipeline.files.ahead import mapped_ahead
from pipeline.files.entries import Entry
from pipeline.files.folders import has_image_name
from pipeline.files.formats import NAMES
from pipeline.files.images import read_header
from pipeline.files.kinds import told_kinds
from pipeline.files.listing import Listing, list_inputs
from pipeline.files.objects import ObjectPath, Place
from pipeline.files.rasters import raster_layout

_LOOKED_AT = 240  # headers, at most
_REQUESTS = 48  # the same in a store, where each is a request or two
_KINDS = 8  # extensions of other files that are looked into
_PROBES = 3  # files of each
_FOLDERS = 2000  # that are asked whether they are outputs of a job
_RAW = (
    ".3fr", ".arw", ".cr2", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".nef", ".nrw", ".orf", ".pef",
    ".raf", ".rw2", ".srw",
)  # fmt: skip
"""What cameras write before it is a picture; some of it passes for TIFF, and shows a thumbnail."""

_READERS = 16  # threads
_ANY_SIZE = 1 << 62
_STATE = ".segpipe"


class Looked(NamedTuple):
    """What a header says. raster : bands and dtype of numbers that pictures do not have, or nothing."""

    megapixels: float
    raster: str = ""


@dataclass(frozen=True)
class Glance:
    """What lies below an input root.

    images : how many. kinds : the extensions of images, as they are spelled, with their numbers; named
    for `input.include` if `uncommon`, as some are not known to be images'. others : those of all other
    files. exclude : patterns of folders that are outputs of jobs. looked : what headers said, None where
    one could not be read.
    """

    images: int
    kinds: dict[str, int]
    uncommon: list[str]
    others: dict[str, int]
    exclude: list[str]
    looked: list[Looked | None]

    @property
    def read(self) -> list[Looked]:
        """What was found in the headers that could be read."""
        return [one for one in self.looked if one is not None]


def glance(root: Place) -> Glance:
    """Look at what lies below an input root.

    Raises
    ------
    InputError
        When it cannot be read, or has no images: what it has instead is named.
    SpecError
        When it is the output root of a job.
    """
    if not isinstance(root, ObjectPath) and (root / _STATE).is_dir():
        raise SpecError(
            f"{root}: expected a folder of images, found the outputs of a job; give the folder that they "
            "were made from, or a new one"
        )
    listing = list_inputs(root)
    exclude = _outputs_of_jobs(root, listing.entries)
    if exclude:
        listing = list_inputs(root, (), exclude)
    others = Counter(listing.others)
    uncommon = _images_among_others(root, listing, exclude)
    if uncommon:
        known = sorted(_kinds(listing.entries))
        listing = list_inputs(root, [f"*{escape(kind)}" for kind in [*known, *uncommon]], exclude)
        others -= Counter(_kind(entry).lower() for entry in listing.entries)
    if not listing.entries:
        raise InputError(f"{root}: expected images, found {told_kinds(others) or 'no files'}; check the path")
    chosen = _chosen(listing.entries, _REQUESTS if isinstance(root, ObjectPath) else _LOOKED_AT)
    looked = list(mapped_ahead(partial(_look, root), chosen, _READERS))
    return Glance(len(listing.entries), _kinds(listing.entries), uncommon, dict(others), exclude, looked)


def _look(root: Place, entry: Entry) -> Looked | None:
    if entry.error is not None:
        return None
    path = root / entry.key
    if _kind(entry).lower() in (".tif", ".tiff", ".zarr"):
        try:
            layout = raster_layout(path)
        except ImageError:
            pass  # Pillow may read it all the same
        else:
            if layout.bands > 4 or layout.dtype not in ("uint8", "bool"):
                bands = "1 band" if layout.bands == 1 else f"{layout.bands} bands"
                return Looked(layout.width * layout.height / 1e6, f"{bands} of {layout.dtype}")
    try:
        header = read_header(path, NAMES, _ANY_SIZE)
    except ImageError:
        return None
    return Looked(header.width * header.height / 1e6)


def _chosen(entries: Sequence[Entry], most: int) -> list[Entry]:
    """All of a few entries; of many the largest, and as many others evenly spread."""
    if len(entries) <= most:
        return list(entries)
    largest = sorted(entries, key=lambda entry: (-entry.bytes, entry.key))[: most // 2]
    rest = sorted(set(entries) - set(largest), key=lambda entry: entry.key)
    step = len(rest) / (most - len(largest))
    return largest + [rest[int(place * step)] for place in range(most - len(largest))]


def _kind(entry: Entry) -> str:
    return os.path.splitext(entry.key)[1]  # noqa: PTH122 -- a key is a str


def _kinds(entries: Sequence[Entry]) -> dict[str, int]:
    return dict(Counter(map(_kind, entries)))


def _images_among_others(root: Place, listing: Listing, exclude: Sequence[str]) -> list[str]:
    """The extensions whose files are images, though their names do not say so."""
    kinds = sorted(listing.others, key=lambda kind: (-listing.others[kind], kind))
    asked = [kind for kind in kinds if kind and kind not in _RAW][:_KINDS]
    if not asked:
        return []
    probes: dict[str, list[Entry]] = {}
    for entry in list_inputs(root, ["*"], exclude).entries:
        if _kind(entry).lower() in asked and not has_image_name(entry.key):
            probes.setdefault(_kind(entry), []).append(entry)
    found = {
        kind: all(_look(root, entry) is not None for entry in some[:_PROBES]) for kind, some in probes.items()
    }
    return sorted(kind for kind, are_images in found.items() if are_images)


def _outputs_of_jobs(root: Place, entries: Sequence[Entry]) -> list[str]:
    """Patterns of the folders below the root that are outputs of jobs."""
    if isinstance(root, ObjectPath):  # each question would be a request
        return []
    folders = {folder for entry in entries for folder in _above(entry.key)}
    some = sorted(folders, key=lambda folder: (folder.count("/"), folder))[:_FOLDERS]
    outputs = [folder for folder in some if (root / folder / _STATE).is_dir()]
    return [f"/{escape(folder)}/" for folder in outputs]


def _above(key: str) -> list[str]:
    parts = key.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
