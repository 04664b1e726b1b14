"""The job's keys and what they take, in words: read off the models' JSON Schema.

Error messages, the template and the schema file all speak from here, so they cannot contradict
the models.
"""

from typing import Any

from pydantic import BaseModel

from pipeline.jobs.spec_mistakes import KeyPath

Schema = dict[str, Any]


def plain_schema(model: type[BaseModel]) -> Schema:
    """Return the model's JSON Schema without references and made-up titles.

    A section none of whose keys is required may also be null, which is what YAML makes of a
    section with every key commented out.
    """
    raw = model.model_json_schema()
    plain: Schema = _inlined(raw, raw.pop("$defs", {}))
    return plain


def node_at(schema: Schema, path: KeyPath) -> Schema:
    """Return the part of the schema that describes the value at `path`; it must exist."""
    for key in path:
        if "anyOf" in schema:  # pydantic names the choice that it tried: stay
            break
        schema = schema["items"] if isinstance(key, int) else schema["properties"][key]
    return schema


def key_paths(schema: Schema, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return every key of the job, sections before their own keys."""
    found: list[tuple[str, ...]] = []
    for key, node in schema.get("properties", {}).items():
        found += [(*above, key), *key_paths(node, (*above, key))]
    return found


def expectation(node: Schema) -> str:
    """Return what a value has to be, such as "a whole number from 1 to 65536"."""
    if "anyOf" in node:
        return ", or ".join(expectation(choice) for choice in node["anyOf"])
    if "enum" in node or "const" in node:
        return _any_of(node.get("enum", [node.get("const")]))
    if "examples" in node:
        return f"text such as {_any_of(node['examples'])}"
    if "properties" in node:
        return "a section"
    if node["type"] == "array":
        return f"a list of {expectation(node['items'])}"
    if node["type"] in {"integer", "number"}:
        return ("a whole number" if node["type"] == "integer" else "a number") + _bounds(node)
    return {"boolean": "true or false", "null": "null", "string": "text"}[node["type"]]


def shown(value: Any) -> str:
    """Return a value found in a job as one short phrase."""
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _any_of(choices: list[str]) -> str:
    words = [f"'{choice}'" for choice in choices]
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _bounds(node: Schema) -> str:
    if "exclusiveMinimum" in node:
        top = f" and at most {node['maximum']:g}" if "maximum" in node else ""
        return f" above {node['exclusiveMinimum']:g}{top}"
    if "maximum" in node:
        return f" from {node['minimum']} to {node['maximum']}"
    return f" of at least {node['minimum']:g}" if "minimum" in node else ""


def _inlined(node: Any, shared: Schema) -> Any:
    if isinstance(node, list):
        return [_inlined(item, shared) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = shared[node["$ref"].rpartition("/")[2]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    inlined = {
        key: _inlined(value, shared)
        for key, value in node.items()
        if key != "title" or isinstance(value, dict)
    }
    if inlined.get("type") == "object" and not inlined.get("required"):
        inlined["type"] = ["object", "null"]
    return inlined
