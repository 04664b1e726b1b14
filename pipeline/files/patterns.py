"""Which keys a listing takes: include and exclude patterns in the manner of .gitignore.

    *.png          no slash: the file's name, at any depth
    raw/*.png      a slash: the whole key; `*` and `?` stay within one folder
    raw/**         everything below raw
    **/raw/*.png   `**` stands for any number of folders, none included
    drafts/        a folder, at any depth (with a slash before the last: that key): all below it
    /cover.png     a leading slash: only in the input root

Patterns tell upper from lower case, as keys do; only the built-in list of image extensions,
which holds when nothing is included by name, does not. Exclude wins over include.
"""

import fnmatch
import re
from collections.abc import Callable, Sequence

from pipeline.errors import SpecError
from pipeline.files.formats import EXTENSIONS


class Patterns:
    """The include and exclude patterns of one job, compiled.

    Parameters
    ----------
    include, exclude : sequence of str
        Patterns as told above. No include pattern at all takes every known image extension.

    Raises
    ------
    SpecError
        When a pattern is empty or has `**` as a part of a folder's name.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._include = _any_of(include)
        self._exclude = _any_of(exclude)
        self._prune = _any_of([pattern for pattern in exclude if pattern.endswith(("/", "/**"))])

    def takes(self, key: str, name: str) -> bool:
        """Tell whether a file is listed; `name` is the last part of its `key`."""
        if self._include is None:
            dot = name.rfind(".")
            taken = dot >= 0 and name[dot + 1 :].lower() in EXTENSIONS
        else:
            taken = self._include(key) is not None
        return taken and not self.excludes(key)

    def takes_folder(self, key: str) -> bool:
        """Tell whether a folder that is an image is listed; by its key, or as a folder."""
        if self.excludes(key) or self.prunes(key):
            return False
        return self._include is None or any(self._include(name) for name in (key, f"{key}/"))

    def excludes(self, key: str) -> bool:
        """Tell whether a file is left out by name."""
        return self._exclude is not None and self._exclude(key) is not None

    def prunes(self, key: str) -> bool:
        """Tell whether all that can lie below the folder `key` is excluded."""
        return self._prune is not None and self._prune(f"{key}/") is not None


def _any_of(patterns: Sequence[str]) -> Callable[[str], re.Match[str] | None] | None:
    """Compile patterns into one test of a key; None when there are none."""
    if not patterns:
        return None
    return re.compile("|".join(f"(?:{_expression(pattern)})" for pattern in patterns)).match


def _expression(pattern: str) -> str:
    """Translate one pattern into a regular expression that matches whole keys."""
    body = pattern.strip("/")
    if not body:
        raise SpecError(f"pattern {pattern!r}: expected a file name, a key or a folder; found no name in it")
    below = "/**" if pattern.endswith("/") else ""
    if "/" not in body and not below and not pattern.startswith("/"):
        # The name is what follows the last slash; the look-ahead keeps `*` from reaching back over one.
        return rf"(?s:.*/)?(?=[^/]*\Z){fnmatch.translate(body)}"
    anywhere = "**/" if below and "/" not in body and not pattern.startswith("/") else ""
    return _whole_key(f"{anywhere}{body}{below}", pattern)


def _whole_key(glob: str, pattern: str) -> str:
    """Translate a glob over a whole key; `pattern` is what the user wrote."""
    # Here and not above: fsspec takes 90 ms to import, and few jobs have a pattern with a slash.
    from fsspec.utils import glob_translate

    try:
        return str(glob_translate(glob))
    except ValueError as error:
        raise SpecError(
            f"pattern {pattern!r}: expected ** to stand alone between slashes, as in raw/**/*.png; {error}"
        ) from error
