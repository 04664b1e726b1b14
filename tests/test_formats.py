"""The table of formats agrees with Pillow's own."""

import pytest
from PIL import Image

from pipeline.files.formats import EXTENSIONS, FORMATS, admits, pillow_names


def test_every_format_is_one_of_pillows():
    Image.init()
    assert set(pillow_names(FORMATS)) <= set(Image.OPEN)


def test_extensions_are_those_that_pillow_gives_the_format():
    Image.init()
    registered = Image.registered_extensions()
    for entry in FORMATS.values():
        for extension in entry.extensions:
            assert registered.get(f".{extension}", entry.pillow).lower() in (entry.name, entry.pillow.lower())
    assert {"jpg", "png", "tiff"} <= EXTENSIONS


def test_weak_signatures_are_asked_last():
    assert pillow_names(["tga", "png", "mpo", "jpeg"]) == ["JPEG", "PNG", "TGA"]
    with pytest.raises(KeyError):
        pillow_names(["docx"])


def test_jpeg_admits_mpo_but_not_the_reverse():
    assert admits(["jpeg"], "mpo")
    assert not admits(["mpo"], "jpeg")
