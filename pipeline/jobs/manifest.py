"""The manifest: one line per image, sorted by key, the state of the output tree.

During a run finished records go to the journal, an append-only file; at its end, or at the start
of the next run if it was killed, they are folded into the manifest, which is replaced as a whole.
A torn or damaged line costs the work on its image, never the run.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from pipeline.files.outputs import flush_folder, write_whole
from pipeline.jobs.records import Record, from_line, to_line

NAME = "manifest.jsonl"
_BEGUN = b'{"begun"'


class Manifest(NamedTuple):
    """What is known of the output tree.

    records : by key. unfinished : keys whose outputs a killed run had begun to replace, so that
    they may be neither the old nor the new ones. damaged : lines that could not be read, as
    `file:line`. replayed : whether a journal was found.
    """

    records: dict[str, Record]
    unfinished: set[str]
    damaged: list[str]
    replayed: bool


class _Begun(msgspec.Struct, frozen=True):
    """A journal line: the outputs of these images are about to be replaced."""

    begun: list[str]


def load(root: Path, journal: Path) -> Manifest:
    """Read the manifest of an output root, and the journal over it if there is one."""
    records: dict[str, Record] = {}
    unfinished: set[str] = set()
    damaged: list[str] = []
    for number, line in _lines(root / NAME):
        try:
            record = from_line(line)
        except ValueError:
            damaged.append(f"{NAME}:{number}")
        else:
            records[record.image] = record
    replayed = journal.exists()
    for number, line in _lines(journal):
        try:
            _replay(line, records, unfinished)
        except ValueError:
            damaged.append(f"{journal.name}:{number}")
    return Manifest(records, unfinished, damaged, replayed)


def save(root: Path, records: Iterable[Record]) -> bool:
    """Replace the manifest, unless it says the same already; tells whether it was written."""
    lines = [to_line(record) for record in sorted(records, key=lambda record: record.image)]
    return write_whole(root / NAME, b"".join(lines))


def fold(root: Path, journal: Path, records: Iterable[Record], unfinished: Iterable[str]) -> None:
    """Replace the manifest by `records`; of the journal only what is unfinished is left."""
    save(root, records)
    begun = sorted(unfinished)
    if begun:
        write_whole(journal, _begin_line(begun))
    elif journal.exists():
        journal.unlink()
        flush_folder(journal.parent)


def is_folded(journal: Path) -> bool:
    """Whether a journal tells of nothing but outputs that may be half replaced, if it is there at all."""
    return all(line.startswith(_BEGUN) for _, line in _lines(journal))


class Journal:
    """The records of a run in progress, each on the disk before the next is awaited."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        if self._file.tell():  # a killed run's, whose last line may be torn
            self._append(b"\n")
        flush_folder(path.parent)

    def begin(self, keys: Sequence[str]) -> None:
        """Note that the outputs of these images are about to be replaced."""
        if keys:
            self._append(_begin_line(keys))

    def add(self, records: list[Record]) -> None:
        """Append what came of some images."""
        if records:
            self._append(b"".join(to_line(record) for record in records))

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _append(self, lines: bytes) -> None:
        """Write in one call: a reader after a crash finds whole lines, but for the last."""
        written = self._file.write(lines)
        if written != len(lines):
            raise OSError(f"only {written} of {len(lines)} bytes were written to {self._path.name}")
        os.fsync(self._file.fileno())


def _begin_line(keys: Sequence[str]) -> bytes:
    return msgspec.json.encode(_Begun(list(keys))) + b"\n"


def _replay(line: bytes, records: dict[str, Record], unfinished: set[str]) -> None:
    if line.startswith(_BEGUN):
        unfinished.update(msgspec.json.decode(line, type=_Begun).begun)
    else:
        record = from_line(line)
        records[record.image] = record
        unfinished.discard(record.image)


def _lines(path: Path) -> Iterable[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except FileNotFoundError:
        return
