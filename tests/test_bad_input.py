"""What a folder may hold against us: every oddity is a row, and the rest is done."""

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from io import BufferedRandom, BufferedWriter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from trees import Site, age, contents, debris, picture, plant, segpipe, snapshot

from pipeline.files import outputs, wholefiles
from pipeline.files.wholefiles import temporary_beside
from pipeline.jobs import manifest

REPO = Path(__file__).parents[1]
TRUNCATED = Path(__file__).parent / "broken" / "truncated.jpg"
GOOD = {
    "-rf.png",
    "a b.png",
    "good.png",
    "line\nbreak.png",
    "one.png",
    "x.png/inside.png",
    "é-composed.png",
    "é-decomposed.png",
    "日本 \U0001f600.jpg",
    "'\"$(x);&.png",
}
BAD = {
    "absurd.png": "TooManyPixels",
    "bytes-\\xff\\xfe.png": "UnusableName",
    "clear.png": "NothingVisible",
    "empty.png": "EmptyFile",
    "loop.png": "BrokenLink",
    "nowhere.png": "BrokenLink",
    "pipe.png": "UnsupportedImage",
    "text.jpg": "NotAnImage",
    "truncated.jpg": "TruncatedImage",
}


@pytest.fixture
def zoo(tmp_path: Path) -> Site:
    """A folder with one of everything."""
    site = Site(tmp_path / "zoo")
    root = site.inputs
    plant(root, *sorted(GOOD - {"one.png"}))
    picture(3, 1, 1).save(root / "one.png")
    (root / "empty.png").touch()
    shutil.copy(TRUNCATED, root)
    (root / "text.jpg").write_text("this is no picture\n")
    (root / "loop.png").symlink_to("loop.png")
    (root / "nowhere.png").symlink_to("gone/away.png")
    (root / "circle").symlink_to(".")
    os.mkfifo(root / "pipe.png")
    picture(4).save(os.fsencode(root / "bytes-") + b"\xff\xfe.png", "PNG")
    (root / "absurd.png").write_bytes(claiming(100_000, 100_000))
    Image.new("RGBA", (8, 8)).save(root / "clear.png")
    for name in (*BAD, *GOOD):
        path = root / name
        if path.is_file() and path.stat().st_size < 10**6 and not path.is_symlink():
            age(path)
    return site


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header promises far more than there is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(9)))
        + chunk(b"IEND", b"")
    )


def test_each_bad_file_is_a_row_and_the_rest_is_done(zoo):
    result = zoo.run(code=1)
    assert zoo.errors() == BAD
    assert {key for key, record in zoo.records().items() if record["status"] == "done"} == GOOD
    assert f"{len(GOOD)} done, {len(BAD)} failed" in result.stderr
    assert "passed over circle" in result.stderr
    for key, record in zoo.records().items():
        if key in BAD:
            name = key.rpartition("/")[2]
            assert name in record["error"]["message"]
            assert str(zoo.base) not in record["error"]["message"]
    made = {path for path in contents(zoo.outputs) if path != "manifest.jsonl"}
    assert made == {f"{wing}/{key}.{kind}" for key in GOOD for wing, kind in WINGS}
    assert debris(zoo.outputs) == []


WINGS = (("quantized", "png"), ("labels", "png"), ("palettes", "json"))


def test_the_second_run_does_nothing_new(zoo):
    zoo.run(code=1)
    zoo.run(code=1)  # what was saved this instant is known from now on
    before = snapshot(zoo.outputs)
    result = zoo.run(code=1)
    assert f"0 done, {len(GOOD)} unchanged, {len(BAD)} failed" in result.stderr
    assert snapshot(zoo.outputs) == before
    assert zoo.reasons() == {}


def test_the_other_commands_live_with_it(zoo):
    zoo.run(code=1)
    for command in ("plan", "status", "verify", "prune"):
        assert zoo.call(command, *(["-v"] if command == "plan" else [])).exit_code == 0
    for key in (*BAD, *GOOD):
        assert zoo.call("explain", "--", key).exit_code == 0, key


def test_the_inputs_stay_as_they_were(zoo):
    before = {name: facts[:3] for name, facts in snapshot(zoo.inputs).items()}
    zoo.run(code=1)
    zoo.call("prune")
    assert {name: facts[:3] for name, facts in snapshot(zoo.inputs).items()} == before


def test_other_workers_say_the_same(zoo):
    zoo.run(code=1)
    alone = contents(zoo.outputs)
    shutil.rmtree(zoo.outputs)
    zoo.run("--cluster", "threads", "--workers", "3", code=1)
    assert contents(zoo.outputs) == alone


def test_names_that_look_alike_when_shown_stay_apart(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a\\xff.png")
    picture(1).save(os.fsencode(site.inputs) + b"/a\xff.png", "PNG")
    site.run(code=1)
    before = contents(site.outputs)
    assert "quantized/a\\xff.png.png" in before
    site.run(code=1)
    site.run(code=1)
    assert contents(site.outputs) == before
    assert site.reasons() == {}


def test_a_name_too_long_for_an_output_is_a_row(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "x" * 251 + ".png")
    site.run(code=1)
    assert site.errors() == {"x" * 251 + ".png": "UnusableName"}
    assert site.reasons() == {}


def test_a_folder_named_like_another_images_output(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "x.png", "x.png.png/y.png")
    found = []
    for first in ("x.png", "x.png.png/*"):
        site.call("run", "--only", first)
        site.call("run")
        found.append(contents(site.outputs))
        shutil.rmtree(site.outputs)
    assert found[0] == found[1], "what comes out must not depend on the order"


def test_an_image_that_has_gone_since_it_was_listed(tmp_path, monkeypatch):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "b.png")
    from pipeline.jobs import tasks

    read = tasks.read_small

    def vanishing(path: Path, most: int) -> Any:
        if path.name == "a.png":
            path.unlink()
        return read(path, most)

    monkeypatch.setattr(tasks, "read_small", vanishing)
    site.run(code=1)
    assert site.errors() == {"a.png": "VanishedFile"}


def test_an_image_that_turns_bad_loses_its_record_not_its_old_outputs(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "b.png")
    site.run()
    before = contents(site.outputs)
    good = (site.inputs / "a.png").read_bytes()
    (site.inputs / "a.png").write_bytes(good[:100])
    site.run(code=1)
    assert site.errors() == {"a.png": "TruncatedImage"}
    after = contents(site.outputs)
    assert {name: after[name] for name in before if name != "manifest.jsonl"} == {
        name: data for name, data in before.items() if name != "manifest.jsonl"
    }
    (site.inputs / "a.png").write_bytes(good)
    site.run()
    assert contents(site.outputs) == before


# The roots.


def test_an_empty_input_folder_is_3(tmp_path):
    site = Site(tmp_path)
    site.run(code=3)
    (site.inputs / "notes.txt").touch()
    (site.inputs / "empty").mkdir()
    site.run(code=3)
    assert not site.outputs.exists()


def test_an_input_root_that_is_a_file_or_missing_is_3(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    assert "found a file" in site.run("--set", "input.root=in/a.png", code=3).stderr
    assert "found nothing there" in site.run("--set", "input.root=inn", code=3).stderr


def test_an_unreadable_input_root_is_3(tmp_path, monkeypatch):
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    refuse(monkeypatch, site.inputs)
    assert "without permission" in site.run(code=3).stderr


def test_an_unreadable_folder_hides_its_images_but_orphans_none(tmp_path, monkeypatch):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "shut/b.png")
    site.run()
    before = contents(site.outputs)
    refuse(monkeypatch, site.inputs / "shut")
    plant(site.inputs, "c.png")
    result = site.run()
    assert "passed over shut: the folder cannot be read" in result.stderr
    assert site.plan()["orphans"] == []
    site.call("prune")
    monkeypatch.undo()
    after = contents(site.outputs)
    assert all(after[name] == before[name] for name in before if name != "manifest.jsonl")
    assert site.reasons() == {}


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a folder unreadable, for root too."""
    scandir = os.scandir

    def guarded(path: Any = ".") -> Any:
        if os.fspath(path) == str(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)


@pytest.mark.parametrize("out", ["in", "in/out", ".", "in/../in/deep/out", "link/out"])
def test_roots_in_one_another_are_2(tmp_path, out):
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    (tmp_path / "link").symlink_to("in")
    before = snapshot(tmp_path)
    site.run("--set", f"output.root={out}", code=2)
    assert snapshot(tmp_path) == before


def test_an_output_root_that_is_a_file_is_4(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    site.outputs.write_text("mine")
    site.run(code=4)
    site.run("--set", "output.root=out/below", code=4)
    assert site.outputs.read_text() == "mine"


POWERLESS = """
import ctypes, sys
sys.path.insert(0, sys.argv.pop(1))
header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capset(header, nothing) == 0  # root, but bound by permissions like anyone
import cli
cli.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="gives up root's powers as Linux has them")
@pytest.mark.parametrize("mode", [0o000, 0o500], ids=oct)
def test_an_output_root_without_permission_is_4(tmp_path, mode):
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    site.run()
    plant(site.inputs, "b.png")
    for folder in (site.state, site.outputs):
        folder.chmod(mode)
    for command in ("run", "plan", "status", "verify", "prune"):
        done = subprocess.run(
            [sys.executable, "-c", POWERLESS, REPO, command, site.job],
            capture_output=True,
            text=True,
            check=False,
        )
        looking = command != "run" and mode == 0o500
        assert (command, done.returncode) == (command, 0 if looking else 4), done.stderr
        assert "Traceback" not in done.stderr
    for folder in (site.outputs, site.state):
        folder.chmod(0o755)
    site.run()


def test_a_tree_without_its_state_is_only_read(tmp_path):
    """No space is asked for where nothing is to be written."""
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    site.run()
    before = contents(site.outputs)
    shutil.rmtree(site.state)
    looked = snapshot(site.outputs)
    site.run()
    assert snapshot(site.outputs) == looked
    assert contents(site.outputs) == before


def test_a_wing_that_is_a_link_elsewhere_is_not_written_through(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    (tmp_path / "elsewhere").mkdir()
    site.outputs.mkdir()
    (site.outputs / "labels").symlink_to(tmp_path / "elsewhere")
    site.run(code=4)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert site.errors() == {"a.png": "OutputNotWritable"}
    assert set(contents(site.outputs)) == {"manifest.jsonl"}
    (site.outputs / "labels").unlink()
    site.run()


def test_a_folder_in_an_outputs_place_is_a_row(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "b.png")
    (site.outputs / "labels/a.png.png").mkdir(parents=True)
    site.run(code=4)
    assert site.errors() == {"a.png": "OutputNotWritable"}
    assert debris(site.outputs) == []
    (site.outputs / "labels/a.png.png").rmdir()
    site.run()
    assert site.call("verify").exit_code == 0


# The disk is full.


class Full:
    """A disk without room: writes to some files fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        self.hits = 0
        opener = Path.open
        finals: dict[Path, Path] = {}  # what a temporary file is to become

        def beside(final: Path) -> Path:
            temporary = temporary_beside(final)
            finals[temporary] = final
            return temporary

        def opened(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            file = opener(path, mode, *arguments, **options)
            if where in str(finals.get(path, path)) and set(mode) & set("wxa"):
                return _Brimful(file, self)
            return file

        monkeypatch.setattr(Path, "open", opened)
        for module in (wholefiles, outputs):
            monkeypatch.setattr(module, "temporary_beside", beside)


class _Brimful:
    """A file that takes half of what is written."""

    def __init__(self, file: BufferedWriter | BufferedRandom, disk: Full) -> None:
        self._file = file
        self._disk = disk

    def write(self, data: bytes) -> int:
        self._disk.hits += 1
        self._file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> "_Brimful":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_disk_full_for_one_image_is_its_row(tmp_path, monkeypatch):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "deep/b.png", "c.png")
    disk = Full(monkeypatch, "labels/deep/")
    result = site.run(code=4)
    assert disk.hits == 1
    assert site.errors() == {"deep/b.png": "OutputNotWritable"}
    assert "No space left" in result.stderr
    assert debris(site.outputs) == []
    assert not [name for name in contents(site.outputs) if "deep/" in name]
    monkeypatch.undo()
    assert site.reasons() == {"deep/b.png": "failed before"}
    site.run()
    assert site.errors() == {}
    whole = contents(site.outputs)
    shutil.rmtree(site.outputs)
    site.run()
    assert contents(site.outputs) == whole


@pytest.mark.parametrize(
    "where", ["journal.jsonl", ".segpipe/recipes", "manifest.jsonl", "stats.msgpack", "/runs/"]
)
def test_a_disk_full_for_our_own_files_is_4_and_the_next_run_completes(tmp_path, monkeypatch, where):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "b.png", "c.png")
    disk = Full(monkeypatch, where)
    result = site.run(code=4)
    assert disk.hits
    assert "No space left" in result.stderr
    monkeypatch.undo()
    for path in contents(site.outputs):
        assert path == "manifest.jsonl" or "segpipe-" not in path
    site.run()
    assert debris(site.outputs) == []
    whole = contents(site.outputs)
    shutil.rmtree(site.outputs)
    site.run()
    assert contents(site.outputs) == whole


@pytest.mark.parametrize("where", ["journal.jsonl", "manifest.jsonl"])
def test_a_disk_that_fills_up_during_a_recipe_change_costs_nothing_finished(tmp_path, monkeypatch, where):
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "b.png", "c.png")
    site.run()
    Full(monkeypatch, where)
    site.run("--set", "quantize.colors=3", code=4)
    monkeypatch.undo()
    assert set(site.records()) == {"a.png", "b.png", "c.png"}
    site.run()
    assert site.call("verify").exit_code == 0
    assert {record["colors"]["asked"] for record in site.records().values()} == {4}


def test_a_short_write_to_the_journal_is_no_success(tmp_path):
    journal = manifest.Journal(tmp_path / "journal.jsonl")

    class Short:
        def write(self, data: bytes) -> int:
            return len(data) - 1

    tape = journal._tape
    tape.close()
    tape._file = Short()
    with pytest.raises(OSError, match="bytes were written"):
        journal.begin(["a.png"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs is not permitted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_is_really_full(small_disk, tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, *(f"{number}.png" for number in range(40)))
    plain = contents_of_a_run(site, tmp_path / "roomy")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(700 * 1024))
    there = ("--set", f"output.root={small_disk / 'out'}")
    result = segpipe("run", site.job, *there)
    assert result.exit_code == 4, result.output
    assert "No space left" in result.stderr
    finals = contents(small_disk / "out")
    assert all(data == plain[name] for name, data in finals.items() if name != "manifest.jsonl")
    ballast.unlink()
    site.run(*there)
    assert contents(small_disk / "out") == plain
    assert debris(small_disk / "out") == []


def contents_of_a_run(site: Site, root: Path) -> dict[str, bytes]:
    site.run("--set", f"output.root={root}")
    return contents(root)


def test_plan_json_can_show_every_name(zoo):
    found = zoo.plan()
    assert {row["image"] for row in found["images"]} == GOOD | BAD.keys()
    json.dumps(found).encode("utf-8")
