r"""Palettes written as text: GIMP's, hexadecimal colours, CSS, JSON.

GIMP (https://developer.gimp.org/core/standards/gpl): after the line `GIMP Palette` come lines
`Name: …`, `Columns: …`, comments that begin with #, and colours `r g b` from 0 to 255 with anything
behind them as a name. Aseprite writes `Channels: RGBA` and a fourth number, alpha.

Hexadecimal: a colour a line, 3, 6 or 8 digits with or without # before them; what follows `;`, `//`
or a # that stands alone is a comment. Eight digits are RRGGBBAA, as on web pages, but AARRGGBB, as in
Paint.NET, when a comment names paint.net, or when all such colours of the file begin with FF and not
all end with it.

CSS: the custom properties (`--any-name: #1a2b3c;`) whose values are colours of 3, 4, 6 or 8 digits,
wherever they stand; other values are passed over, but for colours that are written as functions.

JSON: an object with a list of `colors`, or that list alone. Each is an object with `rgb` or `hex`, as
in the palettes that runs write, or a list of three numbers from 0 to 255, or a string as above, whose
eight digits are RRGGBBAA.

Lines end with \n, \r\n or \r and with nothing else that Unicode would break them at: names are
written by anyone. Text is UTF-8, UTF-16 if it says so, or else Latin-1.
"""

import codecs
import json
import re
import reprlib
from collections.abc import Iterator
from io import StringIO
from typing import Any, TypeGuard

_HEX = re.compile(r"#?([0-9A-Fa-f]{8}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})")
_COMMENT = re.compile(r"(?:;|//|#(?!\S)).*")
_PAINT_NET = re.compile(r"\s*;.*paint\.net", re.IGNORECASE)
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_PROPERTY = re.compile(r"(?<![\w-])(--[\w-]+)\s*:\s*([^;{}]*)")
_CSS_COLOR = re.compile("#([0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})")
_FUNCTION = re.compile(r"(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color|color-mix)\(", re.IGNORECASE)
_HEADING = re.compile(r"[^\d:][^:]*:")
_ROW = re.compile(r"(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})(?!\S)", re.ASCII)
_ALPHA = re.compile(r"\s+(\d{1,3})(?!\S)", re.ASCII)


def text_of(data: bytes) -> str:
    """Decode a text in whatever encoding."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def gpl_colors(text: str) -> Iterator[list[int]]:
    """Yield the colours of a GIMP palette, [red, green, blue], 0..255.

    Raises
    ------
    ValueError
        When a line is neither colour nor comment.
    """
    lines = enumerate(StringIO(text, newline=None), 1)
    next(lines)
    heading, wide = True, False
    for number, line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if heading and _HEADING.match(line):
            wide |= line.replace(" ", "").lower() == "channels:rgba"
            continue
        heading = False
        row = _ROW.match(line)
        alpha = _ALPHA.match(line, row.end()) if row and wide else None
        if not row or (wide and not alpha) or max(values := [int(value) for value in row.groups()]) > 255:
            wanted = "four" if wide else "three"
            raise ValueError(
                f"line {number}: expected a colour as {wanted} numbers from 0 to 255, "
                f"found {reprlib.repr(line)}; correct the line"
            )
        if not alpha or int(alpha[1]):
            yield values


def hex_colors(text: str) -> Iterator[list[int]]:
    """Yield the hexadecimal colours of a text, [red, green, blue], 0..255.

    Raises
    ------
    ValueError
        When a line is neither colour nor comment.
    """
    found: dict[str, None] = {}
    alpha_first = False
    for number, line in enumerate(StringIO(text, newline=None), 1):
        alpha_first |= bool(_PAINT_NET.match(line))
        word = _COMMENT.sub("", line).strip(" \t\n\f\v\x1a")
        color = _HEX.fullmatch(word)
        if color:
            found[color[1].lower()] = None
        elif word:
            raise ValueError(
                f"line {number}: expected a colour of 3, 6 or 8 hexadecimal digits such as #1a2b3c, "
                f"found {reprlib.repr(word)}; correct the line, or give a palette of another kind "
                "(.gpl, .act, .ase, .json, .png)"
            )
    wide = [digits for digits in found if len(digits) == 8]
    if not all(digits.endswith("ff") for digits in wide):
        alpha_first |= all(digits.startswith("ff") for digits in wide)
    for digits in found:
        yield from _visible(digits[2:] + digits[:2] if alpha_first and len(digits) == 8 else digits)


def css_colors(text: str) -> Iterator[list[int]]:
    """Yield the colours of a style sheet's custom properties, [red, green, blue], 0..255.

    Raises
    ------
    ValueError
        When a property has digits that make no colour, or a colour that is a function.
    """
    for name, words in _PROPERTY.findall(_CSS_COMMENT.sub(" ", text)):
        value = words.strip()
        color = _CSS_COLOR.fullmatch(value)
        if color:
            yield from _visible(color[1])
        elif value.startswith("#") or _FUNCTION.match(value):
            raise ValueError(
                f"{_shortened(name)}: expected a colour of 3, 4, 6 or 8 hexadecimal digits such as #1a2b3c, "
                f"found {reprlib.repr(value)}; write it so, or give a palette of another kind "
                "(.gpl, .act, .ase, .json, .png)"
            )


def json_colors(text: str) -> Iterator[list[int]]:
    """Yield the colours of a palette as JSON, [red, green, blue], 0..255.

    Raises
    ------
    ValueError
        When it is no JSON, or JSON of another shape.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON, found a mistake in it ({error}); correct it") from error
    colors = found.get("colors") if isinstance(found, dict) else found
    if not isinstance(colors, list):
        raise ValueError(
            f"expected an object with a list of 'colors', or that list alone, found {reprlib.repr(found)}; "
            "give a palette that a run has written"
        )
    for place, color in enumerate(colors):
        value = color.get("rgb", color.get("hex")) if isinstance(color, dict) else color
        if isinstance(value, str) and (digits := _HEX.fullmatch(value.strip())):
            yield from _visible(digits[1])
        elif _is_rgb(value):
            yield value
        else:
            raise ValueError(
                f"color {place}: expected [red, green, blue] as whole numbers from 0 to 255 or '#rrggbb', "
                f"found {reprlib.repr(color)}; correct it"
            )


def _visible(digits: str) -> Iterator[list[int]]:
    """Yield the colour that 3, 4, 6 or 8 (RRGGBBAA) digits stand for, unless it is fully transparent."""
    if len(digits) < 6:
        digits = "".join(digit * 2 for digit in digits)
    values = list(bytes.fromhex(digits))
    if values[3:] != [0]:
        yield values[:3]


def _shortened(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:39]}…"


def _is_rgb(value: Any) -> TypeGuard[list[int]]:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(level) is int and 0 <= level <= 255 for level in value)
    )
