"""Comparison pictures: what they show is what the image and its result are, whichever way it was done."""

import io
import json
import tracemalloc

import numpy as np
import pytest
from builders import digest_of, job, look, noise, plant
from PIL import Image

from pipeline.color.metrics import Metrics
from pipeline.color.palette import Palette
from pipeline.files.comparisons import Compared, comparison_png, on_paper
from pipeline.files.lettering import INK, fits, write
from pipeline.files.sharebars import share_bar
from pipeline.jobs.comparisons import Views, caption, comparison_file
from pipeline.jobs.leftovers import find_leftovers
from pipeline.jobs.needs import comparing_bytes
from pipeline.jobs.run import run
from pipeline.jobs.spec_sections import Comparison
from pipeline.jobs.survey import Options
from pipeline.jobs.tree import tree_of
from pipeline.jobs.verify import verify
from pipeline.jobs.watcher import Watcher

LAYOUTS = ("side-by-side", "strip", "overlay")
RED, BLUE = (255, 0, 0), (0, 0, 255)
METRICS = Metrics(12.345678, 40.125, 1.5, 3.0, 9.0)
MARGIN = 16


def drawn(data):
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def halves(height, width):
    """An image whose left half is red, its right half blue, its labels, its palette."""
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 1
    colors = np.array([RED, BLUE], np.uint8)
    return colors[labels], labels, Palette(colors, np.bincount(labels.ravel()))


def sheet(layout, height=300, width=400, most=300, words="k 2"):
    image, labels, palette = halves(height, width)
    return drawn(comparison_png(layout, Compared(image, image, labels, palette, words), most))


def test_sheets_have_room_for_just_what_they_show():
    beneath = 40 + 2 + 2 * 24 + 24  # a bar, two lines of text, the caption
    assert sheet("side-by-side").shape == (300 + beneath + 4 * MARGIN, 816 + 2 * MARGIN, 3)
    assert sheet("strip").shape == (616 + beneath + 4 * MARGIN, 400 + 2 * MARGIN, 3)
    assert sheet("overlay").shape == (300 + beneath + 4 * MARGIN, 400 + 2 * MARGIN, 3)


def test_images_stand_where_they_are_said_to():
    image = halves(300, 400)[0]
    beside, strip = sheet("side-by-side"), sheet("strip")
    for left in (MARGIN, MARGIN + 416):
        assert (beside[MARGIN:316, left : left + 400] == image).all()
    for top in (MARGIN, MARGIN + 316):
        assert (strip[top : top + 300, MARGIN:416] == image).all()


def test_an_overlay_has_the_image_and_the_boundary_alone():
    image = halves(300, 400)[0]
    shown = sheet("overlay")[MARGIN:316, MARGIN:416]
    changed = (shown != image).any(axis=2)
    assert changed[:, 199:201].all()
    assert changed.sum() == 2 * 300
    assert (shown[changed] == (255, 255, 0)).all()


@pytest.mark.parametrize(("size", "most", "times"), [((10, 10), 64, 6), ((10, 40), 64, 3), ((60, 60), 64, 1)])
def test_small_images_are_enlarged_by_whole_pixels(size, most, times):
    image = halves(*size)[0].repeat(times, axis=0).repeat(times, axis=1)
    assert (
        sheet("strip", *size, most)[MARGIN : MARGIN + len(image), MARGIN : MARGIN + image.shape[1]] == image
    ).all()


def test_a_caption_is_never_cut_off():
    words = "a caption that is wider than the image"
    shown = sheet("overlay", 5, 5, 32, words)
    assert shown.shape[1] == fits(words, 1) + 2 * MARGIN


@pytest.mark.parametrize("colors", [1, 2, 7, 100, 254])
def test_a_bar_shows_each_colour_as_long_as_its_share(colors):
    rng = np.random.default_rng(colors)
    codes = rng.choice(1 << 24, colors, replace=False)
    palette = Palette(
        np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8),
        -np.sort(-rng.integers(1, 1000, colors)),
    )
    row = share_bar(palette, 1002, 20)[10, 1:-1]
    lengths = [(row == color).all(axis=1).sum() for color in palette.colors]
    assert sum(lengths) == 1000
    assert min(lengths) >= 1
    assert np.abs(lengths - 1000 * palette.shares).max() <= colors


def test_a_bar_has_no_colour_that_no_pixel_has():
    palette = Palette(np.array([RED, (0, 255, 0), BLUE], np.uint8), np.array([3, 0, 1]))
    row = share_bar(palette, 102, 9)[4, 1:-1]
    assert (row[:75] == RED).all()
    assert (row[75:] == BLUE).all()


def test_a_bar_holds_more_colours_than_it_has_pixels():
    palette = Palette(noise(500, 1)[:, 0], np.full(500, 10**12))
    assert share_bar(palette, 102, 9).shape == (9, 102, 3)


def test_text_stands_where_there_is_room():
    palette = Palette(np.array([RED, BLUE], np.uint8), np.array([95, 5]))
    below = share_bar(palette, 200, 20, 1)[20:]
    inked = (below < 255).all(axis=2)
    assert inked[:, :60].any()
    assert not inked[:, 60:].any()


def test_letters_are_cut_off_at_the_edge():
    picture = np.full((8, 9, 3), 255, np.uint8)
    write(picture, 2, 1, "M→", 2)
    assert (picture == INK).any()


def test_what_is_half_transparent_is_mixed_with_the_ground_to_the_nearest_level():
    levels = np.arange(256, dtype=np.uint8)
    image = np.zeros((256, 256, 4), np.uint8)
    image[..., :3] = levels[:, None, None]
    image[..., 3] = levels
    ground = on_paper(np.zeros((256, 256, 4), np.uint8)).astype(float)
    opacity = image[..., 3:] / 255
    exact = image[..., :3] * opacity + ground * (1 - opacity)
    assert np.abs(on_paper(image) - exact).max() <= 0.5 + 1e-9


def test_what_is_transparent_shows_the_ground():
    image = np.zeros((16, 16, 4), np.uint8)
    image[0, 0] = (10, 20, 30, 255)
    image[0, 1] = (0, 0, 0, 128)
    paper = on_paper(image)
    assert paper[0, 0].tolist() == [10, 20, 30]
    assert paper[0, 1].tolist() == [127] * 3
    assert (paper[0, 2] == 255).all()
    assert (paper[0, 8] == 224).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cuts", [[], [1], [7, 40, 41], [64]])
def test_rows_in_any_parts_give_the_same_picture(layout, cuts):
    wanted = Comparison.model_validate({"layout": layout, "height": 32})
    image, alpha = noise(101, 67), noise(101, 67, 1)[..., 0]
    labels = (image[..., 0] > 99).astype(np.uint8)
    palette = Palette(np.array([RED, BLUE], np.uint8), np.bincount(labels.ravel()))

    def made(tops):
        parts = []
        for top, end in zip([0, *tops], [*tops, 101], strict=True):
            views, rows = Views(wanted, top, end - top, (101, 67)), slice(top, end)
            views.add_image(top, 30, image[rows, 30:], alpha[rows, 30:])
            views.add_image(top, 0, image[rows, :30], alpha[rows, :30])
            views.add_result(labels[rows], labels[rows], palette.colors, alpha[rows])
            parts.append(views.arrays)
        return comparison_file("a.png", wanted, parts, (101, 67), (palette, METRICS))

    product = made(cuts)
    assert product == made([])
    assert product.path == "comparisons/a.png.png"
    assert len(drawn(product.data)) <= 2 * 32 + 200


@pytest.mark.parametrize("size", [(40, 40), (41, 30), (79, 30), (80, 30), (81, 300)])
def test_the_image_is_no_higher_than_was_asked_for(size):
    wanted = Comparison(layout="overlay", height=40)
    views = Views(wanted, 0, size[0], size)
    views.add_image(0, 0, noise(*size), None)
    views.add_result(np.zeros(size, np.uint8), np.zeros(size, np.uint8), np.zeros((1, 3), np.uint8), None)
    assert 20 <= len(views.arrays["labels"]) <= 40


def test_a_panorama_makes_no_endless_sheet():
    wanted = Comparison.model_validate({"layout": "strip", "height": 32})
    views = Views(wanted, 0, 2, (2, 100_000))
    labels = np.zeros((2, 100_000), np.uint8)
    views.add_result(labels, labels, np.zeros((1, 3), np.uint8), None)
    assert views.arrays["labels"].shape[1] <= 64


def test_a_caption_tells_how_far_the_images_are_apart():
    assert caption(16, METRICS) == "k 16   MSE 12.35   ΔE 1.50   PSNR 40.12 dB"
    assert caption(1, Metrics(0.0, None, 0.0, 0.0, 0.0)).endswith("no difference")


def test_a_job_writes_them_and_knows_them(tmp_path):
    spec = job(tmp_path, output={"comparison": {"layout": "overlay", "height": 64}})
    plant(tmp_path / "in", "deep/a.png", noise(50, 60, 4))
    run(spec, Options(), Watcher())
    assert drawn((tmp_path / "out/comparisons/deep/a.png.png").read_bytes()).shape[1] > 60
    [line] = (tmp_path / "out/manifest.jsonl").read_text().splitlines()
    assert json.loads(line)["outputs"]["comparison"]["path"] == "comparisons/deep/a.png.png"
    assert not look(spec).plan.work
    (tmp_path / "out/comparisons/deep/a.png.png").write_bytes(b"other")
    assert [found[1] for found in verify(tree_of(spec)).differences] == ["comparisons/deep/a.png.png"]
    assert find_leftovers(look(job(tmp_path))).strays == []


def test_what_is_wanted_no_more_is_a_stray(tmp_path):
    spec = job(tmp_path, output={"comparison": {"layout": "strip"}})
    plant(tmp_path / "in", "a.png")
    run(spec, Options(), Watcher())
    run(job(tmp_path), Options(), Watcher())
    assert find_leftovers(look(job(tmp_path))).strays == ["comparisons/a.png.png"]


def test_an_overlay_shows_regions_without_specks_if_they_are_wanted(tmp_path):
    image = np.full((40, 40, 3), 255, np.uint8)
    image[20:] = 0
    image[5, 5] = 0
    plant(tmp_path / "in", "a.png", image)
    yellow = {}
    for area in (1, 9):
        output = {"comparison": {"layout": "overlay", "height": 40}}
        sections = {"output": output, "quantize": {"colors": 2}, "regions": {"min_area": area}}
        run(job(tmp_path, **sections), Options(), Watcher())
        shown = drawn((tmp_path / "out/comparisons/a.png.png").read_bytes())
        yellow[area] = (shown == (255, 255, 0)).all(axis=2).sum()
    assert yellow[9] == 2 * 40
    assert yellow[1] > 2 * 40


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(600, 1200), (1200, 2400), (60, 70)])
def test_the_plan_knows_what_they_take(tmp_path, layout, size):
    spec = job(tmp_path, output={"comparison": {"layout": layout, "height": 600}})
    image = noise(*size, 4)
    labels = (image[..., 0] > 99).astype(np.uint8)
    palette = Palette(np.array([RED, BLUE], np.uint8), np.bincount(labels.ravel()))
    sheet("overlay", 5, 5, 32)  # which loads what draws boundaries
    tracemalloc.start()
    try:
        wanted = spec.output.comparison
        views = Views(wanted, 0, size[0], size)
        views.add_image(0, 0, image[..., :3], image[..., 3])
        views.add_result(labels, labels, palette.colors, image[..., 3])
        comparison_file("a.png", wanted, [views.arrays], size, (palette, METRICS))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    most = comparing_bytes(spec, size[0] * size[1])
    assert most / 3 < peak < most
    assert comparing_bytes(job(tmp_path), size[0] * size[1]) == 0


def test_the_height_is_of_no_account_without_pictures(tmp_path):
    """So the recipe of a job of before is what it was."""

    def recipe(**comparison):
        return digest_of(job(tmp_path, output={"comparison": comparison}))

    assert recipe(height=64) == recipe() == digest_of(job(tmp_path))
    assert len({recipe(), recipe(layout="strip"), recipe(layout="strip", height=64)}) == 3
