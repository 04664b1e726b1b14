"""Palette files: what they say is what a plain count over the pixels says."""

import io
import json
import re
import struct
from collections import Counter

import numpy as np
import pytest
from builders import noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL.GimpPaletteFile import GimpPaletteFile

from pipeline.color.clusters import SWATCHES, describe_clusters
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette, paint
from pipeline.color.palette import Palette
from pipeline.files.exports import FORMATS, exported, palette_gpl, palette_json
from pipeline.files.palettefiles import read_palette

ABOUT = {"image": 'a/"ö"\n.jpg', "colors_asked": 5, "transparent": None, "mse": 1.25}


def fitted(image, colors):
    counts = count_colors(image)
    fit = fit_palette(counts, KMeans(colors))
    return (
        fit.palette,
        describe_clusters(counts, fit.labels, len(fit.palette)),
        paint(image, None, counts, fit),
    )


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 9), st.integers(2, 6), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_every_entry_says_what_a_plain_count_says(height, width, colors, levels, seed):
    image = noise(height, width, seed=seed, levels=levels)
    palette, clusters, labels = fitted(image, colors)
    entries = json.loads(palette_json(ABOUT, palette, clusters))["colors"]
    assert len(entries) == len(palette)
    for label, entry in enumerate(entries):
        pixels = image[labels == label].astype(int)
        assert entry["label"] == label
        assert entry["rgb"] == palette.colors[label].tolist()
        assert entry["hex"] == "#{:02x}{:02x}{:02x}".format(*entry["rgb"])
        assert entry["count"] == len(pixels)
        assert entry["share"] == pytest.approx(len(pixels) / (height * width), abs=1e-8)
        centroid = pixels.mean(axis=0)
        assert entry["centroid"] == pytest.approx(centroid, abs=1e-4)
        half = np.sort(pixels, axis=0)[(len(pixels) - 1) // 2]
        assert entry["median"] == half.tolist()
        distances = ((pixels - centroid) ** 2).sum(axis=1)
        assert entry["spread"] == pytest.approx(np.sqrt(distances.mean()), abs=1e-4)
        assert entry["nearest"] in pixels.tolist()
        nearest = ((np.array(entry["nearest"]) - centroid) ** 2).sum()
        assert nearest == pytest.approx(distances.min(), abs=1e-9)
        found = Counter(map(tuple, pixels.tolist()))
        swatches = {tuple(swatch["rgb"]): swatch["count"] for swatch in entry["swatches"]}
        assert len(entry["swatches"]) == min(SWATCHES, len(found))
        assert all(found[rgb] == count for rgb, count in swatches.items())
        assert list(swatches.values()) == [count for _, count in found.most_common(SWATCHES)]
    assert sum(entry["count"] for entry in entries) == height * width
    assert sum(entry["share"] for entry in entries) == pytest.approx(1)


def test_entries_are_in_palette_order():
    palette, clusters, _ = fitted(noise(12, 12, levels=4), 8)
    entries = json.loads(palette_json({}, palette, clusters))["colors"]
    keys = [(-entry["count"], np.dot(entry["rgb"], [299, 587, 114]), entry["rgb"]) for entry in entries]
    assert keys == sorted(keys)


def test_what_it_is_about_comes_first_and_as_given():
    palette, clusters, _ = fitted(noise(5, 5), 3)
    found = json.loads(palette_json(ABOUT, palette, clusters))
    assert list(found) == [*ABOUT, "colors"]
    assert {key: found[key] for key in ABOUT} == ABOUT


def test_each_entry_has_a_line_of_its_own():
    palette, clusters, _ = fitted(noise(5, 5), 4)
    text = palette_json(ABOUT, palette, clusters).decode()
    lines = [line.strip().rstrip(",") for line in text.splitlines()]
    entries = [json.loads(line) for line in lines if line.startswith('{"label"')]
    assert entries == json.loads(text)["colors"]
    assert len(lines) == len(ABOUT) + 1 + 4 + 1
    assert text.endswith("}\n")


@given(st.integers(1, 256), st.text(max_size=40))
@settings(max_examples=40, deadline=None)
def test_a_gimp_palette_is_read_back_colour_by_colour_whatever_its_name(count, name):
    colors = noise(1, count, seed=count)[0]
    data = palette_gpl(name, Palette(colors, np.ones(count, np.int64)))
    palette, mode = GimpPaletteFile(io.BytesIO(data)).getpalette()
    assert mode == "RGB"
    assert np.frombuffer(palette, np.uint8).reshape(-1, 3).tolist() == colors.tolist()


def test_a_gimp_palette_to_the_letter():
    palette = Palette(np.array([[255, 0, 1], [2, 30, 4]], np.uint8), np.array([2, 1]))
    assert palette_gpl("a/b\nc.jpg", palette) == (
        b"GIMP Palette\nName: a/b\\nc.jpg\nColumns: 8\n#\n255   0   1\t#ff0001\n  2  30   4\t#021e04\n"
    )


# Other programs' formats, read back by parsers that know nothing of ours


def two():
    return Palette(np.array([[255, 0, 1], [2, 30, 4]], np.uint8), np.array([2, 1]))


def swatches_of(data):
    """Take a swatch exchange file apart as those tell it who have: name of the group, names, colours."""
    file = io.BytesIO(data)
    assert file.read(8) == b"ASEF\0\1\0\0"
    (blocks,) = struct.unpack(">I", file.read(4))
    groups, found = [], []
    for _ in range(blocks):
        kind, length = struct.unpack(">HI", file.read(6))
        block = io.BytesIO(file.read(length))
        if kind == 0xC002:
            assert length == 0
            continue
        (letters,) = struct.unpack(">H", block.read(2))
        name = block.read(2 * letters).decode("utf-16-be")
        assert name.endswith("\0")
        if kind == 0xC001:
            groups.append(name[:-1])
            continue
        assert kind == 1
        assert block.read(4) == b"RGB "
        found.append((name[:-1], struct.unpack(">fff", block.read(12))))
        assert block.read() == b"\0\2"
    assert file.read() == b""
    return groups, found


def table_of(data):
    """Take a colour table apart."""
    assert len(data) == 772
    count, clear = struct.unpack(">HH", data[768:])
    assert clear == 0xFFFF
    assert data[3 * count : 768] == bytes(768 - 3 * count)
    return [list(data[3 * place : 3 * place + 3]) for place in range(count)]


def hex_of(data):
    text = data.decode("ascii")
    assert re.fullmatch("([0-9a-f]{6}\n)+", text)
    return [list(bytes.fromhex(line)) for line in text.split()]


def paint_net_of(data):
    """Lines that begin with ; are comments, the others AARRGGBB."""
    lines = [line for line in data.decode().split("\n")[:-1] if not line.startswith(";")]
    assert all(re.fullmatch("FF[0-9A-F]{6}", line) for line in lines)
    return [list(bytes.fromhex(line)[1:]) for line in lines]


def css_of(data):
    """Read the declarations of the one rule, which a comment may stand before."""
    text = re.sub(r"/\*[^*]*\*+(?:[^/*][^*]*\*+)*/", "", data.decode())
    (body,) = re.fullmatch(r"\s*:root \{([^{}]*)\}\s*", text).groups()
    pairs = [part.split(":") for part in body.split(";")[:-1]]
    assert all(re.fullmatch("--[0-9A-Za-z_-]+-[0-9]+", name.strip()) for name, _ in pairs)
    assert len({name for name, _ in pairs}) == len(pairs)
    return [list(bytes.fromhex(value.strip()[1:])) for _, value in pairs]


PARSERS = {
    "ase": lambda data: [[round(255 * level) for level in levels] for _, levels in swatches_of(data)[1]],
    "act": table_of,
    "hex": hex_of,
    "txt": paint_net_of,
    "css": css_of,
}


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize("named", [False, True])
@given(count=st.integers(1, 256), title=st.text(max_size=40))
@settings(max_examples=15, deadline=None)
def test_a_palette_is_read_back_by_others(kind, named, count, title):
    colors = np.unique(noise(1, count, seed=count)[0], axis=0)[::-1]
    names = ["slategray"] * len(colors) if named else None
    data = exported(kind, title, Palette(colors, np.ones(len(colors), np.int64)), names)
    assert PARSERS[kind](data) == colors.tolist()
    assert b"\r" not in data or kind in ("ase", "act")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("named", [False, True])
@given(title=st.text(max_size=40), count=st.integers(1, 256))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_runs_write_our_own_reader_reads(tmp_path, kind, named, title, count):
    """But for the bars, which have letters on them."""
    if kind in ("json", "png"):
        return
    colors = np.unique(noise(1, count, seed=count)[0], axis=0)
    names = ["a, b"] * len(colors) if named else None
    path = tmp_path / f"palette.{kind}"
    path.write_bytes(exported(kind, title, Palette(colors, np.ones(len(colors), np.int64)), names))
    assert read_palette(path).tolist() == colors.tolist()


def test_formats_to_the_letter():
    assert exported("hex", "a.jpg", two(), ["x", "y"]) == b"ff0001\n021e04\n"
    assert exported("txt", "a\n.jpg", two(), None) == (
        b"; paint.net Palette File\n; a\\n.jpg\n; Colors: 2\nFFFF0001\nFF021E04\n"
    )
    assert exported("css", "b/a (1).jpg", two(), None) == (
        b"/* b/a (1).jpg */\n:root {\n  --a-1-0: #ff0001; /* 66.67% */\n  --a-1-1: #021e04; /* 33.33% */\n}\n"
    )
    assert exported("act", "", two(), None) == b"\xff\0\1\2\x1e\4" + bytes(762) + b"\0\2\xff\xff"
    assert swatches_of(exported("ase", "b/a.jpg", two(), None))[0] == ["b/a.jpg"]


def test_names_stand_where_there_is_room():
    names = ["red", "darkgreen"]
    assert b"\n255   0   1\tred #ff0001\n" in exported("gpl", "", two(), names)
    assert b"--color-1: #021e04; /* 33.33% darkgreen */\n" in exported("css", "", two(), names)
    (_, found) = swatches_of(exported("ase", "", two(), names))
    assert [name for name, _ in found] == ["red #ff0001", "darkgreen #021e04"]
    (_, found) = swatches_of(exported("ase", "", two(), None))
    assert [name for name, _ in found] == ["#ff0001", "#021e04"]


def test_json_tells_names_behind_the_code_and_changes_nothing_else():
    palette, clusters, _ = fitted(noise(5, 5), 3)
    plain = json.loads(palette_json(ABOUT, palette, clusters))
    named = json.loads(palette_json(ABOUT, palette, clusters, ["a", "b", "c"]))
    assert list(named["colors"][0])[:4] == ["label", "rgb", "hex", "name"]
    assert [entry.pop("name") for entry in named["colors"]] == ["a", "b", "c"]
    assert named == plain


@pytest.mark.parametrize(
    "title", ["*/ } body { color: red", "a*/b.jpg", "\\", "\udcff", "é/ü.jpg", "..", "-"]
)
def test_no_title_breaks_out_of_a_style_sheet(title):
    assert css_of(exported("css", title, two(), None)) == two().colors.tolist()
    assert len(swatches_of(exported("ase", title, two(), None))[1]) == 2


def test_titles_keep_the_letters_of_their_language():
    for kind, place in (("gpl", 1), ("txt", 1), ("css", 0)):
        lines = exported(kind, "größe/日本\n.jpg", two(), None).decode().split("\n")
        assert "größe/日本\\n.jpg" in lines[place]


def test_a_colour_table_has_room_for_256_colours():
    colors = np.unique(noise(1, 300)[0], axis=0)
    full = Palette(colors[:256], np.ones(256, np.int64))
    assert len(table_of(exported("act", "", full, None))) == 256
    with pytest.raises(ValueError, match=r"at most 256 colours .* found 257; ask for fewer"):
        exported("act", "", Palette(colors[:257], np.ones(257, np.int64)), None)


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="one of json, gpl"):
        exported("aco", "", two(), None)
