"""`segpipe compare`: one image in several numbers of colours, as the job would make it."""

import io
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from trees import Site, plant, segpipe

from pipeline.color import counts
from pipeline.files.contactsheets import Panel, contact_sheet
from pipeline.files.curves import Curve, curves, nice_ticks
from pipeline.files.drawings import Dot, Line, Words, drawn_png, svg
from pipeline.jobs import choosing, counting
from pipeline.views import choices as choices_view

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    plant(site.inputs, "deep/a.png")
    return site


def choices(site, *arguments):
    result = site.call("compare", "deep/a.png", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("quantize.color_space=oklab",),
        ("quantize.dither=ordered",),
        ("quantize.method=minibatch",),
    ],
)
def test_it_tells_what_the_job_would_come_to(site, settings):
    words = [word for key in settings for word in ("--set", key)]
    for choice in choices(site, "--colors", "3,9", *words)["choices"]:
        site.run(*words, "--set", f"quantize.colors={choice['asked']}")
        record = json.loads(site.manifest.read_text())
        assert choice["found"] == record["colors"]["found"]
        assert choice["bytes"] == record["outputs"]["quantized"]["bytes"]
        assert record["metrics"].items() <= choice.items()
        palette = json.loads((site.outputs / "palettes/deep/a.png.json").read_text())
        assert choice["colors"] == [color["hex"] for color in palette["colors"]]


def test_the_image_is_counted_once(site, monkeypatch):
    counted = []

    def count(pixels, alpha=None):
        counted.append(pixels.shape)
        return counts.count_colors(pixels, alpha)

    monkeypatch.setattr(counting, "count_colors", count)
    choices(site, "--colors", "2,3,4,5")
    assert counted == [(16, 24, 3)]


def test_it_writes_nothing_but_what_is_asked_for(site):
    choices(site, "--save", str(site.base / "sheet.png"))
    assert not site.outputs.exists()
    assert sorted(path.name for path in site.base.iterdir()) == ["in", "job.yaml", "sheet.png"]


def test_a_table_has_a_line_for_each_number_rising(site):
    lines = site.call("compare", "deep/a.png", "-c", "7, 3,500,3").stdout.splitlines()
    assert lines[0].startswith("deep/a.png: 24 × 16, 384 distinct colours, ")
    assert lines[1].split() == ["k", "MSE", "PSNR", "ΔE", "mean", "bytes"]
    assert [line.split()[0] for line in lines[2:]] == ["3", "7", "500"]
    assert re.fullmatch(r" +500 +0\.00 +- +0\.00 +\d+  found 384", lines[4])


def test_a_path_is_an_image_too_but_a_key_comes_first(site, monkeypatch):
    plant(site.base, "deep/a.png", "b.png", seed=9)
    monkeypatch.chdir(site.base)
    first = choices(site, "--colors", "2")
    (site.base / "deep/a.png").unlink()
    assert choices(site, "--colors", "2") == first
    assert site.call("compare", "b.png", "-c", "2").exit_code == 0
    assert site.call("compare", str(site.base / "b.png"), "-c", "2").exit_code == 0


def test_auto_is_no_number_and_stands_back(site):
    words = ("--set", "quantize.colors=auto", "--set", "quantize.target={psnr: 30}")
    assert [choice["found"] for choice in choices(site, "-c", "2,5", *words)["choices"]] == [2, 5]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("none.png",), "none.png: expected the key of an image"),
        (("x" * 5000,), "expected the key of an image"),
        (("deep",), "deep: expected the key of an image"),
        (("deep/a.png", "--colors", "many"), "expected numbers of colours such as 3,5,7"),
        (("deep/a.png", "--colors", "0"), "colors"),
        (("deep/a.png", "--colors", "4,100000"), "expected numbers of colours from 1 to 65536"),
        (("z.zarr",), "z.zarr: expected a picture, found a Zarr; compare does not read these"),
        (("deep/a.png", "--save", "z.png", "--plot", "./z.png"), "expected another file than that of --save"),
        (("deep/a.png", "--set", "quantize.method=dynamic"), "add --set quantize.method=kmeans"),
        (("deep/a.png", "--save", "sheet.jpg"), "--save sheet.jpg: expected a file that ends in .png"),
        (("deep/a.png", "--plot", "elbow.pdf"), "expected a file that ends in .svg or .png, found '.pdf'"),
        (("deep/a.png", "--save", "nowhere/sheet.png"), "expected a file in a folder that is there"),
        (("deep/a.png", "--save", "in/deep/a.png"), "expected another file than the image"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(site, monkeypatch, arguments, why):
    monkeypatch.chdir(site.base)
    monkeypatch.setattr(choosing, "counts_of", None)
    (site.inputs / "z.zarr").mkdir()
    before = (site.inputs / "deep/a.png").read_bytes()
    result = site.call("compare", *arguments)
    assert result.exit_code == 2
    assert why in result.stderr
    assert result.stdout == ""
    assert (site.inputs / "deep/a.png").read_bytes() == before


@pytest.mark.parametrize(("content", "kind"), [(b"", "found 0 bytes"), (b"no image", "found ")])
def test_a_bad_image_is_1(site, content, kind):
    (site.inputs / "deep/a.png").write_bytes(content)
    result = site.call("compare", "deep/a.png")
    assert result.exit_code == 1
    assert "a.png: " in result.stderr
    assert kind in result.stderr


def test_pictures_are_the_same_bytes_each_time(site):
    made = []
    for _ in range(2):
        files = [site.base / name for name in ("sheet.png", "elbow.svg")]
        choices(site, "-c", "2,3", "--save", str(files[0]), "--plot", str(files[1]))
        made.append([file.read_bytes() for file in files])
    assert made[0] == made[1]


def test_a_name_cannot_write_markup():
    drawing = curves("<script>&\x1b", "k", [1], [Curve("]]>", [1.0], "#000000")])
    root = ET.fromstring(svg(drawing))  # noqa: S314
    assert root.find(f"{SVG}title").text == "<script>&�"
    assert root.find(f"{SVG}script") is None


def test_a_sheet_shows_the_image_and_each_choice(site):
    file = site.base / "sheet.png"
    found = choices(site, "-c", "2,4,6", "--save", str(file))["choices"]
    with Image.open(file) as image:
        sheet = np.asarray(image)
    for choice in found:
        for color in choice["colors"]:
            assert (sheet == list(bytes.fromhex(color[1:]))).all(axis=2).any()
    with Image.open(site.inputs / "deep/a.png") as image:
        assert (sheet[16:32, 16:40] == np.asarray(image)).all()


@pytest.mark.parametrize(("panels", "columns"), [(1, 1), (4, 2), (6, 3), (8, 4), (9, 3)])
def test_a_sheet_is_about_as_wide_as_a_page(panels, columns):
    panel = Panel(np.zeros((300, 300, 3), np.uint8), None, ("words",))
    with Image.open(io.BytesIO(contact_sheet([panel] * panels))) as image:
        assert image.width == 16 + columns * 316


def test_curves_go_through_what_was_measured():
    drawing = curves(
        "t", "k", [2, 4, 10], [Curve("a", [8, 4, 2], "#ff0000"), Curve("b", [0, 1, 1], "#0000ff")]
    )
    dots = [mark for mark in drawing.marks if isinstance(mark, Dot)]
    xs = [dot.center[0] for dot in dots]
    assert xs[:3] == xs[3:]
    assert (xs[1] - xs[0]) * 4 == pytest.approx(xs[2] - xs[0])
    heights = [dot.center[1] for dot in dots[:3]]
    assert (heights[1] - heights[0]) == pytest.approx(2 * (heights[2] - heights[1]))
    lines = [mark.points for mark in drawing.marks if isinstance(mark, Line) and mark.width > 1]
    assert lines == [tuple(dot.center for dot in dots[:3]), tuple(dot.center for dot in dots[3:])]
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in (dot.center for dot in dots))


@pytest.mark.parametrize("places", [[5], [2, 4, 8, 16, 32, 64], list(range(1, 200)), [9_999, 10_000]])
def test_no_words_lie_on_others(places):
    values = [float(place) for place in places]
    drawing = curves("title", "k", places, [Curve("a", values, "#ff0000"), Curve("b", values, "#ff0000")])
    boxes = []
    for mark in drawing.marks:
        if isinstance(mark, Words):
            width = 6 * len(mark.text)
            left = mark.place[0] - {"start": 0, "middle": width / 2, "end": width}[mark.anchor]
            boxes.append((left, left + width, mark.place[1] - 9, mark.place[1] + 3))
    for number, (left, right, top, bottom) in enumerate(boxes):
        assert 0 <= left < right <= drawing.width
        assert 0 <= top < bottom <= drawing.height
        for other in boxes[:number]:
            assert left >= other[1] or right <= other[0] or top >= other[3] or bottom <= other[2]


@pytest.mark.parametrize("most", [0, 1e-6, 0.3, 1, 7.01, 99, 2173.7, 195075])
def test_ticks_are_round_and_reach_the_most(most):
    ticks = nice_ticks(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most
    assert most == 0 or ticks[-2] < most
    assert 2 <= len(ticks) <= 6
    assert all(len(f"{tick:g}") <= 7 for tick in ticks)


def test_a_drawing_is_the_same_as_a_png():
    drawing = curves("t", "k", [2, 4], [Curve("ΔE", [8, 4], "#ff0000")])
    with Image.open(io.BytesIO(drawn_png(drawing))) as image:
        assert image.size == (2 * drawing.width, 2 * drawing.height)
        for mark in drawing.marks:
            if isinstance(mark, Dot):
                assert image.getpixel(tuple(round(2 * value) for value in mark.center)) == (255, 0, 0)


@pytest.mark.parametrize("name", ["elbow.svg", "ELBOW.PNG"])
def test_a_plot_is_written_in_the_format_of_its_name(site, name):
    choices(site, "-c", "2,3", "--plot", str(site.base / name))
    data = (site.base / name).read_bytes()
    assert data.startswith(b"<svg" if name.endswith("svg") else b"\x89PNG")


def test_sheets_tell_found_and_asked():
    palette = range(231)
    assert choices_view.told_colors(choosing.Choice(500, palette, None, 0, None)) == "231 of 500"
    assert choices_view.told_colors(choosing.Choice(231, palette, None, 0, None)) == "231"


def test_its_help_has_examples():
    text = segpipe("compare", "--help").stdout
    assert "segpipe compare job.yaml cats/tom.jpg --colors 3,5,7,20,30 --save sheet.png" in text
