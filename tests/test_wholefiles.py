"""Files that are replaced as a whole, durably, and only if they differ; what killed writers left is swept."""

import errno
import os
from pathlib import Path

import pytest
from builders import tree
from disks import Full, fail_replace

from pipeline.errors import OutputNotWritable
from pipeline.files.outputs import Commit
from pipeline.files.wholefiles import (
    DEBRIS,
    flush_folder,
    put,
    sweep,
    temporary_beside,
    write_parts,
    write_whole,
)


def debris(root):
    return sorted(root.rglob(DEBRIS))


def test_writing_a_whole_file_makes_folders_and_says_whether_it_wrote(tmp_path):
    path = tmp_path / "new/folder/file"
    assert write_whole(path, b"one")
    before = tree(tmp_path)
    assert not write_whole(path, b"one")
    assert tree(tmp_path) == before
    assert write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert not debris(tmp_path)


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_whole_file_that_cannot_be_written_keeps_its_old_content(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_bytes(b"old content")
    before = tree(tmp_path)
    with monkeypatch.context() as patch:
        if step == "write":
            Full(patch, 0)
        elif step == "fsync":
            patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "I/O")))
        else:
            fail_replace(patch, "file")
        with pytest.raises(OSError, match=r"No space|I/O|Permission"):
            write_whole(path, b"new content")
    assert tree(tmp_path) == before


def test_a_whole_file_that_was_interrupted_leaves_nothing(tmp_path):
    def parts():
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_parts(tmp_path / "a", parts())
    assert list(tmp_path.iterdir()) == []


def test_sweeping_removes_debris_and_nothing_else(tmp_path):
    kept = ["a.png", ".segpipe-notes", "part", ".hidden.part", "sub/.segpipe-x-1.part"]
    for name in [*kept, ".segpipe-abc-0123.part", ".segpipe-.part"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert sweep(tmp_path) == 2
    assert tree(tmp_path).keys() == set(kept)
    assert sweep(tmp_path) == 0
    assert sweep(tmp_path / "missing") == 0


def test_what_a_killed_writer_leaves_is_swept(tmp_path):
    Commit(tmp_path).stage("b", {"b.png": b"1", "c.png": b"2"})
    assert sweep(tmp_path) == 2


def test_folders_can_be_flushed(tmp_path):
    flush_folder(tmp_path)


@pytest.mark.parametrize("name", ["x" * 251 + ".svg", "ä" * 125 + ".html"])
def test_names_as_long_as_the_file_system_allows(tmp_path, name):
    assert write_whole(tmp_path / name, b"1")
    put(tmp_path / name, lambda file: file.write(b"2"))
    assert (tmp_path / name).read_bytes() == b"2"
    assert not debris(tmp_path)


def test_what_a_killed_writer_left_is_known_by_the_name_it_was_to_have(tmp_path):
    for name in ("a.png", "b.png"):
        temporary_beside(tmp_path / name).write_bytes(b"half")
    assert sweep(tmp_path, ["c.png"]) == 0
    assert sweep(tmp_path, ["a.png", "c.png"]) == 1
    assert len(debris(tmp_path)) == 1


def test_content_in_parts_that_is_there_already_is_not_touched(tmp_path):
    path = tmp_path / "file"
    assert write_parts(path, [b"on", b"e"])
    before = tree(tmp_path)
    assert not write_parts(path, iter([b"o", b"ne"]))
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(errno.ENOSPC, "full"), OutputNotWritable), (KeyError("x"), KeyError)]
)
def test_half_a_file_is_not_put(tmp_path, error, raised):
    def write(file):
        file.write(b"half")
        raise error

    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(raised):
        put(tmp_path / "file", write)
    assert {path: data for path, (data, *_) in tree(tmp_path).items()} == {"file": b"old"}


def test_what_went_wrong_first_is_told_even_if_nothing_can_be_removed_any_more(tmp_path, monkeypatch):
    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    Full(monkeypatch, 0)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"content")
