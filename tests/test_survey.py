"""The survey: both trees are looked at, nothing is written, and mistakes are told with the place."""

import errno
import os
from pathlib import Path

import pytest
from builders import done, failed, job, look, plant, tree

from pipeline.errors import InputError, OutputError
from pipeline.jobs import survey as module
from pipeline.jobs.ledger import load_manifest
from pipeline.jobs.manifest import Journal, save
from pipeline.jobs.records import Records
from pipeline.jobs.run import run
from pipeline.jobs.survey import Options
from pipeline.jobs.tree import tree_of
from pipeline.jobs.watcher import Watcher


@pytest.fixture
def spec(tmp_path):
    found = job(tmp_path)
    for key in ("a.png", "cats/b.png", "cats/deep/c.png"):
        plant(tmp_path / "in", key)
    return found


def keys(found):
    return [decision.entry.key for decision in found.plan.decisions]


def test_the_places_of_a_job(tmp_path):
    found = tree_of(job(tmp_path))
    assert (found.inputs, found.outputs) == (tmp_path / "in", tmp_path / "out")
    assert found.state == tmp_path / "out/.segpipe"
    assert found.journal == tmp_path / "out/.segpipe/journal.jsonl"


def test_looking_writes_nothing(tmp_path, spec):
    before = tree(tmp_path)
    assert len(look(spec).plan.work) == 3
    assert tree(tmp_path) == before
    assert not (tmp_path / "out").exists()
    run(spec, Options(), Watcher())
    before = tree(tmp_path)
    for options in ({}, {"force": True}, {"check_outputs": True}, {"retry_failed": True}):
        look(spec, **options)
    assert tree(tmp_path) == before


def test_after_a_run_all_is_unchanged_in_every_light(tmp_path, spec):
    run(spec, Options(), Watcher())
    assert {str(decision) for decision in look(spec).plan.decisions} == {"unchanged"}
    assert {str(decision) for decision in look(spec, check_outputs=True).plan.decisions} == {"unchanged"}
    assert {str(decision) for decision in look(spec, force=True).plan.decisions} == {"forced"}
    assert look(spec).routes == []


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ((), ["a.png", "cats/b.png", "cats/deep/c.png"]),
        (("c.png",), ["cats/deep/c.png"]),
        (("cats/*",), ["cats/b.png"]),
        (("cats/**",), ["cats/b.png", "cats/deep/c.png"]),
        (("a.png", "b.png"), ["a.png", "cats/b.png"]),
    ],
)
def test_only_what_matches_is_planned(spec, only, expected):
    assert keys(look(spec, only=only)) == expected


def test_what_is_not_asked_for_is_no_orphan(spec):
    run(spec, Options(), Watcher())
    assert not look(spec, only=("a.png",)).plan.orphans


def test_no_image_that_is_asked_for_is_an_error_that_names_one(spec):
    with pytest.raises(InputError, match=r"--only dogs/\*\*: none of the 3 images .* first is 'a\.png'"):
        look(spec, only=("dogs/**",))


def test_no_image_at_all_is_an_error_that_names_the_folder_and_the_keys(tmp_path):
    spec = job(tmp_path)
    with pytest.raises(
        InputError, match=r"input root .*/in: .*found none; check input\.root, input\.include"
    ):
        look(spec)
    (tmp_path / "in/out.png").symlink_to(plant(tmp_path, "elsewhere.png"))
    with pytest.raises(InputError, match=r"found none \(1 links or folders were passed over\)"):
        look(spec)


def test_a_missing_input_root_is_an_error(tmp_path):
    spec = job(tmp_path)
    (tmp_path / "in").rmdir()
    with pytest.raises(InputError, match="nothing there"):
        look(spec)


def test_an_output_root_that_is_a_file_is_an_error(tmp_path, spec):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(
        OutputError, match=r"out: expected a folder, found a file on the way to it; give another"
    ):
        look(spec)


def test_a_manifest_that_cannot_be_read_is_an_error(tmp_path, spec):
    (tmp_path / "out/manifest.jsonl").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"out: expected a readable manifest"):
        load_manifest(tree_of(spec))


def test_an_output_root_that_cannot_be_entered_is_an_error(tmp_path, spec, monkeypatch):
    real = Path.stat

    def stat(path, **given):
        if path.is_relative_to(tmp_path / "out"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, **given)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(OutputError):
        look(spec)


def test_a_journal_that_is_folded_meanwhile_is_no_bug(tmp_path, spec, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(Path, "exists", lambda path: True)  # and gone at the next call
    assert module._state_of(tree_of(spec)) == (None, None)


def test_another_run_since_is_noticed(tmp_path, spec):
    found = look(spec)
    assert not found.outdated()
    run(spec, Options(), Watcher())
    assert found.outdated()
    found = look(spec)
    assert not found.outdated()
    Journal(found.tree.journal).close()
    assert found.outdated()


def test_another_run_that_ends_while_the_manifest_is_read_is_noticed(tmp_path, spec, monkeypatch):
    """Else its records would be taken for known, though they were not read."""

    def reading(place):
        found = load_manifest(place)
        save(tmp_path / "out", Records.of(done("a.png")))
        return found

    monkeypatch.setattr(module, "load_manifest", reading)
    (tmp_path / "out").mkdir()
    assert look(spec).outdated()


def test_the_journal_of_a_killed_run_is_part_of_the_manifest(tmp_path, spec):
    run(spec, Options(), Watcher())
    found = look(spec)
    journal = Journal(found.tree.journal)
    journal.begin(["a.png"])
    journal.close()
    again = look(spec)
    assert again.manifest.replayed
    assert str(again.plan.decisions[0]).startswith("interrupted before")


def test_a_failure_of_another_job_does_not_hide(tmp_path, spec):
    (tmp_path / "out").mkdir()
    save(tmp_path / "out", Records.of(done("gone.png"), failed("a.png")))
    found = look(spec)
    assert [orphan.record.image for orphan in found.plan.orphans] == ["gone.png"]
    assert len(found.plan.work) == 3


def test_force_reads_no_input(tmp_path, spec, monkeypatch):
    run(spec, Options(), Watcher())
    for path in (tmp_path / "in").rglob("*.png"):
        os.utime(path, ns=(0, 10**9))
    read = []
    monkeypatch.setattr("pipeline.jobs.evidence.digest_file", read.append)
    look(spec, force=True)
    assert not read


def test_what_was_begun_for_an_input_that_has_gone_does_not_keep_later_runs_busy(tmp_path, spec):
    run(spec, Options(), Watcher())
    journal = Journal(tree_of(spec).journal)
    journal.begin(["gone.png"])
    journal.close()
    run(spec, Options(), Watcher())
    before = tree(tmp_path)
    run(spec, Options(), Watcher())
    assert tree(tmp_path) == before
