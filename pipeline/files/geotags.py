"""What an output TIFF takes over from the input's file: its place on Earth and its resolution."""

import errno
import logging
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import tifffile

from pipeline.files.failures import failed_reading
from pipeline.files.objects import ObjectPath, Place

_SHORT, _ASCII, _RATIONAL, _DOUBLE = 3, 2, 5, 12
_SCALE, _TIEPOINTS, _TRANSFORMATION = 33550, 33922, 34264
_KEYS, _KEY_NUMBERS, _KEY_TEXTS = 34735, 34736, 34737
_KINDS = {
    _SCALE: _DOUBLE,
    _TIEPOINTS: _DOUBLE,
    _TRANSFORMATION: _DOUBLE,
    _KEYS: _SHORT,
    _KEY_NUMBERS: _DOUBLE,
    _KEY_TEXTS: _ASCII,
}
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT = 274, 282, 283, 296
_WANTED = (*_KINDS, _ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT)
_UNITS = (1, 2, 3)  # none, inch, centimetre
_INCH = 2

# Its warnings about damaged tags would go to the terminal, where nobody has asked for them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


class Tag(NamedTuple):
    """A TIFF tag: its number, the type of its values, and these."""

    code: int
    kind: int
    value: tuple[int | float, ...] | bytes


@dataclass(frozen=True)
class Carried:
    """What is taken over.

    geo : the GeoTIFF tags, by number; empty when there are none.
    resolution : pixels a unit across and down, as fractions; None when not stated.
    unit : 1 none, 2 inch, 3 centimetre.
    """

    geo: tuple[Tag, ...] = ()
    resolution: tuple[tuple[int, int], tuple[int, int]] | None = None
    unit: int = 1


NOTHING = Carried()


def carried_tags(path: Place, *, as_stored: bool = False) -> Carried:
    """Read what a TIFF's first page says of its place and resolution; nothing, when it is no TIFF.

    What is damaged is left out, and of the place all or nothing: half of it would be another place.
    A picture that its orientation turns loses its place, which is told for the stored rows; `as_stored`
    says that the output's rows are these.
    All of it holds for pictures of the input's size alone. Raises OSError when the file cannot be opened;
    of an object ImageError when it cannot be read.
    """
    try:
        found = _found(path)
    except OSError as error:
        if isinstance(path, ObjectPath):
            raise failed_reading(error, path.name) from error
        raise
    if not found:
        return NOTHING
    kind, orientation = found.get(_ORIENTATION, (_SHORT, 1))
    turned = not as_stored and kind == _SHORT and orientation in range(2, 9)
    resolution = _resolution(found)
    if resolution and turned and orientation >= 5:
        resolution = resolution[::-1]
    unit = found.get(_UNIT, (_SHORT, _INCH))[1]  # the format's default
    return Carried(
        geo=() if turned else _geo(found),
        resolution=resolution,
        unit=unit if resolution and unit in _UNITS else 1,
    )


def _found(path: Place) -> dict[int, tuple[int, Any]]:
    """Kind and content of a TIFF's tags that are wanted; none when it is no TIFF, or damaged."""
    with path.open("rb") as file:
        try:
            with tifffile.TiffFile(file) as opened:
                tags = opened.pages.first.tags
                found = {code: (int(tags[code].dtype), tags[code].value) for code in _WANTED if code in tags}
                if _KEY_TEXTS in found:  # as stored: the keys point at places in it
                    file.seek(tags[_KEY_TEXTS].valueoffset)
                    found[_KEY_TEXTS] = found[_KEY_TEXTS][0], file.read(tags[_KEY_TEXTS].count)
        except Exception as error:  # a damaged file is met with whatever its numbers happen to break
            if isinstance(path, ObjectPath) and isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise  # the store has failed, or the object is another by now
            return {}
    return found


def _geo(found: dict[int, tuple[int, Any]]) -> tuple[Tag, ...]:
    """The GeoTIFF tags, or none of them when one is damaged."""
    tags = []
    for code, expected in _KINDS.items():
        if code in found:
            kind, value = found[code]
            if kind != expected:
                return ()
            if kind == _ASCII:
                tags.append(Tag(code, kind, value.rstrip(b"\0") + b"\0"))
            else:
                numbers = tuple(value) if isinstance(value, tuple) else (value,)
                if not _sound(code, numbers):
                    return ()
                tags.append(Tag(code, kind, numbers))
    return tuple(tags)


def _sound(code: int, numbers: tuple[Any, ...]) -> bool:
    """Tell whether a tag has as many numbers as it needs, and numbers that can be reckoned with."""
    count = len(numbers)
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        return False
    if code == _KEYS:  # version, revision, minor revision, number of keys; then four numbers a key
        return count >= 4 and numbers[0] == 1 and count >= 4 + 4 * numbers[3]
    if code == _TIEPOINTS:
        return count > 0 and count % 6 == 0
    return count == {_SCALE: 3, _TRANSFORMATION: 16}.get(code, count)


def _resolution(found: dict[int, tuple[int, Any]]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The resolution across and down, when both are stated and positive."""
    fractions = []
    for code in (_X_RESOLUTION, _Y_RESOLUTION):
        kind, value = found.get(code, (0, None))
        if kind != _RATIONAL or not isinstance(value, tuple) or len(value) != 2 or min(value) <= 0:
            return None
        fractions.append((int(value[0]), int(value[1])))
    return fractions[0], fractions[1]
