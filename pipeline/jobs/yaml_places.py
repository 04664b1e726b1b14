"""YAML text as plain values that remember where they were written.

The only module that knows YAML. PyYAML's own loader forgets positions and lets the last of two
equal keys win without a word; here its composer gives the nodes, and the nodes become values.
Nothing but plain values is ever made: tags that would build objects are mistakes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline.jobs.spec_mistakes import KeyPath, Mistake, Place

UNREADABLE = object()
"""Stands for a value whose mistake is already told, so that it is not told again."""

MOST_VALUES = 10_000  # a job has about forty; aliases of aliases could otherwise grow without end
LONGEST_NUMBER = 100  # characters
STANDARD_TAG = "tag:yaml.org,2002:"
TEXT_TAGS = {"str", "timestamp", "value", "merge"}  # no key is a date: a folder 2024-05-01 stays text

PlaceOf = Callable[[int, int], Place]
"""Makes the place for a line and a column, both counted from 1."""


@dataclass
class PlacedYaml:
    """A YAML mapping with the place of each key and value, and what was wrong with it.

    Attributes
    ----------
    value : Any
        Dicts with text keys, lists, text, numbers, booleans, None.
    keys, values : dict
        Place of each key and of each value, by path; the document itself is the empty path.
    mistakes : list of Mistake
        Keys given twice, tags that are not allowed and the like.
    """

    value: Any = None
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def key_place(self, path: KeyPath) -> Place:
        """Return where the key was written, or else the nearest section around it."""
        known = (path[:depth] for depth in range(len(path), -1, -1) if path[:depth] in self.keys)
        return self.keys[next(known)]

    def value_place(self, path: KeyPath) -> Place:
        """Return where the value was written, or else the nearest section around it."""
        return self.values.get(path) or self.key_place(path)

    def put(self, path: KeyPath, value: Any, place: Place) -> None:
        """Set one value, with the sections on the way to it; what stood there is forgotten."""
        section = self.value
        for depth, key in enumerate(path[:-1], start=1):
            if not isinstance(section.get(key), dict):
                section[key] = {}
                self._forget(path[:depth])
                self.keys[path[:depth]] = self.values[path[:depth]] = place
            section = section[key]
        section[path[-1]] = value
        self._forget(path)
        self.keys[path] = self.values[path] = place

    def _forget(self, path: KeyPath) -> None:
        depth = len(path)
        self.keys = {known: place for known, place in self.keys.items() if known[:depth] != path}
        self.values = {known: place for known, place in self.values.items() if known[:depth] != path}
        self.mistakes = [mistake for mistake in self.mistakes if mistake.path[:depth] != path]


def read_yaml(text: str, place_of: PlaceOf) -> PlacedYaml:
    """Return the one document in `text`.

    Its value is None if there is nothing in it, and `UNREADABLE`, with the mistake that says why,
    if it is not YAML or holds far more than a job does.
    """
    document = PlacedYaml(value=UNREADABLE, keys={(): place_of(1, 1)})
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            document.keys[()] = _place(node, place_of)
        document.value = None if node is None else _NodeReader(document, place_of).value(node, ())
    except yaml.reader.ReaderError as error:
        place = _place_in(text, error.position, place_of)
        message = f"not valid YAML: the character {error.character:#x} is not allowed"
        document.mistakes.append(Mistake(place, (), message))
    except yaml.MarkedYAMLError as error:
        document.mistakes.append(_syntax_mistake(error, place_of))
    except RecursionError:
        document.mistakes.append(Mistake(place_of(1, 1), (), "nested too deeply for a job"))
    return document


def as_yaml(value: Any) -> str:
    """Return a scalar or a flat list as YAML on one line; text is quoted where it has to be."""
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=2**31)
    return str(dumped).removesuffix("\n").removesuffix("\n...")


def as_quoted_yaml(text: str) -> str:
    """Return any text in double quotes, on one line; no character of it can then mislead YAML."""
    dumped = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=2**31)
    return str(dumped).removesuffix("\n")


def _place(node: Node, place_of: PlaceOf) -> Place:
    return place_of(node.start_mark.line + 1, node.start_mark.column + 1)


def _place_in(text: str, index: int, place_of: PlaceOf) -> Place:
    before = text[:index]
    return place_of(before.count("\n") + 1, index - before.rfind("\n"))


def _syntax_mistake(error: yaml.MarkedYAMLError, place_of: PlaceOf) -> Mistake:
    mark = error.problem_mark or error.context_mark
    place = place_of(mark.line + 1, mark.column + 1) if mark else place_of(1, 1)
    if isinstance(error, _TooManyValuesError):
        return Mistake(place, (), "far more values than a job has")
    if error.context == "expected a single document in the stream":
        return Mistake(place, (), "a second YAML document begins here; a job file holds one")
    opened = error.context_mark
    if error.context == "while scanning a quoted scalar" and opened:
        place = place_of(opened.line + 1, opened.column + 1)
        return Mistake(place, (), "not valid YAML: the quote that opens here has no end; close the quote")
    advice = "; indent with spaces" if "'\\t'" in str(error.problem) else ""
    return Mistake(place, (), f"not valid YAML: {error.problem or error.context}{advice}")


class _TooManyValuesError(yaml.MarkedYAMLError):
    """The text, or its aliases spelled out, holds more than any job."""


class _NodeReader:
    """Turns composed nodes into values, noting places and mistakes in the document."""

    def __init__(self, document: PlacedYaml, place_of: PlaceOf) -> None:
        self.document = document
        self.place_of = place_of
        self.open: list[Node] = []
        self.visited = 0

    def value(self, node: Node, path: KeyPath) -> Any:
        """Return the node's value, read anew for each alias so that each has its own path."""
        self._count(node)
        self.document.values[path] = _place(node, self.place_of)
        if any(node is outer for outer in self.open):
            return self._mistake(node, path, "an alias that stands inside its own anchor")
        self.open.append(node)
        try:
            return self._tagged(node, path)
        finally:
            self.open.pop()

    def _tagged(self, node: Node, path: KeyPath) -> Any:
        tag = node.tag.removeprefix(STANDARD_TAG)
        if isinstance(node, MappingNode) and tag == "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and tag == "seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and tag in TEXT_TAGS:
            return str(node.value)
        if isinstance(node, ScalarNode) and tag in {"null", "bool", "int", "float"}:
            return self._scalar(node, path, tag)
        shown = f"!!{tag}" if node.tag.startswith(STANDARD_TAG) else tag
        return self._mistake(node, path, f"the tag {shown} is not allowed; write a plain value")

    def _scalar(self, node: ScalarNode, path: KeyPath, tag: str) -> Any:
        try:
            if len(node.value) > LONGEST_NUMBER:
                raise ValueError(node.value)
            return getattr(SafeConstructor(), f"construct_yaml_{tag}")(node)
        except (ValueError, LookupError):
            return self._mistake(node, path, f"{node.value[:40]!r} cannot be read as !!{tag}")

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node, own in self._pairs(node, path):
            if not isinstance(key_node, ScalarNode):
                self._mistake(key_node, path, "a key has to be plain text")
                continue
            key, below = str(key_node.value), (*path, str(key_node.value))
            if key not in found:
                self.document.keys[below] = _place(key_node, self.place_of)
                found[key] = self.value(value_node, below)
            elif own:
                first = self.document.keys[below].text
                self._mistake(key_node, below, f"given twice; first at {first}")
        return found

    def _pairs(self, node: MappingNode, path: KeyPath) -> Iterator[tuple[Node, Node, bool]]:
        """Yield the mapping's own entries, then those merged in by ``<<``, which only fill gaps."""
        self._count(node)
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{STANDARD_TAG}merge":
                merged += value_node.value if isinstance(value_node, SequenceNode) else [value_node]
            else:
                yield key_node, value_node, True
        for source in merged:
            if isinstance(source, MappingNode):
                yield from (
                    (key_node, value_node, False) for key_node, value_node, _ in self._pairs(source, path)
                )
            else:
                self._mistake(source, path, "'<<' takes a section or a list of sections")

    def _count(self, node: Node) -> None:
        self.visited += 1
        if self.visited > MOST_VALUES:
            raise _TooManyValuesError(problem_mark=node.start_mark)

    def _mistake(self, node: Node, path: KeyPath, message: str) -> Any:
        self.document.mistakes.append(Mistake(_place(node, self.place_of), path, message))
        return UNREADABLE
