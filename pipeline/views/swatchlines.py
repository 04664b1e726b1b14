"""Palettes in a terminal: a line a colour, with a swatch where the terminal has colours.

A line has the label, the swatch, the code, the share, the name if there is one, and a bar whose
length goes with the share; the longest belongs to the strongest colour. Bars are in the terminal's
own colour: those of the palette might be its background's.
"""

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, TextIO

from pipeline.color.palette import Palette
from pipeline.files.printable import plain

_GAP = "  "
_LEAST_BAR, _LONGEST_BAR = 4, 60
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = (0, 95, 135, 175, 215, 255)  # of xterm's cube of 6 × 6 × 6 colours, the places 16 to 231
_HALFWAY = (48, 115, 155, 195, 235)  # where the next of them is as near
_CUBE, _GREYS = 16, 232  # and 24 greys from 8 in steps of 10


class Colors(Enum):
    """How many colours a terminal shows."""

    NONE = 0
    SOME = 256
    ALL = 1 << 24


class Look(NamedTuple):
    """What can be shown: colours, characters to a line, and whether there are letters such as █."""

    colors: Colors
    width: int
    blocks: bool

    @classmethod
    def of(cls, stream: TextIO | Any, environ: Mapping[str, str], width: int) -> "Look":
        """What a stream can show; nothing but plain text unless it is a terminal that has colours.

        NO_COLOR (https://no-color.org) beats all else.
        """
        try:
            _EIGHTHS.encode(stream.encoding or "ascii")
            blocks = True
        except (UnicodeEncodeError, LookupError):
            blocks = False
        terminal = environ.get("TERM", "dumb")
        if environ.get("NO_COLOR") or not stream.isatty() or terminal == "dumb":
            colors = Colors.NONE
        elif environ.get("COLORTERM") in ("truecolor", "24bit") or terminal.endswith("-direct"):
            colors = Colors.ALL
        else:
            colors = Colors.SOME if "256color" in terminal else Colors.NONE
        return cls(colors, width, blocks)


def heading(about: Mapping[str, Any], look: Look) -> str:
    """Say what a palette is of. about : the head of its JSON."""
    name = about.get("image") or _together(len(about["images"]))
    text = f"{plain(name)}: {about['colors_found']:,} of {about['distinct_colors']:,} colours"
    return text if look.colors is Colors.NONE else f"\x1b[1m{text}\x1b[0m"


def _together(images: int) -> str:
    return f"{images} images together" if images > 1 else "1 image"


def palette_lines(palette: Palette, names: list[str] | None, look: Look) -> Iterator[str]:
    """Yield the lines of a palette, none wider than the terminal if that has 30 characters."""
    counts, shares = palette.counts.tolist(), palette.percents
    most = max(*counts, 1)
    digits, wide = len(str(len(palette) - 1)), max(map(len, shares))
    swatch = 0 if look.colors is Colors.NONE else 6 if look.width >= 60 else 2
    room = look.width - digits - len(_GAP + "#rrggbb" + _GAP) - wide - (swatch and swatch + len(_GAP))
    longest = min(max(map(len, names), default=0), max(0, room - len(_GAP))) if names else 0
    bar = min(_LONGEST_BAR, room - (longest and longest + len(_GAP)) - len(_GAP))
    told = zip(palette.colors.tolist(), palette.hex, counts, shares, strict=True)
    for label, (color, code, count, share) in enumerate(told):
        words = [f"{label:{digits}}", code, f"{share:>{wide}}"]
        if swatch:
            words.insert(1, f"{_paint(color, look.colors)}{' ' * swatch}\x1b[0m")
        if names and longest:
            words.append(f"{_cut(names[label], longest, look):{longest}}")
        if bar >= _LEAST_BAR:
            words.append(_bar(count, most, bar, look))
        yield _GAP.join(words).rstrip(" ")


def _bar(count: int, most: int, length: int, look: Look) -> str:
    """A bar of `length` for `most`; what is not nothing is shown."""
    if not look.blocks:
        return "=" * max((2 * count * length + most) // (2 * most), count > 0)
    eighths = max((16 * count * length + most) // (2 * most), count > 0)
    return _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _cut(name: str, length: int, look: Look) -> str:
    if len(name) <= length:
        return name
    return f"{name[: length - 1]}…" if look.blocks else name[:length]


def _paint(color: list[int], colors: Colors) -> str:
    """The sequence from which on the background is a colour, or the nearest that the terminal has."""
    if colors is Colors.ALL:
        return f"\x1b[48;2;{color[0]};{color[1]};{color[2]}m"
    return f"\x1b[48;5;{nearest_of_256(color)}m"


def nearest_of_256(color: list[int]) -> int:
    """The place of the colour of xterm's 256 that is nearest; the first 16 are anyone's choice."""
    red, green, blue = (bisect(_HALFWAY, level) for level in color)
    grey = min(max((sum(color) // 3 - 3) // 10, 0), 23)
    in_cube = (_LEVELS[red], _LEVELS[green], _LEVELS[blue])
    if _squared((8 + 10 * grey,) * 3, color) < _squared(in_cube, color):
        return _GREYS + grey
    return _CUBE + 36 * red + 6 * green + blue


def _squared(one: Sequence[int], other: Sequence[int]) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
