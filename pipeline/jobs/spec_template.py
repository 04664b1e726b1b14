"""The job file that ``segpipe init`` writes: every key, its default and what it means."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pipeline.jobs.spec_schema import json_schema
from pipeline.jobs.spec_words import Schema, expectation
from pipeline.jobs.yaml_places import as_quoted_yaml, as_yaml

HEAD = """\
# yaml-language-server: $schema=job.schema.json
#
# A segpipe job. A line that begins with "#" and no space shows a key at its default:
# remove the "#" to change it.
"""
LIVE = {"quantize.colors"}  # the key that most jobs change
WIDTH = 100
NOTHING: Mapping[str, "Setting"] = MappingProxyType({})


class Setting(NamedTuple):
    """A key that a job file sets, and why. value : in YAML, on one line."""

    value: str
    why: str = ""


def template(
    input_root: str,
    output_root: str,
    settings: Mapping[str, Setting] = NOTHING,
    remarks: Sequence[str] = (),
) -> str:
    """Return a commented job file for these roots, made from the models so that it cannot drift.

    settings : further keys to set, by their dotted names. remarks : paragraphs for the top.

    Descriptions stand behind ``# ``, keys at their defaults behind ``#``: taking the latter away
    gives a job file that says the same in full.
    """
    roots = {
        "input.root": Setting(as_quoted_yaml(input_root)),
        "output.root": Setting(as_quoted_yaml(output_root)),
    }
    told = [line for remark in remarks for line in ("#", *_comment(remark, ""))]
    return "\n".join([HEAD + "\n".join(told), *_section(json_schema(), "", roots | dict(settings))]) + "\n"


def _section(schema: Schema, above: str, settings: Mapping[str, Setting]) -> Iterator[str]:
    indent = "  " * above.count(".")
    for key, node in schema["properties"].items():
        dotted = f"{above}{key}"
        if "properties" in node:
            yield from ("", *_comment(node["description"], indent), f"{indent}{key}:")
            yield from _section(node, f"{dotted}.", settings)
            continue
        yield from _comment(f"{node['description']} Takes {expectation(node)}.", indent)
        wanted = settings.get(dotted)
        yield from _comment(wanted.why, indent) if wanted else ()
        hidden = "" if wanted or dotted in LIVE else "#"
        yield f"{indent}{hidden}{key}: {wanted.value if wanted else as_yaml(node['default'])}"


def _comment(text: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=start,
        break_on_hyphens=False,
        break_long_words=False,
    )
