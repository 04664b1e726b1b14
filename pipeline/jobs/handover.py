"""What tasks hand on to each other in a work folder: every file is whole or absent."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.files.outputs import put


def keep(path: Path, **arrays: Any) -> None:
    """Put arrays into a file."""
    put(path, lambda file: np.savez(file, **arrays))


def keep_bytes(path: Path, data: bytes) -> None:
    """Put bytes into a file."""
    put(path, lambda file: file.write(data))


def handed(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file that another task has made. Raises FileNotFoundError if they are lost."""
    found = kept(path)
    if found is None:
        raise FileNotFoundError(f"{path.name}, that another task had made, is gone; run again")
    return found


def kept(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, or None if there is none, or one that a failing machine has torn."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception:  # torn anywhere, an archive fails in a dozen ways
        return None
