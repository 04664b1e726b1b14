"""Nearest keys: the file that was named, its name elsewhere, then what is spelled alike."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.objects import place
from pipeline.jobs.nearness import did_you_mean, nearest_keys

KEYS = ["a.png", "cats/tom.png", "dogs/tom.png", "cats/rex.jpg"]


def test_a_path_below_the_root_is_its_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert nearest_keys("in/cats/tom.png", KEYS, Path("in")) == ["cats/tom.png"]
    assert nearest_keys(f"{tmp_path}/in/a.png", KEYS, tmp_path / "in") == ["a.png"]


def test_the_same_name_elsewhere_beats_similar_ones():
    assert nearest_keys("tom.png", KEYS, place("s3://b/in")) == ["cats/tom.png", "dogs/tom.png"]
    assert nearest_keys("rx.jpg", KEYS, place("s3://b/in")) == ["cats/rex.jpg"]
    assert nearest_keys("cats/rex.jpeg", KEYS, place("s3://b/in"))[0] == "cats/rex.jpg"
    assert nearest_keys("zzzz", KEYS, place("s3://b/in")) == []


@given(st.text(max_size=20).filter(lambda word: "\0" not in word), st.lists(st.text(max_size=8), max_size=8))
def test_what_is_near_is_among_the_keys(word, keys):
    near = nearest_keys(word, keys, Path("in"))
    assert set(near) <= set(keys)
    assert len(near) <= 3


def test_the_question():
    assert did_you_mean([]) == ""
    assert did_you_mean(["a", "b\x1b"]) == r"did you mean 'a' or 'b\x1b'? "
