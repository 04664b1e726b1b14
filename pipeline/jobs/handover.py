"""What tasks hand on to each other in a work folder: every file is whole or absent."""

import secrets
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray


def keep(path: Path, **arrays: Any) -> None:
    """Put arrays into a file."""
    temporary = _beside(path)
    with temporary.open("xb") as file:
        np.savez(file, **arrays)
    temporary.replace(path)


def keep_bytes(path: Path, data: bytes) -> None:
    """Put bytes into a file."""
    temporary = _beside(path)
    temporary.write_bytes(data)
    temporary.replace(path)


def kept(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, or None if there is none, or one that a failing machine has torn."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, BadZipFile, EOFError, KeyError):
        return None


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}-{secrets.token_hex(4)}")
