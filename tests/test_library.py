"""Programs' manners: names, types, examples, and nothing imported before it is needed."""

import doctest
import importlib
import inspect
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import pipeline

REPO = Path(__file__).parents[1]
FUNCTIONS = ("apply_palette", "fit_palette", "kmeans", "quantize", "read_palette", "segment")
MODULES = sorted({f"pipeline.{home}" for home in pipeline._HOMES.values()})


def test_every_public_name_has_a_home_and_is_completed():
    assert sorted(pipeline._HOMES) == sorted(pipeline.__all__)
    assert set(pipeline.__all__) <= set(dir(pipeline))
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_tells_all_of_itself(name):
    told = inspect.getdoc(getattr(pipeline, name))
    sections = ["Parameters", "Returns", "Raises", "Examples"]
    if name != "read_palette":  # there is no paper on reading files
        sections[3:3] = ["Notes", "References"]
    places = [told.index(f"\n{title}\n{'-' * len(title)}\n") for title in sections]
    assert places == sorted(places)
    assert doctest.DocTestParser().get_examples(told)
    for parameter in inspect.signature(getattr(pipeline, name)).parameters:
        assert parameter in told, f"{name}: {parameter} is not told"


def test_every_public_function_and_class_is_shown_in_the_guide():
    text = (REPO / "docs/python.md").read_text(encoding="utf-8")
    for name in {*FUNCTIONS, "ColorQuantizer"}:
        assert f"{name}(" in text, f"{name} is not shown"


def test_images_of_xarray_dask_and_scikit_learn_are_told_without_importing_them():
    script = (
        "import sys, numpy, pipeline;"
        "pipeline.apply_palette(numpy.zeros((2, 2)), pipeline.fit_palette(numpy.zeros((2, 2)), 1));"
        "print(*sorted({'xarray', 'dask', 'distributed', 'sklearn', 'skimage', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPO
    )
    assert done.stdout.split() == []


def test_without_scikit_learn_the_estimator_says_what_to_install():
    script = "import sys; sys.modules['sklearn'] = None; from pipeline import ColorQuantizer"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=REPO
    )
    assert done.returncode == 1
    assert "expected the package scikit-learn, 1.6 or later, found none" in done.stderr
    assert "pip install 'segpipe[sklearn]'" in done.stderr


GOOD = """
import numpy as np
from pipeline import ColorQuantizer, Palette, Quantized, apply_palette, fit_palette, quantize, read_palette

image = np.zeros((2, 3, 3), np.uint8)
result: Quantized = quantize(image, colors=4)
palette: Palette = fit_palette([image, image], colors=4)
codes: list[str] = palette.hex
error: float = apply_palette(image, read_palette("a.gpl"), dither="ordered").mse + result.mse
ColorQuantizer(n_colors=3, color_space="lab").fit(image.reshape(-1, 3))
"""
BAD = {
    "quantise": "from pipeline import quantise",
    "palete": "import pipeline; pipeline.quantize(None).palete",
    '"dither_"': "import pipeline; pipeline.apply_palette(None, pipeline.read_palette('a'), dither_='no')",
    '"int"; expected "str"': "import pipeline; pipeline.quantize(None, method=3)",
}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An interpreter that has the package installed as users get it: built, with what the build packs."""
    setuptools = pytest.importorskip("setuptools", "77")
    assert setuptools
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(REPO / "pipeline", source / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("cli.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPO / name, source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    found = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(
        subprocess.run([found, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    )
    build = "from setuptools import setup; setup()"
    subprocess.run(
        [sys.executable, "-c", build, "-q", "build_py", "--build-lib", site],
        cwd=source,
        check=True,
        capture_output=True,
    )
    here = Path(importlib.import_module("numpy").__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{here}\n", encoding="utf-8")
    return found


def checked(python, folder, program):
    """What mypy says of a user's program: exit code and text."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "program.py"]
    done = subprocess.run(
        [*command, "--config-file="], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_the_installed_package_brings_its_types(python, tmp_path):
    [marker] = python.parents[1].rglob("pipeline/py.typed")
    assert marker.parent.name == "pipeline"
    assert checked(python, tmp_path, GOOD) == (0, "Success: no issues found in 1 source file\n")
    for told, program in BAD.items():
        code, text = checked(python, tmp_path, program)
        assert (code, told in text) == (1, True), text
