"""The API reference is built from the docstrings, of public names and nothing else."""

import inspect
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import pipeline

pytest.importorskip("pdoc", "15")
REPO = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, as the documented command writes them; a warning ends it."""
    found = tmp_path_factory.mktemp("api")
    done = subprocess.run(
        [sys.executable, "-W", "error", REPO / "docs/api.py", found],
        cwd=REPO,
        env={"PYTHONPATH": str(REPO), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return found


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "pipeline.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", pipeline.__all__)
def test_every_public_name_is_told_with_its_parameters(page, name):
    start = page.index(f'<section id="{name}">')
    section = page[start : page.index("</section>", start)]
    value = getattr(pipeline, name)
    told = unescape(re.sub(r"<[^>]+>", "", section))
    for parameter in inspect.signature(value).parameters:
        assert parameter in told, f"{name}: {parameter}"
    assert value.__doc__.partition("\n")[0].partition("`")[0].strip()[:40] in told


def test_nothing_else_is_told(folder, page):
    shown = re.findall(r'<section id="([^".]+)">', page)
    assert shown == pipeline.__all__
    assert {path.name for path in folder.iterdir()} == {"index.html", "pipeline.html", "search.js"}
    assert str(REPO) not in page
