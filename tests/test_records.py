"""Records: one line each, and back again without loss."""

import json

import msgspec
import pytest
from builders import done, failed
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.jobs.records import (
    ColorFacts,
    Failure,
    InputFacts,
    MetricFacts,
    OutputFacts,
    Record,
    from_line,
    to_line,
)

text = st.text(max_size=12)
whole = st.integers(0, 2**53)
real = st.floats(0, 1e9)
records = st.builds(
    Record,
    image=text,
    status=st.sampled_from(["done", "failed", "skipped"]),
    recipe=text,
    input=st.none() | st.builds(InputFacts, whole, st.none() | text, st.none() | whole, st.none() | whole),
    outputs=st.dictionaries(text, st.builds(OutputFacts, text, whole, text), max_size=3),
    colors=st.none() | st.builds(ColorFacts, whole, whole),
    metrics=st.none() | st.builds(MetricFacts, real, st.none() | real, real, real, real),
    iterations=st.none() | whole,
    converged=st.none() | st.booleans(),
    notes=st.lists(text, max_size=3).map(tuple),
    error=st.none() | st.builds(Failure, text, text),
)


@given(records)
@settings(max_examples=100, deadline=None)
def test_a_record_comes_back_from_its_line(record):
    line = to_line(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert from_line(line) == record
    assert to_line(from_line(line)) == line


def test_what_is_not_known_is_not_written():
    assert json.loads(to_line(failed("a"))).keys() == {"image", "status", "recipe", "input", "error"}
    assert to_line(Record("a", "failed", "r")) == b'{"image":"a","status":"failed","recipe":"r"}\n'


def test_a_line_is_as_the_design_says():
    line = json.loads(to_line(done("a/b.jpg")))
    assert list(line) == [
        "image", "status", "recipe", "input", "outputs", "colors", "metrics", "iterations", "converged",
    ]  # fmt: skip
    assert list(line["input"]) == ["bytes", "sha256", "width", "height", "mode"]
    assert list(line["outputs"]["labels"]) == ["path", "bytes", "sha256"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"nonsense",
        b"null",
        b"[]",
        b"{}",
        b'{"image":"a"}',
        b'{"image":"a","status":"odd","recipe":"r"}',
        b'{"image":1,"status":"done","recipe":"r"}',
        b'{"image":"\xff","status":"done","recipe":"r"}',
        b'{"image":"a","status":"done","recipe":"r"',
        b'{"image":"a","status":"done","recipe":"r"} {}',
        bytes(20),
    ],
)
def test_what_is_no_record_is_a_value_error(line):
    with pytest.raises(ValueError, match=r"."):
        from_line(line)


def test_a_line_too_deep_to_be_read_is_a_value_error():
    with pytest.raises(ValueError, match=r"."):
        from_line(b'{"image":"a","x":' + b"[" * 200_000)


def test_a_field_of_a_later_version_is_passed_over():
    assert from_line(b'{"image":"a","status":"done","recipe":"r","later":[1]}') == Record("a", "done", "r")


def test_records_cannot_be_changed():
    with pytest.raises(AttributeError):
        done("a").status = "failed"
    assert isinstance(msgspec.structs.replace(done("a"), status="failed"), Record)
