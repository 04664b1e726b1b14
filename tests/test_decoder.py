"""Pillow's limit and the warning filters are as before once nobody reads, whatever happened."""

import threading
import warnings
from io import BytesIO

import pytest
from PIL import Image

from pipeline.errors import TooManyPixels, UnlistedFormat
from pipeline.files import decoder
from pipeline.files.decoder import opened


def encoded(size=(40, 30), kind="PNG"):
    stream = BytesIO()
    Image.new("L", size).save(stream, kind)
    return stream


@pytest.fixture(autouse=True)
def _untouched():
    before = Image.MAX_IMAGE_PIXELS, warnings.filters[:], warnings.showwarning
    yield
    assert (Image.MAX_IMAGE_PIXELS, warnings.filters[:], warnings.showwarning) == before


@pytest.fixture
def low_limit(monkeypatch):
    """Let Pillow itself refuse more than 200 pixels, and warn above 100."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "ICO"])
@pytest.mark.usefixtures("low_limit")
def test_our_limit_may_be_higher_than_pillows(kind):
    formats = [kind.lower()]
    with opened(encoded(kind=kind, size=(32, 32)), "a", formats, 1200) as (image, warned):
        assert Image.MAX_IMAGE_PIXELS == 1200
        image.load()
        assert image.size == (32, 32)
        assert warned == []


@pytest.mark.parametrize("limit", [1199, 600, 500, 50])
@pytest.mark.usefixtures("low_limit")
def test_above_the_limit_the_numbers_are_told(limit):
    with (
        pytest.raises(
            TooManyPixels, match=r"a\.png: 40 × 30 = 0.0012 megapixels.*input\.max_megapixels"
        ) as caught,
        opened(encoded(), "a.png", ["png", "tga"], limit),
    ):
        pass
    assert f"is {limit / 1e6:.15g}" in str(caught.value)


@pytest.mark.usefixtures("low_limit")
def test_above_twice_the_limit_where_the_plug_in_refuses_too():
    with pytest.raises(TooManyPixels, match="far more"), opened(encoded(kind="WEBP"), "a", ["webp"], 500):
        pass


def test_exactly_the_limit_is_admitted():
    with opened(encoded(), "a", ["png"], 1200) as (image, _):
        assert image.size == (40, 30)


def test_content_counts_and_not_every_format_is_admitted():
    with opened(encoded(kind="GIF"), "a.png", ["png", "gif"], 10**6) as (image, _):
        assert image.format == "GIF"
    with (
        pytest.raises(UnlistedFormat, match=r"a\.gif: expected png, jpeg, found gif"),
        opened(encoded(kind="GIF"), "a.gif", ["png", "jpeg"], 10**6),
    ):
        pass


def test_warnings_are_gathered_for_each_thread():
    gathered = {}
    meet = threading.Barrier(3, timeout=10)

    def read(word):
        with decoder._LEASH.held(10) as heard:
            meet.wait()
            for _ in range(20):
                warnings.warn_explicit(word, UserWarning, "file.py", 1, module="PIL.Image")
            gathered[word] = heard
            meet.wait()

    threads = [threading.Thread(target=read, args=(word,)) for word in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gathered == {word: [word] * 20 for word in ("one", "two", "three")}


def test_warnings_of_others_pass_on():
    with decoder._LEASH.held(10) as heard:
        with pytest.raises(UserWarning, match="not of Pillow"):
            warnings.warn("not of Pillow", UserWarning, stacklevel=1)
        with decoder._LEASH.held(20):
            warnings.warn_explicit("inner", UserWarning, "file.py", 1, module="PIL.Image")
        warnings.warn_explicit("outer", UserWarning, "file.py", 1, module="PIL.Image")
    assert heard == ["outer"]


def test_a_guard_that_was_switched_off_elsewhere_stays_so(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(TooManyPixels), opened(encoded(), "a", ["png"], 10):
        pass
    assert Image.MAX_IMAGE_PIXELS is None


def test_what_others_left_unclosed_is_no_note_of_an_image():
    def warn() -> None:
        warnings.showwarning(ResourceWarning("unclosed socket"), ResourceWarning, "PIL/Image.py", 1)
        warnings.showwarning(UserWarning("odd"), UserWarning, "PIL/Image.py", 1)

    with pytest.warns(ResourceWarning), opened(encoded(), "a", ["png"], 1200) as (_, warned):
        warn()
    assert warned == ["odd"]
