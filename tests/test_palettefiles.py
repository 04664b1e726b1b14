"""Palettes of other programs: what they say is read, and what they do not say is told in words."""

import io
import json
import os
import struct
import sys
import time

import numpy as np
import pytest
from builders import noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icc import rgb_profile
from PIL import Image, ImageCms

from pipeline.color.clusters import describe_clusters
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette
from pipeline.color.palette import Palette
from pipeline.files import palettefiles, palettepictures, png
from pipeline.files.exports import palette_gpl, palette_json
from pipeline.files.palettefiles import read_palette

SETTINGS = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RED, GREEN, BLUE, BLACK, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0], [255, 255, 255]


@pytest.fixture
def read(tmp_path):
    """Give what a file of this content and name is read as."""

    def as_list(data, name="palette"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        colors = read_palette(path)
        assert colors.dtype == np.uint8
        assert colors.shape == (len(colors), 3)
        assert 1 <= len(colors) <= 65_536
        assert len(np.unique(colors, axis=0)) == len(colors)
        return colors.tolist()

    return as_list


@pytest.fixture
def refused(read, tmp_path):
    """Give the message with which a file is refused, without its path."""

    def message(data, name="palette"):
        with pytest.raises(ValueError, match="expected") as caught:
            read(data, name)
        where, text = f"{tmp_path / name}: ", str(caught.value)
        assert text.startswith(where)
        assert ", found " in text
        assert "; " in text
        assert text.isprintable()
        return text.removeprefix(where)

    return message


def distinct(colors):
    return [list(color) for color in dict.fromkeys(map(tuple, colors))]


# What runs write


@given(st.integers(1, 300), st.text(max_size=40))
@SETTINGS
def test_a_gimp_palette_of_a_run_is_read_back(read, count, name):
    colors = np.unique(noise(1, count, seed=count)[0], axis=0)[::-1]
    data = palette_gpl(name, Palette(colors, np.ones(len(colors), np.int64)))
    assert read(data, "a.jpg.gpl") == colors.tolist()


@given(st.integers(1, 12), st.integers(1, 9), st.text(max_size=20))
@SETTINGS
def test_a_palette_json_of_a_run_is_read_back(read, size, colors, name):
    counts = count_colors(noise(size, size, seed=size))
    fit = fit_palette(counts, KMeans(colors))
    data = palette_json({"image": name}, fit.palette, describe_clusters(counts, fit.labels, len(fit.palette)))
    assert read(data, "a.jpg.json") == fit.palette.colors.tolist()


@pytest.mark.parametrize("clear", [False, True])
def test_a_quantized_image_of_a_run_is_read_back(read, clear):
    colors = noise(1, 40)[0]
    labels = np.random.default_rng(0).integers(0, 40 + clear, (30, 30)).astype(np.uint8)
    data = png.indexed(png.compress(labels), colors, clear)
    assert read(data, "a.jpg.png") == colors.tolist()


def test_a_run_of_many_colours_is_read_back(read):
    colors = np.array([(code >> 8, code & 255, code % 7) for code in range(65_536)], np.uint8)
    assert read(palette_gpl("", Palette(colors, np.ones(65_536, np.int64)))) == colors.tolist()


# GIMP

GPL = """GIMP Palette
Name: all of it
Columns: 3
#
# 1 2 3 is a comment
255   0   0\tred
  0 255   0\tGr\xfcn; 1 2 3
\t0\t0 255

0 0 0
255   0   0\tred again
"""
GPL_COLORS = [RED, GREEN, BLUE, BLACK]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_gimp_palette_is_read_in_any_encoding_and_with_any_line_ends(read, encoding, ending):
    assert read(GPL.replace("\n", ending).encode(encoding), "a.gpl") == GPL_COLORS


@pytest.mark.parametrize("name", ["a.txt", "a.json", "a.act", "a.png", "a", "A.GPL"])
def test_what_a_file_is_its_content_says(read, name):
    assert read(GPL, name) == GPL_COLORS


def test_a_gimp_palette_needs_neither_name_nor_columns_nor_last_line_end(read):
    assert read(b"GIMP Palette\n1 2 3\n4 5 6") == [[1, 2, 3], [4, 5, 6]]
    assert read(b"GIMP Palette \n#\n 1 2 3 #\n") == [[1, 2, 3]]


hostile = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=30)


@given(st.lists(st.tuples(st.tuples(*[st.integers(0, 255)] * 3), hostile), min_size=1, max_size=9), hostile)
@SETTINGS
def test_names_may_be_anything(read, rows, title):
    lines = ["GIMP Palette", f"Name: {title}", "Columns: 0", "#" + title]
    lines += [f"{r} {g} {b}\t{name}" for (r, g, b), name in rows]
    assert read("\n".join(lines), "a.gpl") == distinct(rgb for rgb, _ in rows)


@pytest.mark.parametrize("breaking", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_name_does_not_begin_a_line(read, breaking):
    assert read(f"GIMP Palette\nName: x{breaking}9 9 9\n1 2 3\ty{breaking}8 8 8\n") == [[1, 2, 3]]


def test_a_gimp_palette_with_alpha(read):
    text = "GIMP Palette\nChannels: RGBA\n#\n  0   0   0   0 Transparent\n254  91  89 255 Red\n1 2 3 128\n"
    assert read(text) == [[254, 91, 89], [1, 2, 3]]
    assert read("GIMP Palette\n1 2 3 0\n") == [[1, 2, 3]]  # a name


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("1 2", "three"),
        ("1 2 256", "three"),
        ("1 2 -3", "three"),
        ("1.0 2 3", "three"),
        ("1 2 3x", "three"),
        ("1,2,3", "three"),
        ("\u0661 2 3", "three"),
        ("red", "three"),
        ("1000000000000 2 3", "three"),
    ],
)
def test_a_bad_row_is_told_with_its_line(refused, row, wanted):
    text = refused(f"GIMP Palette\nName: x\n#\n0 0 0\n{row}\n", "a.gpl")
    assert text.startswith(f"line 5: expected a colour as {wanted} numbers from 0 to 255, found '{row}'; ")


def test_a_row_without_alpha_is_told(refused):
    assert "line 3: expected a colour as four" in refused("GIMP Palette\nChannels: RGBA\n1 2 3 red\n")


def test_a_gimp_palette_without_colours_is_refused(refused):
    for text in ("GIMP Palette", "GIMP Palette\nName: none\nColumns: 0\n#\n"):
        assert refused(text, "a.gpl").startswith("expected at least one colour")


# Hexadecimal


@pytest.mark.parametrize(
    ("text", "colors"),
    [
        ("ff0000\n00ff00\n0000ff", [RED, GREEN, BLUE]),
        ("#FF0000\r\n#0f0\r\n#00F\r\n", [RED, GREEN, BLUE]),
        ("; one\n// two\n# three\n#\n\n  #f00  ; red\n0f0 // green\n#00f # blue\n", [RED, GREEN, BLUE]),
        ("#f00\n#ff0000\nFF0000\n#F00\n#00f", [RED, BLUE]),
        ("\ufeff#ff0000\n", [RED]),
        ("#ff000080\n#00ff0000\n#0000ffff\n", [RED, BLUE]),
        ("ff0000\x1a", [RED]),
        ("123456\n", [[0x12, 0x34, 0x56]]),
    ],
)
def test_hexadecimal_colours(read, text, colors):
    for name in ("a.hex", "a.txt", "a", "a.HEX"):
        assert read(text, name) == colors


@pytest.mark.parametrize(
    "head",
    [
        ";paint.net Palette File\n;Downloaded from Lospec.com/palette-list\n;Colors: 2\n",
        "; Paint.NET Palette\r\n; Colors are written as 8-digit hexadecimal numbers: aarrggbb\r\n",
        "\n  ;PAINT.NET\n",
    ],
)
def test_in_palettes_of_paint_net_alpha_comes_first(read, head):
    assert read(f"{head}FF112233\n80445566\n00778899\nAABBCC\n11223300\n", "a.txt") == [
        [0x11, 0x22, 0x33],
        [0x44, 0x55, 0x66],
        [0xAA, 0xBB, 0xCC],
        [0x22, 0x33, 0x00],
    ]


@pytest.mark.parametrize(
    ("text", "colors"),
    [
        ("ff112233\nff445566\n", [[0x11, 0x22, 0x33], [0x44, 0x55, 0x66]]),
        ("112233ff\n445566ff\n", [[0x11, 0x22, 0x33], [0x44, 0x55, 0x66]]),
        ("ff0000ff\nff8800ff\n", [RED, [255, 136, 0]]),
        ("ff0000ff\n00000000\n", [RED]),
        ("ff0000ff\n112233\n", [RED, [0x11, 0x22, 0x33]]),
        ("ff1122ff\nff3344aa\n", [[0x11, 0x22, 0xFF], [0x33, 0x44, 0xAA]]),
        ("11223344\n", [[0x11, 0x22, 0x33]]),
    ],
)
def test_where_alpha_stands_the_whole_file_tells(read, text, colors):
    assert read(text, "a.txt") == colors


@given(st.lists(st.integers(0, 2**24 - 1), min_size=1, max_size=30), st.booleans())
@SETTINGS
def test_any_colours_are_read_as_hexadecimal(read, codes, upper):
    text = "\n".join(f"{code:06X}" if upper else f"#{code:06x}" for code in codes)
    assert read(text, "a.hex") == distinct([code >> 16, code >> 8 & 255, code & 255] for code in codes)


@pytest.mark.parametrize(
    "word", ["ff00", "#ff00g0", "red", "255 0 0", "0xff0000", "##f00", "#f00#0f0", "#f00,"]
)
def test_a_line_that_is_no_colour_is_told(refused, word):
    text = refused(f"; head\n#f00\n{word}\n", "a.hex")
    assert text.startswith("line 3: expected a colour of 3, 6 or 8 hexadecimal digits")
    assert f"found '{word}'" in text


def test_a_table_of_text_that_has_the_size_of_a_colour_table_is_text(read):
    text = "".join(f"{code:06x}\r\n" for code in range(96))
    assert len(text) == 768
    assert len(read(text, "a.hex")) == 96


# CSS

CSS = """@charset "utf-8";
/* --no: #123456; */
:root{--red:#F00;--green : #00ff00 ; /* #0f0 */
  --a-b_c: #0000FFff;--clear: #1230; --gap: 4px; --font: "A, B"; --of: var(--red); color: #999
}
@media (prefers-color-scheme: dark) { .x { --again: #ff0000; --last:
#000 } }
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_custom_properties_are_read(read, ending, encoding):
    assert read(CSS.replace("\n", ending).encode(encoding), "a.css") == [RED, GREEN, BLUE, BLACK]
    assert read("--a:#fff", "A.CSS") == [WHITE]


@pytest.mark.parametrize("value", ["#12345", "#ggg", "#", "rgb(1 2 3)", "HSL(1, 2%, 3%)", "oklch(1 2 3)"])
def test_a_property_that_may_be_a_colour_is_not_passed_over(refused, value):
    text = refused(f":root {{ --b: #fff; --a: {value}; }}", "a.css")
    assert text.startswith("--a: expected a colour of 3, 4, 6 or 8 hexadecimal digits")
    assert f"found '{value}'; write it so" in text
    assert len(refused(f"--{'a' * 10_000}: {value + 'x' * 10_000}", "a.css")) < 400


def test_a_style_sheet_without_colours_is_refused(refused):
    for text in ("a { color: #fff }", "--a: 1px", "/* --a: #fff", "--a: #0000"):
        assert refused(text, "a.css").startswith("expected at least one colour")
    assert refused(b"\x00\x01", "a.css").startswith("expected CSS, with custom properties")


# JSON


@pytest.mark.parametrize(
    "found",
    [
        {"colors": [{"rgb": RED, "hex": "#000000"}, {"hex": "#00ff00"}], "seed": 0},
        {"name": "x", "author": "", "colors": ["ff0000", "00ff00"]},
        ["#ff0000", "#0f0"],
        [RED, GREEN],
        [RED, "#00ff00ff", {"rgb": RED}, "#12345600"],
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_json(read, found, indent):
    for name in ("a.json", "a.txt", "a"):
        assert read(f" \n{json.dumps(found, indent=indent)}\n", name) == [RED, GREEN]


@pytest.mark.parametrize(
    "bad",
    [
        "red",
        "#ff",
        "",
        5,
        None,
        True,
        [],
        [1, 2],
        [1, 2, 3, 4],
        [1, 2, 256],
        [1, 2, -1],
        [1, 2, 3.0],
        [0, 1, True],
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_bad_entry_is_told_with_its_place(refused, bad, inside):
    text = refused(json.dumps([RED, {"rgb": bad} if inside else bad]), "a.json")
    assert text.startswith("color 1: expected [red, green, blue] as whole numbers from 0 to 255 or '#rrggbb'")


@pytest.mark.parametrize("text", ["{}", '{"colors": 5}', '{"colors": {"rgb": [1, 2, 3]}}', '{"colours": []}'])
def test_json_of_another_shape_is_refused(refused, text):
    assert refused(text, "a.json").startswith("expected an object with a list of 'colors'")


@pytest.mark.parametrize(
    "text", ["{", "[1,", "[RED]", '{"colors": [}', "[" * 200_000, "[" + "1" * 5_000 + "]", '[{"a":' * 100_000]
)
def test_broken_json_is_refused(refused, text):
    assert refused(text, "a.json").startswith("expected JSON, found a mistake in it (")


def test_empty_json_is_refused(refused):
    for text in ("[]", '{"colors": []}', '["#00000000"]'):
        assert refused(text).startswith("expected at least one colour")


def test_a_message_stays_short_whatever_is_found(refused):
    for text in (
        json.dumps([["x" * 100_000] * 1000]),
        json.dumps({"colors": {"\ud800\n" * 5_000: [[[[]]]]}}),
    ):
        assert len(refused(text)) < 400


# Adobe colour tables


def test_a_colour_table_of_768_bytes_has_256_colours(read):
    table = noise(1, 256)[0]
    for name in ("a.act", "a.ACT", "a", "a.pal"):
        assert read(table.tobytes(), name) == table.tolist()
    assert read(bytes([9, 8, 7]) + bytes(765), "a.act") == [[9, 8, 7], BLACK]


@pytest.mark.parametrize("count", [1, 16, 256])
def test_a_colour_table_of_772_bytes_says_how_many_and_which_is_transparent(read, count):
    table = noise(1, 256)[0].tolist()
    data = np.array(table, np.uint8).tobytes()
    assert read(data + struct.pack(">HH", count, 0xFFFF), "a.act") == table[:count]
    assert read(data + struct.pack(">HH", count, 300), "a.act") == table[:count]
    if count > 1:
        assert read(data + struct.pack(">HH", count, 0), "a.act") == table[1:count]
        assert read(data + struct.pack(">HH", count, count - 1), "a.act") == table[: count - 1]


def test_a_colour_table_may_look_like_text_if_it_is_called_one(read):
    assert read(b"{" * 768, "a.act") == [[0x7B] * 3]


def test_a_broken_colour_table_is_refused(refused):
    for size in (1, 767, 769, 771, 773):
        assert f"768 or 772 bytes, found {size};" in refused(bytes(size), "a.act")
    for count in (0, 257, 0xFFFF):
        assert f"1 to 256 colours, found {count};" in refused(
            bytes(768) + struct.pack(">HH", count, 0), "a.act"
        )
    assert "at least one colour" in refused(bytes(768) + struct.pack(">HH", 1, 0), "a.act")


# Adobe swatch exchange


def block(kind, body=b""):
    return struct.pack(">HI", kind, len(body)) + body


def named(name):
    coded = (name + "\0").encode("utf-16-be", "surrogatepass")
    return struct.pack(">H", len(coded) // 2) + coded


def swatch(model, *values, name="", kind=2):
    return block(1, named(name) + model + struct.pack(f">{len(values)}f", *values) + struct.pack(">H", kind))


def ase(*blocks):
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def test_a_swatch_file_to_the_byte(read):
    data = (
        b"ASEF\x00\x01\x00\x00\x00\x00\x00\x03"
        b"\xc0\x01\x00\x00\x00\x06\x00\x02\x00G\x00\x00"
        b"\x00\x01\x00\x00\x00\x1a\x00\x03\x00R\x00d\x00\x00RGB "
        b"\x3f\x80\x00\x00\x00\x00\x00\x00\x3e\xcc\xcc\xcd\x00\x02"
        b"\xc0\x02\x00\x00\x00\x00"
    )
    assert data == ase(block(0xC001, named("G")), swatch(b"RGB ", 1, 0, 0.4, name="Rd"), block(0xC002))
    for name in ("a.ase", "a.txt", "a"):
        assert read(data, name) == [[255, 0, 102]]


def test_groups_are_read_through_and_unknown_blocks_passed_over(read):
    blocks = (
        swatch(b"RGB ", 1, 0, 0),
        block(0xC001, named("group")),
        swatch(b"RGB ", 0, 1, 0, name="a"),
        block(0x7777, b"whatever"),
        swatch(b"RGB ", 1, 0, 0, name="again", kind=1),
        block(0xC002),
        swatch(b"RGB ", 0, 0, 1, kind=0),
    )
    assert read(ase(*blocks)) == [RED, GREEN, BLUE]
    assert read(ase(*blocks) + b"something behind") == [RED, GREEN, BLUE]


@pytest.mark.parametrize("model", [b"Gray", b"GRAY", b"gray"])
def test_grey_swatches(read, model):
    assert read(ase(swatch(model, 0), swatch(model, 0.5), swatch(model, 1))) == [BLACK, [128] * 3, WHITE]


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=20), st.text(max_size=20))
@SETTINGS
def test_levels_come_back_from_their_floats_whatever_the_names(read, colors, name):
    data = ase(*(swatch(b"RGB ", *(level / 255 for level in color), name=name) for color in colors))
    assert read(data, "a.ase") == distinct(colors)


def test_lab_swatches_are_what_a_colour_management_system_makes_of_them(read):
    """Little CMS knows nothing of scikit-image: another way to the same colours."""
    lab = np.array([(light, a, b) for light in (40, 60, 80) for a in (-20, 0, 15) for b in (-25, 0, 30)])
    found = read(ase(*(swatch(b"LAB ", light / 100, a, b) for light, a, b in lab)))
    stored = np.column_stack([lab[:, 0] * 255 // 100, lab[:, 1:] & 255]).astype(np.uint8)
    spaces = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    intent, exact = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.NOOPTIMIZE
    way = ImageCms.buildTransform(*spaces, "LAB", "RGB", intent, exact)
    strip = Image.frombytes("LAB", (len(lab), 1), stored.tobytes())
    expected = np.asarray(ImageCms.applyTransform(strip, way))[0]
    assert found == [pytest.approx(color, abs=1) for color in expected.tolist()]


def test_lab_swatches_that_no_screen_shows_are_clipped(read):
    assert read(ase(swatch(b"LAB ", 0, 0, 0), swatch(b"LAB ", 1, 0, 0))) == [BLACK, WHITE]
    for lightness in (0, 0.01, 0.5, 1):
        for a in (-128, 0, 127):
            for b in (-128, 0, 127):
                read(ase(swatch(b"LAB ", lightness, a, b)))
    assert read(ase(swatch(b"LAB ", 0.6, 100, 127)))[0][0] == 255


def test_colours_for_print_are_refused(refused):
    data = ase(swatch(b"RGB ", 1, 0, 0), swatch(b"CMYK", 1, 0, 0, 0, name="Cyan\n\x1b[31m"))
    found = refused(data, "a.ase")
    assert "found the CMYK colour 'Cyan\\n\\x1b[31m'" in found
    assert "convert the swatches to RGB" in found


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (b"RGB ", (1, 0, 1.1)),
        (b"RGB ", (255, 0, 0)),
        (b"RGB ", (0, float("nan"), 0)),
        (b"RGB ", (0, 0, float("inf"))),
        (b"Gray", (-1,)),
        (b"Gray", (float("nan"),)),
        (b"LAB ", (50, 0, 0)),
        (b"LAB ", (0.5, 200, 0)),
        (b"LAB ", (0.5, 0, float("-inf"))),
    ],
)
def test_values_out_of_range_are_refused(refused, model, values):
    assert "values in 0..1" in refused(ase(swatch(model, *values, name="x" * 1000)))


def test_unknown_models_are_refused(refused):
    assert "found 'a' of the model 'HSB'" in refused(ase(swatch(b"HSB ", 0, 0, 0, name="a")))


def test_a_swatch_file_cut_short_anywhere_is_refused(refused):
    whole = ase(
        block(0xC001, named("g")), swatch(b"RGB ", 1, 0, 0, name="red"), swatch(b"Gray", 0.5), block(0xC002)
    )
    for length in range(4, len(whole)):
        assert refused(whole[:length]).startswith("expected a whole Adobe swatch exchange file")


def test_a_block_that_is_shorter_than_its_colour_is_refused(refused):
    for body in (
        b"",
        b"\0",
        b"\0\1\0\0",
        b"\xff\xff",
        named("a") + b"RGB ",
        named("a") + b"RGB " + bytes(11),
    ):
        assert refused(ase(block(1, body)))


def test_a_swatch_file_without_colours_is_refused(refused):
    assert refused(ase()).startswith("expected at least one colour")
    assert refused(ase(block(0xC001, named("g")), block(0xC002))).startswith("expected at least one colour")
    assert refused(b"ASEF\0\1\0\0\xff\xff\xff\xff").startswith("expected a whole")


# Pictures


def saved(image, kind="PNG", **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("scale", [1, 8, 32])
@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_a_palette_picture_is_read_in_its_order_at_any_scale(read, scale, kind):
    row = noise(1, 16)
    assert read(saved(row.repeat(scale, axis=0).repeat(scale, axis=1), kind)) == row[0].tolist()


def test_rows_are_read_like_a_text(read):
    image = np.array([[RED, RED, GREEN], [BLUE, RED, BLACK], [GREEN, WHITE, BLUE]], np.uint8)
    assert read(saved(image)) == [RED, GREEN, BLUE, BLACK, WHITE]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_an_indexed_picture_gives_the_entries_that_it_uses_in_palette_order(read, kind):
    image = Image.fromarray(np.array([[4, 4, 1], [5, 0, 1]], np.uint8))
    image.putpalette([9, 9, 9, *RED, 1, 1, 1, 2, 2, 2, *BLUE, *GREEN, 3, 3, 3])
    assert image.mode == "P"
    assert read(saved(image, kind)) == [[9, 9, 9], RED, BLUE, GREEN]


def test_transparent_entries_and_pixels_are_left_out(read):
    image = Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8))
    image.putpalette([*RED, *GREEN, *BLUE, *WHITE])
    assert read(saved(image, transparency=1)) == [RED, BLUE, WHITE]
    assert read(saved(image, transparency=bytes([255, 0, 1, 0]))) == [RED, BLUE]
    assert read(saved(image, "GIF", transparency=0)) == [GREEN, BLUE, WHITE]
    pixels = np.array([[[1, 2, 3, 0], [*RED, 1], [*GREEN, 255], [0, 0, 0, 0]]], np.uint8)
    assert read(saved(pixels)) == [RED, GREEN]
    assert read(saved(Image.fromarray(pixels[:, :, :3]), transparency=(0, 255, 0))) == [[1, 2, 3], RED, BLACK]


def test_a_transparent_picture_is_refused(refused):
    assert refused(saved(np.zeros((2, 2, 4), np.uint8))).startswith("expected at least one colour")


def test_grey_pictures_of_any_depth(read):
    assert read(saved(np.array([[7, 0, 7, 255]], np.uint8))) == [[7] * 3, BLACK, WHITE]
    assert read(png.grey(png.compress(np.array([[3, 0, 1]], np.uint8), 2))) == [WHITE, BLACK, [85] * 3]
    assert read(png.grey(png.compress(np.array([[0xFFFF, 0x1234]], np.uint16), 16))) == [WHITE, [0x12] * 3]
    assert read(saved(Image.fromarray(np.array([[True, False]])))) == [WHITE, BLACK]


def test_an_animation_gives_its_first_frame(read):
    frames = [Image.fromarray(np.full((4, 4, 3), color, np.uint8)) for color in (RED, GREEN)]
    assert read(saved(frames[0], "PNG", save_all=True, append_images=frames[1:])) == [RED]
    assert read(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])) == [RED]


def test_a_profile_is_converted_to_srgb(read):
    row = np.array([[(200, 100, 50), (200, 100, 50), (20, 40, 60)]], np.uint8)
    plain = Image.fromarray(np.array([[2, 1]], np.uint8))
    plain.putpalette([0, 0, 0, *row[0, 0].tolist(), *row[0, 2].tolist()])
    first, second = read(saved(row, icc_profile=rgb_profile()))
    assert first[0] > 210
    assert read(saved(plain, icc_profile=rgb_profile())) == [first, second]


def test_a_photograph_is_refused(refused):
    side = 300
    image = np.arange(side * side).reshape(side, side)
    image = np.stack([image >> 16, image >> 8 & 255, image & 255], axis=2).astype(np.uint8)
    told = "expected a picture of a palette, of at most 4096 colours, found 90000"
    assert told in refused(saved(image))


def test_a_picture_of_as_many_colours_as_can_be_is_read(read):
    codes = np.arange(4096)[::-1].reshape(64, 64)
    image = np.stack([codes >> 8, codes & 255, codes % 5], axis=2).astype(np.uint8)
    assert read(saved(image)) == image.reshape(-1, 3).tolist()


def test_a_large_picture_is_refused(refused, monkeypatch):
    assert "at most 16 megapixels" in refused(saved(Image.new("1", (5_000, 3_201))))
    monkeypatch.setattr(palettepictures, "_MOST_PIXELS", 12)
    assert "found a larger one" in refused(saved(noise(1, 13)))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_picture_cut_short_is_refused(refused, kind):
    whole = saved(noise(20, 20), kind)
    for length in (9, 20, 40, len(whole) // 2):
        name = f"a.{kind.lower()}"
        refused(whole[:length], name)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_other_pictures_are_refused(refused, kind):
    text = refused(saved(noise(8, 8), kind), "a.jpg")
    assert text.startswith(
        "expected a palette (.gpl, .act, .ase, .hex, .txt, .css, .json, or a picture: .png, .gif, .bmp)"
    )


# Files


@pytest.mark.parametrize("extension", ["gpl", "ase", "json", "png", "gif", "bmp"])
def test_content_that_belies_its_extension_is_told(refused, extension):
    text = refused(b"#ff0000\n", f"a.{extension}")
    assert "found content that begins with b'#ff0000\\n'; give another file" in text


def test_an_empty_file_is_refused(refused):
    assert refused(b"", "a.gpl").startswith("expected a palette, found 0 bytes")
    assert refused(b"\n\n; nothing\n", "a.hex").startswith("expected at least one colour")


def test_a_large_file_is_refused(refused, monkeypatch):
    monkeypatch.setattr(palettefiles, "_MOST_BYTES", 1_000_000)
    assert "at most 1 MB, found 1.5 MB" in refused(b"#fff\n" * 300_000)


def test_the_largest_palettes_of_runs_are_not_too_large():
    entry = {
        "label": 65535, "rgb": [255] * 3, "hex": "#ffffff", "count": 10**9, "share": 0.12345678,
        "centroid": [123.4567] * 3, "median": [255] * 3, "nearest": [255] * 3, "spread": 12.3456,
        "swatches": [{"rgb": [255] * 3, "count": 10**9}] * 5,
    }  # fmt: skip
    assert 65_536 * (len(json.dumps(entry, separators=(",", ":"))) + 4) < palettefiles._MOST_BYTES


def test_too_many_colours_are_refused(refused):
    text = "\n".join(f"{code:06x}" for code in range(65_537))
    assert "at most 65,536 distinct colours" in refused(text)


def test_what_is_no_file_is_refused(tmp_path):
    for path, found in ((tmp_path, "a folder"), (tmp_path / "none.gpl", "none that can be read")):
        with pytest.raises(ValueError, match=f"^{path}: expected a palette file, found {found}"):
            read_palette(path)
    with pytest.raises(ValueError, match="expected a path that a file can have"):
        read_palette(tmp_path / "a\0b")
    with pytest.raises(ValueError, match="expected a pa"):
        read_palette(tmp_path / "\ud800.gpl")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_hold_us_up(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="found a pipe or device"):
        read_palette(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="all may be read")
def test_a_file_without_permission_is_refused(tmp_path):
    path = tmp_path / "a.gpl"
    path.write_text(GPL)
    path.chmod(0)
    with pytest.raises(ValueError, match="grant permission"):
        read_palette(path)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text here")
def test_a_name_that_is_no_text_can_be_told(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\x1b.gpl")
    path.write_bytes(b"GIMP Palette\n")
    with pytest.raises(ValueError, match="expected at least one") as caught:
        read_palette(path)
    assert str(caught.value).encode()


STARTS = [
    b"", b"GIMP Palette\n", b"ASEF", b"ASEF\0\1\0\0\0\0\0\2\0\1", b"[", b'{"colors":[', b"\x89PNG\r\n\x1a\n",
    b"GIF89a", b"BM", b"BM\0\0\0\0\0\0\0\0", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b";paint.net\n", b"#",
    saved(noise(4, 4)), saved(noise(4, 4), "GIF"), saved(noise(4, 4), "BMP"), GPL.encode(),
    ase(swatch(b"LAB ", 1, 0, 0)),
]  # fmt: skip
NAMES = st.sampled_from(["a", "a.act", "a.gpl", "a.ase", "a.hex", "a.txt", "a.json", "a.png", "a.gif"])


def read_or_refused(path):
    """Give a palette, or nothing when it is refused in words; any other exception goes through."""
    try:
        return read_palette(path)
    except ValueError as error:
        told = str(error)
    assert told.startswith(f"{path}: ")
    return None


@given(st.sampled_from(STARTS), st.binary(max_size=800), NAMES)
@settings(SETTINGS, max_examples=400)
def test_any_bytes_are_a_palette_or_an_error_in_words(tmp_path, start, rest, name):
    path = tmp_path / name
    path.write_bytes(start + rest)
    colors = read_or_refused(path)
    if colors is not None:
        assert colors.dtype == np.uint8
        assert len(np.unique(colors, axis=0)) == len(colors) >= 1


@given(st.sampled_from([start for start in STARTS if len(start) > 20]), st.data())
@settings(SETTINGS, max_examples=400)
def test_damage_is_a_palette_or_an_error_in_words(tmp_path, whole, data):
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a"
    path.write_bytes(damaged[: data.draw(st.integers(1, len(whole)))])
    read_or_refused(path)


@pytest.mark.parametrize(
    ("start", "filling"),
    [
        (b"", b"#"),
        (b"", b" "),
        (b"", b"/"),
        (b"", b";"),
        (b"", b"["),
        (b"", b"\n"),
        (b"GIMP Palette\n", b"a"),
        (b"GIMP Palette\n1 1 ", b"x"),
        (b"GIMP Palette\n1", b" "),
        (b"ASEF\0\1\0\0\xff\xff\xff\xff", b"\0"),
    ],
)
def test_nothing_takes_long(tmp_path, start, filling):
    """A square of this length, as careless patterns take, would be hours."""
    path = tmp_path / "a"
    path.write_bytes(start + filling * 1_000_000)
    begin = time.perf_counter()
    assert read_or_refused(path) is None
    assert time.perf_counter() - begin < 10
