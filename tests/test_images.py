"""From a file to pixels: the policies in their order, and what is told about them."""

import hashlib
import struct
import zlib
from io import BytesIO

import icc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from pipeline.errors import ImageError, TooManyPixels
from pipeline.files.formats import FORMATS
from pipeline.files.images import decode, flatten, identify, read_image, read_source

EVERY = tuple(FORMATS)
LIMIT = 10**6
RGB = np.random.default_rng(11).integers(0, 256, (70, 90, 3), dtype=np.uint8)
PICTURE = Image.fromarray(RGB)


def read(path, image=None, kind="PNG", **options):
    alpha = {name: options.pop(name) for name in ("alpha", "background") if name in options}
    if image is not None:
        image.save(path, kind, **options)
    return read_image(path, EVERY, LIMIT, **alpha)


def oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_raster_of_a_plain_picture(tmp_path):
    path = tmp_path / "a.jpg"  # a PNG: the name does not count
    raster = read(path, PICTURE)
    assert (raster.pixels == RGB).all()
    assert raster.pixels.dtype == np.uint8
    assert raster.pixels.flags.c_contiguous
    assert raster.pixels.flags.writeable
    assert raster.alpha is None
    assert raster.notes == ()
    assert raster.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    status = path.stat()
    assert raster.stat == (status.st_size, status.st_mtime_ns, status.st_ino)
    assert raster.header.format == "png"
    assert raster.header == identify(read_source(path), EVERY, LIMIT)


@pytest.mark.parametrize(
    "kind", ["JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "TGA", "JPEG2000", "PCX", "SGI", "QOI"]
)
def test_pixels_are_pillows(tmp_path, kind):
    raster = read(tmp_path / "a", PICTURE, kind)
    with Image.open(tmp_path / "a") as image:
        assert (raster.pixels == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, kind, orientation):
    raster = read(tmp_path / "a", PICTURE, kind, exif=oriented(orientation))
    with Image.open(tmp_path / "a") as image:
        assert (raster.pixels == np.asarray(ImageOps.exif_transpose(image))).all()
    assert raster.pixels.shape[:2] == (raster.header.height, raster.header.width)
    assert raster.notes == ((f"EXIF orientation {orientation} applied",) if orientation > 1 else ())


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_tiff_is_turned_once(tmp_path, compression):
    read(tmp_path / "plain", PICTURE, "TIFF", compression=compression)
    raster = read(tmp_path / "a", PICTURE, "TIFF", compression=compression, tiffinfo={274: 6})
    assert (raster.pixels == np.rot90(RGB, -1)).all()


def test_alpha_is_turned_with_the_colors(tmp_path):
    image = PICTURE.copy()
    image.putalpha(Image.fromarray(RGB[..., 1]))
    raster = read(tmp_path / "a", image, exif=oriented(6))
    assert (raster.pixels == np.rot90(RGB, -1)).all()
    assert (raster.alpha == np.rot90(RGB[..., 1], -1)).all()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, depth, color, rows, *others, behind=()):
    header = struct.pack(">IIBBBBB", width, len(rows), depth, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    body = [chunk(b"IHDR", header), *others, chunk(b"IDAT", data), *behind, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def test_exif_behind_the_pixels_of_a_png(tmp_path):
    exif = chunk(b"eXIf", oriented(6).tobytes()[6:])
    (tmp_path / "a.png").write_bytes(
        png(2, 8, 0, [bytes([1, 2]), bytes([3, 4]), bytes([5, 6])], behind=[exif])
    )
    raster = read(tmp_path / "a.png")
    assert raster.pixels[..., 0].tolist() == [[5, 3, 1], [6, 4, 2]]
    assert (raster.header.width, raster.header.height, raster.header.orientation) == (3, 2, 6)


@pytest.mark.parametrize(
    ("depth", "color", "row", "key", "pixels"),
    [
        (2, 0, b"\x1b", b"\0\1", [0, 85, 170, 255]),
        (4, 0, b"\x01\x23", b"\0\1", [0, 17, 34, 51]),
        (16, 0, bytes.fromhex("0001010102010301"), bytes.fromhex("0101"), [0, 1, 2, 3]),
        (16, 2, bytes.fromhex("00" * 6 + "0101" * 3 + "0202" * 3 + "0303" * 3), b"\1" * 6, [0, 1, 2, 3]),
    ],
)
def test_key_of_a_png_at_any_depth(tmp_path, depth, color, row, key, pixels):
    (tmp_path / "a.png").write_bytes(png(4, depth, color, [row], chunk(b"tRNS", key)))
    raster = read(tmp_path / "a.png")
    assert raster.pixels[0, :, 0].tolist() == pixels
    assert raster.alpha.tolist() == [[255, 0, 255, 255]]
    assert raster.notes == (("16-bit samples: high byte kept",) if depth == 16 else ())


def test_profile_then_orientation(tmp_path):
    raster = read(tmp_path / "a", PICTURE, icc_profile=icc.rgb_profile("Display P3"), exif=oriented(3))
    straight = read(tmp_path / "b", PICTURE, icc_profile=icc.rgb_profile("Display P3"))
    assert (raster.pixels == straight.pixels[::-1, ::-1]).all()
    assert not (straight.pixels == RGB).all()
    assert raster.notes == ("ICC profile 'Display P3' converted to sRGB", "EXIF orientation 3 applied")


def test_broken_profile_is_a_note(tmp_path):
    raster = read(tmp_path / "a", PICTURE, icc_profile=b"x" * 200)
    assert (raster.pixels == RGB).all()
    assert "ignored" in raster.notes[0]


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("GIF", "frame 1 of several"),
        ("TIFF", "frame 1 of several"),
        ("WEBP", "frame 1 of 3"),
        ("PNG", "frame 1 of 3"),
        ("MPO", "frame 1 of 3"),
    ],
)
def test_first_frame(tmp_path, kind, note):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    raster = read(tmp_path / "a", frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (abs(raster.pixels.astype(int) - (255, 0, 0)) <= 2).all()
    assert raster.notes == (note,)


def test_largest_picture_of_an_icon(tmp_path):
    raster = read(tmp_path / "a", PICTURE.resize((64, 64)), "ICO", sizes=[(16, 16), (64, 64)])
    assert raster.pixels.shape == (64, 64, 3)
    assert raster.notes == ("the largest of 2 pictures",)


def test_cmyk_jpeg(tmp_path):
    raster = read(tmp_path / "a", Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG")
    assert (raster.pixels == 255).all()
    assert raster.notes == ("CMYK converted",)


def test_pillows_warnings_become_notes(tmp_path):
    data = BytesIO()
    PICTURE.save(data, "PNG")
    broken = data.getvalue()[:33] + chunk(b"acTL", bytes(8)) + data.getvalue()[33:]
    (tmp_path / "a.png").write_bytes(broken)
    raster = read(tmp_path / "a.png")
    assert (raster.pixels == RGB).all()
    assert raster.notes == ("Pillow: Invalid APNG, will use default PNG image if possible",)


def test_too_many_pixels(tmp_path):
    PICTURE.save(tmp_path / "a.png")
    source = read_source(tmp_path / "a.png")
    for refused in (decode, identify):
        with pytest.raises(TooManyPixels, match="90 × 70"):
            refused(source, EVERY, 6299)
    assert decode(source, EVERY, 6300).pixels.shape == (70, 90, 3)


def test_what_was_found_out_outlasts_a_failure(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")
    source = read_source(tmp_path / "a.png")
    with pytest.raises(ImageError):
        decode(source, EVERY, LIMIT)
    assert source.sha256 == hashlib.sha256(b"not a picture").hexdigest()


PIXEL = st.tuples(*[st.integers(0, 255)] * 4)


@given(st.lists(PIXEL, min_size=1, max_size=30), st.tuples(*[st.integers(0, 255)] * 3))
def test_flatten_is_exact(rgba, background):
    before = np.array([rgba], np.uint8)
    pixels, alpha = before[..., :3].copy(), before[..., 3].copy()
    changed = flatten(pixels, alpha, background)
    share = before[..., 3:] / 255
    exact = np.rint(before[..., :3] * share + np.array(background) * (1 - share))
    half = (before[..., 3] > 0) & (before[..., 3] < 255)
    assert changed == half.any()
    assert (pixels[half] == exact[half]).all()
    assert (pixels[~half] == before[..., :3][~half]).all()
    assert (alpha == np.where(before[..., 3] > 0, 255, 0)).all()


def test_alpha_kept_and_flattened(tmp_path):
    image = Image.fromarray(np.array([[[9, 8, 7, 0], [0, 0, 0, 51], [1, 2, 3, 255]]], np.uint8))
    kept = read(tmp_path / "a.png", image)
    assert kept.alpha.tolist() == [[0, 51, 255]]
    assert kept.pixels.tolist() == [[[9, 8, 7], [0, 0, 0], [1, 2, 3]]]
    flat = read(tmp_path / "a.png", alpha="flatten", background=(100, 0, 255))
    assert flat.alpha.tolist() == [[0, 255, 255]]
    assert flat.pixels.tolist() == [[[9, 8, 7], [80, 0, 204], [1, 2, 3]]]
    assert flat.notes == ("half-transparent pixels laid over (100, 0, 255)",)


def test_nothing_transparent_is_left_after_flattening(tmp_path):
    image = PICTURE.copy()
    image.putalpha(128)
    assert read(tmp_path / "a.png", image, alpha="flatten").alpha is None
