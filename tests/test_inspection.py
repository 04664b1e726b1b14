"""Whether a worker is fit: what it sees of inputs in an object store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import Store, refusal, serving

from pipeline.files import objectsystems
from pipeline.files.objects import place
from pipeline.jobs import inspection
from pipeline.jobs.inspection import Folders, Wanted, inspect, marked, versions


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / ".segpipe").mkdir()
    (tmp_path / ".segpipe" / "seen").touch()
    return str(tmp_path / ".segpipe" / "seen")


def test_a_worker_that_sees_the_objects_is_fit(store, token):
    for number in range(1200):
        store.put(f"in/{number}.png", b"x")
    assert inspect(Wanted(versions(), Folders(f"{store.url}/in", token))) == ""
    assert len(store.asked) <= 2


@pytest.mark.parametrize("status", [0, 403, 500])
def test_a_worker_that_does_not_is_told(store, token, monkeypatch, status):
    monkeypatch.setattr(objectsystems, "_TRIES", 2)
    store.put("other/a.png", b"x")
    store.fault = lambda asked: refusal(status) if status else None
    told = inspect(Wanted(versions(), Folders(f"{store.url}/in", token)))
    assert f"expected images in input.root {store.url}/in, found: " in told
    assert "give every worker the same endpoint, credentials and packages for it" in told


def test_a_worker_without_the_package_is_told(token):
    told = inspect(Wanted(versions(), Folders("nosuch://a/in", token)))
    assert "expected a protocol that fsspec knows" in told


def test_the_mark_names_the_store(store, tmp_path):
    with marked(place(f"{store.url}/in"), tmp_path) as folders:
        assert folders.inputs == f"{store.url}/in"


def test_the_mark_of_outputs_in_a_store_is_an_object(store, tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "_SIGHT", 0.1)
    (tmp_path / "a.png").touch()
    with marked(tmp_path, place(f"{store.url}/out/.segpipe")) as folders:
        assert store.keys() == [folders.token.removeprefix(f"{store.url}/")]
        assert inspect(Wanted(versions(), folders)) == ""
        store.fault = lambda asked: refusal(403)
        told = inspect(Wanted(versions(), folders))
        store.fault = lambda asked: None
    assert f"expected to see output.root {store.url}/out, found another folder or none; give every" in told
    assert store.keys() == []
