"""What notebooks show: whole, from nowhere else, and readable on any ground."""

import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipeline import fit_palette, quantize
from pipeline.library.htmls import MOST, palette_html, picture_html

RNG = np.random.default_rng(3)
IMAGE = RNG.integers(0, 256, (60, 90, 3)).astype(np.uint8)


class Reader(HTMLParser):
    """Elements in balance, with what they say."""

    def __init__(self):
        super().__init__()
        self.open, self.styles, self.text, self.sources = [], [], "", []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        assert tag in ("div", "span", "img"), f"<{tag}> might run or load something"
        assert set(found) <= {"style", "title", "alt", "src"}
        self.styles.append(found.get("style", ""))
        if tag == "img":
            self.sources.append(found["src"])
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    for style in reader.styles:
        assert "url(" not in style
        # Text has its surroundings' ink, on their ground: only palette colours are painted.
        assert set(re.findall(r"(?<!-)\bcolor:([^;]+)", style)) <= {"inherit"}
        assert all(
            re.fullmatch("#[0-9a-f]{6}|transparent", ground)
            for ground in re.findall("background:([^;]+)", style)
        )
    return reader


def test_a_palette_shows_each_code_and_share():
    palette = fit_palette(IMAGE, 7)
    text = read(palette._repr_html_()).text
    for code, share in zip(palette.hex, palette.shares, strict=True):
        assert f"{code} {share:.2%}" in text
    with Image.open(BytesIO(palette._repr_png_())) as shown:
        assert shown.format == "PNG"


def test_a_large_palette_shows_the_first_and_how_many_there_are():
    colors = np.stack([np.arange(3000) >> 8, np.arange(3000) & 255, np.zeros(3000)], axis=1).astype(np.uint8)
    html = palette_html(colors, np.full(3000, 2))
    assert f"and {3000 - MOST:,} more" in read(html).text
    assert len(html) < 200_000


def test_colors_of_no_pixel_and_unknown_counts_are_shown():
    colors = IMAGE[0, :3]
    assert "0.00%" in read(palette_html(colors, np.array([0, 3, 1]))).text
    for counts in (None, np.zeros(3, np.int64)):
        reader = read(palette_html(colors, counts))
        assert "%" not in reader.text
        assert reader.text.count("#") == 3


def test_what_is_told_is_escaped():
    html = picture_html(None, [("<script>", '"><b>')], "")
    assert "<script>" not in html
    assert read(html).text == '"><b> <script>'


@pytest.mark.parametrize("k", [2, 16, 256, 300])
@pytest.mark.parametrize("alpha", [None, 0, 100])
def test_a_result_shows_its_image(k, alpha):
    image = IMAGE
    if alpha is not None:
        image = np.dstack([IMAGE, np.full((60, 90), 255, np.uint8)])
        image[:7, :, 3] = alpha
    result = quantize(image, k)
    reader = read(result._repr_html_())
    assert "90 × 60" in reader.text
    assert reader.sources[0].startswith("data:image/png;base64,")
    with Image.open(BytesIO(result._repr_png_())) as shown:
        wanted = result.image
        assert np.array_equal(np.asarray(shown.convert("RGBA"))[:, :, : wanted.shape[2]], wanted)


def test_a_large_result_is_shown_small():
    result = quantize(np.tile(IMAGE, (30, 1, 1)), 4)
    with Image.open(BytesIO(result._repr_png_())) as shown:
        assert shown.size == (23, 450)
        assert np.array_equal(np.asarray(shown.convert("RGB")), result.image[::4, ::4])
