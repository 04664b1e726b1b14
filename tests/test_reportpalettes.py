"""Palettes as the report shows them: what their files tell, and what of those that tell nothing."""

import json
from pathlib import Path

import pytest

from pipeline.jobs.records import OutputFacts, Record
from pipeline.views.reportpalettes import Palette, palette_of, reduced

RECORD = Record("a.png", "done", "r", outputs={"palette": OutputFacts("a.json", 1, "0")})


def color(share: float, digit: str = "0") -> dict:
    return {"hex": f"#{digit * 6}", "share": share, "count": 3, "swatches": [{"rgb": [1, 2, 30]}]}


def test_a_palette_is_what_its_file_tells(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"colors": [color(0.75), color(0.25, "f")]}))
    found = palette_of(tmp_path, RECORD)
    assert found == reduced([color(0.75), color(0.25, "f")])
    assert found.bar == "0000007500ffffff2500"
    assert json.loads(found.rows)[1] == ["#ffffff", 3, 0.25, ["#01021e"], ""]
    assert found.read


@pytest.mark.parametrize(
    ("share", "digits"), [(1, "9999"), (1.0, "9999"), (0.99999, "9998"), (0.5, "5000"), (0.0001, "0001")]
)
def test_only_a_whole_share_has_the_most_digits(share, digits):
    assert reduced([color(share)]).bar == f"000000{digits}"


def test_a_bar_has_the_first_colours_that_can_be_seen():
    assert len(reduced([color(0.01)] * 40).bar) == 120
    assert reduced([color(0.00001)]).bar == ""


def test_a_palette_that_is_not_there_is_none(tmp_path):
    assert palette_of(tmp_path, RECORD) == Palette() == palette_of(tmp_path, Record("a.png", "failed", "r"))


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "{}", "null", '{"colors": [1]}', '{"colors": null}'),
        '{"colors": [{"hex": "#000000"}]}',
        '{"colors": [{"hex": 1, "share": 1, "count": 1}]}',
        '{"colors": [{"hex": "#0", "share": "", "count": 1}]}',
        '{"colors": [{"hex": "#0", "share": 1, "count": 1, "swatches": [{"rgb": [1]}]}]}',
    ],
)
def test_a_palette_of_another_form_is_none_that_was_read(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert palette_of(tmp_path, RECORD) == Palette(read=False)


def test_a_palette_that_cannot_be_read_is_none_that_was_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert palette_of(tmp_path, RECORD) == Palette(read=False)
