"""What lies in an output tree without an input: orphans, strays, debris. Named, and removed on demand."""

import os
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from pipeline.errors import OutputError
from pipeline.files.objects import ObjectPath, Place
from pipeline.files.storecalls import remove_all
from pipeline.files.wholefiles import DEBRIS
from pipeline.files.writing import sweep
from pipeline.jobs.clashes import ENDINGS
from pipeline.jobs.holding import held
from pipeline.jobs.ledger import load_manifest
from pipeline.jobs.lock import Hold, Say
from pipeline.jobs.manifest import Manifest, fold
from pipeline.jobs.merging import fold_parts
from pipeline.jobs.plan import Orphan
from pipeline.jobs.survey import Survey
from pipeline.jobs.tree import Tree

WINGS = (
    "quantized",
    "labels",
    "palettes",
    "centers",
    "previews",
    "comparisons",
    "regions",
    "boundaries",
    "shared",
    "report/thumbs",  # the rest of the report is no image's output
)
_PLACES = (*WINGS, "previews/original", "previews/quantized")
"""Where outputs lie that are named by an image's key."""


@dataclass(frozen=True)
class Leftovers:
    """Files without an input.

    orphans : recorded images that the job no longer has. strays : files below the output folders,
    by path relative to the output root, that no record knows: of an earlier recipe, or of a
    killed run. owned : files of records that stay; a forged record must not take them along.
    """

    orphans: list[Orphan]
    strays: list[str]
    owned: frozenset[str] = field(default=frozenset(), compare=False)

    def __len__(self) -> int:
        return len(self.orphans) + len(self.strays)

    def files(self) -> Iterator[str]:
        """Paths of all the files, relative to the output root; one that images share, once."""
        outputs = (output for orphan in self.orphans for output in orphan.record.outputs.values())
        yield from dict.fromkeys(output.path for output in outputs if output.path not in self.owned)
        yield from self.strays


def find_leftovers(found: Survey) -> Leftovers:
    """Compare the files below the output folders with the records."""
    gone = {orphan.record.image for orphan in found.plan.orphans}
    owned = {
        output.path
        for key, record in found.manifest.records.items()
        for output in record.outputs.values()
        if key not in gone
    }
    strays = sorted(_strays(found.tree, found.manifest))
    return Leftovers(found.plan.orphans, strays, frozenset(owned))


def prune(found: Survey, leftovers: Leftovers, say: Say = lambda text: None) -> int:
    """Remove leftovers, files before records; returns the number of files removed.

    say : see `held`.
    Raises OutputLocked if a run is at work, OutputError if a file cannot be removed or a record
    names one outside the output root.
    """
    tree = found.tree
    with held(tree, say) as hold:
        if found.outdated():
            raise OutputError(f"{tree.outputs} has changed since it was looked at; prune again")
        try:
            sweep_state(tree)
            fold_parts(tree, hold)
            removed = _remove_all(tree.outputs, list(leftovers.files()), hold)
            hold.confirm()
            if leftovers.orphans:
                _forget(tree, {orphan.record.image for orphan in leftovers.orphans})
        except OSError as error:
            raise OutputError(
                f"output root {tree.outputs}: a file could not be removed: {error.strerror}; check its rights"
            ) from error
    return removed


def sweep_state(tree: Tree) -> None:
    """Remove what a killed run or prune left beside its own files. Needs the lock."""
    for folder in (tree.book, tree.state, tree.state / "recipes", tree.state / "runs"):
        sweep(folder)


def sweep_outputs(tree: Tree, begun: Set[str]) -> None:
    """Remove what killed runs or workers left beside the final names that they were to replace.

    Needs the lock. begun : the images that they were at. A shard removes what its own images left, for
    others may be at work in the same folders.
    """
    if isinstance(tree.outputs, ObjectPath):
        return  # outputs are sent to their final names
    above: dict[str, set[str]] = {}
    for key in begun:
        folder, _, name = key.rpartition("/")
        above.setdefault(folder, set()).add(name)
    places: dict[Place, list[set[str]]] = {}
    for below, names in above.items():
        for place in _PLACES:
            with suppress(OutputError):  # a forged journal names what is not ours
                places.setdefault(inside(tree.outputs, f"{place}/{below}/*").parent, []).append(names)
    if begun:
        places[tree.outputs / "shared"] = []  # a palette of the whole job is next to no image's
    for place_below, all_names in sorted(places.items()):
        finals = (name + ending for names in all_names for name in names for ending in ENDINGS)
        sweep(place_below, finals if tree.shard else None)


def inside(root: Place, path: str) -> Place:
    """The file at a recorded path; OutputError if that is not in one of the output folders.

    Of a link the place counts, not what it points to.
    """
    full = root / path
    parts = (Path(path) if isinstance(root, Path) else PurePosixPath(path)).parts
    if (
        "\0" in path
        or ".." in parts
        or not _is_in_wing(parts)
        or (isinstance(full, Path) and not _is_below(full.parent, root))
    ):
        raise OutputError(
            f"{root}: the manifest names {path!r}, which is not inside the output folders; the manifest "
            "was changed by hand or comes from elsewhere: restore it, or delete it and run again"
        )
    return full


def _is_in_wing(parts: tuple[str, ...]) -> bool:
    wings = (tuple(wing.split("/")) for wing in WINGS)
    return any(parts[: len(wing)] == wing and len(parts) > len(wing) for wing in wings)


def _forget(tree: Tree, images: set[str]) -> None:
    """Drop records from the manifest, and from the journal of a killed run, which would bring them back."""
    known = load_manifest(tree)
    records = known.records.only(lambda key: key not in images)
    fold(tree.outputs, tree.journal, records, known.unfinished - images)


def _is_below(folder: Path, root: Place) -> bool:
    return isinstance(root, Path) and folder.resolve().is_relative_to(root.resolve())


def _remove_all(root: Place, paths: list[str], hold: Hold) -> int:
    """Remove files below the output folders while the lock is held; returns how many there were."""
    if not isinstance(root, ObjectPath):
        removed = 0
        for path in paths:
            hold.expect()
            removed += _remove(root, path)
        return removed
    objects = {path: inside(root, path) for path in paths}
    there = {name for name, _ in root.walk()} if paths else set()  # removing alone would not tell
    gone = [found for path, found in objects.items() if path in there and isinstance(found, ObjectPath)]
    hold.expect()
    remove_all(gone)
    return len(gone)


def _remove(root: Path, path: str) -> bool:
    """Remove a file, and folders that it leaves empty."""
    inside(root, path)
    try:
        (root / path).unlink()
    except FileNotFoundError:
        return False
    with suppress(OSError):  # a folder that is not empty stays
        for folder in Path(path).parents[:-2]:
            (root / folder).rmdir()
    return True


def _strays(tree: Tree, manifest: Manifest) -> Iterator[str]:
    known = {output.path for record in manifest.records.values() for output in record.outputs.values()}
    # What an image had before it failed stays until it is done again or its input has gone.
    failed = [key for key, record in manifest.records.items() if record.status == "failed"]
    known |= {f"{place}/{key}{ending}" for key in failed for place in _PLACES for ending in ENDINGS}
    for path in _output_files(tree.outputs):
        busy = manifest.replayed and fnmatch(path.rpartition("/")[2], DEBRIS)  # perhaps a run's at work
        if path not in known and not busy:
            yield path


def _output_files(root: Place) -> Iterator[str]:
    """The files below the output folders, by path relative to the root."""
    if isinstance(root, ObjectPath):
        with suppress(FileNotFoundError):
            wings = tuple(f"{wing}/" for wing in WINGS)
            yield from (name for name, _ in root.walk() if name.startswith(wings))
        return
    for wing in WINGS:
        for folder, _, names in os.walk(f"{root}/{wing}"):
            below = Path(folder).relative_to(root).as_posix()
            yield from (f"{below}/{name}" for name in names)
