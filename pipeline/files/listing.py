"""What lies below the input root: one entry per image file, sorted by key.

See `folderlisting` for what is taken of a folder of this machine, `objectlisting` for an object store. A
folder may be one image too, see `folders`: it has an entry and is not descended into. Nothing is opened.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.files.entries import Entry, Skipped
from pipeline.files.folderlisting import list_folder
from pipeline.files.objectlisting import list_objects
from pipeline.files.objects import ObjectPath, Place
from pipeline.files.patterns import Patterns

__all__ = ["Entry", "Listing", "Skipped", "list_inputs"]


class Listing(NamedTuple):
    """All entries below `root`, sorted by key, and what was passed over, sorted by path.

    `others` counts, by extension, the files that do not look like images; none if patterns say
    which files to take.
    """

    root: Place
    entries: list[Entry]
    skipped: list[Skipped]
    others: dict[str, int]


def list_inputs(
    root: Place, include: Sequence[str] = (), exclude: Sequence[str] = (), follow_symlinks: bool = False
) -> Listing:
    """List the image files below `root`.

    Parameters
    ----------
    root : Path or ObjectPath
        The input root: a folder, a link to one, or what names of objects begin with.
    include, exclude : sequence of str
        Patterns as told in `pipeline.files.patterns`; no include pattern takes every known
        image extension, in upper or lower case.
    follow_symlinks : bool
        Whether links may lead out of the root.

    Raises
    ------
    InputError
        When the root is missing, not a folder, or cannot be read.
    SpecError
        When a pattern is malformed.
    """
    patterns = Patterns(include, exclude)
    if isinstance(root, ObjectPath):
        entries, others = list_objects(root, patterns)
        return Listing(root, sorted(entries, key=_by_key), [], {} if include else others)
    entries, skipped, others = list_folder(root, patterns, follow_symlinks)
    return Listing(root, sorted(entries, key=_by_key), sorted(skipped), {} if include else others)


def _by_key(entry: Entry) -> str:
    return entry.key
