"""Leftovers: all that has no input is named, and pruning takes just that."""

import errno
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from builders import done, job, look, plant, tree

from pipeline.errors import OutputError, OutputLocked
from pipeline.files.exports import FORMATS
from pipeline.jobs import leftovers
from pipeline.jobs.clashes import ENDINGS
from pipeline.jobs.leftovers import Leftovers, find_leftovers, inside, prune
from pipeline.jobs.lock import locked
from pipeline.jobs.manifest import Journal, load, save
from pipeline.jobs.plan import Orphan
from pipeline.jobs.records import OutputFacts, Records
from pipeline.jobs.run import run
from pipeline.jobs.survey import Options
from pipeline.jobs.watcher import Watcher

WINGS = [("quantized", "png"), ("labels", "png"), ("palettes", "json")]


@pytest.fixture
def spec(tmp_path):
    """A job that is done, of three images."""
    found = job(tmp_path)
    for key in ("a.png", "deep/er/b.png", "deep/c.png"):
        plant(tmp_path / "in", key)
    run(found, Options(), Watcher())
    return found


def left_in(spec):
    found = look(spec)
    return found, find_leftovers(found)


def forge(record, path):
    return msgspec.structs.replace(record, outputs={"labels": OutputFacts(path, 1, "0")})


def outputs(root):
    return {path for path in tree(root) if not path.startswith(".segpipe/")}


def test_a_finished_job_has_none(spec):
    left = left_in(spec)[1]
    assert (len(left), list(left.files())) == (0, [])


def test_outputs_of_an_input_that_has_gone_are_named_and_removed_with_their_record(tmp_path, spec):
    (tmp_path / "in/deep/er/b.png").unlink()
    found, left = left_in(spec)
    gone = {f"{path}/deep/er/b.png.{end}" for path, end in WINGS}
    assert [orphan.record.image for orphan in left.orphans] == ["deep/er/b.png"]
    assert set(left.files()) == gone
    before = outputs(tmp_path / "out")
    assert prune(found, left) == 3
    assert outputs(tmp_path / "out") == before - gone
    assert load(tmp_path / "out", tmp_path / "none").records.keys() == {"a.png", "deep/c.png"}
    assert len(left_in(spec)[1]) == 0


def test_folders_left_empty_are_removed_and_others_are_not(tmp_path, spec):
    (tmp_path / "in/deep/er/b.png").unlink()
    prune(*left_in(spec))
    for wing, _ in WINGS:
        assert not (tmp_path / f"out/{wing}/deep/er").exists()
        assert (tmp_path / f"out/{wing}/deep").exists()
    (tmp_path / "in/deep/c.png").unlink()
    prune(*left_in(spec))
    for wing, _ in WINGS:
        assert not (tmp_path / f"out/{wing}/deep").exists()
        assert (tmp_path / f"out/{wing}").exists()


def test_files_that_no_record_knows_are_strays_and_only_in_the_output_folders(tmp_path, spec):
    for path in ("labels/x.txt", "quantized/deep/.segpipe-a-0.part", "notes.txt", "report/index.html"):
        (tmp_path / "out" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "out" / path).write_bytes(b"")
    found, left = left_in(spec)
    assert left == Leftovers([], ["labels/x.txt", "quantized/deep/.segpipe-a-0.part"])
    before = outputs(tmp_path / "out")
    assert prune(found, left) == 2
    assert outputs(tmp_path / "out") == before - set(left.strays)


def test_debris_is_left_alone_while_a_journal_is_there(tmp_path, spec):
    (tmp_path / "out/labels/.segpipe-a-0.part").write_bytes(b"")
    (tmp_path / "out/labels/stray").write_bytes(b"")
    Journal(tmp_path / "out/.segpipe/journal.jsonl").close()
    assert left_in(spec)[1].strays == ["labels/stray"]


def test_files_of_an_earlier_recipe_are_strays(tmp_path, spec):
    other = job(tmp_path, output={"labels": {"format": "none"}})
    run(other, Options(), Watcher())
    found, left = left_in(other)
    assert left.strays == ["labels/a.png.png", "labels/deep/c.png.png", "labels/deep/er/b.png.png"]
    assert prune(found, left) == 3


def test_what_an_image_had_before_it_failed_is_no_stray(tmp_path):
    """Small copies lie one folder deeper than other outputs; a palette may have a file of each format."""
    pictures = {"quantized": {"format": "tiff"}, "comparison": {"layout": "strip"}, "report": True}
    spec = job(
        tmp_path,
        output={"preview": 16, "palette": {"formats": list(FORMATS)}, **pictures},
        regions={"min_area": 2, "table": "csv", "boundaries": True},
    )
    plant(tmp_path / "in", "deep/a.png")
    run(spec, Options(), Watcher())
    endings = {Path(path).suffix for path in outputs(tmp_path / "out") if "a.png" in path}
    assert endings == set(ENDINGS)
    (tmp_path / "in/deep/a.png").write_bytes(b"none")
    assert len(run(spec, Options(), Watcher()).failures) == 1
    (tmp_path / "out/previews/original/stray").write_bytes(b"")
    assert left_in(spec)[1].strays == ["previews/original/stray"]


def test_the_output_folders_themselves_stay_even_if_empty(tmp_path):
    spec = job(tmp_path, output={"labels": {"format": "none"}})
    plant(tmp_path / "in", "a.png")
    run(spec, Options(), Watcher())
    (tmp_path / "out/labels/old").mkdir(parents=True)
    (tmp_path / "out/labels/old/stray").write_bytes(b"")
    assert prune(*left_in(spec)) == 1
    assert list((tmp_path / "out/labels").iterdir()) == []


def test_pruning_twice_removes_nothing_the_second_time(tmp_path, spec):
    (tmp_path / "in/a.png").unlink()
    found, left = left_in(spec)
    prune(found, left)
    before = tree(tmp_path)
    with pytest.raises(OutputError, match="has changed since it was looked at; prune again"):
        prune(found, left)
    assert prune(*left_in(spec)) == 0
    assert tree(tmp_path) == before


def test_files_that_have_gone_by_themselves_are_no_error(tmp_path, spec):
    (tmp_path / "in/a.png").unlink()
    found, left = left_in(spec)
    (tmp_path / "out/labels/a.png.png").unlink()
    assert prune(found, left) == 2


def test_pruning_is_refused_while_a_run_is_at_work(tmp_path, spec):
    (tmp_path / "in/a.png").unlink()
    found, left = left_in(spec)
    before = outputs(tmp_path / "out")
    with locked(found.tree.state), pytest.raises(OutputLocked):
        prune(found, left)
    assert outputs(tmp_path / "out") == before


def test_a_file_that_cannot_be_removed_keeps_its_record(tmp_path, spec, monkeypatch):
    (tmp_path / "in/a.png").unlink()
    found, left = left_in(spec)
    real = Path.unlink

    def unlink(path, **given):
        if path.name == "a.png.json":
            raise OSError(errno.EACCES, "Permission denied")
        real(path, **given)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(OutputError, match="could not be removed: Permission denied"):
            prune(found, left)
    found, left = left_in(spec)
    assert [orphan.record.image for orphan in left.orphans] == ["a.png"]
    assert prune(found, left) == 1


def test_pruning_that_has_lost_its_lock_leaves_the_records(tmp_path, spec, monkeypatch):
    """They are another run's by then; that files have gone it will find by itself."""
    (tmp_path / "in/a.png").unlink()
    found, left = left_in(spec)
    real = leftovers._remove_all

    def removing(*arguments):
        (tmp_path / "out/.segpipe/lock").unlink()
        return real(*arguments)

    before = (tmp_path / "out/manifest.jsonl").read_bytes()
    monkeypatch.setattr(leftovers, "_remove_all", removing)
    with pytest.raises(OutputLocked, match="has been removed"):
        prune(found, left)
    assert (tmp_path / "out/manifest.jsonl").read_bytes() == before


@pytest.mark.parametrize("path", ["../victim", "labels/../../victim", "/{}/victim", "labels/link/victim"])
def test_a_forged_record_cannot_remove_a_file_outside(tmp_path, spec, path):
    (tmp_path / "victim").write_bytes(b"x")
    (tmp_path / "out/labels/link").symlink_to(tmp_path)
    path = path.format(str(tmp_path).strip("/"))
    save(tmp_path / "out", Records.of(forge(done("gone.png"), path)))
    found, left = left_in(spec)
    with pytest.raises(OutputError, match="which is not inside the output folders; the manifest was changed"):
        prune(found, left)
    assert (tmp_path / "victim").exists()


@pytest.mark.parametrize(
    "path",
    [
        "manifest.jsonl",
        ".segpipe/keep",
        "labels/a.png.png",
        "labels/../manifest.jsonl",
        "labels/../.segpipe/keep",
    ],
)
def test_a_forged_record_cannot_remove_what_is_not_its_own(tmp_path, spec, path):
    (tmp_path / "out/.segpipe/keep").touch()
    kept = list(load(tmp_path / "out", tmp_path / "none").records.values())
    save(tmp_path / "out", Records.of(*kept, forge(done("gone.png"), path)))
    found, left = left_in(spec)
    with suppress(OutputError):
        prune(found, left)
    assert (tmp_path / "out" / path).exists()
    assert {record.image for record in kept} <= load(tmp_path / "out", tmp_path / "none").records.keys()


def test_a_stray_link_is_removed_and_its_target_is_not(tmp_path, spec):
    (tmp_path / "victim").write_bytes(b"x")
    (tmp_path / "out/labels/link.png").symlink_to(tmp_path / "victim")
    found, left = left_in(spec)
    assert left.strays == ["labels/link.png"]
    assert prune(found, left) == 1
    assert (tmp_path / "victim").exists()


def test_what_is_pruned_after_a_killed_run_stays_pruned(tmp_path, spec):
    found = look(spec)
    journal = Journal(found.tree.journal)
    journal.add([found.manifest.records["a.png"]])
    journal.close()
    (tmp_path / "in/a.png").unlink()
    assert prune(*left_in(spec)) == 3
    assert len(left_in(spec)[1]) == 0


def test_recorded_paths_are_taken_below_the_root(tmp_path):
    assert inside(tmp_path, "labels/a.png") == tmp_path / "labels/a.png"
    refused = (
        "..",
        "../x",
        "/etc/passwd",
        f"{tmp_path}/labels/a.png",
        "labels",
        "labels/../x",
        "report/thumbs",
    )
    for path in refused:
        with pytest.raises(OutputError, match="not inside"):
            inside(tmp_path, path)


def test_leftovers_are_counted_by_image_and_listed_by_file():
    left = Leftovers([Orphan(done("a"), "input has gone")], ["labels/x"])
    assert len(left) == 2
    assert list(left.files()) == ["quantized/a.x", "labels/a.x", "palettes/a.x", "labels/x"]
