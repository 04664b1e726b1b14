"""Chromium without a screen, and data for the report's page, for tests.

from browser import opened

with opened(folder) as browser:
    browser.get(address(folder / "report/index.html"))
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--window-size=1400,1000",
)


@contextmanager
def opened(folder: Path) -> Iterator[webdriver.Chrome]:
    """A browser, whose profile lies in `folder`.

    Where there is none the test is skipped, but not under CI: there it fails.
    """
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs and not os.environ.get("CI"):
        pytest.skip("there is no chromium with its chromedriver")
    assert None not in programs, "install chromium and chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(programs[1])))
    try:
        browser.set_script_timeout(60)
        yield browser
    finally:
        browser.quit()


def address(path: Path) -> str:
    """The URL of a file."""
    return path.absolute().as_uri()


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the console has been told since it was last asked."""
    return [entry["message"] for entry in browser.get_log("browser")]


def violations(browser: webdriver.Chrome) -> list[Any]:
    """What axe-core finds in the page that is serious or critical: rule, impact, the first place."""
    browser.execute_script((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    found: list[Any] = browser.execute_async_script(_AXE)
    return [line for line in found if line[1] in ("serious", "critical")]


_AXE = """
const done = arguments[0];
axe.run().then((found) => done(found.violations.map((one) => [one.id, one.impact, one.nodes[0].html])));
"""


def large_report(folder: Path, count: int) -> None:
    """A report of so many images as no test could quantize, all of one thumbnail."""
    report = folder / "report"
    shutil.copytree(str(files("pipeline.views") / "assets"), report / "assets")
    (report / "assets/index.html").rename(report / "index.html")
    for below in ("data", "thumbs"):
        (report / below).mkdir()
    strip = Image.linear_gradient("L").resize((1080, 240)).convert("RGB")
    strip.save(report / "thumbs/0.webp", quality=82)
    numbers = range(count)
    names = [f"set {number // 100:03}/IMG_{number:05}.jpg" for number in numbers]
    for name in names:
        thumb = report / f"thumbs/{name}.webp"
        thumb.parent.mkdir(exist_ok=True)
        thumb.hardlink_to(report / "thumbs/0.webp")
    bar = "".join(f"{17 * place:02x}30a0{800:04}" for place in range(12))
    images = {
        "name": names,
        "state": [int(number % 97 == 5) for number in numbers],
        "asked": [16] * count,
        "found": [16 - (number % 31 == 0) for number in numbers],
        "mse": [number * 7919 % 30011 / 100 for number in numbers],
        "delta": [number * 6007 % 901 / 100 for number in numbers],
        "width": [3600] * count,
        "height": [2400] * count,
        "thumb": [int(number % 97 != 5) for number in numbers],
        "clusters": [0] * count,
        "changed": [int(number % 5 == 0) for number in numbers],
        "noted": [int(number % 13 == 0) for number in numbers],
        "bar": [bar] * count,
        "why": [""] * count,
    }
    told = {"title": "segpipe: many", "rows_in_page": 50, "totals": [], "run": [], "images": images}
    (report / "data/index.js").write_text(f"segpipe.index({json.dumps(told, separators=(',', ':'))});\n")
