"""Places in object stores: what is asked of a store, and what is told of what goes wrong."""

import errno
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stores import Asked, Store, every, once, refusal, serving
from werkzeug.wrappers import Response

from pipeline.errors import SpecError
from pipeline.files import objectsystems
from pipeline.files.objectfiles import Replaced
from pipeline.files.objects import ObjectPath, is_url, place

REPO = Path(__file__).parents[1]
NAMES = [
    "a b.png",
    "ä/ö.png",
    "q?x=1.png",
    "h#1.png",
    "100%25.png",
    "a+b&c.png",
    "[x]*.png",
    "it's.png",
    "日本.png",
]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after the second try."""
    monkeypatch.setattr(objectsystems, "_TRIES", 2)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket/x", True),
        ("memory://x", True),
        ("/a/b", False),
        ("a/b", False),
        ("c://x", False),
        ("file:///a", False),
        ("FILE:///a", False),
        ("a folder/s3://x", False),
    ],
)
def test_which_roots_are_in_a_store(text, url):
    assert is_url(text) is url
    assert isinstance(place(text), ObjectPath if url else Path)


def test_names_go_on_from_one_another():
    path = place("s3://bucket/photos/") / "a/b.jpg"
    assert str(path) == "s3://bucket/photos/a/b.jpg"
    assert (path.name, str(path.parent)) == ("b.jpg", "s3://bucket/photos/a")
    assert pickle.loads(pickle.dumps(path)) == path  # noqa: S301


def test_an_object_is_read_whole_by_one_request_after_its_state(store):
    store.put("a.bin", bytes(20_000_000))
    assert place(f"{store.url}/a.bin").read_bytes() == bytes(20_000_000)
    assert store.counts() == {"HEAD": 1, "GET": 1}


def test_listing_and_asking_tell_the_same_state(store):
    store.put("x/a.png", b"one")
    [(name, listed)] = place(f"{store.url}/x").walk()
    stat = place(f"{store.url}/x/a.png").stat()
    assert name == "a.png"
    assert listed == stat
    assert stat.st_size == 3
    assert stat.st_ino != 0
    store.put("x/a.png", b"two")
    assert place(f"{store.url}/x/a.png").stat().st_ino != stat.st_ino


@pytest.mark.parametrize("name", NAMES)
def test_names_are_taken_as_they_are(store, name):
    path = place(f"{store.url}/in") / name
    path.write_bytes(name.encode())
    assert store.keys() == [f"in/{name}"]
    assert [found for found, _ in place(f"{store.url}/in").walk()] == [name]
    assert path.read_bytes() == name.encode()
    assert path.stat().st_size == len(name.encode())
    assert path.is_file()
    path.unlink()
    assert store.keys() == []


def test_what_is_a_folder(store):
    store.put("x/a/b.png", b"one")
    root = place(store.url)
    assert [(root / name).is_dir() for name in ("x", "x/a", "x/a/b.png", "y")] == [True, True, False, False]
    assert [(root / name).is_file() for name in ("x", "x/a/b.png", "y")] == [False, True, False]
    with pytest.raises(FileNotFoundError):
        (root / "x").stat()
    with pytest.raises(FileNotFoundError), (root / "x").open():
        pass


def test_of_many_who_create_one_succeeds(store):
    def create(number: int) -> bool:
        try:
            place(f"{store.url}/lock").create(b"%d" % number)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(create, range(8))) == 1


def test_an_object_that_is_replaced_while_it_is_read_is_told(store):
    store.put("a.bin", bytes(1_000_000))
    with place(f"{store.url}/a.bin").open() as file:
        file.read(10)
        store.put("a.bin", b"x" * 1_000_000)
        with pytest.raises(Replaced) as caught:
            file.read()
    assert caught.value.errno == errno.ESTALE


def test_an_object_that_goes_while_it_is_read_is_told(store):
    store.put("a.bin", bytes(1_000_000))
    store.fault = once(lambda: store.remove("a.bin"))
    with pytest.raises(FileNotFoundError) as caught:
        place(f"{store.url}/a.bin").read_bytes()
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("status", [500, 503])
def test_ranges_are_asked_for_again(store, status):
    data = os.urandom(3_000_000)
    store.put("a.bin", data)
    store.fault = every(2, status)
    with place(f"{store.url}/a.bin").open() as file:
        assert file.read(1000) == data[:1000]
        file.seek(2_000_000)
        assert file.read() == data[2_000_000:]
    assert sum(asked.status == status for asked in store.asked) >= 2


def test_answers_that_break_off_are_asked_for_again(store):
    data = os.urandom(1_000_000)
    store.put("a.bin", data)
    broken: list[Asked] = []

    def break_off(asked: Asked) -> Response | None:
        if asked.method == "HEAD" or len(broken) == 2:
            return None
        broken.append(asked)
        half = Response(data[:500_000], 206, {"Content-Range": "bytes 0-999999/1000000"})
        half.automatically_set_content_length = False
        half.headers["Content-Length"] = "1000000"
        return half

    store.fault = break_off
    assert place(f"{store.url}/a.bin").read_bytes() == data
    assert len(broken) == 2


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("status", "kind", "number"),
    [(403, PermissionError, errno.EACCES), (404, FileNotFoundError, errno.ENOENT), (500, OSError, None)],
)
def test_refusals_that_last_are_errors_with_a_number(store, status, kind, number):
    store.put("a.bin", b"x")
    store.fault = lambda asked: refusal(status) if asked.method == "GET" and asked.key else None
    with pytest.raises(kind) as caught:
        place(f"{store.url}/a.bin").read_bytes()
    assert caught.value.errno
    assert caught.value.strerror
    assert number in (None, caught.value.errno)


@pytest.mark.usefixtures("hasty")
def test_a_store_that_is_not_there_is_an_error_with_a_number(store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(OSError, match="Could not connect") as caught:
        place("s3://maps/a.bin").stat()
    assert caught.value.errno


def test_missing_credentials_are_an_error_with_a_number(store, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(OSError, match="credentials") as caught:
        place("s3://maps/a.bin").stat()
    assert caught.value.errno


def test_a_protocol_that_nobody_knows_is_a_mistake_of_the_job():
    with pytest.raises(SpecError, match="nosuch://: expected a protocol that fsspec knows"):
        place("nosuch://a/b").exists()


def test_any_protocol_of_fsspec_is_read(tmp_path):
    root = place(f"memory://{tmp_path.name}")
    (root / "a/b.bin").write_bytes(bytes(range(200)))
    [(name, stat)] = root.walk()
    assert (name, stat.st_size) == ("a/b.bin", 200)
    assert stat == (root / name).stat()
    with (root / name).open() as file:
        file.seek(100)
        assert file.read() == bytes(range(100, 200))
    (root / name).unlink()


def test_threads_read_side_by_side(store):
    store.put("a.bin", bytes(range(256)) * 10_000)
    path = place(f"{store.url}/a.bin")

    def part(number: int) -> bytes:
        with path.open() as file:
            file.seek(number * 256)
            return file.read(256)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(part, range(100))) == {bytes(range(256))}
    assert threading.active_count() < 30


def test_another_process_reads_what_it_is_handed(store):
    store.put("a.bin", b"some bytes")
    handed = pickle.dumps(place(f"{store.url}/a.bin"))
    script = f"import pickle, sys; sys.stdout.buffer.write(pickle.loads({handed!r}).read_bytes())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=REPO, check=True)
    assert done.stdout == b"some bytes"
    assert done.stderr == b""


def test_a_copy_of_this_process_has_connections_of_its_own(store):
    store.put("a.bin", b"some bytes")
    assert place(f"{store.url}/a.bin").read_bytes() == b"some bytes"
    first = objectsystems._system_of("s3", os.getpid())
    assert objectsystems._system_of("s3", os.getpid()) is first
    assert objectsystems._system_of("s3", os.getpid() + 1) is not first
