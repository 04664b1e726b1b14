"""The input root and the output root: what they mean, and that they lie apart."""

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from pipeline.files.objects import is_url
from pipeline.jobs.spec_mistakes import WrongKeyError

_SAME = {"s3a": "s3", "gcs": "gs"}
"""Other names of the same protocol."""


def root_of(text: str, base: Path | None) -> str:
    """Return what a job means by a root: the URL of a place in an object store, or a folder.

    Raises
    ------
    ValueError
        If the text names neither; see `store_url` and `local_folder`.
    """
    chained = "::" in text.partition("://")[0] and "://" in text
    return store_url(text) if chained or is_url(text) else local_folder(text, base)


def store_url(text: str) -> str:
    """Return the URL of a place in an object store as it is written elsewhere: without a slash at its end.

    Raises
    ------
    ValueError
        If there is no bucket, or something that has no place in a URL that is shown and recorded:
        credentials above all, which are not repeated.
    """
    scheme, _, rest = text.partition("://")
    scheme = _SAME.get(scheme.lower(), scheme.lower())
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise ValueError("expected a URL such as 's3://bucket/photos', found a chain of protocols, or none")
    if "@" in rest and not (scheme in ("abfs", "abfss") and re.fullmatch(r"[^:@/]+@[^:@]*", rest)):
        raise ValueError(
            f"expected a URL such as '{scheme}://bucket/photos', found one with '@'; leave out what precedes "
            "it: credentials come from the environment"
        )
    if "?" in rest:
        raise ValueError(
            f"expected a URL such as '{scheme}://bucket/photos', found one with '?'; leave out what follows "
            "it: settings and credentials come from the environment"
        )
    parts = rest.rstrip("/").split("/")
    if not parts[0]:
        raise ValueError(f"expected a bucket, such as '{scheme}://bucket/photos', found '{text}'")
    if {"", ".", ".."} & set(parts) or "\0" in rest:
        raise ValueError(f"expected names between slashes, found '{text}'; write the URL out")
    return f"{scheme}://{'/'.join(parts)}"


def local_folder(text: str, base: Path | None) -> str:
    """Return the absolute folder that a job means by `text`; it need not exist.

    Parameters
    ----------
    text : str
        A path, with ``~`` for the home folder, or a ``file://`` URL.
    base : Path or None
        Folder that relative paths start from: the job file's. None refuses them.

    Raises
    ------
    ValueError
        If the text names no folder of this machine.
    """
    if not text:
        raise ValueError("expected a folder, found ''; the job file's own is '.'")
    if "\0" in text:
        raise ValueError(f"{text!r} holds a null character, which no path can")
    path = Path(_without_scheme(text))
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ValueError(f"no home folder is known for '{text}'") from None
    if base is None and not path.is_absolute():
        raise ValueError(f"expected an absolute folder, found '{text}'")
    path = (base or Path()) / path
    # '..' is walked, not cut from the text: behind a link it leads elsewhere
    return os.path.realpath(path) if ".." in path.parts else str(path)


def check_apart(input_root: str, output_root: str) -> None:
    """Refuse roots that are the same folder or lie in one another, links followed.

    Outputs among the inputs would be read as images by the next run.

    Raises
    ------
    WrongKeyError
        Pointing at ``root``, the output's.
    """
    source, target = _resolved(input_root), _resolved(output_root)
    both = f"'{output_root}' {{}} input.root '{input_root}'; give a folder {{}}"
    if _same(source, target):
        raise WrongKeyError("root", both.format("is the same folder as", "of its own"))
    if any(_same(source, folder) for folder in target.parents):
        raise WrongKeyError("root", both.format("lies inside", "outside it"))
    if any(_same(folder, target) for folder in source.parents):
        raise WrongKeyError("root", both.format("contains", "beside it"))


def _without_scheme(text: str) -> str:
    scheme, _, rest = text.partition("://")
    if not rest or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.:-]+", scheme):  # one letter is a drive
        return text
    if scheme.lower() != "file":
        raise ValueError(f"only roots may be in object stores; give a path of this machine, not '{text}'")
    host, slash, path = rest.partition("/")
    if host not in {"", "localhost"} or not path:
        raise ValueError(f"expected a URL such as 'file:///data/photos', found '{text}'")
    path = unquote(path)
    return path if re.match(r"[A-Za-z]:", path) and os.name == "nt" else f"{slash}{path}"


def _resolved(root: str) -> Path | PurePosixPath:
    """A folder with its links followed; of a URL its parts, the protocol before them."""
    return PurePosixPath(root.replace("://", ":/", 1)) if is_url(root) else Path(os.path.realpath(root))


def _same(one: Path | PurePosixPath, other: Path | PurePosixPath) -> bool:
    if one == other:
        return True
    if not (isinstance(one, Path) and isinstance(other, Path)):
        return False
    try:
        return one.samefile(other)  # a disk that ignores case, or one folder mounted twice
    except OSError:
        return False  # one of them does not exist (yet) or cannot be looked at
