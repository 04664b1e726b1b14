"""What the report's page costs a browser: first paint, memory, the longest task while filtering.

PYTHONPATH=tests python tests/benchmarks/report_page.py [--images 10000] [--rounds 5]

The page is opened from the disk in headless Chromium with a profile of its own each time. Memory is what the
page's process has to itself (USS).
"""

import argparse
import tempfile
import time
from pathlib import Path

import psutil
from browser import address, large_report, opened
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

_LONG = """
window.tasks = [];
new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration)))
  .observe({type: "longtask", buffered: true});
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        large_report(Path(name), given.images)
        page = address(Path(name) / "report/index.html")
        for number in range(given.rounds):
            with opened(Path(name) / f"profile{number}") as browser:
                _look(browser, page)


def _look(browser: webdriver.Chrome, page: str) -> None:
    """Open the page once, and use all its filters."""
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _LONG})
    browser.get(page)
    time.sleep(2)
    painted = browser.execute_script(
        "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    first_view = _memory(browser)
    opening = browser.execute_script("return tasks.splice(0)")
    _filter(browser)
    filtering = browser.execute_script("return tasks")
    print(
        f"first paint {painted:.0f} ms; memory {first_view:.1f} MB; longest task "
        f"{max(opening, default=0):.0f} ms while it opens, "
        f"{max(filtering, default=0):.0f} ms while it filters (0: none above 50)"
    )


def _filter(browser: webdriver.Chrome) -> None:
    for key in "img_0123":
        browser.find_element(By.ID, "name").send_keys(key)
    browser.find_element(By.ID, "name").clear()
    for sort in ("mse", "delta", "share", "colors", "megapixels"):
        Select(browser.find_element(By.ID, "sort")).select_by_value(sort)
        browser.find_element(By.ID, "descending").click()
    browser.find_element(By.ID, "most").send_keys("50")
    for show in ("changed", "failed", "noted", "all"):
        Select(browser.find_element(By.ID, "show")).select_by_value(show)
    time.sleep(1)


def _memory(browser: webdriver.Chrome) -> float:
    """MB of the process that shows the page; those that wait for one, and for extensions, are others."""
    processes = psutil.Process(browser.service.process.pid).children(recursive=True)
    started = ((process, process.cmdline()) for process in processes)
    return max(
        process.memory_full_info().uss / 1e6
        for process, words in started
        if "--type=renderer" in words and "--extension-process" not in words
    )


if __name__ == "__main__":
    main()
