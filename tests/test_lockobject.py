"""The object of a lock: its maker's alone."""

from collections.abc import Iterator

import pytest
from stores import Store, serving

from pipeline.files.objects import ObjectPath
from pipeline.jobs.lockobject import LockObject


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


def test_one_makes_it_and_only_who_has_seen_it_replaces_it(store):
    lock, other = (LockObject(ObjectPath(f"{store.url}/out/.segpipe/lock")) for _ in range(2))
    assert lock.read() is None
    assert lock.create(b"mine")
    assert not other.create(b"other's")
    seen = other.read()
    assert seen is not None
    assert seen.data == b"mine"
    assert lock.replace(b"mine, later", lock.read())
    assert not other.replace(b"other's", seen)
    other.remove(b"other's")
    assert lock.read().data == b"mine, later"
    lock.remove(b"mine, later")
    assert lock.read() is None
    assert store.keys() == []
