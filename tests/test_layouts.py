"""A layout says in what pieces a file is stored, or why it can only be read whole."""

import numpy as np
import parts
import pytest
import tifffile
from PIL import Image, ImageFile

from pipeline.errors import ChangedWhileReading, TruncatedImage, UnsupportedImage
from pipeline.files.formats import FORMATS
from pipeline.files.images import read_header
from pipeline.files.layouts import layout_of

EVERY = tuple(FORMATS)
LIMIT = 10**11
RGB = parts.RGB


def layout(path):
    return layout_of(path, read_header(path, EVERY, LIMIT))


@pytest.mark.parametrize(
    ("options", "kind", "unit"),
    [
        ({"tile": (32, 16)}, "windows", (32, 16)),
        ({"tile": (32, 16), "compression": "zlib"}, "windows", (32, 16)),
        ({"rowsperstrip": 13, "compression": "zlib"}, "windows", (13, 90)),
        ({"rowsperstrip": 1000, "compression": "zlib"}, "windows", (70, 90)),
        ({"rowsperstrip": 13}, "windows", (1, 90)),
    ],
)
def test_tiff(tmp_path, monkeypatch, options, kind, unit):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", **options)
    monkeypatch.delattr(ImageFile.ImageFile, "load")  # nothing is decoded
    found = layout(tmp_path / "a.tif")
    assert (found.kind, found.unit) == (kind, unit)
    assert (found.height, found.width, found.alpha) == (70, 90, False)
    assert found.decoder_bytes > 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_streams(tmp_path, monkeypatch, kind):
    Image.fromarray(RGB).save(tmp_path / "a", kind)
    monkeypatch.delattr(ImageFile.ImageFile, "load")
    found = layout(tmp_path / "a")
    assert (found.kind, found.unit, found.height, found.width) == ("rows", (1, 90), 70, 90)


def test_alpha_is_that_of_the_file(tmp_path):
    for path in parts.write_all(tmp_path):
        stem = path.stem
        told = ("alpha", "rgba", "premultiplied", "key", "color4", "color6", "opaque")
        # A lossy or lossless WebP says itself whether it has alpha.
        expected = any(word in stem for word in told) and "rgbx" not in stem
        if path.suffix != ".webp":
            assert layout(path).alpha == expected, path.name


def test_decoder_memory_grows_with_what_is_held(tmp_path):
    def memory(pixels, kind, **options):
        Image.fromarray(pixels).save(tmp_path / "a", kind, **options)
        return layout(tmp_path / "a").decoder_bytes

    tall = np.tile(RGB, (20, 1, 1))
    assert memory(tall, "PNG") == memory(RGB, "PNG")
    assert memory(tall, "JPEG") == memory(RGB, "JPEG")
    assert memory(tall, "WEBP") >= memory(RGB, "WEBP") + 4 * 19 * 70 * 90


def refused(path, why, kind=UnsupportedImage):
    with pytest.raises(kind, match=why) as caught:
        layout(path)
    assert str(caught.value).startswith(f"{path.name}: expected ")


@pytest.mark.parametrize(
    ("kind", "mode", "options", "why"),
    [
        ("GIF", "RGB", {}, "the format gif"),
        ("BMP", "RGB", {}, "the format bmp"),
        ("JPEG", "RGB", {"progressive": True}, "progressive"),
        ("JPEG", "CMYK", {}, "mode CMYK"),
        ("TIFF", "CMYK", {}, "mode CMYK"),
        ("TIFF", "LAB", {}, "mode LAB"),
        ("TIFF", "YCbCr", {}, "mode YCbCr"),
        ("TIFF", "F", {}, "mode F"),
        ("TIFF", "I", {}, "mode I"),
        ("TIFF", "1", {}, "samples of the kind 1"),
        ("TIFF", "RGB", {"tiffinfo": {274: 3}}, "orientation 3"),
        ("WEBP", "RGB", {"save_all": True, "append_images": [Image.new("RGB", (90, 70))]}, "of 2 frames"),
    ],
)
def test_what_is_only_read_whole(tmp_path, kind, mode, options, why):
    image = Image.new("LAB", (90, 70)) if mode == "LAB" else Image.fromarray(RGB)
    image = image.convert("L").convert(mode) if mode in "FI" else image
    image = image if mode == "LAB" else image.convert(mode)
    image.save(tmp_path / "a", kind, **options)
    refused(tmp_path / "a", why)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"planarconfig": "separate"}, "planes"),
        ({"compression": "webp"}, "the TIFF compression 50001"),
    ],
)
def test_tiffs_only_read_whole(tmp_path, options, why):
    pixels = RGB.transpose(2, 0, 1) if "planarconfig" in options else RGB
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", **options)
    refused(tmp_path / "a.tif", why)


def test_huge_strips(tmp_path):
    """One strip of 300 MiB of zeros, deflated."""
    pixels = np.zeros((10_000, 10_500, 3), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", rowsperstrip=10_000, compression="zlib", metadata=None
    )
    refused(tmp_path / "a.tif", r"compressed strips of 10000 × 10500 pixels, 300 MiB each")


def test_interlaced_png(tmp_path):
    (tmp_path / "a.png").write_bytes(parts.png(90, 70, 8, 2, interlace=1))
    refused(tmp_path / "a.png", "interlaced")


def test_png_turned_behind_its_pixels(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    late = [parts.chunk(b"eXIf", exif.tobytes()[6:])]
    (tmp_path / "a.png").write_bytes(parts.png(90, 70, 8, 2, behind=late))
    refused(tmp_path / "a.png", "eXIf behind its pixels")


def test_jpeg_in_several_scans(tmp_path):
    """A baseline JPEG may hold its components one after the other."""
    Image.fromarray(RGB).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    start = data.index(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(
        data[:start] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + data[start + 14 :]
    )
    refused(tmp_path / "a.jpg", "first scan has 1 of its 3 components")


@pytest.mark.parametrize(("kind", "place"), [("PNG", 16), ("JPEG", None)])
def test_claims_that_no_file_of_that_size_holds(tmp_path, kind, place):
    Image.fromarray(RGB).save(tmp_path / "a", kind)
    data = bytearray((tmp_path / "a").read_bytes())
    if place is None:
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = (60_000).to_bytes(2, "big") * 2
    else:
        data[place : place + 8] = (60_000).to_bytes(4, "big") * 2
        data[29:33] = parts.chunk(b"IHDR", bytes(data[16:29]))[-4:]
    (tmp_path / "a").write_bytes(data)
    refused(tmp_path / "a", r"at least \d+ bytes for 60000 × 60000 pixels, found \d+", TruncatedImage)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (32, 32)}])
def test_pieces_beyond_the_end_of_a_tiff(tmp_path, options):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", **options)
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    refused(path, f"up to byte {len(data)}, found a file of {len(data) - 100} bytes", TruncatedImage)


def test_a_flat_picture_of_any_format_is_no_lie(tmp_path):
    flat = Image.new("RGB", (3000, 3000), "white")
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        options |= {"quality": 1, "optimize": True} if kind == "JPEG" else {}
        options |= {"compression": "tiff_adobe_deflate"} if kind == "TIFF" else {}
        flat.save(tmp_path / "a", kind, **options)
        assert layout(tmp_path / "a").width == 3000


def test_a_file_that_has_changed(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb")
    header = read_header(tmp_path / "a.tif", EVERY, LIMIT)
    with (tmp_path / "a.tif").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ChangedWhileReading):
        layout_of(tmp_path / "a.tif", header)
