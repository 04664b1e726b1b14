"""The JSON Schema of a job file, for editors and other programs."""

from typing import Any

from pipeline.jobs.spec import JobSpec
from pipeline.jobs.spec_words import plain_schema


def json_schema() -> dict[str, Any]:
    """Return the schema, made from the models: every key with type, bounds, default, description."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **plain_schema(JobSpec),
        "title": "segpipe job",
        "description": "What one run of segpipe reads, does and writes.",
    }
