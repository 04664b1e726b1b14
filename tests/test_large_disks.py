"""Large images on full disks, and after their work folders have been damaged: the same bytes in the end."""

import io
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_large
import test_large_faults
from test_bad_input import Full
from test_large import WINDOWS
from test_large_faults import IMAGE, KEYS, held, plant
from trees import Site, age, contents, debris

from pipeline.jobs import slabpictures, slabs

small, site, expected = test_large_faults.small, test_large_faults.site, test_large_faults.expected
pytestmark = pytest.mark.usefixtures("small")

# The disk is full.

PLACES = ("/counts-", "/band-", "/fit.npz", "/palette.json", "/quantized-", "/labels-")
FINAL = ("/quantized/", "/labels/", "/palettes/")


@pytest.mark.parametrize("where", [*PLACES, *FINAL])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_a_full_disk_is_a_row_and_leaves_nothing(site, expected, monkeypatch, where, kind):
    settings = ("--set", f"output.quantized.format={kind}", "--set", f"output.labels.format={kind}")
    site.run(*settings, "--only", "small.png")
    disk = Full(monkeypatch, where)
    result = site.run(*WINDOWS, *settings, code=4)
    monkeypatch.undo()
    assert disk.hits
    failed = {"b.png"} if where == "/band-" else set(KEYS)
    assert site.errors() == dict.fromkeys(failed, "OutputNotWritable")
    assert "No space left" in result.stderr
    assert debris(site.outputs) == []
    assert not (site.state / "large").exists()
    assert not [name for name in contents(site.outputs) if any(f"/{key}." in name for key in failed)]
    if kind == "tiff":
        site.run(*settings, "--set", "output.root=whole")
        expected = contents(site.base / "whole")
    held(site, expected, *settings)


def test_a_disk_that_is_really_full(site, expected, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs is not permitted here")
    try:
        there = ("--set", f"output.root={disk / 'out'}", *WINDOWS)
        codes = []
        for free in (40, 70, 100, 150, 200, 300, 400, 600):
            (disk / "ballast").write_bytes(bytes((4096 - free) << 10))
            result = site.call("run", *there)
            codes.append(result.exit_code)
            assert codes[-1] == 0 or "No space left" in result.stderr
            finals = contents(disk / "out")
            assert all(data == expected[name] for name, data in finals.items() if name != "manifest.jsonl")
            (disk / "ballast").unlink()
            if codes[-1] == 4:
                shutil.rmtree(disk / "out")
        assert set(codes) <= {0, 4}
        assert 4 in codes
        site.run(*there)
        assert contents(disk / "out") == expected
        assert debris(disk / "out") == []
    finally:
        subprocess.run(["umount", disk], check=True)


# The work folder is damaged before the next run.


def other_arrays(path: Path) -> None:
    np.savez(path, codes=np.zeros(1, np.uint32))


def other_slabs(path: Path) -> None:
    """Counts that are sound, of fewer pixels."""
    with np.load(path) as found:
        arrays = dict(found)
    np.savez(path, **arrays | {"counts": arrays["counts"] - (arrays["counts"] > 1)})


def npy(path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.arange(9))
    path.write_bytes(file.getvalue())


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(len(data) - 60, len(data) - 20):
        data[place] ^= 0xFF
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:700]),
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 4),
    "zeros": lambda path: path.write_bytes(bytes(900)),
    "gone": Path.unlink,
    "flipped": flipped,
    "npy": npy,
    "other arrays": other_arrays,
    "other slabs": other_slabs,
}


def interrupted(site: Site, monkeypatch: pytest.MonkeyPatch, key: str) -> list[Path]:
    """Interrupt a run when all is counted; give the counts."""

    def stopping(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(slabpictures, "fit_palette", stopping)
        assert site.call("run", *WINDOWS, "--only", key).exit_code == 130
    return sorted((site.state / "large").rglob("counts-*.npz"))


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("key", KEYS)
def test_damaged_counts_are_made_anew(site, expected, monkeypatch, key, damage):
    counts = interrupted(site, monkeypatch, key)
    assert len(counts) > 3
    for path in counts[1:3]:
        DAMAGE[damage](path)
    held(site, expected)


def test_counts_of_slabs_of_another_size_are_not_taken(site, expected, monkeypatch):
    assert interrupted(site, monkeypatch, "t.tif")
    monkeypatch.setattr(slabs.slabs_of, "__defaults__", (20_000,))
    held(site, expected)


@pytest.mark.parametrize("key", KEYS)
def test_counts_of_other_content_are_not_taken(site, monkeypatch, key):
    """Even if it was written in place, with the same size, and the time set back."""
    path = site.inputs / key
    size = path.stat().st_size + 99_999
    os.truncate(path, size)  # bytes behind the picture are nobody's
    age(path)
    assert interrupted(site, monkeypatch, key)
    before = path.stat()
    other = IMAGE[::-1] ^ 8
    if key == "t.tif":
        test_large.tifffile.imwrite(path, other, tile=(64, 48), compression="zlib", photometric="rgb")
    else:
        test_large.Image.fromarray(other).save(path)
    os.truncate(path, size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, size, before.st_mtime_ns)
    site.run("--set", "output.root=whole")
    held(site, contents(site.base / "whole"))


def test_nothing_but_work_folders_is_removed_and_those_in_any_case(site, monkeypatch, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "photos").mkdir(parents=True)
    site.run("--only", "small.png")
    (site.state / "large").symlink_to(elsewhere)
    interrupted(site, monkeypatch, "t.tif")
    assert len(list(elsewhere.iterdir())) == 2
    site.run(*WINDOWS)
    assert [path.name for path in elsewhere.iterdir()] == ["photos"]
    (site.state / "large").unlink()
    plant(site.inputs, "gone.png")
    interrupted(site, monkeypatch, "gone.png")
    (site.inputs / "gone.png").unlink()
    site.run(*WINDOWS)  # which has nothing else to do
    assert not (site.state / "large").exists()
