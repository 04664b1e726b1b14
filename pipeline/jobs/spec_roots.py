"""The input root and the output root: what they mean on this machine, and that they lie apart."""

import os
import re
from pathlib import Path
from urllib.parse import unquote

from pipeline.files.objects import is_url
from pipeline.jobs.spec_mistakes import WrongKeyError


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


def input_place(text: str, base: Path | None) -> str:
    """Return the absolute folder that a job means by `text`, or the URL of a place in an object store.

    Parameters and errors as of `local_folder`; also ValueError for a URL without a bucket.
    """
    if not is_url(text):
        return local_folder(text, base)
    scheme, _, name = text.partition("://")
    if not name.strip("/"):
        raise ValueError(f"expected a URL such as 's3://bucket/photos', found '{text}'")
    return f"{scheme.lower()}://{name.rstrip('/')}"


def check_apart(input_root: str, output_root: str) -> None:
    """Refuse roots that are the same folder or lie in one another, links followed.

    Outputs among the inputs would be read as images by the next run.

    Raises
    ------
    WrongKeyError
        Pointing at ``root``, the output's.
    """
    if is_url(input_root):  # what outputs are is a folder
        return
    source, target = Path(os.path.realpath(input_root)), Path(os.path.realpath(output_root))
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
        raise ValueError(f"object stores are not supported; give a local folder, not '{text}'")
    host, slash, path = rest.partition("/")
    if host not in {"", "localhost"} or not path:
        raise ValueError(f"expected a URL such as 'file:///data/photos', found '{text}'")
    path = unquote(path)
    return path if re.match(r"[A-Za-z]:", path) and os.name == "nt" else f"{slash}{path}"


def _same(one: Path, other: Path) -> bool:
    if one == other:
        return True
    try:
        return one.samefile(other)  # a disk that ignores case, or one folder mounted twice
    except OSError:
        return False  # one of them does not exist (yet) or cannot be looked at
