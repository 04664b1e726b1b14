"""Where the lines of a journal lie: in a file that is appended to, or in numbered objects.

Objects cannot be appended to, so in a store each append is an object of its own, and all of them are
read in the order of their numbers. Once all that they say is in the manifest one more is written that
says so, `{"folded": 17}`: whatever its number or a lower one has is passed over from then on. So the
others can be removed many at once and in any order, by someone who may be killed at it: were they
only removed one after the other, some that are left could bring back records that later ones, gone
by then, had replaced.
"""

import io
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Protocol

from pipeline.files.objects import ObjectPath, Place
from pipeline.files.storecalls import ABREAST, create, read, remove_all
from pipeline.files.wholefiles import flush_folder, write_whole

_FOLDED = b'{"folded"'


class Tape(Protocol):
    """What takes lines."""

    def append(self, lines: bytes) -> int:
        """Have these on the disk, or in the store; returns the place of the first. Raises OSError."""

    def line(self, place: int) -> bytes:
        """The line that begins at a place, of those that were appended. Raises OSError."""

    def close(self) -> None:
        """Take no more."""


def journal_in(state: Place) -> Place:
    """Where the journal of a state folder is."""
    return state / ("journal" if isinstance(state, ObjectPath) else "journal.jsonl")


def open_tape(path: Place) -> Tape:
    """Take up a tape where it ends. Raises OSError."""
    return _ObjectTape(path) if isinstance(path, ObjectPath) else _FileTape(path)


def lines_on(path: Place) -> Iterator[tuple[str, bytes]] | None:
    """The lines of a tape, each with where it is, or None if there is no tape. Raises OSError."""
    if isinstance(path, ObjectPath):
        numbers = _numbers(path)
        return _lines_in(path, numbers) if numbers else None
    return lines_of(path) if path.exists() else None


def lines_of(path: Place) -> Iterator[tuple[str, bytes]]:
    """The lines of a file that is there or not, each with where it is. Raises OSError."""
    try:
        if isinstance(path, ObjectPath):
            yield from _numbered(path.name, io.BytesIO(read(path)))
        else:
            with path.open("rb") as file:
                yield from _numbered(path.name, file)
    except FileNotFoundError:
        return


def wind_back(path: Place, line: bytes = b"") -> None:
    """Have nothing but this on a tape; there is none without it. Raises OSError."""
    if isinstance(path, ObjectPath):
        _wind_back_objects(path, line)
    elif line:
        write_whole(path, line)
    elif path.exists():
        path.unlink()
        flush_folder(path.parent)


def stamp_of(path: Place) -> object:
    """What tells one state of a tape from another; None if there is none. Raises OSError."""
    if isinstance(path, ObjectPath):
        return tuple(_numbers(path)) or None
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Readable:
    """A file of what was appended, from which lines are read back; closed with the tape."""

    def __init__(self, own: BinaryIO) -> None:
        self._own = own

    def line(self, place: int) -> bytes:
        self._own.seek(place)
        return self._own.readline()

    def close(self) -> None:
        self._own.close()


class _FileTape(_Readable):
    def __init__(self, path: Path) -> None:
        self._path = path
        with ExitStack() as opened:
            self._file = opened.enter_context(path.open("ab", buffering=0))
            super().__init__(opened.enter_context(path.open("rb")))
            self._end = self._file.tell()
            if self._end:  # a killed run's, whose last line may be torn
                self.append(b"\n")
            flush_folder(path.parent)
            opened.pop_all()  # all is well: they are closed with the tape

    def append(self, lines: bytes) -> int:
        """Write in one call: a reader after a crash finds whole lines, but for the last."""
        first = self._end
        written = self._file.write(lines)
        self._end += written
        if written != len(lines):
            raise OSError(f"only {written} of {len(lines)} bytes were written to {self._path.name}")
        os.fsync(self._file.fileno())
        return first

    def close(self) -> None:
        super().close()
        self._file.close()


class _ObjectTape(_Readable):
    def __init__(self, folder: ObjectPath) -> None:
        self._folder = folder
        self._last = max(_numbers(folder), default=0)
        # What was appended: a request for each line would take for ever.
        super().__init__(TemporaryFile())  # noqa: SIM115 -- closed with the tape

    def append(self, lines: bytes) -> int:
        """Make the next object; one of this number is of a run that should not be at work."""
        self._last += 1
        part = _part(self._folder, self._last)
        if not create(part, lines):
            raise FileExistsError(
                None, f"{part} is there already: another run writes here; wait for it to end"
            )
        first = self._own.seek(0, os.SEEK_END)
        self._own.write(lines)
        return first


def _wind_back_objects(folder: ObjectPath, line: bytes) -> None:
    numbers = _numbers(folder)
    if not (numbers or line):
        return
    last = max(numbers, default=0)
    with closing(_ObjectTape(folder)) as tape:
        tape.append(json.dumps({"folded": last}).encode() + b"\n" + line)
    remove_all(_part(folder, number) for number in numbers)
    if not line:
        remove_all([_part(folder, last + 1)])


def _part(folder: ObjectPath, number: int) -> ObjectPath:
    return folder / f"{number:08d}.jsonl"


def _numbers(folder: ObjectPath) -> list[int]:
    """The numbers of the objects that are there, in order."""
    found = (re.fullmatch(r"([0-9]{8,})\.jsonl", path.name) for path in folder.glob("*.jsonl"))
    return sorted(int(name[1]) for name in found if name)


def _lines_in(folder: ObjectPath, numbers: list[int]) -> Iterator[tuple[str, bytes]]:
    with ThreadPoolExecutor(ABREAST) as readers:
        texts = list(readers.map(lambda number: _read(_part(folder, number)), numbers))
    folded = max((_folded(text) for text in texts), default=0)
    for number, text in zip(numbers, texts, strict=True):
        if number > folded:
            for place, line in _numbered(f"{folder.name}/{number:08d}.jsonl", io.BytesIO(text)):
                if not line.startswith(_FOLDED):
                    yield place, line


def _read(part: ObjectPath) -> bytes:
    """An object's bytes; none if a run at work has removed it since it was listed: it is folded."""
    try:
        return read(part)
    except FileNotFoundError:
        return b""


def _folded(text: bytes) -> int:
    """Up to which number all is in the manifest, if this says it."""
    first = text.partition(b"\n")[0]
    if not first.startswith(_FOLDED):
        return 0
    with suppress(ValueError, KeyError, TypeError):  # not ours
        return int(json.loads(first)["folded"])
    return 0


def _numbered(name: str, file: Iterator[bytes] | io.BufferedIOBase) -> Iterator[tuple[str, bytes]]:
    yield from ((f"{name}:{number}", line) for number, line in enumerate(file, start=1) if line.strip())
