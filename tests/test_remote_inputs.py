"""Images in an object store: what is read of them, how often, and what their troubles are called."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from stores import Asked, Store, every, once, refusal, serving, slow
from trees import Site, contents, picture, plant
from werkzeug.wrappers import Response

from pipeline.errors import ChangedWhileReading, EmptyFile, ImageError, UnreadableFile, VanishedFile
from pipeline.files import objectsystems
from pipeline.files.formats import NAMES
from pipeline.files.images import read_header, read_image
from pipeline.files.layouts import layout_of
from pipeline.files.listing import list_inputs
from pipeline.files.objects import Place, place
from pipeline.files.openfiles import open_regular
from pipeline.files.rasters import open_raster, raster_layout
from pipeline.files.readers import open_windows
from pipeline.files.sources import at_rest, digest_file, read_source, state_of
from pipeline.files.windows import Window

MOST = 10**9


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after the second try."""
    monkeypatch.setattr(objectsystems, "_TRIES", 2)


def put(store: Store, name: str, data: bytes) -> Place:
    store.put(name, data)
    store.forget()
    return place(store.url) / name


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiled(height: int, width: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tifffile.imwrite(file, pixels, tile=(256, 256), photometric="rgb", compression="zlib")
    return file.getvalue()


def test_an_image_is_read_whole_by_two_requests(store):
    data = saved(picture(1, 1500, 1000), "png")
    source = read_source(put(store, "a.png", data))
    assert store.counts() == {"HEAD": 1, "GET": 1}
    assert (source.data, source.name) == (data, "a.png")
    [listed] = list_inputs(place(store.url)).entries
    assert source.stat == listed[1:4]
    assert source.stat == state_of(place(store.url) / "a.png")


def test_a_digest_is_read_in_parts(store):
    path = put(store, "a.png", bytes(20_000_000))
    stat, sha256 = digest_file(path)
    assert (stat, sha256) == (state_of(path), read_source(path).sha256)
    parts = [asked.sent for asked in store.asked if asked.method == "GET"][:-1]
    assert len(parts) == 5
    assert max(parts) < 5_000_000


def test_a_state_is_one_request_and_no_bytes(store):
    state_of(put(store, "a.png", b"some"))
    assert (store.counts(), store.sent) == ({"HEAD": 1}, 0)


@pytest.mark.parametrize("kind", ["webp", "gif", "avif"])
def test_formats_whose_header_tells_too_little_are_read_by_few_requests(store, kind):
    """Pillow asks for all of a WebP; whether a GIF has a second frame is told behind the first."""
    data = saved(picture(1, 1200, 900), kind)
    read_header(put(store, f"a.{kind}", data), NAMES, MOST)
    assert store.counts()["GET"] <= 2 + len(data) / 150_000
    assert store.sent <= len(data) + 65536


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp", "jpeg2000"])
def test_a_header_takes_little(store, tmp_path, kind):
    data = saved(picture(1, 1200, 900), kind)
    (tmp_path / f"a.{kind}").write_bytes(data)
    header = read_header(put(store, f"a.{kind}", data), NAMES, MOST)
    assert header == read_header(tmp_path / f"a.{kind}", NAMES, MOST)
    assert store.counts()["GET"] <= 2
    assert store.sent <= 2 * 65536


def test_a_window_of_a_tiled_tiff_takes_its_tiles_alone(store, tmp_path):
    data = tiled(4000, 4000)
    (tmp_path / "a.tif").write_bytes(data)
    far, near = put(store, "a.tif", data), tmp_path / "a.tif"
    header = read_header(far, NAMES, MOST)
    layout = layout_of(far, header)
    assert store.sent < 1_000_000
    assert store.counts()["GET"] < 15
    store.forget()
    window = Window(1000, 2000, 300, 300)
    with open_windows(far, header, layout) as remote, open_windows(near, header, layout) as local:
        assert np.array_equal(remote.read(window).pixels, local.read(window).pixels)
    assert store.sent < 9 * 256 * 256 * 3 + 1_000_000 < len(data) / 10
    assert store.counts()["GET"] < 20


def test_bands_of_a_tiled_tiff_take_it_once(store):
    data = tiled(2000, 2000)
    path = put(store, "a.tif", data)
    header = read_header(path, NAMES, MOST)
    layout = layout_of(path, header)
    store.forget()
    with open_windows(path, header, layout) as reader:
        assert sum(band.pixels.shape[0] for band in reader.bands(256)) == 2000
    assert store.sent < 1.15 * len(data)
    assert store.counts()["GET"] < 2 * len(data) / 1_000_000 + 20


def test_a_raster_in_windows_takes_its_tiles_alone(store, tmp_path):
    file = io.BytesIO()
    values = np.random.default_rng(2).normal(size=(4, 2048, 2048)).astype("f4")
    tifffile.imwrite(file, values, tile=(256, 256), photometric="minisblack", planarconfig="separate")
    (tmp_path / "a.tif").write_bytes(file.getvalue())
    far = put(store, "a.tif", file.getvalue())
    layout = raster_layout(far)
    assert layout == raster_layout(tmp_path / "a.tif")
    store.forget()
    with open_raster(far, layout) as reader:
        found = reader.read(Window(300, 300, 200, 200))
    assert np.array_equal(found, values[:, 300:500, 300:500].transpose(1, 2, 0))
    assert store.sent < len(file.getvalue()) / 8


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_bands_of_streams_are_those_of_a_file(store, tmp_path, kind):
    data = saved(picture(3, 1500, 1100), kind)
    (tmp_path / f"a.{kind}").write_bytes(data)
    far, near = put(store, f"a.{kind}", data), tmp_path / f"a.{kind}"
    header = read_header(far, NAMES, MOST)
    layout = layout_of(far, header)
    assert layout == layout_of(near, header)
    store.forget()
    with open_windows(far, header, layout) as remote, open_windows(near, header, layout) as local:
        for one, other in zip(remote.bands(256), local.bands(256), strict=True):
            assert np.array_equal(one.pixels, other.pixels)
    times = 1 if kind == "png" else 2  # of a JPEG the end is looked for before; Pillow reads all of a WebP
    assert store.sent < times * len(data) + 400_000
    assert store.counts()["GET"] < 30


def test_a_streams_trouble_is_the_stores_not_the_pictures(store, hasty):
    path = put(store, "a.png", saved(picture(3, 1500, 1100), "png"))
    header = read_header(path, NAMES, MOST)
    layout = layout_of(path, header)
    with open_windows(path, header, layout) as reader:
        bands = reader.bands(64)
        next(bands)
        store.fault = lambda asked: refusal(500)
        with pytest.raises(UnreadableFile, match=r"a\.png: cannot be read"):
            list(bands)


def test_a_stream_that_is_replaced_is_told(store):
    data = saved(picture(3, 1500, 1100), "png")
    path = put(store, "a.png", data)
    header = read_header(path, NAMES, MOST)
    with open_windows(path, header, layout_of(path, header)) as reader:
        bands = reader.bands(64)
        next(bands)
        store.put("a.png", data[:-1] + b"x")
        with pytest.raises(ChangedWhileReading):
            list(bands)


def test_a_window_of_what_is_replaced_is_told(store):
    path = put(store, "a.tif", tiled(1024, 1024))
    header, state = read_header(path, NAMES, MOST), state_of(path)
    layout = layout_of(path, header)

    def read() -> None:
        with at_rest(path, state, "a.tif"), open_windows(path, header, layout) as reader:
            reader.read(Window(0, 0, 256, 256))
            store.put("a.tif", tiled(1024, 1024)[:-1] + b"x")
            reader.read(Window(512, 512, 256, 256))

    with pytest.raises(ChangedWhileReading, match=r"a\.tif"):
        read()


def test_an_object_that_is_replaced_between_state_and_bytes_is_told(store):
    path = put(store, "a.png", saved(picture(1), "png"))
    store.fault = once(lambda: store.put("a.png", saved(picture(2), "png")))
    with pytest.raises(
        ChangedWhileReading, match=r"a\.png: expected a file at rest, found one that was repl"
    ):
        read_source(path)
    assert read_source(path).data == saved(picture(2), "png")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (lambda store: store.remove("a.png"), VanishedFile),
        (lambda store: store.put("a.png", b""), EmptyFile),
        (lambda store: setattr(store, "fault", lambda asked: refusal(403)), UnreadableFile),
        (lambda store: setattr(store, "fault", lambda asked: refusal(500)), UnreadableFile),
    ],
)
@pytest.mark.parametrize(
    "read", [read_source, digest_file, state_of, lambda path: read_header(path, NAMES, 9)]
)
def test_troubles_are_those_of_files(
    store: Store,
    trouble: Callable[[Store], None],
    kind: type[ImageError],
    read: Callable[[Place], object],
):
    path = put(store, "a.png", saved(picture(1), "png"))
    trouble(store)
    with pytest.raises(kind) as caught:
        read(path)
    assert type(caught.value) is kind
    assert kind.lasting is (kind is EmptyFile)
    assert "a.png" in str(caught.value)
    assert "s3://" not in str(caught.value)


def test_a_file_is_closed_at_the_end(store):
    with open_regular(put(store, "a.png", b"some")) as (file, found):
        assert (found.st_size, file.read(2)) == (4, b"so")
    assert file.closed


@pytest.fixture
def sites(store: Store, tmp_path: Path) -> tuple[Site, Site]:
    """The same images in a folder and in the store; the jobs differ in nothing else."""
    here = Site(tmp_path / "here")
    plant(here.inputs, "a.png", "b/c.jpg", "b/d.tif", "e.webp")
    (here.inputs / "broken.png").write_bytes((here.inputs / "a.png").read_bytes()[:300])
    store.plant(here.inputs, "in/")
    return here, Site(tmp_path / "far", input={"root": f"{store.url}/in"})


def test_a_run_gives_the_same_tree_as_of_a_folder(store, sites):
    here, far = sites
    here.run(code=1)
    store.forget()
    far.run(code=1)
    assert contents(far.outputs) == contents(here.outputs)
    asked = [asked for asked in store.asked if asked.key == "in/a.png"]
    assert [one.method for one in asked] == ["HEAD", "GET"] * 2  # its header, all of it


def test_a_run_right_after_asks_for_names_alone(store, sites):
    far = sites[1]
    far.run(code=1)
    store.forget()
    far.run(code=1)  # of what failed before
    assert store.counts() == {"LIST": 1}


def test_what_changed_is_seen_by_its_version(store, sites):
    far = sites[1]
    far.run(code=1)
    store.put("in/a.png", saved(picture(77), "png"))
    store.remove("in/e.webp")
    store.put("in/new.png", saved(picture(78), "png"))
    store.forget()
    assert {key: reason.split(" (")[0] for key, reason in far.reasons().items()} == {
        "a.png": "input changed",
        "new.png": "new",
    }
    assert [row["image"] for row in far.plan()["orphans"]] == ["e.webp"]
    assert {asked.key for asked in store.asked} == {"", "in/a.png", "in/new.png"}


def test_without_the_stat_cache_contents_are_compared(store, sites):
    far = sites[1]
    far.run(code=1)
    (far.state / "stats.msgpack").unlink()
    store.forget()
    assert far.reasons() == {}
    assert store.counts() == {"LIST": 1, "HEAD": 5, "GET": 5}


def test_refusals_now_and_then_cost_time_alone(store, sites):
    here, far = sites
    here.run(code=1)
    store.fault = every(3)
    far.run(code=1)
    assert contents(far.outputs) == contents(here.outputs)
    assert sum(asked.status == 503 for asked in store.asked) > 5


@pytest.mark.usefixtures("hasty")
def test_an_image_that_cannot_be_read_is_a_row_and_tried_again(store, sites):
    far = sites[1]

    def refuse(asked: Asked) -> Response | None:
        return refusal(500) if asked.key.endswith("e.webp") and asked.method == "GET" else None

    store.fault = refuse
    far.run(code=1)
    assert far.errors() == {"broken.png": "TruncatedImage", "e.webp": "UnreadableFile"}
    store.fault = lambda asked: None
    far.run(code=1)
    assert far.errors() == {"broken.png": "TruncatedImage"}


def test_headers_are_asked_for_side_by_side(store, tmp_path):
    data = saved(picture(1), "png")
    for number in range(48):
        store.put(f"in/{number}.png", data)
    far = Site(tmp_path, input={"root": f"{store.url}/in"})
    store.fault = slow(0.2)
    assert len(far.plan()["images"]) == 48
    assert store.most_at_once >= 8


@pytest.mark.parametrize("cluster", ["threads", "local"])
def test_workers_read_from_the_store(store, sites, cluster):
    here, far = sites
    here.run(code=1)
    far.run("--cluster", cluster, "--workers", "2", code=1)
    assert contents(far.outputs) == contents(here.outputs)


def test_large_images_are_done_in_parts(store, tmp_path):
    large = {"above_megapixels": 0.05}
    here = Site(tmp_path / "here", large=large)
    (here.inputs / "a.tif").write_bytes(tiled(600, 700))
    picture(2, 600, 500).save(here.inputs / "b.png")
    picture(2, 600, 500).save(here.inputs / "c.jpg")
    store.plant(here.inputs, "in/")
    far = Site(tmp_path / "far", large=large, input={"root": f"{store.url}/in"})
    here.run()
    far.run()
    assert contents(far.outputs) == contents(here.outputs)
    store.forget()
    far.run()
    assert store.counts() == {"LIST": 1}


def test_zarr_folders_are_read_from_the_store(store, tmp_path):
    zarr = pytest.importorskip("zarr")
    here = Site(tmp_path / "here")
    pixels = np.random.default_rng(3).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for version in (2, 3):
        zarr.create_array(
            here.inputs / f"v{version}.zarr", data=pixels, chunks=(128, 128, 3), zarr_format=version
        )
    store.plant(here.inputs, "in/")
    far = Site(tmp_path / "far", input={"root": f"{store.url}/in"})
    here.run()
    far.run()
    assert contents(far.outputs) == contents(here.outputs)
    store.forget()
    far.run()
    assert store.counts() == {"LIST": 1}


def test_any_protocol_serves(tmp_path):
    site = Site(tmp_path, input={"root": f"memory://{tmp_path.name}"})
    root = place(f"memory://{tmp_path.name}")
    (root / "a.png").write_bytes(saved(picture(1), "png"))
    assert read_image(root / "a.png", NAMES, MOST).header.width == 24
    site.run()
    assert site.records()["a.png"]["status"] == "done"
    (root / "a.png").unlink()
