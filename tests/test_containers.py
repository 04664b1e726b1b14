"""Containers: a JPEG, PNG or WebP is walked over as its format says, and never beyond its end."""

import io
import struct

import pytest
from builders import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.files import containers
from pipeline.files.containers import check_jpeg_data, jpeg_scan, png_data, webp_length


def saved(form, **options):
    file = io.BytesIO()
    Image.fromarray(noise(40, 56)).save(file, form, **options)
    return file.getvalue()


JPEG = saved("JPEG")
PNG = saved("PNG")


def test_a_scan_is_found_behind_fill_bytes_and_markers_without_a_body():
    plain = jpeg_scan(io.BytesIO(JPEG))
    assert plain.components == 3
    odd = JPEG[:2] + b"\xff\xff\xff\x01" + b"\xff\xd0" + JPEG[2:]
    assert jpeg_scan(io.BytesIO(odd)) == plain


def test_what_is_no_marker_is_told_with_its_place():
    with pytest.raises(ValueError, match=r"found b'x' at byte 2 where a JPEG marker must be"):
        jpeg_scan(io.BytesIO(JPEG[:2] + b"x" + JPEG[2:]))


@given(st.integers(2, len(JPEG) - 1))
@settings(deadline=None, max_examples=60)
def test_a_jpeg_that_is_cut_anywhere_ends_too_early(cut):
    with pytest.raises(EOFError):
        check_jpeg_data(io.BytesIO(JPEG[:cut]))


@pytest.mark.parametrize("piece", [1, 2, 7, 1 << 20])
def test_the_end_is_found_wherever_the_reading_breaks_off(monkeypatch, piece):
    monkeypatch.setattr(containers, "_READ_BYTES", piece)
    check_jpeg_data(io.BytesIO(JPEG))
    with pytest.raises(ValueError, match=f"found the marker 0xc0 at byte {len(JPEG) - 2}, within the pixels"):
        check_jpeg_data(io.BytesIO(JPEG[:-1] + b"\xc0"))


@given(st.integers(33, len(PNG) - 13))
@settings(deadline=None, max_examples=60)
def test_a_png_that_is_cut_in_its_image_data_ends_too_early(cut):
    with pytest.raises(EOFError):
        png_data(io.BytesIO(PNG[:cut]))


def test_a_png_is_told_by_its_chunks():
    found = png_data(io.BytesIO(PNG))
    assert found.bits == 24
    assert not found.interlaced
    assert found.late == ()
    mark = struct.pack(">I4s", 4, b"tRNS") + bytes(8)  # behind the pixels, where decoders pass it over
    late = png_data(io.BytesIO(PNG[:-12] + mark + PNG[-12:]))
    assert late == found._replace(late=("tRNS",))
    assert png_data(io.BytesIO(PNG + mark)) == found  # behind the end all is of no account
    assert png_data(io.BytesIO(PNG[:-12])) == found  # nor need there be one


def test_a_webp_tells_its_length():
    data = saved("WEBP")
    assert webp_length(io.BytesIO(data + b"more")) == len(data)
    with pytest.raises(EOFError, match="it ends at byte 6"):
        webp_length(io.BytesIO(data[:6]))
