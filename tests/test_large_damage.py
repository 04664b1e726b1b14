"""Large images that are damaged, lie, or change under the reader: a row each, and never a wrong picture."""

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tifffile
from PIL import Image
from test_large import WINDOWS, textured
from trees import Site, age, contents, debris, picture

from pipeline.files import layouts
from pipeline.jobs import parted, routes, slabpictures, slabs, slabtasks, workplaces

IMAGE = textured(310, 420)


def tiff(**options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, IMAGE, photometric="rgb", **options)
    return file.getvalue()


def pillow(kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(IMAGE).save(file, kind, **options)
    return file.getvalue()


SOUND = {
    "tiled.tif": tiff(tile=(64, 48), compression="zlib"),
    "tiles-lzw.tif": tiff(tile=(64, 48), compression="lzw"),
    "strips.tif": tiff(rowsperstrip=7, compression="lzw"),
    "strips-zip.tif": tiff(rowsperstrip=7, compression="zlib"),
    "strips-bits.tif": tiff(rowsperstrip=7, compression="packbits"),
    "plain.tif": tiff(rowsperstrip=9),
    "p.png": pillow("png"),
    "j.jpg": pillow("jpeg", quality=92),
    "w.webp": pillow("webp", lossless=True),
}


def cut(data: bytes, share: float) -> bytes:
    return data[: min(int(len(data) * share), len(data) - 1)]


def flipped(data: bytes, share: float, count: int = 1) -> bytes:
    place = int(len(data) * share)
    return data[:place] + bytes(byte ^ 0x55 for byte in data[place : place + count]) + data[place + count :]


def zeroed(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(100) + data[middle + 100 :]


def lying(data: bytes, tag: int, *, value: int | None = None, count: int | None = None) -> bytes:
    """A TIFF whose directory says something else: a value of its own, or the first of a list."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        entry = file.pages.first.tags[tag]
        kind = {3: "<H", 4: "<I"}[int(entry.dtype)]
        place, offset = entry.valueoffset, entry.offset
    copy = bytearray(data)
    if value is not None:
        struct.pack_into(kind, copy, place, value)
    if count is not None:
        struct.pack_into("<I", copy, offset + 4, count)
    return bytes(copy)


def claiming(data: bytes, width: int, height: int) -> bytes:
    """A PNG or JPEG whose header says another size."""
    copy = bytearray(data)
    if data.startswith(b"\x89PNG"):
        struct.pack_into(">II", copy, 16, width, height)
        struct.pack_into(">I", copy, 29, zlib.crc32(copy[12:29]))
    else:
        struct.pack_into(">HH", copy, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(copy)


WIDTH, HEIGHT, STRIPS, STRIP_SIZES, TILES, TILE_SIZES = 256, 257, 273, 279, 324, 325
DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    f"{name}-{key}": (key, damage)
    for key in SOUND
    for name, damage in {
        "cut30": partial(cut, share=0.3),
        "cut90": partial(cut, share=0.9),
        "last": partial(cut, share=1),
        "flip20": partial(flipped, share=0.2),
        "flip50": partial(flipped, share=0.5),
        "flip80": partial(flipped, share=0.8),
        "flips": partial(flipped, share=0.6, count=30),
        "zeros": zeroed,
    }.items()
} | {
    f"{name}-{key}": (key, partial(lying, tag=tag, value=value, count=count))
    for name, key, tag, value, count in [
        ("taller", "tiled.tif", HEIGHT, 620, None),
        ("lower", "tiled.tif", HEIGHT, 100, None),
        ("wider", "tiled.tif", WIDTH, 900, None),
        ("narrower", "tiled.tif", WIDTH, 300, None),
        ("flat", "tiled.tif", HEIGHT, 0, None),
        ("taller", "strips.tif", HEIGHT, 620, None),
        ("wider", "strips.tif", WIDTH, 421, None),
        ("narrower", "strips.tif", WIDTH, 419, None),
        ("wider", "plain.tif", WIDTH, 421, None),
        ("fewer", "tiled.tif", TILES, None, 7),
        ("fewer-sizes", "tiled.tif", TILE_SIZES, None, 7),
        ("fewer", "plain.tif", STRIPS, None, 7),
        ("beyond", "tiled.tif", TILES, 4_000_000_000, None),
        ("beyond", "strips.tif", STRIPS, 4_000_000_000, None),
        ("short", "tiled.tif", TILE_SIZES, 40, None),
        ("none", "strips.tif", STRIP_SIZES, 0, None),
        ("huge", "strips.tif", STRIP_SIZES, 4_000_000_000, None),
    ]
}
MUST_FAIL = {
    **{f"{name}-{key}": "" for name in ("cut30", "cut90") for key in SOUND},
    **{f"last-{key}": "" for key in SOUND.keys() - {"p.png"}},  # no pixel is missing there
    **{f"flip50-{key}": "DamagedImage" for key in ("tiled.tif", "strips-zip.tif", "p.png")},
    **{f"{name}-j.jpg": "TruncatedImage" for name in ("cut30", "cut90", "last")},
    "beyond-tiled.tif": "",
    "beyond-strips.tif": "",
    "fewer-tiled.tif": "",
    "empty.tif": "EmptyFile",
}
TYPES = {"DamagedImage", "TruncatedImage", "NotAnImage", "UnsupportedImage", "EmptyFile"}


class Done:
    """A site where all that is damaged was done whole, and in windows."""

    def __init__(self, base: Path) -> None:
        self.site = Site(base)
        for key, data in SOUND.items():
            self.plant(key, data)
        for name, (key, damage) in DAMAGE.items():
            self.plant(name, damage(SOUND[key]))
        self.plant("empty.tif", b"")
        self.site.run("--set", "output.root=whole", code=1)
        self.whole = Site(base)
        self.whole.manifest = base / "whole/manifest.jsonl"
        self.site.run(*WINDOWS, code=1)
        self.records, self.expected = self.site.records(), self.whole.records()

    def plant(self, name: str, data: bytes) -> None:
        path = self.site.inputs / name
        path.write_bytes(data)
        age(path)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs.slabs_of, "__defaults__", (20_000,))
        patch.setattr(slabtasks, "_PATCH", 9_000)
        yield Done(tmp_path_factory.mktemp("damage") / "site")


@pytest.mark.parametrize("name", [*SOUND, *DAMAGE, "empty.tif"])
def test_damage_is_a_row_or_harmless(done, name):
    record = done.records[name]
    if name in SOUND:
        assert record == done.expected[name]
        assert record["status"] == "done"
        return
    if record["status"] == "done":  # nobody can tell; both read the same pixels
        assert name not in MUST_FAIL
        assert record == done.expected[name]
        return
    error = record["error"]
    assert error["type"] in TYPES
    assert MUST_FAIL.get(name, "") in error["type"]
    assert error["message"].startswith(name)
    assert "found" in error["message"]
    assert ";" in error["message"], "what to do"
    assert str(done.site.base) not in error["message"]
    assert not list(done.site.outputs.rglob(f"{name}.*"))
    if done.expected[name]["status"] == "failed":
        assert record["input"] == done.expected[name]["input"]


def test_damage_leaves_nothing_and_is_not_tried_again(done):
    assert debris(done.site.outputs) == []
    assert not (done.site.state / "large").exists()
    assert done.site.reasons(*WINDOWS) == {}
    assert done.site.call("verify").exit_code == 0


# What a header claims.

ROOMY = (*WINDOWS, "--set", "input.max_megapixels=20000")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("claims.jpg", claiming(SOUND["j.jpg"] + bytes(75_000), 65500, 65500)),
        ("claims.png", claiming(SOUND["p.png"], 100_000, 100_000)),
        ("header.png", claiming(SOUND["p.png"], 100_000, 100_000)[:33]),
        ("claims.tif", lying(lying(SOUND["tiled.tif"], WIDTH, value=60_000), HEIGHT, value=60_000)),
    ],
)
def test_a_claim_that_the_file_cannot_hold_is_refused_by_the_plan(tmp_path, name, data, monkeypatch):
    site = Site(tmp_path)
    (site.inputs / name).write_bytes(data)
    Image.fromarray(IMAGE).save(site.inputs / "good.png")
    for arguments, kinds in [
        (WINDOWS, {"TooManyPixels", "TruncatedImage"}),
        (ROOMY, {"TruncatedImage"}),
    ]:
        rows = {row["image"]: row for row in site.plan(*arguments)["images"]}
        if name != "header.png":  # Pillow does not open it: a worker is to tell
            assert rows[name]["route"] == "refused"
        site.run(*arguments, code=1)
        assert site.errors()[name] in kinds
        assert site.records()["good.png"]["status"] == "done"
        assert site.reasons(*arguments) == {}
    assert debris(site.outputs) == []


def test_what_can_only_be_read_whole_is_refused_with_the_reason(tmp_path, monkeypatch):
    site = Site(tmp_path)
    Image.fromarray(IMAGE).save(site.inputs / "progressive.jpg", progressive=True)
    woven = bytearray(SOUND["p.png"])
    woven[28] = 1
    (site.inputs / "interlaced.png").write_bytes(claiming(bytes(woven), 420, 310))
    (site.inputs / "strip.tif").write_bytes(tiff(rowsperstrip=310, compression="lzw"))
    monkeypatch.setattr(layouts, "LARGEST_PIECE", 1000)
    found = {row["image"]: row["route"] for row in site.plan(*WINDOWS)["images"]}
    assert set(found.values()) == {"whole"}
    monkeypatch.setattr(routes, "memory_share", lambda spec: 300_000_000)
    rows = {row["image"]: row for row in site.plan(*WINDOWS)["images"]}
    assert {row["route"] for row in rows.values()} == {"refused"}
    for name, reason in [
        ("progressive.jpg", "progressive"),
        ("interlaced.png", "interlaced"),
        ("strip.tif", "compressed strips of 310 × 420 pixels"),
    ]:
        assert reason in rows[name]["refusal"]
        assert "compute.memory_per_worker" in rows[name]["refusal"]
    site.run(*WINDOWS, code=1)
    assert set(site.errors().values()) == {"TooMuchMemory"}
    assert set(contents(site.outputs)) == {"manifest.jsonl"}


# Files that change.


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(SOUND[path.name].replace(b"\x10", b"\x11"))
    age(other)
    other.replace(path)


def overwritten(path: Path) -> None:
    """In place, with content that cannot be read."""
    path.write_bytes(path.read_bytes()[:600] + bytes(path.stat().st_size - 600))


CHANGES = [appended, replaced, overwritten, Path.unlink]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("moment", ["listed", "counting", "fitting", "mapped"])
@pytest.mark.parametrize("key", ["tiled.tif", "p.png"])
def test_a_file_that_changes_is_nobodys_picture(tmp_path, monkeypatch, done, key, moment, change):
    site = Site(tmp_path)
    path = site.inputs / key
    path.write_bytes(SOUND[key])
    age(path)
    picture(1).save(site.inputs / "z.png")
    place, name = {
        "listed": (workplaces, "stamp_of"),
        "counting": (slabtasks.Tally, "add"),
        "fitting": (slabpictures, "fit_palette"),
        "mapped": (parted, "digest_file"),
    }[moment]
    real = getattr(place, name)
    once = [path]

    def changing(*arguments: Any) -> Any:
        if once:
            change(once.pop())
        return real(*arguments)

    monkeypatch.setattr(place, name, changing)
    site.run(*WINDOWS, code=1)
    monkeypatch.undo()
    expected = "VanishedFile" if change is Path.unlink else "ChangedWhileReading"
    assert site.errors() == {key: expected}
    assert not list(site.outputs.rglob(f"{key}.*"))
    assert site.records()["z.png"]["status"] == "done"
    assert debris(site.outputs) == []
    assert not (site.state / "large").exists()
    path.write_bytes(SOUND[key])
    os.utime(path)
    site.run(*WINDOWS)
    assert site.records()[key]["outputs"] == done.records[key]["outputs"]
