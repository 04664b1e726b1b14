"""From pydantic's findings to mistakes that a user can act on: place, key, expected, found."""

from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from pipeline.jobs.spec_mistakes import KeyPath, Mistake, WrongKeyError, dotted
from pipeline.jobs.spec_words import Schema, expectation, key_paths, node_at, shown
from pipeline.jobs.yaml_places import UNREADABLE, PlacedYaml


def diagnose(error: ValidationError, document: PlacedYaml, schema: Schema) -> list[Mistake]:
    """Return one mistake per finding, with its place in the document.

    Parameters
    ----------
    error : ValidationError
        What the model said of ``document.value``.
    document : PlacedYaml
        The values with their places.
    schema : dict
        The model's schema, as from `plain_schema`.
    """
    findings = error.errors(include_url=False)
    return [_mistake(one, document, schema) for one in findings if one["input"] is not UNREADABLE]


def nearest_key(path: KeyPath, schema: Schema) -> str | None:
    """Return the valid key that was most likely meant, or None.

    A key of the same section is told by its bare name, one from another section in full.
    """
    above, wrong = path[:-1], str(path[-1]).lower()
    known = key_paths(schema)
    here = get_close_matches(wrong, [key[-1] for key in known if key[:-1] == above], n=1)
    if here:
        return here[0]
    elsewhere: dict[str, str] = {}
    for key in sorted(known, key=lambda key: key[: len(above)] != above):  # below this section first
        elsewhere.setdefault(key[-1], dotted(key))
    return next((elsewhere[name] for name in get_close_matches(wrong, elsewhere, n=1)), None)


def _mistake(finding: Any, document: PlacedYaml, schema: Schema) -> Mistake:
    path: KeyPath = finding["loc"]
    if finding["type"] not in ("missing", "extra_forbidden"):
        path = _without_choice(path, schema)
    if finding["type"] == "missing":
        return Mistake(document.key_place(path), path, "required key is missing")
    if finding["type"] == "extra_forbidden":
        return Mistake(document.key_place(path), path, _unknown(path, schema))
    if finding["type"] == "value_error":
        reason = finding["ctx"]["error"]
        path = (*path, *reason.key.split(".")) if isinstance(reason, WrongKeyError) else path
        return Mistake(document.value_place(path), path, str(reason))
    return Mistake(document.value_place(path), path, _unexpected(node_at(schema, path), finding["input"]))


def _without_choice(path: KeyPath, schema: Schema) -> KeyPath:
    """The path without the name of a choice that pydantic tried, such as ``int`` behind a key's own."""
    above = node_at(schema, path[:-1]) if path else schema
    return path[:-1] if "anyOf" in above else path


def _unknown(path: KeyPath, schema: Schema) -> str:
    meant = nearest_key(path, schema)
    if meant:
        return f"unknown key; did you mean '{meant}'?"
    return f"unknown key; valid here: {', '.join(node_at(schema, path[:-1])['properties'])}"


def _unexpected(node: Schema, value: Any) -> str:
    message = f"expected {expectation(node)}, found {shown(value)}"
    if isinstance(value, str):
        near = get_close_matches(value.lower(), [str(choice) for choice in node.get("enum", [])], n=1)
        return f"{message}; did you mean '{near[0]}'?" if near else message
    if expectation(node) == "text" and isinstance(value, bool | int | float):
        return f"{message}; put it in quotes"
    return message
