"""The object of a lock: its maker's alone."""

from collections.abc import Iterator

import pytest
from stores import Store, serving

from pipeline.files.objects import ObjectPath
from pipeline.jobs.lockobject import ObjectSlot


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


def test_one_makes_it_and_only_who_has_seen_it_replaces_it(store):
    lock, other = (ObjectSlot(ObjectPath(f"{store.url}/out/.segpipe/lock")) for _ in range(2))
    assert lock.read() is None
    assert not lock.is_marked()
    mine = lock.create(b"mine")
    assert mine is not None
    assert other.create(b"other's") is None
    assert other.is_marked()
    seen = other.read()
    assert seen == mine
    later = lock.replace(mine, b"mine, later")
    assert later is not None
    assert other.replace(seen, b"other's") is None
    assert not other.remove(seen)
    assert lock.read().data == b"mine, later"
    assert lock.remove(later)
    assert lock.read() is None
    assert store.keys() == []


def test_its_age_is_told_by_the_store(store):
    lock = ObjectSlot(ObjectPath(f"{store.url}/out/.segpipe/lock"))
    mine = lock.create(b"mine")
    assert 0 <= lock.age(mine) < 60
    assert lock.age(mine._replace(version="another")) is None
