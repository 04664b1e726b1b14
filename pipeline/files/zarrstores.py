"""Where the package zarr gets a folder's chunks from: each whole, or an error.

What was cut short must not reach the codecs: an empty shard would count as one that was left out, and
Blosc's decoder reads on behind the end of its input for as long as the header says.
"""

import asyncio
from functools import cache
from typing import Any

from pipeline.files.objects import ObjectPath, Place

_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
_BLOSC_HEADER = 16
_BLOSC_STORED = slice(12, 16)  # the length of the whole, least byte first


def checked_store(zarr: Any, folder: Place, blosc: bool) -> Any:
    """Open a folder as a store of chunks that are whole.

    Parameters
    ----------
    zarr : module
        The package.
    folder : Path or ObjectPath
        The array's.
    blosc : bool
        Whether chunks are stored as Blosc compresses them, which tells their length.
    """
    if isinstance(folder, ObjectPath):
        store = _remote(zarr.abc.store.Store)(folder)
    else:
        store = zarr.storage.LocalStore(folder, read_only=True)
    return _kind(zarr.storage.WrapperStore)(store, blosc)


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


@cache
def _remote(base: Any) -> Any:
    """The kind of store that gets objects: only what opening and reading one array takes."""

    class _Remote(base):  # type: ignore[misc]  # the package is not imported here
        supports_writes = supports_deletes = supports_listing = False

        def __init__(self, folder: ObjectPath) -> None:
            super().__init__(read_only=True)
            self._folder = folder

        def __eq__(self, other: object) -> bool:
            return isinstance(other, _Remote) and self._folder == other._folder

        def __hash__(self) -> int:
            return hash(self._folder)

        async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
            try:
                data = await asyncio.to_thread(_read, self._folder / key, byte_range)
            except FileNotFoundError:
                return None
            return prototype.buffer.from_bytes(data)

        async def get_partial_values(self, prototype: Any, key_ranges: Any) -> Any:
            return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

        async def exists(self, key: str) -> bool:
            return await asyncio.to_thread((self._folder / key).is_file)

        async def set(self, key: str, value: Any) -> None:
            raise NotImplementedError

        async def delete(self, key: str) -> None:
            raise NotImplementedError

        def list(self) -> Any:
            raise NotImplementedError

        def list_prefix(self, prefix: str) -> Any:
            raise NotImplementedError

        def list_dir(self, prefix: str) -> Any:
            raise NotImplementedError

    return _Remote


def _read(path: ObjectPath, wanted: Any) -> bytes:
    """An object's bytes, or those of a range of the package's."""
    with path.opened() as file:
        size = file.stat.st_size
        start, end = getattr(wanted, "start", getattr(wanted, "offset", 0)), getattr(wanted, "end", size)
        if (suffix := getattr(wanted, "suffix", None)) is not None:
            start = max(0, size - suffix)
        return file.part(start, min(end, size))


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
