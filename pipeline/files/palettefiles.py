"""Palettes that users have, read from the files of other programs and of earlier runs.

What a file is, its content says where it can; only then its extension.

    begins with                     is read as
    the signature of PNG, GIF, BMP  a picture (see `palettepictures`)
    ASEF                            Adobe swatch exchange, .ase (see `swatches`)
    GIMP Palette                    a GIMP palette, .gpl (see `palettetexts`)
    anything else, extension .act   Adobe colour table (see `swatches`)
    other text, extension .css      custom properties of a style sheet (see `palettetexts`)
    { or [                          JSON: a palette of an earlier run, or a list of colours
    other text                      hexadecimal colours, one a line, .hex and .txt
    768 or 772 other bytes          Adobe colour table

Of equal colours the first stays; fully transparent ones are left out; alpha counts for nothing else.
"""

import re
import stat
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.files.palettepictures import is_picture, picture_colors
from pipeline.files.palettetexts import css_colors, gpl_colors, hex_colors, json_colors, text_of
from pipeline.files.swatches import ACT_SIZES, act_colors, ase_colors

_MOST_COLORS = 65_536
_MOST_BYTES = 32_000_000  # a palette JSON of 65,536 entries, with all that a run tells of each, has 23 MB
_EXPECTED = {
    ".ase": "Adobe swatch exchange, which begins with 'ASEF'",
    ".css": "CSS, with custom properties such as '--accent: #1a2b3c;'",
    ".bmp": "a BMP picture",
    ".gif": "a GIF picture",
    ".gpl": "a GIMP palette, whose first line is 'GIMP Palette'",
    ".json": "JSON, which begins with '{' or '['",
    ".png": "a PNG picture",
}
_ANY = "a palette (.gpl, .act, .ase, .hex, .txt, .css, .json, or a picture: .png, .gif, .bmp)"
_CONTROL = re.compile("[\x00-\x08\x0e-\x19\x1b-\x1f]")


def read_palette(path: Path | str) -> NDArray[np.uint8]:
    """Read a palette.

    Parameters
    ----------
    path : Path or str
        A file of one of the kinds told above, of at most 32 MB; a picture of at most 16 megapixels.

    Returns
    -------
    (k, 3) uint8 array
        sRGB colours, all distinct, in the file's order; 1 ≤ k ≤ 65,536.

    Raises
    ------
    ValueError
        When there is no such file, or it cannot be read, is none of these, is damaged, or has no
        colour or too many. The message tells the path, what was expected and found, and what to do.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from pipeline import read_palette
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "brand.hex"
    ...     _ = path.write_text("#ff8000", encoding="ascii")
    ...     colors = read_palette(path)
    >>> colors.tolist()
    [[255, 128, 0]]
    """
    path = Path(path)
    where = str(path).encode("utf-8", "backslashreplace").decode()
    try:
        return colors_of(_content(path), path.suffix.lower())
    except OSError as error:
        raise ValueError(
            f"{where}: expected a palette file, found none that can be read ({error.strerror or error}); "
            "correct the path, or grant permission to read it"
        ) from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _content(path: Path) -> bytes:
    """Read a file that is not too large; never a pipe or device, which might have no end."""
    try:
        found = path.stat()
    except ValueError as error:
        raise ValueError(f"expected a path that a file can have, found none ({error}); correct it") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or device"
        raise ValueError(f"expected a palette file, found {kind}; give the path of a file")
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if not data:
        raise ValueError("expected a palette, found 0 bytes; give another file")
    if len(data) > _MOST_BYTES:
        raise ValueError(
            f"expected a palette of at most {_MOST_BYTES / 1e6:g} MB, found {found.st_size / 1e6:.4g} MB; "
            "give a smaller file"
        )
    return data


def colors_of(data: bytes, extension: str) -> NDArray[np.uint8]:
    """Tell what a file is by its content, and read it: (k, 3), distinct. Raises ValueError."""
    if is_picture(data):
        return _distinct(picture_colors(data))
    if data.startswith(b"ASEF"):
        return _distinct(ase_colors(data))
    text = text_of(data)
    if text.startswith("GIMP Palette"):
        return _distinct(gpl_colors(text))
    if extension == ".act":
        return _distinct(act_colors(data))
    readable = not _CONTROL.search(text)
    if readable and extension == ".css":
        return _distinct(css_colors(text))
    if readable and text.lstrip().startswith(("{", "[")):
        return _distinct(json_colors(text))
    if extension not in _EXPECTED:
        if readable:
            return _distinct(hex_colors(text))
        if len(data) in ACT_SIZES:
            return _distinct(act_colors(data))
    raise ValueError(
        f"expected {_EXPECTED.get(extension, _ANY)}, found content that begins with {data[:12]!r}; "
        "give another file, or export this palette anew"
    )


def _distinct(colors: Iterable[Iterable[int]]) -> NDArray[np.uint8]:
    """Keep the first of equal colours: (k, 3)."""
    found: dict[tuple[int, ...], None] = {}
    for color in colors:
        found[tuple(color)] = None
        if len(found) > _MOST_COLORS:
            raise ValueError(
                f"expected a palette of at most {_MOST_COLORS:,} distinct colours, found more; "
                "give a palette, not a photograph"
            )
    if not found:
        raise ValueError(
            "expected at least one colour that is not fully transparent, found none; give another palette"
        )
    return np.array(list(found), np.uint8)
