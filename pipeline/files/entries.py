"""What a listing of inputs consists of: files, and what was passed over."""

from typing import NamedTuple

from pipeline.errors import ImageError


class Entry(NamedTuple):
    r"""One file of a listing.

    `key` is the path relative to the input root, with slashes, extension included; for a name
    that is not UTF-8 the odd bytes are written as `\xNN`. `bytes`, `mtime_ns` and `inode` are the
    file's own (a link's target's), of a folder or an object as in `sources.FileStat`; zero where
    `error` tells that there is none.
    """

    key: str
    bytes: int
    mtime_ns: int
    inode: int
    error: ImageError | None = None


class Skipped(NamedTuple):
    """A link or folder that was not entered: its path relative to the root, and why."""

    path: str
    reason: str
