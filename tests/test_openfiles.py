"""An input is opened once, whatever it is, and nothing stays open."""

import gc
import os
from pathlib import Path

import pytest

from pipeline.errors import ImageError
from pipeline.files.openfiles import open_regular, shown


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what is open is told by Linux alone")
def test_what_is_refused_is_closed(tmp_path):
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    gc.collect()
    before = open_descriptors()
    for path in (tmp_path, tmp_path / "empty.png", tmp_path / "pipe.png", tmp_path / "none.png"):
        with pytest.raises(ImageError), open_regular(path):
            pass
    assert open_descriptors() == before


def test_names_are_fit_to_be_written_down():
    assert shown(Path(os.fsdecode(b"/x/\xff.png"))) == r"\xff.png"
