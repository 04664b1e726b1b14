"""The report's page in a real browser: opened from a disk, by mouse and keyboard, for all eyes."""

import json
import re
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
import tifffile
from browser import address, complaints, large_report, opened, violations
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from stores import BUCKET, STRAIGHT, serving
from trees import Site, age, picture, plant

EVIL = "<img src=x onerror=\"document.title='broken'\">#100%?'.png"
KEYS = ("a.png", "b/c.png", "b/größe 日本.png", EVIL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A job of four images and two that fail, of which the last run has done one anew."""
    found = Site(tmp_path_factory.mktemp("page"), output={"report": True}, quantize={"colors": 6})
    plant(found.inputs, *KEYS)
    Image.new("RGB", (90, 30), "#3050a0").save(found.inputs / "plain.png")
    age(found.inputs / "plain.png")
    (found.inputs / "bad</script>".replace("/", "÷")).with_suffix(".png").write_bytes(b"<b>none</b>")
    found.run(code=1)
    picture(99, 300, 200).save(found.inputs / "a.png")
    found.run(code=1)
    return found


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with opened(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(site: Site, chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The report, just opened; in the end nobody has complained."""
    chromium.get(address(site.outputs / "report/index.html"))
    wait(chromium, lambda: cards(chromium))
    yield chromium
    assert complaints(chromium) == []
    assert not chromium.title.startswith("broken")
    chromium.execute_script("localStorage.clear()")
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def wait(page, condition):
    return WebDriverWait(page, 20, 0.02).until(lambda _: condition())


def cards(page) -> list[str]:
    """The names that are shown, in order."""
    script = "return [...document.querySelectorAll('.card h2')].map((title) => title.textContent)"
    return page.execute_script(script)


def shows(page, expected) -> None:
    wait(page, lambda: sorted(cards(page)) == sorted(expected))


def one(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def choose(page, which, value) -> None:
    Select(page.find_element(By.ID, which)).select_by_value(value)


def button_of(page, name):
    return next(one for one in page.find_elements(By.CSS_SELECTOR, ".card h2 button") if one.text == name)


def divided(whole) -> str:
    """Where a slider divides two pictures."""
    return whole.parent.execute_script(
        "return getComputedStyle(arguments[0]).getPropertyValue('--at')", whole
    )


def loaded(page) -> bool:
    """Whether all pictures in sight are there, and none is broken."""
    return page.execute_script(
        "const all = [...document.querySelectorAll('.card img, dialog[open] img')];"
        "return all.length > 0 && all.every((image) => image.complete && image.naturalWidth > 0)"
    )


def test_it_shows_every_image_with_its_thumbnail(page):
    shows(page, [*KEYS, "plain.png", "bad<÷script>.png"])
    wait(page, lambda: loaded(page))
    assert one(page, "h1").text == "segpipe: in"
    assert one(page, "#count").text == "6 of 6 images"
    assert len(page.find_elements(By.CSS_SELECTOR, ".failed .why")) == 1
    assert page.find_elements(By.CSS_SELECTOR, "#gallery img[src=x]") == []


def test_names_and_states_are_filtered(page):
    box = page.find_element(By.ID, "name")
    box.send_keys("B/")
    shows(page, ["b/c.png", "b/größe 日本.png"])
    box.clear()
    box.send_keys('<img src=x onerror="')
    shows(page, [EVIL])
    box.clear()
    box.send_keys("no such")
    shows(page, [])
    assert one(page, ".empty").text == "No image is like that."
    page.execute_script("arguments[0].value = ''", box)
    for value, expected in (
        ("failed", ["bad<÷script>.png"]),
        ("changed", ["a.png"]),
        ("fewer", ["plain.png"]),
        ("noted", ["plain.png"]),
        ("skipped", []),
        ("done", [*KEYS, "plain.png"]),
    ):
        choose(page, "show", value)
        shows(page, expected)


def test_it_sorts_by_what_is_told(page):
    choose(page, "sort", "colors")
    wait(page, lambda: cards(page)[0] == "plain.png")
    assert cards(page)[-1] == "bad<÷script>.png"
    page.find_element(By.ID, "descending").click()
    wait(page, lambda: cards(page)[-2:] == ["plain.png", "bad<÷script>.png"])
    choose(page, "sort", "megapixels")
    wait(page, lambda: cards(page)[0] == "a.png")
    assert cards(page)[-1] == "bad<÷script>.png"
    page.find_element(By.ID, "descending").click()
    wait(page, lambda: cards(page)[-2:] == ["a.png", "bad<÷script>.png"])
    page.find_element(By.ID, "descending").click()
    choose(page, "sort", "name")
    wait(page, lambda: cards(page)[0] == "plain.png")


def test_values_are_bounded(page):
    least, most = page.find_element(By.ID, "least"), page.find_element(By.ID, "most")
    assert not least.is_displayed()
    choose(page, "sort", "colors")
    wait(page, least.is_displayed)
    most.send_keys("1")
    shows(page, ["plain.png"])
    most.clear()
    least.send_keys("2")
    shows(page, KEYS)
    choose(page, "sort", "share")
    least.clear()
    least.send_keys("99.5")
    shows(page, ["plain.png"])
    least.clear()
    least.send_keys("100")
    shows(page, ["plain.png"])
    choose(page, "sort", "megapixels")
    least.clear()
    most.send_keys("-1")
    shows(page, [])
    choose(page, "sort", "name")
    shows(page, [*KEYS, "plain.png", "bad<÷script>.png"])


def test_the_slider_moves_and_segments_can_be_seen(page):
    slider = one(page, ".card input[type=range]")
    whole = one(page, ".card .compare")
    slider.send_keys(Keys.HOME)
    assert divided(whole) == "0%"
    slider.send_keys(Keys.ARROW_RIGHT)
    assert divided(whole) == "1%"
    one(page, ".card .against label:last-child input").click()
    captions = page.find_elements(By.CSS_SELECTOR, ".card:first-child figcaption")
    assert [caption.text for caption in captions] == ["original", "segments"]
    one(page, "input[value=beside]").click()
    wait(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".card:first-child img")) == 3)
    wait(page, lambda: loaded(page))


def test_details_tell_the_palette_and_lead_to_the_files(page, site):
    button_of(page, EVIL).click()
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "dialog[open] .palette tbody tr"))
    wait(page, lambda: loaded(page))
    assert page.find_element(By.ID, "details-title").text == EVIL
    told = json.loads((site.outputs / f"palettes/{EVIL}.json").read_bytes())
    shown = [cell.text for cell in page.find_elements(By.CSS_SELECTOR, ".palette td button")]
    assert shown == [color["hex"] for color in told["colors"]]
    assert len(page.find_elements(By.CSS_SELECTOR, "dialog .palette .swatches .swatch")) >= len(shown)
    links = [link.get_attribute("href") for link in page.find_elements(By.CSS_SELECTOR, ".files a")]
    files = ("quantized/{}.png", "labels/{}.png", "palettes/{}.json")
    expected = [address(site.outputs / name.format(EVIL)) for name in files]
    for link, name in zip(links, expected, strict=True):
        assert page.execute_script("return [decodeURI(arguments[0]), decodeURI(arguments[1])]", link, name)
    page.get(links[0])
    assert page.execute_script("return document.images[0].naturalWidth") == 24
    page.get(address(site.outputs / "report/index.html"))


def test_rasters_are_shown_with_their_clusters(tmp_path, chromium):
    site = Site(tmp_path, output={"report": True}, quantize={"method": "segment", "colors": 3})
    pixels = np.random.default_rng(0).integers(0, 60_000, (300, 400, 4)).astype(np.uint16)
    tifffile.imwrite(site.inputs / "a.tif", pixels, photometric="minisblack", planarconfig="contig")
    site.run()
    chromium.get(address(site.outputs / "report/index.html"))
    wait(chromium, lambda: cards(chromium) == ["a.tif"] and loaded(chromium))
    captions = chromium.find_elements(By.CSS_SELECTOR, ".card figcaption")
    assert [caption.text for caption in captions] == ["original", "segments"]
    assert not chromium.find_elements(By.CSS_SELECTOR, ".against, .card .bar button")
    assert len(chromium.find_elements(By.CSS_SELECTOR, ".card .bar .cluster")) == 3
    assert "3 clusters" in one(chromium, ".card .facts").text.replace("\u00a0", " ")
    wide = "const [pane, image] = arguments; return image.offsetWidth / pane.offsetWidth"
    pane = one(chromium, ".card .pane")
    assert abs(chromium.execute_script(wide, pane, one(chromium, ".card img")) - 2) < 0.02
    assert violations(chromium) == []
    button_of(chromium, "a.tif").click()
    wait(chromium, lambda: chromium.find_elements(By.CSS_SELECTOR, "dialog[open] .palette tbody tr"))
    wait(chromium, lambda: loaded(chromium))
    assert len(chromium.find_elements(By.CSS_SELECTOR, "dialog img")) == 2
    told = json.loads((site.outputs / "centers/a.tif.json").read_bytes())["clusters"]
    cells = chromium.find_elements(By.CSS_SELECTOR, "dialog td.center")
    centers = [[float(value) for value in cell.text.split(", ")] for cell in cells]
    expected = [cluster["center"] for cluster in told]
    assert np.allclose(centers, expected, rtol=1e-5)
    assert not chromium.find_elements(By.CSS_SELECTOR, "dialog .palette button")
    assert violations(chromium) == []
    assert complaints(chromium) == []


def test_details_that_come_late_do_not_stand_under_another_name(page):
    page.execute_script(
        "const told = (word) => ({ error: null, facts: [[word, word]], notes: [], palette: [], files: [] });"
        "let late; details.open({ name: 'late' }, new Promise((arrive) => { late = arrive; }));"
        "document.getElementById('details').close();"
        "details.open({ name: 'soon' }, Promise.resolve(told('soon')));"
        "late(told('late'));"
    )
    wait(page, lambda: page.find_element(By.ID, "details-body").text == "Facts\nsoon soon")
    page.execute_async_script("setTimeout(arguments[0], 50)")
    assert page.find_element(By.ID, "details-body").text == "Facts\nsoon soon"
    assert page.find_element(By.ID, "details-title").text == "soon"


def changed(page, site, folder, change):
    """What the details tell when their page was changed after the report had been opened."""
    copy = folder / "report"
    shutil.copytree(site.outputs / "report", copy)
    page.get(address(copy / "index.html"))
    wait(page, lambda: cards(page))
    details = copy / "data/00000.js"
    details.write_bytes(change(details.read_bytes()))
    button_of(page, "a.png").click()
    wait(page, lambda: "Loading" not in page.find_element(By.ID, "details-body").text)
    told = page.find_element(By.ID, "details-body").text
    complaints(page)  # of a script that is none
    return told


def test_details_of_another_report_are_not_shown(site, chromium, tmp_path):
    made = re.search(rb'"([0-9a-f]{16})"\);', (site.outputs / "report/data/00000.js").read_bytes())[1]
    told = changed(chromium, site, tmp_path, lambda data: data.replace(made, b"0" * 16))
    assert told == "This report has been made anew; reload the page."


@pytest.mark.parametrize("change", [lambda data: data[:-30], lambda data: b""])
def test_a_damaged_page_of_details_says_so(site, chromium, tmp_path, change):
    told = changed(chromium, site, tmp_path, change)
    assert told == "data/00000.js could not be read; make the report anew: segpipe report"


def open_many(page, count) -> None:
    page.execute_script(
        "const palette = Array.from({ length: arguments[0] }, (_, place) =>"
        "  ['#' + (place * 17).toString(16).padStart(6, '0'), 9, 1 / arguments[0], ['#ffffff'], '']);"
        "const told = { error: null, facts: [], notes: [], palette, files: [] };"
        "details.open({ name: 'many' }, Promise.resolve(told));",
        count,
    )
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "dialog[open] .palette tbody tr"))


def test_of_many_colours_the_first_are_shown_and_more_when_asked(page):
    def rows():
        return page.execute_script("return document.querySelectorAll('dialog .palette tbody tr').length")

    open_many(page, 600)
    more = one(page, "dialog .more")
    assert (rows(), more.text) == (256, "Show more (256 of 600 are shown)")
    assert violations(page) == []
    more.send_keys(Keys.ENTER)
    assert (rows(), more.text) == (512, "Show more (512 of 600 are shown)")
    row = "return document.activeElement.closest('tr').firstChild.textContent"
    assert page.execute_script(row) == "256"
    more.send_keys(Keys.SPACE)
    assert rows() == 600
    assert page.execute_script(row) == "512"
    assert not more.is_displayed()


@pytest.mark.parametrize("width", [320, 1400])
@pytest.mark.parametrize("count", [256, 8192])
def test_bars_of_many_colours_have_room_and_true_shares(page, width, count):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 800}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    open_many(page, count)
    colors, rest, room = page.execute_script(
        "const bar = document.querySelector('dialog .bar');"
        "const rest = bar.querySelector('.rest').getBoundingClientRect();"
        "const end = bar.getBoundingClientRect().right;"
        "const colors = bar.querySelectorAll('button').length;"
        "return [colors, [rest.left, rest.width, rest.right - end], bar.clientWidth]"
    )
    assert colors == 64
    assert rest[2] <= 0
    widened = 12 * 3 / room
    assert rest[1] / room == pytest.approx(1 - 64 / count, abs=widened)
    assert page.execute_script("return document.querySelectorAll('dialog *').length") < 4000


@pytest.mark.parametrize("size", [(1, 3000), (3000, 3), (12, 1), (300, 200)])
@pytest.mark.parametrize("clusters", [False, True])
def test_pictures_of_any_form_are_seen(page, size, clusters):
    found = page.execute_script(
        "const [width, height, clusters] = arguments;"
        "const whole = parts.compare({name: 'a.png', width, height, clusters}, 'beside');"
        "document.getElementById('gallery').replaceChildren(whole);"
        "return [...whole.querySelectorAll('.pane')].map((pane) => {"
        "  const [a, b] = [pane, pane.firstChild].map((one) => one.getBoundingClientRect());"
        "  const place = Number(pane.firstChild.style.getPropertyValue('--place'));"
        "  const one = b.width / (clusters ? 2 : 3);"
        "  return [a.width, a.height, one, b.height, b.left + one * place - a.left, b.top - a.top];"
        "});",
        *size,
        clusters,
    )
    assert len(found) == (2 if clusters else 3)
    for width, height, seen, tall, left, top in found:
        assert min(seen, tall) >= 6
        assert left == pytest.approx((width - seen) / 2, abs=0.1)
        assert top == pytest.approx((height - tall) / 2, abs=0.1)
        assert 0.124 < width / height < 8.1
        if size[0] < 16 * size[1] < 256 * size[0]:
            assert seen / tall == pytest.approx(size[0] / size[1], rel=0.01)


def test_what_is_said_in_the_dialog_is_seen_there_and_a_click_in_its_margin_is_none_beside_it(page):
    button_of(page, "a.png").click()
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "dialog[open] .palette td button"))
    page.find_element(By.CSS_SELECTOR, "dialog .palette td button").click()
    wait(page, lambda: "copied" in one(page, "dialog[open] .said").text)
    hit = (
        "const box = document.getElementById('details').getBoundingClientRect();"
        "return document.elementFromPoint(box.left + 5, box.top + 5).className"
    )
    assert page.execute_script(hit) == "inside"


def test_a_failure_says_why_and_what_to_do(page):
    choose(page, "show", "failed")
    shows(page, ["bad<÷script>.png"])
    button_of(page, "bad<÷script>.png").click()
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "dialog[open] .why"))
    body = page.find_element(By.ID, "details-body").text
    assert body.startswith("NotAnImage\n")
    assert "--retry-failed" in body


def test_all_can_be_done_by_keyboard(page):
    def press(*keys):
        page.switch_to.active_element.send_keys(*keys)

    def here(selector):
        return page.execute_script(
            "return document.activeElement.matches(arguments[0]) "
            "&& getComputedStyle(document.activeElement).outlineStyle !== 'none'",
            selector,
        )

    one(page, "body").send_keys(Keys.TAB)
    assert here(".skip")
    press(Keys.ENTER)
    page.switch_to.active_element.send_keys(Keys.TAB)
    assert here(".card h2 button")
    press(Keys.ENTER)
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "dialog[open]"))
    press(Keys.ESCAPE)
    wait(page, lambda: not page.find_elements(By.CSS_SELECTOR, "dialog[open]"))
    assert here(".card h2 button")
    press(Keys.TAB)
    assert page.execute_script("return document.activeElement.type") == "range"
    press(Keys.END)
    assert divided(one(page, ".card .compare")) == "100%"


def test_it_is_dark_in_the_dark_and_when_told(page):
    def ground():
        return one(page, "body").value_of_css_property("background-color")

    light = ground()
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = ground()
    assert dark != light
    assert violations(page) == []
    theme = page.find_element(By.ID, "theme")
    theme.click()
    assert ground() == light
    page.refresh()
    wait(page, lambda: cards(page))
    assert ground() == light
    page.find_element(By.ID, "theme").click()
    assert ground() == dark


@pytest.mark.parametrize("width", [320, 390, 800])
def test_narrow_windows_need_no_scrolling_aside(page, width):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def fits():
        return page.execute_script("return document.documentElement.scrollWidth <= innerWidth")

    assert page.execute_script("return innerWidth") == width
    assert fits()
    one(page, "input[value=beside]").click()
    assert fits()
    button_of(page, "a.png").click()
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "dialog[open] .palette"))
    assert fits()
    assert page.execute_script(
        "const dialog = document.querySelector('dialog'); return dialog.scrollWidth <= dialog.clientWidth"
    )


def test_everybody_can_use_it(page):
    one(page, "summary").click()
    assert violations(page) == []
    one(page, "input[value=beside]").click()
    assert violations(page) == []
    button_of(page, "a.png").click()
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "dialog[open] .palette"))
    assert violations(page) == []


def test_it_is_seen_in_an_object_store_as_on_a_disk(site, chromium, monkeypatch):
    for store in serving(monkeypatch):
        site.run("--set", f"output.root={store.url}/out", code=1)
        chromium.execute_cdp_cmd("Network.enable", {})
        chromium.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": STRAIGHT})
        chromium.get(f"{store.endpoint}/{BUCKET}/out/report/index.html")
        shows(chromium, [*KEYS, "plain.png", "bad<÷script>.png"])
        wait(chromium, lambda: loaded(chromium))
        button_of(chromium, EVIL).click()
        wait(chromium, lambda: chromium.find_elements(By.CSS_SELECTOR, "dialog[open] .palette tbody tr"))
        wait(chromium, lambda: loaded(chromium))
        assert complaints(chromium) == []
        chromium.get(one(chromium, ".files a").get_attribute("href"))
        assert chromium.execute_script("return document.images[0].naturalWidth") == 24
        chromium.get("about:blank")
        complaints(chromium)  # of the browser's own search for an icon
        chromium.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {}})


@pytest.mark.slow
def test_ten_thousand_images_are_no_burden(tmp_path, chromium):
    """Wide bounds, for machines differ; what was measured is printed."""
    large_report(tmp_path, 10_000)
    chromium.get("about:blank")
    script = "window.tasks = []; new PerformanceObserver((list) => tasks.push(...list.getEntries().map("
    script += "(one) => one.duration))).observe({type: 'longtask', buffered: true});"
    chromium.get(address(tmp_path / "report/index.html"))
    wait(chromium, lambda: cards(chromium))
    painted = chromium.execute_script(
        "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    chromium.execute_script(script)
    wait(chromium, lambda: chromium.execute_script("return document.readyState") == "complete")
    at_first = chromium.execute_async_script("setTimeout(arguments[0], 300)") or []
    at_first = chromium.execute_script("return tasks.splice(0)")
    box = chromium.find_element(By.ID, "name")
    for key in "img_0123":
        box.send_keys(key)
    wait(chromium, lambda: one(chromium, "#count").text.startswith("10 of "))
    for sort in ("mse", "share", "name"):
        box.clear()
        choose(chromium, "sort", sort)
        chromium.find_element(By.ID, "descending").click()
    choose(chromium, "show", "changed")
    wait(chromium, lambda: one(chromium, "#count").text.startswith("2,000 of "))
    chromium.execute_async_script("setTimeout(arguments[0], 300)")
    tasks = chromium.execute_script("return tasks")
    print(f"first paint {painted:.0f} ms; long tasks at first {at_first}, while filtering {tasks}")
    assert painted < 5000
    assert max(tasks, default=0) < 1000
    assert chromium.execute_script("return document.querySelectorAll('.card').length") == 24
    assert complaints(chromium) == []
