"""A file's bytes are read once, whole, and at rest; or a typed error says why not."""

import hashlib
import os

import pytest

from pipeline.errors import (
    ChangedWhileReading,
    EmptyFile,
    TooMuchMemory,
    UnreadableFile,
    UnsupportedImage,
    VanishedFile,
)
from pipeline.files import openfiles
from pipeline.files.sources import FileStat, read_source


def plant(path, data=b"some bytes"):
    path.write_bytes(data)
    return path


def test_bytes_digest_and_stat(tmp_path):
    path = plant(tmp_path / "ä -1.png")
    source = read_source(path)
    status = path.stat()
    assert source.name == "ä -1.png"
    assert source.data == b"some bytes"
    assert source.sha256 == hashlib.sha256(b"some bytes").hexdigest()
    assert source.stat == FileStat(10, status.st_mtime_ns, status.st_ino)


def test_the_file_is_opened_once(tmp_path, monkeypatch):
    path, opened, real = plant(tmp_path / "a.png"), [], os.open
    monkeypatch.setattr(os, "open", lambda *args: opened.append(args) or real(*args))
    read_source(path)
    assert len(opened) == 1


def test_empty_missing_folder_and_pipe(tmp_path):
    with pytest.raises(EmptyFile, match=r"a\.png: .*0 bytes"):
        read_source(plant(tmp_path / "a.png", b""))
    with pytest.raises(VanishedFile, match=r"gone\.png"):
        read_source(tmp_path / "gone.png")
    with pytest.raises(UnsupportedImage, match="folder"):
        read_source(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(UnsupportedImage, match="pipe"):
            read_source(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")]
)
def test_refusals_of_the_system(tmp_path, monkeypatch, error):
    def refuse(*_):
        raise error

    path = plant(tmp_path / "a.png")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableFile, match=r"a\.png"):
        read_source(path)


@pytest.mark.parametrize("change", ["longer", "shorter", "touched"])
def test_change_while_reading(tmp_path, monkeypatch, change):
    path = plant(tmp_path / "a.png")
    real = openfiles.FileIO.readall

    class Busy(openfiles.FileIO):
        def readall(self):
            data = real(self)
            if change == "touched":
                os.utime(path, ns=(1, 1))
            else:
                path.write_bytes(b"x" * (20 if change == "longer" else 1))
            return data

    monkeypatch.setattr(openfiles, "FileIO", Busy)
    with pytest.raises(ChangedWhileReading, match=r"a\.png"):
        read_source(path)


def test_no_memory_for_the_bytes(tmp_path, monkeypatch):
    class Tight(openfiles.FileIO):
        def readall(self):
            raise MemoryError

    path = plant(tmp_path / "a.png")
    monkeypatch.setattr(openfiles, "FileIO", Tight)
    with pytest.raises(TooMuchMemory, match="memory_per_worker"):
        read_source(path)
