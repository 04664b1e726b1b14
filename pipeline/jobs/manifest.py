"""The manifest: one line per image, sorted by key, the state of the output tree.

During a run finished records go to the journal, an append-only file (see `tapes`); at its end, or at
the start of the next run if it was killed, they are folded into the manifest, which is replaced as a whole.
A torn or damaged line costs the work on its image, never the run.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import accumulate
from typing import NamedTuple, Protocol

import msgspec

from pipeline.files.objects import Place
from pipeline.files.writing import write_parts
from pipeline.jobs.records import Record, Records, from_line, to_line
from pipeline.jobs.tapes import lines_of, lines_on, open_tape, wind_back

NAME = "manifest.jsonl"
_BEGUN = b'{"begun"'


class Manifest(NamedTuple):
    """What is known of the output tree.

    records : by key. unfinished : keys whose outputs a killed run had begun to replace, so that
    they may be neither the old nor the new ones. damaged : lines that could not be read, as
    `file:line`. replayed : whether a journal was found. touched : keys of which a journal tells:
    whoever was killed may have left something beside their outputs, though others have made them since.
    """

    records: Records
    unfinished: set[str]
    damaged: list[str]
    replayed: bool
    touched: Set[str] = frozenset()


class _Begun(msgspec.Struct, frozen=True):
    """A journal line: the outputs of these images are about to be replaced."""

    begun: list[str]


def load(root: Place, journal: Place) -> Manifest:
    """Read the manifest of an output root, and the journal over it if there is one."""
    records: dict[str, bytes] = {}
    unfinished: set[str] = set()
    damaged: list[str] = []
    for place, line in lines_of(root / NAME):
        try:
            record = from_line(line)
        except ValueError:
            damaged.append(place)
        else:
            records[record.image] = to_line(record)
    journaled = lines_on(journal)
    touched: set[str] = set()
    for place, line in journaled or ():
        try:
            touched.update(_replay(line, records, unfinished))
        except ValueError:
            damaged.append(place)
    return Manifest(Records(records), unfinished, damaged, journaled is not None, touched)


class Lines(Protocol):
    """Records by key, of which the manifest is made."""

    def __iter__(self) -> Iterator[str]:
        """The keys, in any order."""

    def line(self, key: str) -> bytes:
        """A record as a line."""


def save(root: Place, records: Lines) -> bool:
    """Replace the manifest, unless it says the same already; tells whether it was written."""
    return write_parts(root / NAME, (records.line(key) for key in sorted(records)))


def fold(root: Place, journal: Place, records: Lines, unfinished: Iterable[str]) -> None:
    """Replace the manifest by `records`; of the journal only what is unfinished is left."""
    save(root, records)
    empty(journal, unfinished)


def empty(journal: Place, unfinished: Iterable[str]) -> None:
    """Leave of a journal only what is unfinished."""
    begun = sorted(unfinished)
    wind_back(journal, _begin_line(begun) if begun else b"")


def is_folded(journal: Place) -> bool:
    """Whether a journal tells of nothing but outputs that may be half replaced, if it is there at all."""
    return all(line.startswith(_BEGUN) for _, line in lines_on(journal) or ())


class Journal:
    """The records of a run in progress, each on the disk before the next is awaited."""

    def __init__(self, path: Place) -> None:
        self._tape = open_tape(path)

    def begin(self, keys: Sequence[str]) -> None:
        """Note that the outputs of these images are about to be replaced."""
        if keys:
            self._tape.append(_begin_line(keys))

    def add(self, records: list[Record]) -> list[int]:
        """Append what came of some images; returns the place of each of the records, see `line`."""
        if not records:
            return []
        lines = [to_line(record) for record in records]
        first = self._tape.append(b"".join(lines))
        return list(accumulate(map(len, lines), initial=first))[:-1]

    def line(self, place: int) -> bytes:
        """The record that begins at a place, as a line."""
        return self._tape.line(place)

    def close(self) -> None:
        """Write no more."""
        self._tape.close()


def _begin_line(keys: Sequence[str]) -> bytes:
    return msgspec.json.encode(_Begun(list(keys))) + b"\n"


def _replay(line: bytes, records: dict[str, bytes], unfinished: set[str]) -> list[str]:
    """Take in a line of a journal; returns the keys that it tells of."""
    if line.startswith(_BEGUN):
        begun = msgspec.json.decode(line, type=_Begun).begun
        unfinished.update(begun)
        return begun
    record = from_line(line)
    records[record.image] = to_line(record)
    unfinished.discard(record.image)
    return [record.image]
