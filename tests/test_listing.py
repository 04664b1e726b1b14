"""The walk over the input root: what is listed, what is passed over, and why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import BrokenLink, InputError, UnsupportedImage, UnusableName
from pipeline.files.listing import Entry, list_inputs


def plant(root: Path, *keys: str) -> Path:
    for key in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(key))
    return root


def keys(found):
    return [entry.key for entry in found.entries]


def test_entries_are_sorted_and_carry_the_stat(tmp_path):
    plant(tmp_path, "b.png", "a/z.jpg", "a.png", "a/b/c.tif", "notes.txt")
    found = list_inputs(tmp_path)
    assert keys(found) == ["a.png", "a/b/c.tif", "a/z.jpg", "b.png"]
    status = (tmp_path / "a/z.jpg").stat()
    assert found.entries[2] == Entry("a/z.jpg", 7, status.st_mtime_ns, status.st_ino, None)
    assert found.root / found.entries[2].key == tmp_path / "a/z.jpg"
    assert found.skipped == []


def test_odd_names_are_ordinary(tmp_path):
    names = ["-rf.png", "a b.png", "line\nbreak.png", "ä日本.png", "'\"$x.png", "x.png/x.png"]
    plant(tmp_path, *names)
    found = list_inputs(tmp_path)
    assert keys(found) == sorted(names)
    assert all((found.root / entry.key).is_file() for entry in found.entries)


def test_hidden_files_and_folders_are_left_out(tmp_path):
    plant(tmp_path, ".a.png", ".git/a.png", "a/.thumbs/b.png", "a/b.png")
    assert keys(list_inputs(tmp_path, include=["*"])) == ["a/b.png"]


def test_excluded_folders_are_not_read(tmp_path, monkeypatch):
    plant(tmp_path, "drafts/a.png", "x/drafts/b/c.png", "x/d.png")
    scanned = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(Path(path).name) or scandir(path))
    assert keys(list_inputs(tmp_path, exclude=["drafts/"])) == ["x/d.png"]
    assert "drafts" not in scanned


def test_links_inside_are_followed(tmp_path):
    plant(tmp_path, "a/b.png")
    (tmp_path / "link.png").symlink_to("a/b.png")
    (tmp_path / "folder").symlink_to("a", target_is_directory=True)
    found = list_inputs(tmp_path)
    assert keys(found) == ["a/b.png", "folder/b.png", "link.png"]
    assert len({entry.inode for entry in found.entries}) == 1


def test_links_that_leave_are_skipped_unless_asked_for(tmp_path):
    root = plant(tmp_path / "root", "a.png")
    plant(tmp_path / "root-but-not", "b.png")
    (root / "out").symlink_to("../root-but-not")
    (root / "out.png").symlink_to("../root-but-not/b.png")
    found = list_inputs(root)
    assert keys(found) == ["a.png"]
    assert [skipped.path for skipped in found.skipped] == ["out", "out.png"]
    assert all("follow_symlinks" in skipped.reason for skipped in found.skipped)
    followed = list_inputs(root, follow_symlinks=True)
    assert keys(followed) == ["a.png", "out.png", "out/b.png"]
    assert followed.skipped == []


def test_root_may_be_a_link(tmp_path):
    plant(tmp_path / "real", "a.png")
    (tmp_path / "link").symlink_to("real")
    assert keys(list_inputs(tmp_path / "link")) == ["a.png"]


@pytest.mark.parametrize("follow", [False, True])
def test_loops_are_cut_and_named(tmp_path, follow):
    plant(tmp_path, "a/x.png", "b/y.png")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/other").symlink_to("../b")
    (tmp_path / "b/other").symlink_to("../a")
    found = list_inputs(tmp_path, follow_symlinks=follow)
    assert keys(found) == ["a/other/y.png", "a/x.png", "b/other/x.png", "b/y.png"]
    cut = [skipped.path for skipped in found.skipped]
    assert cut == ["a/other/other", "a/up", "b/other/other", "b/other/up"]


def test_broken_links_are_entries_with_an_error(tmp_path):
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "self.png").symlink_to("self.png")
    (tmp_path / "gone.txt").symlink_to("nowhere.txt")
    found = list_inputs(tmp_path)
    assert keys(found) == ["gone.png", "self.png"]
    assert all(isinstance(entry.error, BrokenLink) for entry in found.entries)
    assert "nowhere.png" in str(found.entries[0].error)


def test_names_that_are_not_utf8_get_a_printable_key(tmp_path):
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe9.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (entry,) = list_inputs(tmp_path).entries
    assert entry.key == r"\xff\xe9.png"
    assert isinstance(entry.error, UnusableName)
    str(entry.error).encode("utf-8")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipe_is_an_entry_with_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (entry,) = list_inputs(tmp_path).entries
    assert isinstance(entry.error, UnsupportedImage)
    assert "pipe" in str(entry.error)


def test_unreadable_folder_is_skipped(tmp_path, monkeypatch):
    plant(tmp_path, "shut/a.png", "open/b.png")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list_inputs(tmp_path)
    assert keys(found) == ["open/b.png"]
    assert found.skipped[0].path == "shut"
    assert "Permission denied" in found.skipped[0].reason


def test_very_deep_tree(tmp_path):
    folders = [tmp_path / ("d/" * depth) for depth in range(1, 1201)]
    for folder in folders:
        folder.mkdir()
    image = folders[-1] / "a.png"
    image.touch()
    assert keys(list_inputs(tmp_path)) == ["d/" * 1200 + "a.png"]
    image.unlink()  # by hand: what clears up after the tests is recursive
    for folder in reversed(folders):
        folder.rmdir()


@pytest.mark.parametrize(
    ("error", "advice"),
    [(FileNotFoundError, "input.root"), (NotADirectoryError, "folder"), (PermissionError, "permission")],
)
def test_unusable_root(tmp_path, monkeypatch, error, advice):
    def refuse(path):
        raise error(1, "refused", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=advice) as caught:
        list_inputs(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_missing_root_and_file_as_root(tmp_path):
    with pytest.raises(InputError, match="nothing there"):
        list_inputs(tmp_path / "missing")
    with pytest.raises(InputError, match="found a file"):
        list_inputs(plant(tmp_path, "a.png") / "a.png")


def test_import_is_light():
    heavy = "numpy", "PIL", "fsspec", "yaml"
    code = f"import sys, pipeline.files.listing; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_of_other_kinds_are_counted_by_extension_unless_patterns_choose(tmp_path):
    for name in ("a.png", "b.HEIC", "deep/c.heic", "d.mp4", "README", "left/e.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_inputs(tmp_path, exclude=["left/"]).others == {".heic": 2, ".mp4": 1, "": 1}
    assert list_inputs(tmp_path, include=["*.png"]).others == {}
