"""Verifying: every recorded file is read, every difference is named, nothing is written."""

import msgspec
import pytest
from builders import done, job, plant, tree

from pipeline.errors import OutputError
from pipeline.jobs.manifest import NAME, Journal, load, save
from pipeline.jobs.records import OutputFacts, Records
from pipeline.jobs.run import run
from pipeline.jobs.survey import Options
from pipeline.jobs.tree import tree_of
from pipeline.jobs.verify import Difference, verify
from pipeline.jobs.watcher import Watcher


@pytest.fixture
def spec(tmp_path):
    """A job that is done, of two images."""
    found = job(tmp_path)
    for key in ("a.png", "deep/b.png"):
        plant(tmp_path / "in", key)
    run(found, Options(), Watcher())
    return found


def test_a_sound_tree_has_no_differences_and_is_not_written_to(tmp_path, spec):
    before = tree(tmp_path)
    assert verify(tree_of(spec)) == (6, [])
    assert tree(tmp_path) == before


def test_no_tree_at_all_has_no_differences(tmp_path):
    assert verify(tree_of(job(tmp_path))) == (0, [])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_changed_byte_is_a_difference_even_if_size_and_time_are_the_same(tmp_path, spec, place):
    path = tmp_path / "out/labels/deep/b.png.png"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))
    [difference] = verify(tree_of(spec)).differences
    old = load(tmp_path / "out", tmp_path / "none").records["deep/b.png"].outputs["labels"].sha256
    assert difference[:2] == ("deep/b.png", "labels/deep/b.png.png")
    assert difference.found.startswith(f"sha256: {old[:12]} → ")


def test_missing_and_unreadable_files_are_differences_in_manifest_order(tmp_path, spec):
    (tmp_path / "out/quantized/deep/b.png.png").unlink()
    (tmp_path / "out/palettes/a.png.json").unlink()
    (tmp_path / "out/labels/a.png.png").unlink()
    (tmp_path / "out/labels/a.png.png").mkdir()
    assert verify(tree_of(spec)) == (
        6,
        [
            Difference("a.png", "labels/a.png.png", "unreadable: Is a directory"),
            Difference("a.png", "palettes/a.png.json", "missing"),
            Difference("deep/b.png", "quantized/deep/b.png.png", "missing"),
        ],
    )


def test_lines_that_cannot_be_read_are_differences(tmp_path, spec):
    with (tmp_path / "out" / NAME).open("ab") as file:
        file.write(b"garbage\n")
    assert verify(tree_of(spec)) == (6, [Difference("", f"{NAME}:3", "unreadable line")])


def test_the_journal_counts(tmp_path, spec):
    journal = Journal(tree_of(spec).journal)
    journal.add([done("c.png")])
    journal.close()
    found = verify(tree_of(spec))
    assert found.files == 9
    assert {difference.image for difference in found.differences} == {"c.png"}


def test_failed_images_have_no_files_to_verify(tmp_path):
    spec = job(tmp_path)
    (tmp_path / "in/a.png").write_bytes(b"no image")
    run(spec, Options(), Watcher())
    assert verify(tree_of(spec)) == (0, [])


@pytest.mark.parametrize("path", ["../victim", "/etc/hostname", "labels/../../victim"])
def test_a_record_that_names_a_file_outside_is_refused(tmp_path, spec, path):
    record = msgspec.structs.replace(done("x"), outputs={"labels": OutputFacts(path, 1, "0")})
    save(tmp_path / "out", Records.of(record))
    with pytest.raises(OutputError, match="not inside the output folders"):
        verify(tree_of(spec))


def test_a_link_in_an_outputs_place_is_a_difference(tmp_path, spec):
    path = tmp_path / "out/labels/a.png.png"
    path.rename(tmp_path / "moved.png")
    path.symlink_to(tmp_path / "moved.png")
    assert [difference.path for difference in verify(tree_of(spec)).differences] == ["labels/a.png.png"]
