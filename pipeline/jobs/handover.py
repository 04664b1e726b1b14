"""What tasks hand on to each other in a work folder: every file is whole or absent."""

from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.files.objects import ObjectPath, Place
from pipeline.files.storecalls import read
from pipeline.files.writing import put


def keep(path: Place, **arrays: Any) -> None:
    """Put arrays into a file."""
    put(path, lambda file: np.savez(file, **arrays))


def keep_bytes(path: Place, data: bytes) -> None:
    """Put bytes into a file."""
    put(path, lambda file: file.write(data))


def opened(path: Place) -> BinaryIO:
    """Open a file that was kept; what lies in a store is read at once. Raises OSError."""
    return BytesIO(read(path)) if isinstance(path, ObjectPath) else path.open("rb")


def handed(path: Place) -> dict[str, NDArray[Any]]:
    """The arrays of a file that another task has made. Raises FileNotFoundError if they are lost."""
    found = kept(path)
    if found is None:
        raise FileNotFoundError(f"{path.name}, that another task had made, is gone; run again")
    return found


def kept(path: Place) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, or None if there is none, or one that a failing machine has torn."""
    try:
        with opened(path) as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception:  # torn anywhere, an archive fails in a dozen ways
        return None
