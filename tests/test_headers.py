"""A header says what the decoded picture will be, and what it will cost."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from pipeline.files.formats import FORMATS
from pipeline.files.images import read_header, read_image

EVERY = tuple(FORMATS)
PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("kind", "options", "frames"),
    [
        ("JPEG", {}, 1),
        ("PNG", {}, 1),
        ("TIFF", {"compression": "tiff_lzw"}, 1),
        ("WEBP", {}, 1),
        ("GIF", {}, 1),
        ("BMP", {}, 1),
        ("PNG", {"save_all": True}, 4),
        ("WEBP", {"save_all": True}, 4),
        ("GIF", {"save_all": True}, 2),
        ("TIFF", {"save_all": True}, 2),
        ("MPO", {"save_all": True}, 4),
    ],
)
def test_header(tmp_path, monkeypatch, kind, options, frames):
    path = tmp_path / "picture"
    more = {"append_images": [PICTURE.rotate(90 * n) for n in (1, 2, 3)]} if options.get("save_all") else {}
    PICTURE.save(path, kind, **options, **more)
    monkeypatch.delattr(ImageFile.ImageFile, "load")  # a header is read without decoding
    header = read_header(path, EVERY, 10**6)
    assert (header.format, header.width, header.height) == (kind.lower(), 30, 20)
    assert header.frames == frames
    assert header.orientation == 1
    assert header.bytes == path.stat().st_size
    assert header.mode == ("P" if kind == "GIF" else "RGB")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_as_displayed(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    PICTURE.save(tmp_path / "a", kind, exif=exif)
    header = read_header(tmp_path / "a", EVERY, 10**6)
    assert header.orientation == orientation
    assert (header.width, header.height) == ((20, 30) if orientation >= 5 else (30, 20))
    assert read_image(tmp_path / "a", EVERY, 10**6).header == header


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff"]
)
def test_broken_exif_counts_as_none(tmp_path, exif):
    PICTURE.save(tmp_path / "a.jpg", exif=exif)
    assert read_header(tmp_path / "a.jpg", EVERY, 10**6).orientation == 1
    assert read_image(tmp_path / "a.jpg", EVERY, 10**6).pixels.shape == (20, 30, 3)


def test_orientation_out_of_range_counts_as_none(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 9
    PICTURE.save(tmp_path / "a.jpg", exif=exif)
    assert read_header(tmp_path / "a.jpg", EVERY, 10**6).orientation == 1


def test_costlier_kinds_are_charged_more(tmp_path):
    def charge(name, image, **options):
        image.save(tmp_path / name, **options)
        header = read_header(tmp_path / name, EVERY, 10**8)
        return header.peak_bytes - header.bytes

    large = PICTURE.resize((1000, 1000))
    plain = charge("a.bmp", large)
    assert charge("a.png", large.convert("RGBA").rotate(7)) > plain
    assert charge("a.tif", large.convert("L").convert("F")) >= plain
    assert charge("a.webp", large, lossless=True) >= plain


MEASURE = """
import json, re, sys
from pathlib import Path
from pipeline.files.images import read_header
from pipeline.jobs.settings import settings_of
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.tasks import Painting, process_bundle

def status(field):
    return int(re.search(field + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

folder, name = Path(sys.argv[1]), sys.argv[2]
roots = {"input": {"root": str(folder / "in")}, "output": {"root": str(folder / "out")}}
settings = settings_of(JobSpec.model_validate(roots), "r")
process_bundle(settings, Painting(("small.png",)))
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
[outcome] = process_bundle(settings, Painting((name,)))
assert outcome.record.status == "done", outcome
header = read_header(folder / "in" / name, settings.formats, 10**8)
print(json.dumps([status("VmHWM") - before, header.peak_bytes]))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is measured through /proc")
@pytest.mark.parametrize("name", ["rgb.bmp", "rgb.jpg", "turned.jpg", "alpha.png", "alpha.webp", "float.tif"])
def test_measured_peak_is_below_the_estimate(tmp_path, name):
    """From reading to writing, for noise, in which hardly two pixels share a colour."""
    noise = np.random.default_rng(1).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    options = {}
    if name.startswith("alpha"):
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    elif name == "float.tif":
        picture = picture.convert("L").convert("F")
    elif name == "turned.jpg":
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = 6
    (tmp_path / "in").mkdir()
    picture.save(tmp_path / "in" / name, **options)
    PICTURE.save(tmp_path / "in/small.png")
    command = [sys.executable, "-c", MEASURE, str(tmp_path), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured, estimated = json.loads(done.stdout)
    assert 9e6 < measured < estimated < 6 * measured
