"""Folders that are one image: which are listed, what their state and digest hang on."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from trees import age

from pipeline.errors import BrokenLink, ChangedWhileReading, UnsupportedImage
from pipeline.files import sources
from pipeline.files.folders import is_image_folder
from pipeline.files.listing import Listing, list_inputs
from pipeline.files.sources import FileStat, at_rest, digest_file, stamp_of, state_of

FILES = {"zarr.json": b"{}", "c/0/0": b"abc", "c/0/1": b"", ".hidden": b"x"}


def plant(path: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    for item in [path, *path.rglob("*")]:
        age(item)
    return path


def keys(listing: Listing) -> list[str]:
    return [entry.key for entry in listing.entries]


def test_the_digest_is_that_of_paths_sizes_and_contents(tmp_path):
    path = plant(tmp_path / "a.zarr")
    told = b"".join(
        len(name).to_bytes(8, "little") + name.encode() + len(data).to_bytes(8, "little") + data
        for name, data in sorted(FILES.items())
    )
    assert digest_file(path) == (state_of(path), hashlib.sha256(told).hexdigest())
    shutil.copytree(path, other := tmp_path / "b" / "other.ZARR")
    assert digest_file(other)[1] == digest_file(path)[1]
    (other / "c/0/1").rename(other / "c/0/2")
    assert digest_file(other)[1] != digest_file(path)[1]


def test_the_state_is_that_of_all_within(tmp_path):
    path = plant(tmp_path / "a.zarr")
    newest = max(item.stat().st_mtime_ns for item in [path, *path.rglob("*")])
    before = FileStat(6, newest, path.stat().st_ino)
    assert state_of(path) == before
    assert stamp_of(path)[1] == max(item.stat().st_ctime_ns for item in [path, *path.rglob("*")])
    (path / "c/0/0").write_bytes(b"abd")
    assert state_of(path) != before
    age(path / "c/0/0")
    (path / "c/0/1").unlink()  # the time of its folder
    assert state_of(path) != before


def test_a_change_while_it_is_read(tmp_path, monkeypatch):
    path = plant(tmp_path / "a.zarr")
    with pytest.raises(ChangedWhileReading, match=r"a\.zarr"), at_rest(path, state_of(path), "a.zarr"):
        (path / "c/0/0").write_bytes(b"abd")
    real = sources.digest

    def meanwhile(*arguments):
        (path / "c/1").write_bytes(b"new")
        return real(*arguments)

    monkeypatch.setattr(sources, "digest", meanwhile)
    with pytest.raises(ChangedWhileReading, match=r"a\.zarr"):
        digest_file(path)


def test_a_folder_is_one_entry(tmp_path):
    path = plant(tmp_path / "a/b.zarr")
    plant(tmp_path / "C.ZARR", {".zgroup": b"{}", "0/x.png": b"no image of ours"})
    plant(tmp_path / "d.zarr", {".zarray": b"{}"})
    plant(tmp_path / "no.zarr", {"x.png": b"one", "b.zarr/zarr.json": b"{}"})
    plant(tmp_path / ".no.zarr")
    (tmp_path / "file.zarr").write_bytes(b"a file")
    listing = list_inputs(tmp_path)
    assert keys(listing) == ["C.ZARR", "a/b.zarr", "d.zarr", "no.zarr/b.zarr", "no.zarr/x.png"]
    assert listing.entries[1][1:4] == state_of(path)
    assert listing.others == {".zarr": 1}
    assert is_image_folder(path)
    assert not is_image_folder(path.parent)
    assert not is_image_folder(tmp_path / "file.zarr")


def test_patterns_match_the_folder(tmp_path):
    plant(tmp_path / "a/b.zarr", FILES | {"x.png": b""})
    plant(tmp_path / "c.zarr")
    (tmp_path / "d.png").write_bytes(b"x")
    for include, exclude, found in (
        (["*.zarr"], [], ["a/b.zarr", "c.zarr"]),
        (["a/*"], [], ["a/b.zarr"]),
        (["b.zarr/"], [], ["a/b.zarr"]),
        (["a/**"], ["b.zarr/**"], ["a/b.zarr"]),
        (["**/*.png"], [], ["d.png"]),
        ([], ["c.zarr"], ["a/b.zarr", "d.png"]),
        ([], ["c.zarr/"], ["a/b.zarr", "d.png"]),
        ([], ["a/"], ["c.zarr", "d.png"]),
    ):
        assert keys(list_inputs(tmp_path, include, exclude)) == found, (include, exclude)


def test_links_follow_the_rule_for_links(tmp_path):
    root = tmp_path / "in"
    path = plant(root / "a.zarr")
    plant(tmp_path / "chunks", {"0": b"far away"})
    (root / "near").mkdir()
    (root / "near/0").write_bytes(b"near")
    (path / "c/1").symlink_to(root / "near")
    (root / "link.zarr").symlink_to(path)
    assert keys(list_inputs(root)) == ["a.zarr", "link.zarr"]
    assert state_of(path).bytes == 10
    (path / "c/2").symlink_to(tmp_path / "chunks")
    listing = list_inputs(root)
    assert keys(listing) == []
    assert [skipped.path for skipped in listing.skipped] == ["a.zarr", "link.zarr"]
    assert "a link in it leaves the input root" in listing.skipped[0].reason
    assert keys(list_inputs(root, follow_symlinks=True)) == ["a.zarr", "link.zarr"]
    assert state_of(path).bytes == 18


@pytest.mark.parametrize("target", ["nowhere", "..", "0"])
def test_links_that_lead_nowhere(tmp_path, target):
    path = plant(tmp_path / "a.zarr")
    (path / "c/0").rename(path / "c/1")
    (path / "c/0").symlink_to(target)
    [entry] = list_inputs(tmp_path).entries
    assert isinstance(entry.error, BrokenLink)
    assert "a.zarr: expected links in it to lead to files, found one at c/0 that" in str(entry.error)
    with pytest.raises(BrokenLink):
        state_of(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_within(tmp_path):
    os.mkfifo(plant(tmp_path / "a.zarr") / "c/pipe")
    [entry] = list_inputs(tmp_path).entries
    assert isinstance(entry.error, UnsupportedImage)


def test_names_that_are_no_text(tmp_path):
    name = os.fsdecode(b"\xff.zarr")
    try:
        (tmp_path / name).mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    plant(tmp_path / name)
    [entry] = list_inputs(tmp_path).entries
    assert entry.key == r"\xff.zarr"
    assert "rename" in str(entry.error)
