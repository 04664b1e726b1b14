"""Where the package zarr gets a folder's chunks from: each whole, or an error.

What was cut short must not reach the codecs: an empty shard would count as one that was left out, and
Blosc's decoder reads on behind the end of its input for as long as the header says.
"""

from functools import cache
from pathlib import Path
from typing import Any

_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
_BLOSC_HEADER = 16
_BLOSC_STORED = slice(12, 16)  # the length of the whole, least byte first


def checked_store(zarr: Any, folder: Path, blosc: bool) -> Any:
    """Open a folder as a store of chunks that are whole.

    Parameters
    ----------
    zarr : module
        The package.
    folder : Path
        The array's.
    blosc : bool
        Whether chunks are stored as Blosc compresses them, which tells their length.
    """
    return _kind(zarr.storage.WrapperStore)(zarr.storage.LocalStore(folder, read_only=True), blosc)


@cache
def _kind(wrapper: Any) -> Any:
    class _Checked(wrapper):  # type: ignore[misc]  # the package is not imported here
        def __init__(self, store: Any, blosc: bool = False) -> None:
            super().__init__(store)
            self._blosc = blosc

        def _with_store(self, store: Any) -> "_Checked":
            return type(self)(store, self._blosc)

        async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
            found = await super().get(key, prototype, byte_range)
            if found is not None:
                _check(found, byte_range, self._blosc and not key.endswith(_METADATA))
            return found

    return _Checked


def _check(found: Any, wanted: Any, blosc: bool) -> None:
    """Raise EOFError when bytes are missing."""
    length = len(found)
    needed = max(1, getattr(wanted, "suffix", 1), getattr(wanted, "end", 1) - getattr(wanted, "start", 0))
    if blosc and wanted is None:
        needed = max(needed, _BLOSC_HEADER)
        if length >= needed:
            needed = max(needed, int.from_bytes(found[_BLOSC_STORED].to_bytes(), "little"))
    if length < needed:
        raise EOFError(f"{length} bytes where {needed} are needed")
