"""What is wrong in a job, and where: one line per mistake, all at once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.errors import SpecError

KeyPath = tuple[str | int, ...]
"""Where a value stands in the job: keys, and positions in lists."""


@dataclass(frozen=True, order=True)
class Place:
    """Where something was written.

    Attributes
    ----------
    order : tuple of int
        Sorts the file's mistakes by line and column, and the command line's behind them.
    text : str
        What the user sees: ``job.yaml:7:3`` or ``--set quantize.colors=0``.
    names : str
        The dotted key that `text` already shows, so that it is not said twice.
    """

    order: tuple[int, int, int]
    text: str
    names: str = ""

    @classmethod
    def in_file(cls, name: str, line: int, column: int) -> "Place":
        """Return the place at `line` and `column` (both from 1) of the file `name`."""
        return cls((0, line, column), f"{name}:{line}:{column}")


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with one key (or, with an empty path, with the whole)."""

    place: Place
    path: KeyPath
    message: str

    def __str__(self) -> str:
        key = dotted(self.path)
        about = f"{key}: " if key and key != self.place.names else ""
        return without_secrets(f"{self.place.text}: {about}{self.message}")


class WrongKeyError(ValueError):
    """Raised by a validator that compares several keys, to point at the one to change.

    Parameters
    ----------
    key : str
        Name of the key, dotted if need be, below the section that is being validated.
    message : str
        What is wrong and what to do.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def without_secrets(text: str) -> str:
    """The text without what may be credentials in URLs: before an '@', behind a '?'."""
    return re.sub(r"(://)\S*@", r"\1…@", re.sub(r"(://[^\s?]*\?)[^\s']+", r"\1…", text))


def dotted(path: KeyPath) -> str:
    """Return the path as a user writes it, such as ``input.formats[0]``."""
    words = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return "".join(words).removeprefix(".")


def refusal(mistakes: Iterable[Mistake]) -> SpecError:
    """Return the error that tells every mistake once, in the order in which they were written."""
    ordered = sorted(mistakes, key=lambda mistake: mistake.place.order)
    return SpecError("\n".join(dict.fromkeys(str(mistake) for mistake in ordered)))
