"""Products: the files of one image say the same thing in their several ways."""

import io
import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from builders import job, noise
from PIL import Image

from pipeline.color.counts import count_colors
from pipeline.color.mapping import fit_palette
from pipeline.color.metrics import measure
from pipeline.color.names import css_names
from pipeline.errors import UnsupportedImage
from pipeline.files.exports import FORMATS
from pipeline.files.headers import Header
from pipeline.files.images import Raster
from pipeline.files.sources import FileStat
from pipeline.jobs.products import Mapped, make_products
from pipeline.jobs.settings import settings_of
from pipeline.jobs.spec_sections import PaletteFormat


def make(tmp_path, pixels, alpha=None, **sections):
    """Give the products by kind, and the result that they were made of."""
    settings = settings_of(job(tmp_path, **sections), "r")
    height, width = pixels.shape[:2]
    header = Header("png", width, height, "RGB", 1, 1, 10, 10)
    raster = Raster(pixels, alpha, "0", FileStat(10, 0, 0), header, ())
    counts = count_colors(pixels, alpha)
    fitted = fit_palette(counts, settings.method)
    metrics = measure(counts, fitted.labels, fitted.palette.colors, fitted.squared_error)
    result = Mapped("a/b.jpg", raster, counts, fitted, metrics)
    return {product.kind: product for product in make_products(settings, result).products}, result


def opened(product):
    image = Image.open(io.BytesIO(product.data), formats=["PNG"])
    image.load()
    return image


def alphas(kind, height, width):
    rng = np.random.default_rng(1)
    return {
        "none": None,
        "opaque": np.full((height, width), 255, np.uint8),
        "binary": (rng.integers(0, 2, (height, width)) * 255).astype(np.uint8),
        "half": rng.integers(1, 256, (height, width)).astype(np.uint8),
        "any": rng.choice([0, 0, 7, 255], (height, width)).astype(np.uint8),
    }[kind]


KINDS = ["none", "opaque", "binary", "half", "any"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colors", [1, 2, 3, 4, 15, 16, 17, 255, 256, 257])
def test_the_quantized_image_is_the_palette_at_the_labels_and_keeps_alpha(tmp_path, kind, colors):
    pixels, alpha = noise(20, 31), alphas(kind, 20, 31)
    files, result = make(tmp_path, pixels, alpha, quantize={"colors": colors, "init": "wu", "max_iter": 3})
    palette = result.fitted.palette.colors
    assert len(palette) == colors
    labels = np.asarray(opened(files["labels"]))
    cover = np.full((20, 31), 255, np.uint8) if alpha is None else alpha
    assert ((labels == colors) == (cover == 0)).all()
    shown = np.asarray(opened(files["quantized"]).convert("RGBA"))
    assert (shown[:, :, 3] == cover).all()
    expected = np.concatenate([palette, np.zeros((1, 3), np.uint8)])[labels]
    assert (shown[:, :, :3] == expected).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colors", [2, 4, 16, 256, 300])
def test_pictures_have_the_smallest_kind_that_can_hold_them(tmp_path, kind, colors):
    pixels, alpha = noise(20, 31), alphas(kind, 20, 31)
    files, _ = make(tmp_path, pixels, alpha, quantize={"colors": colors, "init": "wu", "max_iter": 2})
    values = colors + (kind in ("binary", "any"))
    indexed = values <= 256 and kind not in ("half", "any")
    mode = "P" if indexed else "RGB" if kind in ("none", "opaque") else "RGBA"
    assert opened(files["quantized"]).mode == mode
    assert opened(files["labels"]).mode == ("L" if values <= 256 else "I;16")
    if indexed:
        depth = files["quantized"].data[24]
        assert values <= 1 << depth
        assert depth == 1 or values > 1 << (depth // 2)


@pytest.mark.parametrize(("level", "mode"), [(0, "P"), (1, "RGBA"), (254, "RGBA"), (255, "P")])
def test_one_half_transparent_pixel_asks_for_true_colour(tmp_path, level, mode):
    alpha = np.full((5, 5), 255, np.uint8)
    alpha[2, 3] = level
    files, _ = make(tmp_path, noise(5, 5), alpha)
    picture = opened(files["quantized"])
    assert picture.mode == mode
    assert (np.asarray(picture.convert("RGBA"))[:, :, 3] == alpha).all()


def test_paths_follow_the_key(tmp_path):
    files, _ = make(tmp_path, noise(4, 4), output={"palette": {"formats": ["gpl", "json"]}})
    assert {kind: product.path for kind, product in files.items()} == {
        "quantized": "quantized/a/b.jpg.png",
        "labels": "labels/a/b.jpg.png",
        "palette": "palettes/a/b.jpg.json",
        "palette_gpl": "palettes/a/b.jpg.gpl",
    }


@pytest.mark.parametrize("colors", [3, 20, 200])
def test_what_is_not_wanted_is_not_made_and_changes_nothing_of_the_rest(tmp_path, colors):
    pixels, quantize = noise(20, 20), {"colors": colors}
    whole, _ = make(tmp_path, pixels, quantize=quantize)
    off = {"format": "none"}
    for name in ("quantized", "labels"):
        files, _ = make(tmp_path, pixels, quantize=quantize, output={name: off})
        assert files == {kind: product for kind, product in whole.items() if kind != name}
    files, _ = make(tmp_path, pixels, quantize=quantize, output={"quantized": off, "labels": off})
    assert files == {"palette": whole["palette"]}


def test_the_head_of_the_palette_says_how_it_was_found(tmp_path):
    pixels, alpha = noise(8, 9, levels=3), alphas("any", 8, 9)
    files, result = make(tmp_path, pixels, alpha, quantize={"colors": 5, "seed": 3})
    found = json.loads(files["palette"].data)
    visible = pixels[alpha > 0].astype(int)
    labels = np.asarray(opened(files["labels"]))[alpha > 0]
    inertia = int(((visible - result.fitted.palette.colors[labels]) ** 2).sum())
    del found["colors"]
    assert found == {
        "image": "a/b.jpg",
        "method": "kmeans",
        "color_space": "srgb",
        "colors_asked": 5,
        "colors_found": 5,
        "pixels": len(visible),
        "distinct_colors": len(np.unique(visible, axis=0)),
        "transparent": {"label": 5, "count": int((alpha == 0).sum())},
        "inertia": inertia,
        "mse": pytest.approx(inertia / len(visible), abs=1e-6),
        "seed": 3,
        "iterations": result.fitted.iterations,
        "converged": True,
    }


@pytest.mark.parametrize("kind", ["none", "opaque", "half"])
def test_without_transparent_pixels_there_is_no_label_for_them(tmp_path, kind):
    files, _ = make(tmp_path, noise(5, 5), alphas(kind, 5, 5))
    assert json.loads(files["palette"].data)["transparent"] is None


def test_few_colours_are_kept_exactly(tmp_path):
    pixels = noise(10, 10, levels=2)
    files, _ = make(tmp_path, pixels, quantize={"colors": 50})
    assert (np.asarray(opened(files["quantized"]).convert("RGB")) == pixels).all()
    head = json.loads(files["palette"].data)
    assert (head["colors_asked"], head["colors_found"], head["inertia"]) == (50, 8, 0)


ALL = ["json", *FORMATS[:0:-1]]


def test_every_format_is_made_under_its_ending(tmp_path):
    assert set(get_args(PaletteFormat)) == set(FORMATS)
    files, _ = make(tmp_path, noise(8, 8), output={"palette": {"formats": ALL}})
    made = [product.path for kind, product in files.items() if kind.startswith("palette")]
    assert made == [f"palettes/a/b.jpg.{ending}" for ending in FORMATS]
    alone, _ = make(tmp_path, noise(8, 8))
    assert files["palette"] == alone["palette"]


def test_names_are_told_where_there_is_room_and_change_nothing_else(tmp_path):
    plain, result = make(tmp_path, noise(8, 8), output={"palette": {"formats": ALL}})
    named, _ = make(tmp_path, noise(8, 8), output={"palette": {"formats": ALL, "names": "css"}})
    changed = {kind for kind in plain if plain[kind] != named[kind]}
    assert changed == {"palette", "palette_gpl", "palette_ase", "palette_css"}
    names = css_names(result.fitted.palette.colors)
    assert [entry["name"] for entry in json.loads(named["palette"].data)["colors"]] == names


def test_a_palette_too_large_for_a_colour_table_is_the_images_failure(tmp_path):
    """The job is refused before; a palette that was found by another job may still be used."""
    settings = settings_of(job(tmp_path, quantize={"colors": 300}), "r")
    _, result = make(tmp_path, noise(20, 20), quantize={"colors": 300, "init": "wu", "max_iter": 2})
    with pytest.raises(UnsupportedImage, match=r"at most 256 colours .* found 300; leave act out"):
        make_products(replace(settings, palettes=("act", "json")), result)
