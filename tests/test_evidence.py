"""Evidence: answers about the disk, read no more often than need be."""

import hashlib
import os
import time

import pytest
import trees
from builders import tree

from pipeline.errors import EmptyFile, VanishedFile
from pipeline.files.listing import list_inputs
from pipeline.jobs import evidence as module
from pipeline.jobs.evidence import Evidence


@pytest.fixture
def folders(tmp_path):
    for name in ("in", "out", "state"):
        (tmp_path / name).mkdir()
    for key in ("a.png", "b.png"):
        path = tmp_path / "in" / key
        path.write_bytes(key.encode())
        os.utime(path, ns=(0, 10**9))
    return tmp_path


@pytest.fixture
def read(monkeypatch):
    """List the files that are hashed."""
    names, real = [], module.digest_file
    monkeypatch.setattr(module, "digest_file", lambda path: names.append(path.name) or real(path))
    return names


def ask(folders):
    return Evidence(folders / "in", folders / "out", folders / "state", time.time_ns())


def entries(folders):
    return list_inputs(folders / "in").entries


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_an_input_is_read_once_by_one_run_and_never_by_the_next(folders, read):
    first, second = entries(folders)
    evidence = ask(folders)
    assert evidence.input_digest(first) == evidence.input_digest(first) == sha256(b"a.png")
    evidence.cache.save()
    evidence = ask(folders)
    assert evidence.input_digest(first) == sha256(b"a.png")
    assert read == ["a.png"]
    assert evidence.input_digest(second) == sha256(b"b.png")


def test_a_young_input_is_read_once_by_each_run(folders, read):
    os.utime(folders / "in/a.png", ns=(0, time.time_ns() + 10**12))
    first = entries(folders)[0]
    for _ in range(2):
        evidence = ask(folders)
        evidence.input_digest(first)
        evidence.input_digest(first)
        assert not evidence.cache.changed
    assert read == ["a.png", "a.png"]


def test_hashing_ahead_reads_each_unknown_input_once(folders, read):
    evidence = ask(folders)
    evidence.input_digest(entries(folders)[0])
    evidence.hash_ahead(entries(folders))
    evidence.hash_ahead(entries(folders))
    for entry in entries(folders):
        assert evidence.input_digest(entry) == sha256(entry.key.encode())
    assert sorted(read) == ["a.png", "b.png"]


def test_errors_in_reading_are_the_answer_and_are_asked_for_once(folders, read):
    first, second = entries(folders)
    (folders / "in/a.png").unlink()
    (folders / "in/b.png").write_bytes(b"")
    evidence = ask(folders)
    for _ in range(2):
        assert isinstance(evidence.input_digest(first), VanishedFile)
        assert isinstance(evidence.input_digest(second), EmptyFile)
    assert read == ["a.png", "b.png"]
    assert not evidence.cache.changed


def test_whether_an_unlisted_input_is_there(folders):
    (folders / "in/folder").mkdir()
    evidence = ask(folders)
    assert [evidence.input_exists(key) for key in ("a.png", "folder", "gone/c.png")] == [True, False, False]


def test_outputs_by_size_and_content(folders):
    (folders / "out/x").write_bytes(b"12345")
    evidence = ask(folders)
    assert evidence.output_size("x") == 5
    assert evidence.output_size("gone") is None
    assert evidence.output_digest("x") == sha256(b"12345")
    assert evidence.output_digest("gone") == "unreadable (No such file or directory)"


def test_a_recipe_is_known_again_by_its_digest(folders):
    evidence = ask(folders)
    content = {"quantize.colors": 16, "output.palette.formats": ["json"]}
    evidence.remember_recipe(content, "0123")
    before = tree(folders)
    evidence.remember_recipe(dict(reversed(content.items())), "0123")
    assert tree(folders) == before
    assert ask(folders).old_recipe("0123") == content


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff"])
def test_a_recipe_that_is_missing_or_damaged_is_not_known(folders, content):
    (folders / "state/recipes").mkdir()
    if content is not None:
        (folders / "state/recipes/0123.json").write_bytes(content)
    assert ask(folders).old_recipe("0123") is None


def test_asking_writes_nothing(folders):
    before = tree(folders)
    evidence = ask(folders)
    evidence.hash_ahead(entries(folders))
    evidence.output_digest("x")
    evidence.old_recipe("0123")
    assert tree(folders) == before


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_names_that_no_file_can_have_are_files_that_are_missing(folders, name):
    evidence = ask(folders)
    assert evidence.output_size(name) is None
    assert not evidence.input_exists(name)
    assert evidence.output_digest(name).startswith("unreadable")


def test_what_was_read_again_is_kept_by_a_run_with_nothing_to_do_if_it_was_much(tmp_path, monkeypatch):
    """Else such a run writes nothing at all, though files were touched."""
    site = trees.Site(tmp_path / "site")
    trees.plant(site.inputs, "a.png")
    site.run()
    trees.age(site.inputs / "a.png", 2 * trees.AN_HOUR)
    before = trees.snapshot(site.outputs)
    site.run()
    assert trees.snapshot(site.outputs) == before
    monkeypatch.setattr(module, "_MUCH", (site.inputs / "a.png").stat().st_size - 1)
    site.run()
    after = trees.snapshot(site.outputs)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed == {".segpipe", ".segpipe/stats.msgpack"}
    site.run()
    assert trees.snapshot(site.outputs) == after
