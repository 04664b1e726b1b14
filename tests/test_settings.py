"""Settings: what a worker knows is what the job says."""

import pickle
from pathlib import Path

from builders import job

from pipeline.color.kmeans import KMeans
from pipeline.files.formats import FORMATS
from pipeline.jobs.settings import settings_of


def test_the_defaults(tmp_path):
    found = settings_of(job(tmp_path), "r")
    assert (found.input_root, found.output_root) == (tmp_path / "in", tmp_path / "out")
    assert isinstance(found.input_root, Path)
    assert found.formats == tuple(FORMATS)
    assert found.max_pixels == 170_000_000
    assert not found.skip_unsupported
    assert (found.alpha, found.background) == ("preserve", (255, 255, 255))
    assert found.kmeans == KMeans(16, "auto", 1, 100, 1e-4, 0)
    assert (found.quantized, found.labels, found.palettes) == (True, True, ("json",))
    assert found.recipe == "r"


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
            "seed": 9,
            "alpha": "flatten",
            "background": "#0a0B0c",
        },
    )
    found = settings_of(spec, "r")
    assert (found.formats, found.max_pixels, found.skip_unsupported) == (("gif", "png"), 1_500_000, True)
    assert (found.quantized, found.labels, found.palettes) == (False, False, ("gpl", "json"))
    assert found.kmeans == KMeans(300, "wu", 2, 3, 0.5, 9)
    assert (found.alpha, found.background) == ("flatten", (10, 11, 12))


def test_settings_travel_to_other_processes(tmp_path):
    found = settings_of(job(tmp_path), "r")
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 -- made here
