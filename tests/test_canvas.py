"""Parts of pictures, made anywhere, are the picture."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.files import png
from pipeline.files.geotags import NOTHING
from pipeline.jobs.canvas import Canvas


def built(canvas, labels, shown, alpha, tops):
    """The files of a canvas from parts that begin at these rows."""
    ends = [*tops[1:], canvas.height]
    parts = [
        canvas.encode(
            labels[top:end],
            labels[top:end] if shown is labels else shown[top:end],
            None if alpha is None else alpha[top:end],
            first=top == 0,
            last=end == canvas.height,
        )
        for top, end in zip(tops, ends, strict=True)
    ]
    files = {}
    for picture in canvas.formats:
        file = BytesIO()
        canvas.write(file, picture, [part[picture] for part in parts], NOTHING, False)
        files[picture] = file.getvalue()
    return files


@given(
    st.integers(1, 1300),
    st.integers(1, 40),
    st.sampled_from([2, 5, 256, 300]),
    st.sampled_from(["none", "holes", "half"]),
    st.sampled_from(["png", "tiff"]),
    st.booleans(),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_parts_join_to_the_bytes_of_the_whole(height, width, k, kind, form, dithered, data):
    rng = np.random.default_rng(height)
    colors = np.unique(rng.integers(0, 256, (2 * k, 3), np.uint8), axis=0)[:k]
    canvas = Canvas(
        width, height, colors, kind == "holes", kind == "half", {"quantized": form, "labels": form}
    )
    dtype = np.uint8 if len(colors) + canvas.clear <= 256 else np.uint16
    labels = rng.integers(0, len(colors) + canvas.clear, (height, width)).astype(dtype)
    shown = labels[::-1].copy() if dithered else labels
    alpha = None if kind == "none" else rng.integers(0, 256, (height, width), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(png, "_BAND_BYTES", 1 << 10)
        unit = canvas.part_rows
        steps = st.lists(st.integers(1, max(1, height // unit)), max_size=5)
        tops = sorted({0, *(step * unit for step in data.draw(steps) if step * unit < height)})
        expected = built(canvas, labels, shown, alpha, [0])
        assert built(canvas, labels, shown, alpha, tops) == expected
    with Image.open(BytesIO(expected["labels"])) as image:
        assert image.size == (width, height)
        if form == "png":
            assert (np.asarray(image) == labels).all()


def test_labels_and_pictures_that_are_the_same_are_compressed_once(monkeypatch):
    compressed = []
    real = png.compress
    monkeypatch.setattr(png, "compress", lambda *given, **more: compressed.append(1) or real(*given, **more))
    labels = np.zeros((4, 4), np.uint8)
    for k, times in ((256, 1), (200, 1), (16, 2), (2, 2)):
        colors = np.arange(3 * k).reshape(k, 3).astype(np.uint8)
        compressed.clear()
        Canvas(4, 4, colors, False, False, {"quantized": "png", "labels": "png"}).encode(labels, labels, None)
        assert len(compressed) == times
