"""What was most likely meant by words that are no command, or by a command without its job file."""

import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

_YAML = (".yaml", ".yml")
_SHOWN = 3


def unknown_command(name: str, known: Iterable[str]) -> str:
    """What to tell of a first word that is no command: a file or folder was given without one, or a typo."""
    known, path = sorted(known), shlex.quote(name)
    if _is_there(name):
        if name.endswith(_YAML):
            return f"expected a command, found the file {name!r}; did you mean: segpipe run {path}"
        if Path(name).is_dir():
            return (
                f"expected a command, found the folder {name!r}; to write a job file for its images: "
                f"segpipe init {path}"
            )
        return (
            f"expected a command, found the file {name!r}; to see an image's colours: segpipe palette {path}"
        )
    near = get_close_matches(name.lower(), known, n=1)
    if near:
        return f"expected a command, found {name!r}; did you mean {near[0]!r}?"
    return f"expected a command, found {name!r}; one of: {', '.join(known)}"


def missing_job(command: str) -> str:
    """What to tell of a command without its job file: those that lie here, or how to get one."""
    words = f"segpipe {command}"
    here = sorted(path.name for path in Path().iterdir() if path.name.endswith(_YAML) and path.is_file())
    if "job.yaml" in here:
        return f"expected a job file, found none given; did you mean: {words} job.yaml"
    if here:
        more = ", …" if len(here) > _SHOWN else ""
        return f"expected a job file, found none given; here are: {', '.join(here[:_SHOWN])}{more}"
    return "expected a job file, found none given; to write one for a folder of images: segpipe init FOLDER"


def _is_there(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # of a name that no file can have
        return False
