"""Palette files: what they say is what a plain count over the pixels says."""

import io
import json
from collections import Counter

import numpy as np
import pytest
from builders import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.GimpPaletteFile import GimpPaletteFile

from pipeline.color.clusters import SWATCHES, describe_clusters
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette, paint
from pipeline.color.palette import Palette
from pipeline.files.exports import palette_gpl, palette_json

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
