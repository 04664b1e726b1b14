"""The palettes that images share: count on the workers, merge, fit once, paint.

Counts are sums of integers: those of a bundle are merged on its worker, those of a group's bundles
where the run is, in whatever order they come.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.color.counts import ColorCounts
from pipeline.color.mapping import fit_palette
from pipeline.files.objects import ObjectPath, Place
from pipeline.files.palettefiles import colors_of, read_palette
from pipeline.files.writing import commit_at
from pipeline.jobs.bundles import bundled
from pipeline.jobs.plan import Decision, Orphan, Reason
from pipeline.jobs.products import PaletteSource, about_fit, palette_files
from pipeline.jobs.records import OutputFacts, Record
from pipeline.jobs.routes import Route
from pipeline.jobs.scopes import Group, Scope, group_name, members_digest, shared_path, was_counted
from pipeline.jobs.settings import Settings, SharedPalette
from pipeline.jobs.slabtasks import add_counts
from pipeline.jobs.tasks import Counted, Painting


class Counting(NamedTuple):
    """A task: some images of a group, to be counted together. megapixels : of all of them."""

    keys: tuple[str, ...]
    group: str
    megapixels: float = 0.0

    def split(self) -> "list[Counting]":
        """A task for each image."""
        return [self._replace(keys=(key,)) for key in self.keys]


class Fitting(NamedTuple):
    """A task: the palette of a group's images. contents : the SHA-256 of each that was counted.

    files : counts of large images, to be added to the others.
    """

    keys: tuple[str, ...]
    group: str
    counts: ColorCounts
    contents: list[str]
    files: tuple[Place, ...]


class Sharing:
    """The groups of one run on their way from counts to palettes.

    routes : of the images that have work, by key. records : the manifest's.
    """

    def __init__(
        self, scope: Scope, groups: list[Group], routes: dict[str, Route], records: Mapping[str, Record]
    ) -> None:
        self._scope = scope
        self._groups = {group.name: group for group in groups}
        self._routes = routes
        self._records = records
        self._counts: dict[str, tuple[ColorCounts, list[str], tuple[Place, ...]]] = {}
        self._palettes: dict[str, SharedPalette] = {}

    def countings(self) -> list[Counting]:
        """The images to be counted, bundled by group."""
        return [
            Counting(keys, group.name, megapixels)
            for group in self._groups.values()
            if not group.files
            for keys, megapixels in bundled([self._routes[key] for key in self._keys(group)])
        ]

    def take(self, group: str, counted: Counted) -> None:
        """Merge the counts of some images into their group's."""
        if counted.contents:
            counts, contents, files = self._counts.get(group, (None, [], ()))
            merged = counted.counts if counts is None else counts + counted.counts
            self._counts[group] = merged, contents + counted.contents, files + counted.files

    def fittings(self, failed: set[str]) -> list[Fitting]:
        """The palettes to be found: of groups that have counts, which are handed over.

        failed : images that could not be counted.
        """
        found = []
        for name in sorted(self._counts):
            counts, contents, files = self._counts.pop(name)
            keys = tuple(key for key in self._keys(self._groups[name]) if key not in failed)
            found.append(Fitting(keys, name, counts, contents, files))
        return found

    def settle(self, group: str, palette: SharedPalette) -> list[Record]:
        """Take a group's palette; returns the records of images that have it already and stay as they are."""
        self._palettes[group] = palette
        return [
            self._records[decision.entry.key]
            for decision in self._groups[group].work
            if decision.reason == Reason.PALETTE_CHANGED and _has(self._records[decision.entry.key], palette)
        ]

    def parted(self, group: str, orphans: list[Orphan]) -> list[Record]:
        """The records of images of a group that have gone, without the palette that was theirs too."""
        return [
            orphan.record.without_shared()
            for orphan in orphans
            if group_name(orphan.record.image, self._scope) == group
        ]

    def paintings(self, root: Place, settled: set[str]) -> list[Painting]:
        """The images to be painted, but for those that are settled; root : the output root."""
        tasks = []
        for group in self._groups.values():
            left = [d for d in group.work if d.entry.key in self._routes and d.entry.key not in settled]
            palette = self._palettes.get(group.name)
            if palette is not None:
                tasks += self._painted(left, palette)
            elif left and group.files:
                colors = _kept_colors(root / f"{shared_path(group.name)}.json")
                kept = SharedPalette(colors, group.files, group.members)
                parts: tuple[list[Decision], list[Decision]] = [], []
                for decision in left:
                    record = self._records.get(decision.entry.key)
                    parts[was_counted(decision, record)].append(decision)
                others, counted = parts
                tasks += self._painted(counted, kept)
                tasks += self._painted(others, replace(kept, frozen=True))
        return tasks

    def _painted(self, decisions: list[Decision], palette: SharedPalette) -> list[Painting]:
        routes = [self._routes[decision.entry.key] for decision in decisions]
        return [Painting(keys, palette, megapixels) for keys, megapixels in bundled(routes)]

    def _keys(self, group: Group) -> list[str]:
        return [decision.entry.key for decision in group.work if decision.entry.key in self._routes]


def fit_group(settings: Settings, scope: str, task: Fitting) -> SharedPalette:
    """Find the palette of a group and write its files; what is there with the same bytes stays."""
    counts = add_counts(task.counts, task.files) if task.files else task.counts
    fitted = fit_palette(counts, settings.shared_method)
    about = {
        "scope": scope,
        "group": task.group,
        "images": len(task.contents),
        **about_fit(settings, counts, fitted),
        "mse": round(fitted.squared_error / counts.total, 6),
    }
    source = PaletteSource(task.group or scope, about, counts, fitted)
    path = shared_path(task.group)
    products = palette_files(settings, path, "shared", source)
    commit = commit_at(settings.output_root, settings.guard)
    facts = commit.stage(path, {product.path: product.data for product in products})
    for error in commit.publish().values():
        raise error
    files = {product.kind: OutputFacts(*fact) for product, fact in zip(products, facts, strict=True)}
    return SharedPalette(fitted.palette.colors, files, members_digest(task.contents))


def _kept_colors(path: Place) -> NDArray[np.uint8]:
    """The colours of a shared palette of an earlier run."""
    return colors_of(path.read_bytes(), ".json") if isinstance(path, ObjectPath) else read_palette(path)


def _has(record: Record, palette: SharedPalette) -> bool:
    """Whether an image has a palette as one of its members."""
    return record.shared == palette.files and record.members == palette.members and not record.frozen
