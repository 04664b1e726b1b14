"""ICC profiles are applied where they say something about the picture, and else ignored with a note."""

from io import BytesIO

import icc
import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.files.profiles import to_srgb

RGB = np.random.default_rng(3).integers(0, 256, (8, 9, 3), dtype=np.uint8)
PICTURE = Image.fromarray(RGB)


def built_in(space):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


@pytest.mark.parametrize("profile", [None, b"", built_in("sRGB")])
def test_srgb_is_no_work(profile):
    color, notes = to_srgb(PICTURE, profile)
    assert color is PICTURE
    assert notes == ()


def test_other_rgb_is_converted():
    profile = icc.rgb_profile("Display P3", gamma=2.2)
    color, notes = to_srgb(PICTURE, profile)
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    expected = ImageCms.profileToProfile(PICTURE, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert (np.asarray(color) == np.asarray(expected)).all()
    assert not (np.asarray(color) == RGB).all()
    assert notes == ("ICC profile 'Display P3' converted to sRGB",)
    # P3's pure red lies outside of sRGB: its nearest is sRGB's.
    assert to_srgb(Image.new("RGB", (1, 1), (255, 0, 0)), profile)[0].getpixel((0, 0)) == (255, 0, 0)


def test_grey_is_converted_by_a_grey_profile():
    color, notes = to_srgb(Image.fromarray(np.array([[0, 55, 255]], np.uint8)), icc.gray_profile())
    pixels = np.asarray(color)[0].astype(int)
    assert color.mode == "RGB"
    # A linear 55 / 255 is 128 in sRGB.
    assert abs(pixels - np.array([[0] * 3, [128] * 3, [255] * 3])).max() <= 1
    assert len(notes) == 1


def test_cmyk_is_converted_by_a_cmyk_profile():
    ink = Image.frombytes("CMYK", (3, 1), bytes([0, 0, 0, 0, 0, 0, 0, 255, 200, 100, 50, 0]))
    color, notes = to_srgb(ink, icc.cmyk_profile())
    pixels = np.asarray(color)[0].astype(int)
    assert pixels[0].min() >= 250
    assert pixels[1].max() <= 5
    assert pixels[2].min() >= 250  # by the profile; the simple formula would see 200 of cyan
    assert "press" in notes[0]


def test_cmyk_without_a_profile_takes_the_simple_formula():
    ink = Image.new("CMYK", (1, 1), (255, 0, 0, 0))
    assert to_srgb(ink, None)[0].getpixel((0, 0)) == (0, 255, 255)


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (b"no profile at all", "broken"),
        (icc.rgb_profile()[:200], "ICC profile"),
        (icc.gray_profile(), "GRAY"),
        (icc.cmyk_profile(), "CMYK"),
        (built_in("LAB"), "Lab"),
        (built_in("XYZ"), "XYZ"),
    ],
)
def test_unusable_profiles_are_ignored_with_a_note(profile, said):
    color, notes = to_srgb(PICTURE, profile)
    assert color is PICTURE
    assert notes[0].endswith(": ignored")
    assert said in notes[0]
