"""Which images were most likely meant by a word that is no image's key."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from pipeline.files.objects import Place

_MOST = 20_000  # keys that are compared: each takes some microseconds


def nearest_keys(word: str, keys: Sequence[str], inputs: Place) -> list[str]:
    """Up to three keys: the one of that file, those of that name in other folders, or similar ones."""
    if isinstance(inputs, Path):
        path = os.path.abspath(word)  # noqa: PTH100 -- links stay as they are
        with suppress(ValueError):
            key = Path(path).relative_to(os.path.abspath(inputs)).as_posix()  # noqa: PTH100
            if key in keys:
                return [key]
    name = word.rpartition("/")[2]
    same = [key for key in keys if key.rpartition("/")[2] == name]
    some = list(islice(keys, _MOST))
    return same[:3] or get_close_matches(word, some, n=3) or _of_similar_name(name, some)


def did_you_mean(near: Iterable[str]) -> str:
    """A question of those, or nothing."""
    words = " or ".join(repr(key) for key in near)
    return f"did you mean {words}? " if words else ""


def _of_similar_name(name: str, keys: Sequence[str]) -> list[str]:
    names: dict[str, str] = {}
    for key in keys:
        names.setdefault(key.rpartition("/")[2], key)
    return [names[one] for one in get_close_matches(name, names, n=3)]
