"""The terminal: what is said is on stderr, one line at a time, and no name can forge another."""

import json

from builders import done, failed
from watched import watch

from pipeline.views.terminal import JsonLines, Quiet, told


def test_an_image_is_told_in_one_line_with_the_reason():
    assert told(done("a.png")) == "done: a.png"
    record = failed("a\n.png", "NotAnImage", message="found\x1b[0m")
    assert told(record) == r"failed: a\n.png: NotAnImage: found\x1b[0m"


def test_json_lines_are_json_one_event_each(tmp_path, capsys):
    watch(JsonLines(), tmp_path)
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


def test_quiet_says_nothing(tmp_path, capsys):
    watch(Quiet(), tmp_path)
    assert capsys.readouterr() == ("", "")
