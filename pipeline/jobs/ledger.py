"""All that is recorded of an output tree: the manifest, its journal, and the parts that shards keep.

A part is newer than the manifest and its journal: a run of the whole job merges all parts before it
records anything of its own. Parts of shards have no image in common.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pipeline.errors import OutputError
from pipeline.jobs.lock import Hold
from pipeline.jobs.manifest import Journal, Manifest, empty, is_folded, load, save
from pipeline.jobs.records import Record
from pipeline.jobs.tree import Tree


class Part(NamedTuple):
    """What a shard has recorded that is not in the manifest yet."""

    tree: Tree
    known: Manifest


def load_manifest(tree: Tree) -> Manifest:
    """Read what is recorded, by runs in progress too; of a shard, of its images alone.

    Raises OutputError if it cannot be read.
    """
    if tree.shard is None:
        return load_whole(tree, load_parts(tree))
    with _reading(tree):
        # What is damaged of the whole is for a run of the whole to mend.
        known = load(tree.outputs, tree.whole.journal)._replace(damaged=[])
        known = _with_parts(known, [Part(tree, load(tree.book, tree.journal))])
        return known._replace(
            records=known.records.only(tree.shard.holds),
            unfinished={key for key in known.unfinished if tree.shard.holds(key)},
            touched={key for key in known.touched if tree.shard.holds(key)},
            replayed=not is_folded(tree.journal),
        )


def load_parts(tree: Tree) -> list[Part]:
    """Read the parts that shards keep. Raises OutputError if one cannot be read."""
    with _reading(tree):
        return [Part(part, load(part.book, part.journal)) for part in tree.parts]


def load_whole(tree: Tree, parts: list[Part]) -> Manifest:
    """Read the manifest and its journal, and lay the parts over them. Raises OutputError likewise."""
    with _reading(tree):
        return _with_parts(load(tree.outputs, tree.journal), parts)


@contextmanager
def _reading(tree: Tree) -> Iterator[None]:
    """Say what it means that records cannot be read."""
    try:
        yield
    except OSError as error:
        if isinstance(error, NotADirectoryError):
            raise OutputError(
                f"output root {tree.outputs}: expected a folder, found a file on the way to it; give another "
                "output.root"
            ) from error
        raise OutputError(
            f"output root {tree.outputs}: expected a readable manifest, found: {error.strerror or error}; "
            "check its permissions and those of its folder"
        ) from error


def _with_parts(known: Manifest, parts: list[Part]) -> Manifest:
    unfinished, touched = set(known.unfinished), set(known.touched)
    damaged = list(known.damaged)
    for tree, part in parts:
        unfinished -= part.records.keys()
        unfinished |= part.unfinished
        touched |= part.touched
        damaged += [f"{tree.state.parent.name}/{tree.state.name}/{line}" for line in part.damaged]
    records = known.records.under(part.records for _, part in parts)
    return Manifest(records, unfinished, damaged, known.replayed or bool(parts), touched)


class Books:
    """The records of a run at work: each goes to the journal, all of them to the manifest at the end.

    `unfinished` are the images whose outputs may be half replaced. hold : the lock. Once it is lost the
    books are another's: nothing is written to them any more, and all that would raises OutputLocked.
    """

    def __init__(self, tree: Tree, manifest: Manifest, hold: Hold) -> None:
        self.unfinished = set(manifest.unfinished)
        self._tree = tree
        self._hold = hold
        # A shard's part says what its runs have done, and nothing that it does not know better.
        known = load(tree.book, tree.journal) if tree.shard else manifest
        self._records = known.records
        self._forgotten: set[str] = set()
        self._places: dict[str, int] = {}  # of new records in the journal: in memory they would be much
        self._journal = Journal(tree.journal)

    @property
    def token(self) -> str:
        """What tells the lock under which they are written from all others."""
        return self._hold.token

    def begin(self, keys: tuple[str, ...]) -> None:
        """Note that the outputs of these images are about to be replaced."""
        self._hold.expect()
        self._journal.begin(keys)
        self.unfinished.update(keys)

    def keep(self, records: list[Record]) -> None:
        """Put on the disk what came of some images; their outputs are whole."""
        self.part(records)
        self.unfinished -= {record.image for record in records}

    def leave(self, records: list[Record]) -> None:
        """Note that the outputs of some images are what they were."""
        self._hold.expect()
        self._journal.add(records)
        self.unfinished -= {record.image for record in records}

    def part(self, records: list[Record]) -> None:
        """Keep other records of images that have gone."""
        self._hold.expect()
        places = self._journal.add(records)
        self._places |= zip((record.image for record in records), places, strict=True)

    def forget(self, keys: set[str]) -> None:
        """Know nothing of some images any more."""
        self.unfinished -= keys
        self._forgotten |= keys

    def close(self) -> None:
        """Fold the journal into the manifest."""
        try:
            self._hold.confirm()
            save(self._tree.book, self)
        finally:
            self._journal.close()
        empty(self._tree.journal, self.unfinished)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places.keys() | self._records.keys() - self._forgotten)

    def line(self, key: str) -> bytes:
        """A record as a line of the manifest."""
        place = self._places.get(key)
        return self._records.line(key) if place is None else self._journal.line(place)
