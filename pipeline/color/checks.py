"""Checks of a method's settings, with one wording for all: what was expected, what was found."""

import math
from typing import Any

import numpy as np


def require_whole(name: str, value: Any, least: int, most: int) -> None:
    """Raise ValueError unless the value is a whole number between bounds."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, not {value!r}")


def require_number(name: str, value: Any, least: float, most: float) -> None:
    """Raise ValueError unless the value is a finite number between bounds."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not _is_finite(value) or not least <= value <= most:
        reach = f"of at least {least:g}" if most == np.inf else f"from {least:g} to {most:g}"
        raise ValueError(f"{name} must be a number {reach}, not {value!r}")


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def check_whole(settings: Any, *bounds: tuple[str, int, int]) -> None:
    """Raise ValueError unless each named setting is a whole number between its bounds."""
    for name, least, most in bounds:
        require_whole(name, getattr(settings, name), least, most)


def check_number(settings: Any, *bounds: tuple[str, float, float]) -> None:
    """Raise ValueError unless each named setting is a finite number between its bounds."""
    for name, least, most in bounds:
        require_number(name, getattr(settings, name), least, most)


def check_word(settings: Any, name: str, words: tuple[str, ...]) -> None:
    """Raise ValueError unless the named setting is one of the words."""
    value = getattr(settings, name)
    if value not in words:
        said = ", ".join(map(repr, words[:-1])) + f" or {words[-1]!r}"
        raise ValueError(f"{name} must be {said}, not {value!r}")


def check_colors(name: str, colors: Any) -> None:
    """Raise ValueError unless these are 1 to 65,536 colours (k, 3) of type uint8."""
    array = np.asarray(colors)
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype != np.uint8 or not 1 <= len(array) <= 65_536:
        raise ValueError(
            f"{name} must be 1 to 65,536 colours of shape (k, 3) and type uint8, "
            f"not shape {array.shape} of {array.dtype}"
        )
