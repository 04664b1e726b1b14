"""The JSON Schema: the committed file is the models', and it agrees with them."""

import json
from pathlib import Path
from typing import Any

from pipeline.jobs.spec_schema import json_schema

COMMITTED = Path(__file__).parents[1] / "configs" / "job.schema.json"


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == (
        json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    ), "write it anew: segpipe schema > configs/job.schema.json"


def test_every_section_refuses_unknown_keys_and_describes_its_own() -> None:
    def check(node: dict[str, Any]) -> None:
        assert node["description"]
        if "properties" in node:
            assert node["additionalProperties"] is False
            for below in node["properties"].values():
                check(below)

    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "segpipe job"
    check(schema)


def test_only_the_roots_are_required() -> None:
    schema = json_schema()
    required = {key: node.get("required", []) for key, node in schema["properties"].items()}
    assert schema["required"] == ["input", "output"]
    assert required == {
        "input": ["root"],
        "output": ["root"],
        "quantize": [],
        "regions": [],
        "large": [],
        "compute": [],
    }


def test_a_section_may_be_null_unless_it_holds_a_required_key() -> None:
    kinds = {key: node["type"] for key, node in json_schema()["properties"].items()}
    assert kinds == {
        "input": "object",
        "output": "object",
        "quantize": ["object", "null"],
        "regions": ["object", "null"],
        "large": ["object", "null"],
        "compute": ["object", "null"],
    }
