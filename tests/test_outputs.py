"""The writer: groups of files become final together, whole, durable, and only if they differ."""

import errno
import hashlib
import os

import pytest
from builders import tree
from disks import Full, fail_fsync, fail_replace
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import OutputNotWritable
from pipeline.files import outputs
from pipeline.files.outputs import Commit, OutputFile
from pipeline.files.wholefiles import DEBRIS

FILES = {"quantized/a/b.png": b"picture", "labels/a/b.png": b"labels", "palettes/a/b.json": b"{}"}


def debris(root):
    return sorted(root.rglob(DEBRIS))


def stage_and_publish(root, key="a/b", files=FILES):
    commit = Commit(root)
    staged = commit.stage(key, files)
    return staged, commit.publish()


def test_nothing_is_final_before_publish_and_all_of_it_after(tmp_path):
    commit = Commit(tmp_path)
    commit.stage("a/b", FILES)
    assert not any((tmp_path / path).exists() for path in FILES)
    assert len(debris(tmp_path)) == 3
    assert commit.publish() == {}
    assert {path: data for path, (data, *_) in tree(tmp_path).items()} == FILES


def test_staging_tells_the_facts_of_each_file(tmp_path):
    assert Commit(tmp_path).stage("a/b", FILES) == [
        OutputFile(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in FILES.items()
    ]


names = st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"])
contents = st.dictionaries(names, st.binary(max_size=8), max_size=5)


@given(before=contents, after=contents)
@settings(max_examples=40, deadline=None)
def test_whatever_was_there_the_new_content_is_and_what_is_the_same_was_not_touched(
    tmp_path_factory, before, after
):
    root = tmp_path_factory.mktemp("root")
    assert stage_and_publish(root, files=before)[1] == {}
    old = tree(root)
    assert stage_and_publish(root, files=after)[1] == {}
    new = tree(root)
    assert {path: data for path, (data, *_) in new.items()} == before | after
    for path in before.keys() & new.keys():
        assert (new[path] == old[path]) == (before[path] == new[path][0])


def test_same_content_is_not_touched_and_leaves_no_debris(tmp_path):
    stage_and_publish(tmp_path)
    before = tree(tmp_path)
    commit = Commit(tmp_path)
    commit.stage("a/b", FILES)
    assert not debris(tmp_path)
    commit.publish()
    assert tree(tmp_path) == before


def test_a_link_in_a_files_place_is_replaced_and_its_target_left_alone(tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"picture")
    root = tmp_path / "root"
    (root / "quantized/a").mkdir(parents=True)
    (root / "quantized/a/b.png").symlink_to(target)
    stage_and_publish(root)
    assert not (root / "quantized/a/b.png").is_symlink()
    assert target.read_bytes() == b"picture"


def test_a_link_in_a_written_files_place_is_replaced_too(tmp_path):
    (tmp_path / "target").write_bytes(b"12345")
    (tmp_path / "quantized").mkdir()
    (tmp_path / "quantized/a").symlink_to(tmp_path / "target")
    commit = Commit(tmp_path)
    commit.stage_written("a", "quantized/a", lambda file: file.write(b"12345"))
    assert commit.publish() == {}
    assert not (tmp_path / "quantized/a").is_symlink()


@pytest.mark.parametrize("room", [0, 1, 2])
def test_a_full_disk_takes_the_whole_group_back(tmp_path, monkeypatch, room):
    (tmp_path / "quantized/a").mkdir(parents=True)
    (tmp_path / "quantized/a/b.png").write_bytes(b"old")
    Full(monkeypatch, room)
    commit = Commit(tmp_path)
    with pytest.raises(OutputNotWritable, match="No space left on device; make room"):
        commit.stage("a/b", FILES)
    assert not debris(tmp_path)
    assert commit.publish() == {}
    assert {path: data for path, (data, *_) in tree(tmp_path).items()} == {"quantized/a/b.png": b"old"}


def test_a_group_that_cannot_be_staged_does_not_disturb_the_others(tmp_path, monkeypatch):
    Full(monkeypatch, 4)
    commit = Commit(tmp_path)
    commit.stage("a/b", FILES)
    with pytest.raises(OutputNotWritable):
        commit.stage("c", {"quantized/c.png": b"1", "labels/c.png": b"2"})
    assert commit.publish() == {}
    assert tree(tmp_path).keys() == FILES.keys()


def test_running_out_of_memory_takes_the_whole_group_back(tmp_path, monkeypatch):
    real = outputs.has_content

    def tight(path, data):
        if path.parent.parent.name == "labels":
            raise MemoryError
        return real(path, data)

    monkeypatch.setattr(outputs, "has_content", tight)
    commit = Commit(tmp_path)
    with pytest.raises(MemoryError):
        commit.stage("a/b", FILES)
    commit.publish()
    assert tree(tmp_path) == {}


def test_a_file_that_cannot_be_flushed_fails_its_image_alone(tmp_path, monkeypatch):
    commit = Commit(tmp_path)
    fail_fsync(monkeypatch, lambda found: found.st_size == len(FILES["labels/a/b.png"]))
    commit.stage("a/b", FILES)
    commit.stage("c", {"quantized/c.png": b"1"})
    failed = commit.publish()
    assert failed.keys() == {"a/b"}
    assert "Input/output error" in str(failed["a/b"])
    assert tree(tmp_path).keys() == {"quantized/c.png"}


def test_a_second_file_that_cannot_be_moved_fails_its_image_and_leaves_no_debris(tmp_path, monkeypatch):
    commit = Commit(tmp_path)
    commit.stage("a/b", FILES)
    commit.stage("c", {"quantized/c.png": b"1"})
    with monkeypatch.context() as patch:
        fail_replace(patch, "b.json")
        failed = commit.publish()
    assert failed.keys() == {"a/b"}
    assert "Permission denied" in str(failed["a/b"])
    assert not debris(tmp_path)
    assert (tmp_path / "quantized/c.png").exists()
    assert not (tmp_path / "palettes/a/b.json").exists()
    assert stage_and_publish(tmp_path)[1] == {}
    assert (tmp_path / "palettes/a/b.json").read_bytes() == b"{}"


def test_a_folder_that_cannot_be_flushed_fails_its_images_alone(tmp_path, monkeypatch):
    commit = Commit(tmp_path)
    commit.stage("a/b", FILES)
    commit.stage("c", {"other/c.png": b"1"})
    inode = (tmp_path / "labels/a").stat().st_ino
    fail_fsync(monkeypatch, lambda found: found.st_ino == inode)
    assert commit.publish().keys() == {"a/b"}


def test_a_folder_in_a_files_place_is_an_error_of_that_image(tmp_path):
    (tmp_path / "labels/a/b.png").mkdir(parents=True)
    _, failed = stage_and_publish(tmp_path)
    assert failed.keys() == {"a/b"}
    assert not debris(tmp_path)


def test_a_file_in_a_folders_place_is_an_error_of_that_image(tmp_path):
    (tmp_path / "labels").write_bytes(b"")
    commit = Commit(tmp_path)
    with pytest.raises(OutputNotWritable):
        commit.stage("a/b", FILES)
    assert not debris(tmp_path)


def linked_outside(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (root / "quantized").symlink_to(outside)
    return root, outside


def test_a_link_that_leaves_the_root_is_refused(tmp_path):
    root, outside = linked_outside(tmp_path)
    with pytest.raises(OutputNotWritable, match=r"^quantized: expected a folder inside .* link to .*outside"):
        Commit(root).stage("b", {"quantized/b.png": b"1"})
    assert not list(outside.iterdir())


def test_a_link_that_leaves_the_root_gets_no_folders_either(tmp_path):
    root, outside = linked_outside(tmp_path)
    with pytest.raises(OutputNotWritable):
        Commit(root).stage("a/b", FILES)
    assert not list(outside.iterdir())


def test_a_root_that_is_reached_by_a_link_is_no_escape(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert stage_and_publish(tmp_path / "root")[1] == {}


@pytest.mark.parametrize("name", ["x" * 250, "ä" * 125])
def test_names_as_long_as_the_file_system_allows(tmp_path, name):
    files = {f"quantized/{name}.json": b"1"}
    assert stage_and_publish(tmp_path, name, files)[1] == {}
    assert (tmp_path / f"quantized/{name}.json").read_bytes() == b"1"


def test_names_that_are_too_long_are_an_error_of_that_image(tmp_path):
    commit = Commit(tmp_path)
    name = "x" * 252
    commit.stage(name, {f"quantized/{name}.png": b"1"})
    assert "too long" in str(commit.publish()[name])
    assert not debris(tmp_path)


def test_discarding_takes_back_what_was_staged(tmp_path):
    commit = Commit(tmp_path)
    commit.stage("a/b", FILES)
    commit.stage("c", {"quantized/c.png": b"1"})
    commit.discard("a/b")
    commit.discard("never heard of")
    assert len(debris(tmp_path)) == 1
    commit.publish()
    assert tree(tmp_path).keys() == {"quantized/c.png"}


def test_the_guard_is_asked_when_all_is_on_the_disk_and_just_before_anything_is_final(tmp_path, monkeypatch):
    """Flushing takes long on a slow disk: who asked before might have lost the lock since."""
    flushed, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino) or real(handle))

    def guard():
        assert {path.stat().st_ino for path in debris(tmp_path)} == set(flushed)
        assert len(flushed) == len(FILES)
        raise OutputNotWritable("no")

    commit = Commit(tmp_path, guard)
    commit.stage("a/b", FILES)
    assert str(commit.publish()["a/b"]) == "no"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_publishing_twice_does_nothing_the_second_time(tmp_path):
    commit = Commit(tmp_path)
    commit.stage("a/b", FILES)
    commit.publish()
    before = tree(tmp_path)
    assert commit.publish() == {}
    assert tree(tmp_path) == before


def test_a_file_that_is_written_bit_by_bit_becomes_final_with_its_group(tmp_path):
    commit = Commit(tmp_path)
    commit.stage("a", {"labels/a": b"x"})
    staged = commit.stage_written("a", "quantized/a", lambda file: [file.write(bytes([n])) for n in range(5)])
    assert not (tmp_path / "quantized/a").exists()
    assert commit.publish() == {}
    assert staged == OutputFile("quantized/a", 5, hashlib.sha256(bytes(range(5))).hexdigest())
    assert (tmp_path / "quantized/a").read_bytes() == bytes(range(5))
    assert debris(tmp_path) == []


def test_a_written_file_that_is_there_already_is_not_touched(tmp_path):
    def again():
        commit = Commit(tmp_path)
        commit.stage_written("a", "quantized/a", lambda file: file.write(b"12345"))
        assert commit.publish() == {}
        assert debris(tmp_path) == []
        return (tmp_path / "quantized/a").stat()

    first = again()
    assert again() == first
    (tmp_path / "quantized/a").write_bytes(b"12346")
    again()
    assert (tmp_path / "quantized/a").read_bytes() == b"12345"


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(errno.ENOSPC, "full"), OutputNotWritable), (KeyError("x"), KeyError)]
)
def test_half_a_written_file_takes_its_group_along(tmp_path, error, raised):
    def write(file):
        file.write(b"half")
        raise error

    commit = Commit(tmp_path)
    commit.stage("a", {"labels/a": b"x"})
    commit.stage("b", {"labels/b": b"y"})
    with pytest.raises(raised):
        commit.stage_written("a", "quantized/a", write)
    assert commit.publish() == {}
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b"]
