"""What the shell offers behind TAB: job files, keys of `--set` and their values, images, kinds of clusters.

A completion never fails and never waits long: what cannot be told at once is not offered. Of inputs one
folder is looked at, of a manifest its beginning, and nothing that is in an object store.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]

_MOST_BYTES = 16 << 20  # of a manifest
_MOST = 200  # names that are offered at once; of more, their folders
_KEY = re.compile(rb'\{"image":\s*("(?:[^"\\]|\\.)*")')


def _offer(find: Callable[[click.Context, str], Iterable[str]]) -> Complete:
    """Offer the words that are found and go on from what was typed; none if that fails."""

    @wraps(find)
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        try:
            words = [word for word in find(ctx, incomplete) if word.startswith(incomplete)]
        except (Exception, SystemExit):  # of a job with mistakes, a folder without rights, …
            return []
        return [CompletionItem(word) for word in words if word.isprintable()]

    return complete


def jobs(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Offer the job files of a folder; any files and folders where there are none."""
    from click.shell_completion import CompletionItem

    above, _, begun = incomplete.rpartition("/")
    folder = f"{above}/" if above or incomplete.startswith("/") else ""
    try:
        names = sorted(os.listdir(os.path.expanduser(folder) or "."))  # noqa: PTH111, PTH208 -- as it was typed
    except OSError:
        names = []
    found = [name for name in names if name.startswith(begun) and name.endswith((".yaml", ".yml"))]
    offered = [CompletionItem(f"{folder}{name}") for name in found if name.isprintable()]
    return offered or [CompletionItem(incomplete, type="file")]


def folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Offer folders."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


@_offer
def settings(ctx: click.Context, incomplete: str) -> Iterator[str]:
    """Keys of the job, dotted and with an equals sign; behind that the values, if they can be listed."""
    from pipeline.jobs.spec_schema import json_schema
    from pipeline.jobs.spec_words import key_paths, node_at

    schema = json_schema()
    key, equals, _ = incomplete.partition("=")
    for path in key_paths(schema):
        node, name = node_at(schema, path), ".".join(path)
        if equals and name == key:
            yield from (f"{key}={value}" for value in _values(node))
        elif not equals and "properties" not in node:
            yield f"{name}="


@_offer
def clusters(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """The kinds of clusters."""
    from typing import get_args

    from pipeline.jobs.spec_compute import Kind

    return get_args(Kind)


@_offer
def images(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Keys of images: those that are recorded; else those of one folder of the input root."""
    from pipeline.files.objects import ObjectPath, place
    from pipeline.jobs.manifest import NAME
    from pipeline.jobs.spec import load_spec

    spec = load_spec(Path(ctx.params["job"]), ctx.params.get("overrides") or ())
    outputs, inputs = place(spec.output.root), place(spec.input.root)
    keys: list[str] = []
    if not isinstance(outputs, ObjectPath) and (outputs / NAME).is_file():
        keys = [key for key in _recorded(outputs / NAME) if key.startswith(incomplete)]
    if not keys and not isinstance(inputs, ObjectPath):
        return _in_folder(inputs, incomplete)
    return keys if len(keys) <= _MOST else _folders_of(keys, len(incomplete))


def _values(node: dict[str, Any]) -> Iterator[str]:
    for choice in node.get("anyOf", [node]):
        if choice.get("type") == "boolean":
            yield from ("true", "false")
        elif choice.get("type") == "null":
            yield "null"
        else:
            yield from map(str, choice.get("enum", [choice["const"]] if "const" in choice else []))


def _recorded(manifest: Path) -> Iterator[str]:
    import json

    with manifest.open("rb") as file:
        for line in file.readlines(_MOST_BYTES):
            if found := _KEY.match(line):
                yield json.loads(found[1])


def _in_folder(root: Path, incomplete: str) -> Iterator[str]:
    """What lies in the folder of the input root that was typed: images, and folders with a slash."""
    from pipeline.files.formats import EXTENSIONS

    above = incomplete.rpartition("/")[0]
    prefix = f"{above}/" if above else ""
    with os.scandir(root / above) as items:
        for item in sorted(items, key=lambda item: item.name):
            if item.name.startswith("."):
                continue
            if item.is_dir():
                yield f"{prefix}{item.name}/"
            elif item.name.rpartition(".")[2].lower() in EXTENSIONS:
                yield f"{prefix}{item.name}"


def _folders_of(keys: Iterable[str], typed: int) -> list[str]:
    """The keys, cut behind the first slash that was not typed."""
    cut = (key[: slash + 1] if (slash := key.find("/", typed)) >= 0 else key for key in keys)
    return list(dict.fromkeys(cut))[:_MOST]
