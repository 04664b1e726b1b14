"""Settings: what a worker knows is what the job says."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import job

from pipeline.color.dynamic import Dynamic
from pipeline.color.given import GivenPalette
from pipeline.color.kmeans import KMeans
from pipeline.color.sampled import Sampled
from pipeline.color.target import Target
from pipeline.files.formats import FORMATS
from pipeline.jobs.records import OutputFacts
from pipeline.jobs.settings import SharedPalette, settings_of


def found_for(folder, **quantize):
    return settings_of(job(folder, quantize=quantize), "r")


def palette_file(folder):
    """Write a palette of three colours beside the job."""
    (folder / "brand.hex").write_text("ff0000\n00ff00\n0000ff\n")
    return str(folder / "brand.hex")


PRIMARIES = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_the_defaults(tmp_path):
    found = settings_of(job(tmp_path), "r")
    assert (found.input_root, found.output_root) == (tmp_path / "in", tmp_path / "out")
    assert isinstance(found.input_root, Path)
    assert found.formats == tuple(FORMATS)
    assert found.max_pixels == 170_000_000
    assert not found.skip_unsupported
    assert (found.alpha, found.background) == ("preserve", (255, 255, 255))
    assert type(found.method) is KMeans
    assert vars(found.method) == vars(KMeans())
    assert vars(found.method) == vars(KMeans(16, "auto", 1, 100, 1e-4, 0, 0.0, "srgb", 0.0))
    assert (found.asked, found.color_space, found.dither) == (16, "srgb", "none")
    assert (found.pictures, found.palettes) == ({"quantized": "png", "labels": "png"}, ("json",))
    assert found.recipe == "r"
    assert found.shared is None


def test_every_key_arrives(tmp_path):
    spec = job(
        tmp_path,
        input={"formats": ["gif", "png"], "max_megapixels": 1.5, "on_unsupported": "skip"},
        output={
            "quantized": {"format": "none"},
            "labels": {"format": "none"},
            "palette": {"formats": ["json", "gpl", "json"]},
        },
        quantize={
            "colors": 300,
            "init": "wu",
            "attempts": 2,
            "max_iter": 3,
            "tol": 0.5,
            "eps": 0.25,
            "seed": 9,
            "color_space": "oklab",
            "small_areas": 0.75,
            "dither": "ordered",
            "alpha": "flatten",
            "background": "#0a0B0c",
        },
    )
    found = settings_of(spec, "r")
    assert (found.formats, found.max_pixels, found.skip_unsupported) == (("gif", "png"), 1_500_000, True)
    assert (found.pictures, found.palettes) == ({}, ("gpl", "json"))
    assert vars(found.method) == vars(KMeans(300, "wu", 2, 3, 0.5, 9, 0.25, "oklab", 0.75))
    assert (found.asked, found.color_space, found.dither) == (300, "oklab", "ordered")
    assert (found.alpha, found.background) == ("flatten", (10, 11, 12))


def test_whole_numbers_for_shares_arrive_as_floats(tmp_path):
    """A loop is compiled for each type of number that it is given."""
    method = found_for(tmp_path, tol=0, eps=1, small_areas=0).method
    assert [type(value) for value in (method.tol, method.eps, method.small_areas)] == [float] * 3


def test_each_method_has_its_settings(tmp_path):
    sampled = found_for(tmp_path, method="minibatch", colors=7, batch_pixels=500, refine=False).method
    assert type(sampled) is Sampled
    assert (sampled.kmeans.colors, sampled.batch_pixels, sampled.refine) == (7, 500, False)
    target = found_for(tmp_path, colors="auto", max_colors=99, seed=4, target={"psnr": 33.5}).method
    assert type(target) is Target
    assert (target.measure, target.value) == ("psnr", 33.5)
    assert (target.kmeans.colors, target.kmeans.seed) == (99, 4)
    dynamic = found_for(tmp_path, method="dynamic", threshold=4, metric="cie76", max_colors=50).method
    assert type(dynamic) is Dynamic
    assert (dynamic.threshold, dynamic.metric, dynamic.max_colors) == (4, "cie76", 50)


def test_a_palette_file_is_a_method_or_a_start(tmp_path):
    path = palette_file(tmp_path)
    given = found_for(tmp_path, method="palette", palette=path, color_space="lab").method
    assert type(given) is GivenPalette
    assert given.colors.tolist() == PRIMARIES
    assert given.color_space == "lab"
    start = found_for(tmp_path, init=path, colors=5).method
    assert type(start) is KMeans
    assert start.init.tolist() == PRIMARIES


@pytest.mark.parametrize(
    ("quantize", "asked"),
    [
        ({"colors": 7}, 7),
        ({"method": "minibatch", "colors": 7}, 7),
        ({"colors": "auto", "target": {"mse": 5}}, "auto"),
        ({"method": "dynamic"}, None),
    ],
)
def test_colors_are_asked_for_where_there_is_a_number_to_ask_for(tmp_path, quantize, asked):
    assert found_for(tmp_path, **quantize).asked == asked


def test_images_that_share_a_palette_get_it_as_it_is(tmp_path):
    found = found_for(tmp_path, color_space="lab")
    palette = SharedPalette(
        np.array(PRIMARIES, np.uint8), {"shared": OutputFacts("shared/p.json", 1, "")}, "0123"
    )
    sharing = found.sharing(palette)
    assert type(sharing.method) is GivenPalette
    assert sharing.method.colors.tolist() == PRIMARIES
    assert sharing.method.color_space == "lab"
    assert sharing.shared is palette
    assert sharing.about == {"method": "palette", "palette": "shared/p.json", "color_space": "lab"}
    others, before = (
        {key: value for key, value in vars(each).items() if key not in ("method", "shared", "about")}
        for each in (sharing, found)
    )
    assert others == before
    assert found.sharing(replace(palette, frozen=True)).asked is None


def test_settings_travel_to_other_processes(tmp_path):
    found = found_for(tmp_path, init=palette_file(tmp_path), colors=5)
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 -- made here
    rest, same = (
        {key: value for key, value in vars(each).items() if key != "method"} for each in (found, again)
    )
    assert rest == same
    assert type(again.method) is KMeans
    for name, value in vars(found.method).items():
        assert np.array_equal(getattr(again.method, name), value)
