"""YAML with places: the values are those of the safe loader, and each knows where it stands."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.jobs.spec_mistakes import Place
from pipeline.jobs.yaml_places import MOST_VALUES, UNREADABLE, PlacedYaml, as_quoted_yaml, as_yaml, read_yaml

WORDS = st.text("ab 1.:#-'\"\n{}[]~é", max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | WORDS
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)


def read(text: str) -> PlacedYaml:
    return read_yaml(text, lambda line, column: Place.in_file("f", line, column))


def told(text: str) -> list[str]:
    return [str(mistake) for mistake in read(text).mistakes]


@given(tree=TREES, flow=st.booleans())
def test_values_are_those_that_were_dumped(tree: Any, flow: bool) -> None:
    document = read(yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True))
    assert document.mistakes == []
    assert document.value == tree


@given(text=st.text("ab:-[]{},&*!<>|#'\"\n \t?%@1~", max_size=30))
def test_any_text_gives_a_value_or_a_mistake_never_an_exception(text: str) -> None:
    document = read(text)
    assert document.mistakes or document.value is not UNREADABLE


@given(value=SCALARS | st.lists(SCALARS, max_size=3))
def test_one_line_of_yaml_gives_the_value_back(value: Any) -> None:
    line = as_yaml(value)
    assert read(line).value == value


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_comes_back_from_one_line(text: str) -> None:
    line = as_quoted_yaml(text)
    assert len(line.splitlines()) == 1
    assert read(line).value == text


def test_keys_and_values_know_where_they_were_written() -> None:
    document = read("a:\n  b: [1,\n      x]\n")
    assert {path: place.text for path, place in document.keys.items()} == {
        (): "f:1:1",
        ("a",): "f:1:1",
        ("a", "b"): "f:2:3",
    }
    assert document.value_place(("a", "b", 1)).text == "f:3:7"
    assert document.value_place(("a", "missing")).text == "f:1:1"


def test_keys_and_dates_stay_text() -> None:
    assert read("2024-05-01: 2024-13-45\n1: yes\nnull: =\n").value == {
        "2024-05-01": "2024-13-45",
        "1": True,
        "null": "=",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1: a: given twice; first at f:1:1"),
        ("a: !!python/object:os.system x", "f:1:4: a: the tag !!python/object:os.system is not allowed;"),
        ("a: !mine x", "f:1:4: a: the tag !mine is not allowed; write a plain value"),
        ("a: !!set {x}", "f:1:4: a: the tag !!set is not allowed; write a plain value"),
        ("a: !!binary aGk=", "f:1:4: a: the tag !!binary is not allowed; write a plain value"),
        ("a: !!int x", "f:1:4: a: 'x' cannot be read as !!int"),
        ("a: !!int ''", "f:1:4: a: '' cannot be read as !!int"),
        ("a: !!bool maybe", "f:1:4: a: 'maybe' cannot be read as !!bool"),
        (f"a: {'9' * 5000}", f"f:1:4: a: '{'9' * 40}' cannot be read as !!int"),
        ("a: &a [*a]", "f:1:4: a[0]: an alias that stands inside its own anchor"),
        ("a: &a {<<: *a}", "f:1:1: nested too deeply for a job"),
    ],
)
def test_what_is_no_plain_value_is_a_mistake(text: str, line: str) -> None:
    (mistake,) = told(text)
    assert mistake.startswith(line)


def test_own_keys_beat_merged_ones_and_earlier_sources_later_ones() -> None:
    text = "one: &one {x: 1, y: 1}\ntwo: &two {y: 2, z: 2}\nall: {<<: [*one, *two], x: 0}\n"
    document = read(text)
    assert document.mistakes == []
    assert document.value["all"] == {"x": 0, "y": 1, "z": 2} == yaml.safe_load(text)["all"]
    assert document.keys["all", "z"].text == "f:2:18"


@pytest.mark.parametrize("again", ["[{0}, {0}, {0}, {0}]", "{{<<: [{0}, {0}, {0}, {0}]}}"])
def test_aliases_of_aliases_cannot_grow_without_end(again: str) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {again.format(f'*a{n - 1}')}" for n in range(1, 30)]
    (mistake,) = told("\n".join(lines))
    assert mistake.endswith("far more values than a job has")
    assert MOST_VALUES < 4**29


def test_a_put_value_takes_the_place_of_all_that_stood_there() -> None:
    document = read("a: {b: !!set {x}, c: 1}\nd: 2\n")
    place = Place((1, 0, 0), "--set")
    document.put(("a", "b", "deep"), 5, place)
    document.put(("d", "e"), 6, place)
    assert document.value == {"a": {"b": {"deep": 5}, "c": 1}, "d": {"e": 6}}
    assert document.mistakes == []
    assert document.value_place(("a", "b", "deep")) == place
    assert document.value_place(("a", "c")).text == "f:1:22"
