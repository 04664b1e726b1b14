"""Listing inputs in a store: by the same rules as a folder's, from names alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import Store, refusal, serving

from pipeline.errors import InputError, UnusableName
from pipeline.files import objectsystems
from pipeline.files.listing import list_inputs
from pipeline.files.objectfiles import ObjectStat
from pipeline.files.objects import ObjectPath, place
from pipeline.jobs.clashes import without_clashes


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


def keys(found) -> list[str]:
    return [entry.key for entry in found.entries]


def put(store: Store, *names: str) -> ObjectPath:
    for name in names:
        store.put(name, b"x" * len(name))
    return place(f"{store.url}/in")


def test_entries_are_sorted_and_carry_the_stat_that_asking_gives(store):
    root = put(store, "in/b.png", "in/a/z.jpg", "in/a.png", "in/a/b/c.tif", "in/notes.txt", "inner/x.png")
    found = list_inputs(root)
    assert keys(found) == ["a.png", "a/b/c.tif", "a/z.jpg", "b.png"]
    assert found.root == root
    assert found.others == {".txt": 1}
    for entry in found.entries:
        assert entry[1:4] == (root / entry.key).stat()
        assert entry.inode != 0
        assert entry.error is None


def test_a_thousand_names_take_one_request(store):
    put(store, *(f"in/{number}.png" for number in range(1500)))
    store.forget()
    assert len(list_inputs(place(f"{store.url}/in")).entries) == 1500
    assert store.counts() == {"LIST": 2}


def test_a_whole_bucket_may_be_the_root(store):
    put(store, "a.png", "b/c.png")
    assert keys(list_inputs(place(store.url))) == ["a.png", "b/c.png"]


def test_what_stands_for_folders_is_no_image(store):
    root = put(store, "in/a.png/", "in/b/", "in/b/c.png")
    assert keys(list_inputs(root)) == ["b/c.png"]
    assert list_inputs(root).others == {}


def test_an_object_of_no_bytes_is_listed(store):
    store.put("in/a.png", b"")
    assert [entry[:2] for entry in list_inputs(place(f"{store.url}/in")).entries] == [("a.png", 0)]


PARTS = st.sampled_from(["a", "b.png", "c.PNG", ".d", "e.txt", "f.zarr", "raw", "zarr.json", "0.0", "g.tif"])
LONG = st.lists(PARTS, min_size=1, max_size=4).map("/".join).filter(lambda name: "zarr.json/" not in name)
PATTERNS = st.lists(
    st.sampled_from(["*.png", "raw/", "raw/**", "a/*", "/b.png", "*.zarr", "**/raw/*", "f.zarr/", "e.txt"]),
    max_size=2,
)


@settings(deadline=None, max_examples=300)
@given(names=st.sets(LONG, min_size=1, max_size=12), include=PATTERNS, exclude=PATTERNS)
def test_a_store_is_listed_as_the_same_files_in_a_folder(tmp_path_factory, names, include, exclude):
    """But for what only one of them can have."""
    names = {name for name in names if not any(other.startswith(f"{name}/") for other in names)}
    folder = tmp_path_factory.mktemp("in")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    near, far = list_inputs(folder, include, exclude), list_inputs(Told(names), include, exclude)
    assert [entry[:2] for entry in far.entries] == [entry[:2] for entry in near.entries]
    assert far.others == near.others


class Told(ObjectPath):
    """A place whose objects are told."""

    def __init__(self, names: set[str]) -> None:
        super().__init__("told://in")
        self.names = names

    def walk(self) -> Iterator[tuple[str, ObjectStat]]:
        return iter([(name, ObjectStat(len(name.encode()), 1, 1)) for name in self.names])


@pytest.mark.parametrize("name", ["a//b.png", "/a.png", f"{'x' * 256}/a.png"])
def test_names_that_no_folder_can_have_are_told(store, name):
    [entry] = list_inputs(put(store, f"in/{name}")).entries
    assert entry.key == name
    assert isinstance(entry.error, UnusableName)
    assert "rename the object" in str(entry.error)


def test_outputs_of_an_object_that_is_a_folder_too_may_clash(store):
    root = put(store, "in/a.png", "in/a.png/b.png", "in/a.png.png/c.png")
    found = without_clashes(list_inputs(root))
    assert [(entry.key, entry.error is None) for entry in found.entries] == [
        ("a.png", False),
        ("a.png.png/c.png", True),
        ("a.png/b.png", True),
    ]


def test_a_folder_that_is_an_image_has_the_state_of_all_in_it(store):
    root = put(store, "in/x.zarr/zarr.json", "in/x.zarr/c/0/0", "in/x.zarr/c/0/1.png", "in/y.zarr/z.png")
    found = list_inputs(root)
    assert keys(found) == ["x.zarr", "y.zarr/z.png"]
    before = found.entries[0]
    assert before.bytes == sum(map(len, ["in/x.zarr/zarr.json", "in/x.zarr/c/0/0", "in/x.zarr/c/0/1.png"]))
    store.put("in/x.zarr/c/0/0", b"y" * len("in/x.zarr/c/0/0"))
    after = list_inputs(root).entries[0]
    assert (after.bytes, after.inode != before.inode) == (before.bytes, True)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://maps/nothing", "nothing there; check input.root"),
        ("s3://nobucket/in", "no such bucket; check input.root"),
        ("s3://maps/in/a.png", "an object; give what its name begins with"),
        ("s3://maps/i", "nothing there"),
    ],
)
def test_a_root_without_objects_is_refused(store, url, found):
    put(store, "in/a.png")
    with pytest.raises(InputError, match=f"input root {url}: expected objects below it, found {found}"):
        list_inputs(place(url))


@pytest.mark.parametrize(
    ("status", "found"), [(403, "no right to list it"), (500, r"an error \(.*check the connection, the end")]
)
def test_a_root_that_cannot_be_listed_is_refused(store, monkeypatch, status, found):
    monkeypatch.setattr(objectsystems, "_TRIES", 2)
    store.fault = lambda asked: refusal(status)
    with pytest.raises(InputError, match=found):
        list_inputs(place(f"{store.url}/in"))


def test_a_page_of_a_listing_that_is_refused_is_asked_for_again(store):
    root = put(store, *(f"in/{number}.png" for number in range(1100)))
    refused = iter([503, 500, 503])
    store.fault = lambda asked: refusal(status) if (status := next(refused, 0)) else None
    assert len(list_inputs(root).entries) == 1100


def test_listing_a_folder_imports_no_package_of_stores(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"x")
    script = (
        "import sys; from pathlib import Path; from pipeline.files.listing import list_inputs; "
        f"list_inputs(Path({str(tmp_path)!r})); sys.exit('fsspec' in sys.modules or 's3fs' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[1])
