"""The template: it loads as it is and in full, says the defaults, and carries any root."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.jobs.spec import load_spec
from pipeline.jobs.spec_mistakes import Place
from pipeline.jobs.spec_schema import json_schema
from pipeline.jobs.spec_template import template
from pipeline.jobs.spec_words import key_paths
from pipeline.jobs.yaml_places import read_yaml

TEXT = template("../in", "../out")
FULL = re.sub(r"(?m)^( *)#(?=\w)", r"\1", TEXT)


def place_of(line: int, column: int) -> Place:
    return Place.in_file("job.yaml", line, column)


def test_it_names_its_schema_first_and_no_line_is_long() -> None:
    assert TEXT.startswith("# yaml-language-server: $schema=job.schema.json\n")
    assert max(map(len, TEXT.splitlines())) <= 100
    assert TEXT.endswith("\n")


def test_only_the_roots_and_the_number_of_colours_are_live() -> None:
    assert read_yaml(TEXT, place_of).value == {
        "input": {"root": "../in"},
        "output": {"root": "../out", "quantized": None, "labels": None, "palette": None, "comparison": None},
        "quantize": {"target": None, "colors": 16},
        "regions": None,
        "large": None,
        "compute": {
            "adaptive": None,
            "tls": None,
            "ssh": None,
            "batch": None,
            "kubernetes": None,
        },
    }


def test_in_full_it_shows_every_key_and_means_the_same(tmp_path: Path) -> None:
    job = tmp_path / "sub" / "job.yaml"
    job.parent.mkdir()
    job.write_text(TEXT, encoding="utf-8")
    brief = load_spec(job)
    job.write_text(FULL, encoding="utf-8")
    assert load_spec(job) == brief
    assert brief.input.root == str((tmp_path / "in").resolve())
    assert set(read_yaml(FULL, place_of).keys) - {()} == set(key_paths(json_schema()))


@given(root=st.text(st.characters(exclude_categories=["Cs"])))
@settings(deadline=None)
def test_any_root_is_carried_unchanged(root: str) -> None:
    document = read_yaml(template(root, "../out"), place_of)
    assert document.mistakes == []
    assert document.value["input"]["root"] == root


@pytest.mark.parametrize("root", ["~/a b", "2024", "no", "null", "a: b # c", "it's", "C:\\x", "日本"])
def test_awkward_folders_load(tmp_path: Path, root: str) -> None:
    (tmp_path / "job.yaml").write_text(template(root, "../out"), encoding="utf-8")
    assert load_spec(tmp_path / "job.yaml").input.root == str(tmp_path / Path(root).expanduser())
