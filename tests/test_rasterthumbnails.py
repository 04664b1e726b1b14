"""The report's pictures of rasters: first bands and segments, the same bytes from whatever parts."""

import json
from pathlib import Path

import numpy as np
import pytest
from maps import STRIPED, TILED, centers_of, clusters, labels_of, save, segmenting, shrink
from PIL import Image
from trees import Site, contents, debris, snapshot

from pipeline.color.falsecolors import false_colors
from pipeline.jobs import rasterlabels, rastertasks, rasterthumbnails
from pipeline.jobs.here import Inline

SLABS = ("--set", "output.labels.format=none")  # else as high as what a PNG compresses at once


def holed():
    """A raster of one band of floats, and where it has no data."""
    pixels = clusters(1, np.float32)[0]
    pixels[60:180, 100:200] = np.nan
    return pixels, np.isnan(pixels[..., 0])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = segmenting(tmp_path / "site", output={"report": True})
    save(site.inputs / "sub/deep.tif", clusters(4, np.uint16)[0], **TILED)
    save(site.inputs / "holes.tif", holed()[0], **STRIPED)
    return site


def strip(site: Site, key: str):
    """Original and segments."""
    with Image.open(site.outputs / f"report/thumbs/{key}.webp", formats=["WEBP"]) as image:
        return np.split(np.asarray(image).astype(int), 2, axis=1)


def made(site: Site, *arguments: str) -> dict[str, bytes]:
    """What a run leaves in a fresh output root."""
    root = site.base / f"out{len(list(site.base.iterdir()))}"
    site.run(*arguments, "--set", f"output.root={root.name}")
    assert debris(root) == []
    return told(root)


def told(root: Path) -> dict[str, bytes]:
    """What is in an output root, but for the times that the report tells."""
    return {path: data for path, data in contents(root).items() if "/data/index" not in path}


def rows_of(site: Site):
    """The page of details."""
    text = (site.outputs / "report/data/00000.js").read_text().splitlines()[1]
    rows, _ = json.JSONDecoder().raw_decode(text.removeprefix("segpipe.page(0, "))
    return rows


def shrunk(picture):
    """The mean of each square of 2 × 2."""
    return picture.reshape(150, 2, 200, 2, -1).mean(axis=(1, 3))


def test_the_strip_shows_the_first_bands_and_the_segments(site, monkeypatch):
    made = []
    real = rasterthumbnails.webp_strip
    monkeypatch.setattr(rasterthumbnails, "webp_strip", lambda some: (made.append(some), real(some))[1])
    site.run("--only", "sub/*")
    pixels = clusters(4, np.uint16)[0]
    [(original, segments)] = made
    low, high = np.quantile(pixels[..., :3], [0.02, 0.98], axis=(0, 1))
    expected = np.clip((pixels[..., :3] - low) / (high - low), 0, 1) * 255
    assert np.abs(original - shrunk(expected)).max() < 2
    colors = false_colors(5).astype(int)[labels_of(site, "sub/deep.tif")]
    assert np.abs(segments - shrunk(colors)).max() <= 0.5
    for picture, there in zip(strip(site, "sub/deep.tif"), (original, segments), strict=True):
        assert picture.shape == there.shape == (150, 200, 3)
        assert np.abs(picture.mean(axis=(0, 1)) - there.mean(axis=(0, 1))).max() < 8


def test_one_band_is_grey_and_what_has_no_data_is_clear(site):
    site.run()
    original, segments = strip(site, "holes.tif")
    clear = holed()[1][::2, ::2]
    for picture in (original, segments):
        assert ((picture[..., 3] == 0) == clear).all()
    shown = original[:, :-16][~clear[:, :-16]][:, :3]  # WebP has colours of the segments reach over the edge
    assert np.ptp(shown, axis=1).max() <= 8
    assert np.ptp(shown[:, 0]) > 200


def test_neither_threads_nor_slabs_nor_blocks_change_a_byte(site, monkeypatch):
    expected = made(site)
    assert sum("/thumbs/" in path for path in expected) == 2
    shrink(monkeypatch)
    monkeypatch.setattr(rasterthumbnails, "_ROWS", 7)
    monkeypatch.setattr(rasterthumbnails, "_COLUMNS", 33)
    small = made(site, *SLABS)
    for path in (path for path in expected if "/thumbs/" in path):
        assert small[path] == expected[path], path
    assert made(site, *SLABS, "--cluster", "threads", "--workers", "3") == small
    real = Inline.map
    monkeypatch.setattr(Inline, "map", lambda self, work, items: real(self, work, [*items][::-1]))
    assert made(site, *SLABS) == small


def test_a_second_run_writes_nothing_and_asking_later_does_all_anew(site):
    site.run("--set", "output.report=false")
    assert not (site.outputs / "report").exists()
    assert [*site.reasons()] == ["holes.tif", "sub/deep.tif"]
    assert all(reason.startswith("recipe changed") for reason in site.reasons().values())
    site.run()
    before = snapshot(site.base)
    site.run()
    assert snapshot(site.base) == before
    assert site.call("verify").exit_code == 0
    (site.outputs / "report/thumbs/holes.tif.webp").unlink()
    assert site.reasons() == {"holes.tif": "output missing"}


@pytest.mark.parametrize(("step", "when"), [("keep", 3), ("raster_thumbnail", 2)])
def test_a_run_that_was_stopped_leaves_nothing_half_done(site, monkeypatch, step, when):
    shrink(monkeypatch)
    expected = made(site, *SLABS)
    real = getattr(rasterlabels, step)
    calls: list[int] = []

    def stopping(*arguments, **named):
        calls.append(1)
        if len(calls) == when:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(rasterlabels, step, stopping)
    assert site.call("run", *SLABS).exit_code != 0
    monkeypatch.setattr(rasterlabels, step, real)
    site.run(*SLABS)
    assert told(site.outputs) == expected
    assert debris(site.outputs) == []
    assert not (site.state / "large").exists()


def test_without_the_report_nothing_of_it_is_reckoned(site, monkeypatch):
    monkeypatch.setattr(rastertasks, "Stretch", None)
    monkeypatch.setattr(rasterlabels, "RasterThumbnails", None)
    site.run("--set", "output.report=false")
    assert "thumbnail" not in site.records()["holes.tif"]["outputs"]


def test_the_page_tells_of_clusters(site):
    save(site.inputs / "wide.tif", clusters(9, np.uint8)[0])
    site.run("--set", "quantize.colors=3")
    data = site.outputs / "report/data"
    index = json.loads((data / "index.js").read_text().removeprefix("segpipe.index(")[:-3])["images"]
    assert index["name"] == ["holes.tif", "sub/deep.tif", "wide.tif"]
    assert (index["thumb"], index["clusters"]) == ([1, 1, 1], [1, 1, 1])
    for key, row, bar in zip(index["name"], rows_of(site), index["bar"], strict=True):
        assert ["clusters", "3 of 3 asked for"] in row["facts"]
        found = centers_of(site, key)["clusters"]
        hexes = ["#{:02x}{:02x}{:02x}".format(*color) for color in false_colors(3).tolist()]
        assert [entry[:5] for entry in row["palette"]] == [
            [color, cluster["count"], cluster["share"], [], ""]
            for color, cluster in zip(hexes, found, strict=True)
        ]
        for entry, cluster in zip(row["palette"], found, strict=True):
            values, _, more = entry[5].partition(", …")
            assert np.allclose([float(text) for text in values.split(", ")], cluster["center"][:8], rtol=1e-5)
            assert more == (" (9 bands)" if key == "wide.tif" else "")
        assert [bar[place : place + 6] for place in range(0, len(bar), 10)] == [code[1:] for code in hexes]
        assert "thumbnail" not in [kind for kind, *_ in row["files"]]


def test_fewer_distinct_pixels_than_clusters_are_told_as_such(tmp_path):
    pixels = np.arange(6, dtype=np.int16).reshape(2, 3, 1) % 3
    site = segmenting(tmp_path / "site", pixels, output={"report": True})
    site.run()
    [row] = rows_of(site)
    assert row["notes"] == ["has 3 distinct pixels, fewer than the 5 asked for"]
    assert ["clusters", "3 of 5 asked for"] in row["facts"]


def test_centers_that_are_gone_leave_the_page_without(site):
    site.run()
    (site.outputs / "centers/holes.tif.json").unlink()
    (site.outputs / "report/data/00000.js").unlink()
    assert site.call("report").exit_code == 0
    assert [len(row["palette"]) for row in rows_of(site)] == [0, 5]
