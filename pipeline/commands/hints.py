"""What was most likely meant by words that are no command, no option, or a command without its job file."""

import shlex
from collections.abc import Iterable, Sequence
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


def meant_setting(option: str, words: Sequence[str]) -> str:
    """What to tell of an option that is none, but a key of the job file; nothing if it is no key either.

    words : the command line, for the value.
    """
    from pipeline.jobs.spec_schema import json_schema
    from pipeline.jobs.spec_words import key_paths, node_at

    name, schema = option.removeprefix("--").replace("-", "_"), json_schema()
    found = []
    for path in key_paths(schema):
        node = node_at(schema, path)
        if path[-1] == name and "properties" not in node:
            value = _value_of(option, words, flag=node.get("type") == "boolean")
            found.append(f"--set {'.'.join(path)}={value}")
    return f"no such option {option!r}; did you mean {' or '.join(found)}?" if found else ""


def meant_equals(words: Sequence[str]) -> str:
    """What to tell of `--set KEY VALUE`, which lacks its equals sign; nothing if that is not there."""
    for word, key, value in zip(words, words[1:], words[2:], strict=False):
        if word == "--set" and "=" not in key and not value.startswith("-"):
            return (
                f"--set {key}: expected KEY=VALUE, found no '='; did you mean "
                f"--set {key}={shlex.quote(value)}?"
            )
    return ""


def _value_of(option: str, words: Sequence[str], *, flag: bool) -> str:
    """The value that follows an option, as the shell takes it; a word in its place if there is none."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith(f"{option}="):
            return shlex.quote(word.partition("=")[2])
        a_value = following in ("true", "false") if flag else following and not following.startswith("--")
        if word == option and a_value:
            return shlex.quote(following)
    return "true" if flag else "VALUE"


def _is_there(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # of a name that no file can have
        return False
