"""The terminal: what is said is on stderr, one line at a time, and no name can forge another."""

import json

import pytest
from builders import done, failed, job, look, plant
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.files.printable import plain
from pipeline.jobs.manifest import save
from pipeline.jobs.records import Records
from pipeline.views.terminal import JsonLines, Quiet, told

EVIL = "a\x1b[2J\r\n\u202eb\x00\x9b\udcff.png"


@given(st.text(st.characters(exclude_categories=[])))
@settings(max_examples=150, deadline=None)
def test_what_is_shown_is_printable_and_printable_text_is_not_changed(text):
    shown = plain(text)
    assert shown.isprintable()
    shown.encode()  # no half of a surrogate pair is left
    if text.isprintable():
        assert shown == text


def test_control_characters_are_shown_as_escapes():
    assert plain(EVIL) == r"a\x1b[2J\r\n\u202eb\x00\x9b\udcff.png"
    assert plain("ä ö/日本 😀") == "ä ö/日本 😀"


def test_an_image_is_told_in_one_line_with_the_reason():
    assert told(done("a.png")) == "done: a.png"
    record = failed("a\n.png", "NotAnImage", message="found\x1b[0m")
    assert told(record) == r"failed: a\n.png: NotAnImage: found\x1b[0m"


@pytest.fixture
def survey(tmp_path):
    """A job with a damaged manifest and a link that is passed over."""
    spec = job(tmp_path)
    plant(tmp_path / "in", "a.png")
    (tmp_path / "in/l\nk.png").symlink_to(plant(tmp_path, "elsewhere.png"))
    (tmp_path / "out").mkdir()
    save(tmp_path / "out", Records.of())
    (tmp_path / "out/manifest.jsonl").write_bytes(b"garbage\n")
    return look(spec)


def watched(watcher, survey):
    """Show a whole run to a watcher."""
    watcher.planned(survey)
    watcher.started(2, 1.5)
    watcher.finished(done("a.png"))
    watcher.finished(failed(EVIL.replace("\udcff", "")))
    watcher.say("some words")
    watcher.close()


def test_json_lines_are_json_one_event_each(survey, capsys):
    watched(JsonLines(), survey)
    out, err = capsys.readouterr()
    assert out == ""
    events = [json.loads(line) for line in err.splitlines()]
    assert [event.pop("event") for event in events] == [
        "planned",
        "damaged",
        "passed over",
        "started",
        "finished",
        "finished",
        "message",
    ]
    assert all(len(event.pop("time")) == len("2000-01-01T00:00:00Z") for event in events)
    assert events[0] == {"work": 1, "images": 1}
    assert events[1] == {"line": "manifest.jsonl:1"}
    assert events[2]["path"] == "l\nk.png"
    assert events[3] == {"images": 2, "megapixels": 1.5}
    assert events[4] == {"image": "a.png", "status": "done", "error": None}
    assert events[5]["error"] == {"type": "TruncatedImage", "message": "!"}
    assert events[6] == {"text": "some words"}


def test_quiet_says_nothing(survey, capsys):
    watched(Quiet(), survey)
    assert capsys.readouterr() == ("", "")
