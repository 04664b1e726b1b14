"""Requests under conditions: of many who try one succeeds, and an answer that was lost is no refusal."""

from collections.abc import Iterator

import pytest
import stores
from stores import Store, serving
from werkzeug.wrappers import Response

from pipeline.files.objects import ObjectPath
from pipeline.files.storecalls import create, head, remove_all, replace


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


@pytest.fixture(params=["s3", "memory"])
def path(request: pytest.FixtureRequest, store: Store) -> Iterator[ObjectPath]:
    found = ObjectPath(f"{store.url}/x/lock" if request.param == "s3" else "memory://x/lock")
    yield found
    found.unlink(missing_ok=True)


def test_one_creates_and_replaces_what_it_has_seen(path):
    assert head(path) is None
    assert not replace(path, b"none", '"0"')
    assert create(path, b"first")
    assert not create(path, b"second")
    assert create(path, b"first")  # sent again: it is our own
    seen = head(path)
    assert seen is not None
    assert seen.size == 5
    assert replace(path, b"third", seen.etag)
    assert path.read_bytes() == b"third"


def test_what_was_replaced_since_is_left_alone(store):
    path = ObjectPath(f"{store.url}/lock")
    create(path, b"first")
    seen = head(path)
    path.write_bytes(b"another")
    assert not replace(path, b"mine", seen.etag)
    assert path.read_bytes() == b"another"


def test_an_answer_that_was_lost_is_no_refusal(store):
    """The store has it, and says that there is one to who asks again."""
    path = ObjectPath(f"{store.url}/lock")
    store.fault = stores.once(lambda: store.put("lock", b"mine"), method="PUT")
    assert create(path, b"mine")
    assert 412 in {one.status for one in store.asked}


def test_one_request_tells_of_an_object(store):
    store.put("a", b"1234")
    assert head(ObjectPath(f"{store.url}/a")).size == 4
    assert head(ObjectPath(f"{store.url}/b")) is None
    assert store.counts() == {"HEAD": 2}


def test_many_are_removed_by_few_requests(store):
    names = [f"out/[{number}]*?.png" for number in range(1001)]
    for name in names[:20]:
        store.put(name.replace("?", "%3F"), b"x")
    remove_all(ObjectPath(f"{store.url}/{name}") for name in names)
    assert store.keys() == []
    assert len(store.asked) == 2
    remove_all([])


def test_what_cannot_be_removed_is_an_error(store):
    store.put("a", b"x")
    store.fault = lambda asked: stores.refusal(403)
    with pytest.raises(OSError) as caught:  # noqa: PT011 -- of whatever number
        remove_all([ObjectPath(f"{store.url}/a")])
    assert caught.value.strerror == "told to"


def test_a_store_that_knows_no_conditions_is_looked_at_and_read_back(store):
    refused = Response("<Error><Code>NotImplemented</Code></Error>", 501, mimetype="application/xml")
    store.fault = lambda asked: refused if "if-none-match" in asked.headers else None
    path = ObjectPath(f"{store.url}/lock")
    assert create(path, b"mine")
    assert not create(path, b"another's")
    assert path.read_bytes() == b"mine"
