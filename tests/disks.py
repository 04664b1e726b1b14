"""Disks that fail: full, broken, or without permission."""

import errno
import os
from pathlib import Path


class Full:
    """A disk that is full after so many files: the next gets half of its bytes."""

    def __init__(self, monkeypatch, room):
        self.room = room
        real = Path.open

        def limited(path, mode="r", *args, **kwargs):
            file = real(path, mode, *args, **kwargs)
            if "x" not in mode:
                return file
            self.room -= 1
            return file if self.room >= 0 else _Torn(file)

        monkeypatch.setattr(Path, "open", limited)


class _Torn:
    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


def fail_replace(monkeypatch, name):
    real = Path.replace

    def replace(path, target):
        if Path(target).name == name:
            raise OSError(errno.EACCES, "Permission denied")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)


def fail_fsync(monkeypatch, bad):
    """Fail to flush files for whose stat result `bad` holds."""
    real = os.fsync

    def fsync(handle):
        if bad(os.fstat(handle)):
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
