"""Whatever Pillow raises, an image error of the right kind comes out, with place and advice."""

import contextlib
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline import errors
from pipeline.files.failures import failed_decoding
from pipeline.files.formats import FORMATS
from pipeline.files.images import FileStat, Source, decode, identify, read_image
from pipeline.files.objectfiles import Replaced

EVERY = tuple(FORMATS)
NOISE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8))
WRITTEN = (
    "JPEG",
    "PNG",
    "TIFF",
    "WEBP",
    "GIF",
    "BMP",
    "PPM",
    "TGA",
    "JPEG2000",
    "AVIF",
    "PCX",
    "SGI",
    "DDS",
    "QOI",
)


def source(data, name="a.img"):
    return Source(name, data, "", FileStat(len(data), 0, 0))


def encoded(kind, **options):
    stream = BytesIO()
    NOISE.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("image file is truncated (3 bytes not processed)"), errors.TruncatedImage),
        (EOFError(), errors.TruncatedImage),
        (struct.error("unpack requires a buffer of 4 bytes"), errors.TruncatedImage),
        (IndexError("index out of range"), errors.TruncatedImage),
        (SyntaxError("broken PNG file (bad header checksum)"), errors.DamagedImage),
        (OSError("broken data stream when reading image file"), errors.DamagedImage),
        (zlib.error("Error -3 while decompressing data"), errors.DamagedImage),
        (ValueError("bad"), errors.DamagedImage),
        (KeyError("x"), errors.DamagedImage),
        (OverflowError(), errors.DamagedImage),
        (ZeroDivisionError(), errors.DamagedImage),
        (NotImplementedError("DXT10"), errors.UnsupportedImage),
        (OSError("Unsupported BMP compression (9)"), errors.UnsupportedImage),
        (MemoryError(), errors.TooMuchMemory),
        (Image.DecompressionBombError("bomb"), errors.TooManyPixels),
        (OSError(5, "Input/output error"), errors.UnreadableFile),
        (FileNotFoundError(2, "gone"), errors.VanishedFile),
        (Replaced("a.png"), errors.ChangedWhileReading),
        (errors.UnsupportedImage("kept"), errors.UnsupportedImage),
    ],
)
def test_every_exception_has_a_kind(error, kind):
    found = failed_decoding(error, "a.png", "png")
    assert type(found) is kind
    assert "kept" in str(found) or str(found).startswith("a.png: ")


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_files_are_truncated(kind, share):
    data = encoded(kind)
    cut = source(data[: int(len(data) * share)])
    # OpenJPEG and libavif do not tell a cut from other damage.
    kinds = (errors.DamagedImage, errors.TruncatedImage)[kind not in ("JPEG2000", "AVIF") :]
    with pytest.raises(kinds, match=r"^a.img: expected .* found .*; restore"):
        decode(cut, EVERY, 10**6)


def test_compressed_tiff_with_its_directory_at_the_end_is_truncated():
    data = encoded("TIFF", compression="tiff_lzw")
    with pytest.raises(errors.TruncatedImage, match="needs at least"):
        identify(source(data[:-3000]), EVERY, 10**6)


def test_a_photograph_cut_short():
    path = Path(__file__).parent / "broken" / "truncated.jpg"
    with pytest.raises(errors.TruncatedImage, match=r"truncated\.jpg: expected a whole jpeg"):
        read_image(path, ["jpeg"], 10**6)


def test_flipped_bytes_in_a_png_are_damage():
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(errors.DamagedImage, match="expected a sound png"):
        decode(source(bytes(data)), EVERY, 10**6)


def test_broken_header_of_a_known_format_is_damage():
    data = bytearray(encoded("PNG"))
    data[29] ^= 0xFF
    with pytest.raises(errors.DamagedImage, match="png"):
        identify(source(bytes(data)), EVERY, 10**6)


@pytest.mark.parametrize("data", [b"%PDF-1.7 and more", b"hello world, no picture\n", bytes(100), b"GI"])
def test_other_content_is_no_image(data):
    with pytest.raises(errors.NotAnImage, match=r"a.img: expected one of .*begins with") as caught:
        identify(source(data), EVERY, 10**6)
    assert repr(data[:12]) in str(caught.value)


@pytest.mark.parametrize("kind", WRITTEN)
def test_formats_that_are_not_listed_are_named(kind):
    name = kind.lower()
    listed = [other for other in ("png", "jpeg") if other != name]
    with pytest.raises(errors.UnlistedFormat, match=f"expected .*, found {name};"):
        identify(source(encoded(kind)), listed, 10**6)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("ppm", b"P6\n100000 100000\n255\n"),
        (
            "bmp",
            b"BM" + struct.pack("<IIIIiiHHIIiiII", 154, 0, 54, 40, 99_999, 99_999, 1, 24, 0, 0, 0, 0, 0, 0),
        ),
    ],
)
def test_a_format_that_is_not_listed_is_named_however_large_the_picture_claims_to_be(name, header):
    """As no image at all it would not be looked at again once the job lists its format."""
    with pytest.raises(errors.UnlistedFormat, match=f"expected png, found {name};"):
        identify(source(header + bytes(100)), ["png"], 10**6)


def test_plain_jpeg_where_only_mpo_is_listed():
    with pytest.raises(errors.UnlistedFormat, match="expected mpo, found jpeg"):
        identify(source(encoded("JPEG")), ["mpo"], 10**6)


def test_no_memory_for_the_picture(monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load_prepare", refuse)
    with pytest.raises(errors.TooMuchMemory, match="memory_per_worker"):
        decode(source(encoded("PNG")), EVERY, 10**6)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(WRITTEN), st.data())
def test_damage_gives_a_picture_or_an_image_error(kind, draw):
    data = bytearray(encoded(kind))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, min(len(data), 600) - 1))] = draw.draw(st.integers(0, 255))
    with contextlib.suppress(errors.ImageError):  # and nothing else
        decode(source(bytes(data)), EVERY, 10**6)
