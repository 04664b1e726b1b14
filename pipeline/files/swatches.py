"""Adobe's palettes: colour tables (.act) and swatch exchange (.ase).

Colour table (Photoshop's file format specification): 256 times red, green, blue as bytes; with four
bytes more, the number of colours that count and the index of the transparent one (65,535: none),
both big-endian. The transparent one is left out. Without them all 256 count, as in Photoshop, so a
table that was filled up with black has black.

Swatch exchange (Adobe describes it nowhere; after those who took it apart): `ASEF`, the version, the
number of blocks; each block has a kind, a length and so many bytes. A colour's block has a name in
UTF-16, four letters for the model and floats for its values, all big-endian. Groups are read
through, kinds of block that are not known are passed over.

    RGB    0..1 each, taken for sRGB
    Gray   0..1, black to white, taken for sRGB's grey
    LAB    0..1, -128..127, -128..127, CIE L*a*b* (L* / 100) under D50 as in Adobe's programs; brought
           to D65 by Bradford's matrix, to sRGB, and clipped
    CMYK   refused: which colour an ink gives, a printing profile says, and the file has none. The
           naive formula turns process cyan (about #00aeef in print) into #00ffff.

What is written: a table of 772 bytes, filled up with black, none of it transparent; one group of RGB
swatches, all of the kind that Adobe calls normal.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ACT_SIZES = (768, 772)
_COLOR, _GROUP, _GROUP_END = 0x0001, 0xC001, 0xC002
_NORMAL = 2  # neither global nor spot
_NO_COLOR = 0xFFFF  # no place in the table
_MOST_TITLE = 255
_VALUES = {"RGB": 3, "GRAY": 1, "LAB": 3, "CMYK": 4}
_FROM_D50 = np.array(  # Bradford's adaptation to D65: XYZ columns
    [
        [0.9555766, -0.0230393, 0.0631636],
        [-0.0282895, 1.0099416, 0.0210077],
        [0.0122982, -0.0204830, 1.3299098],
    ]
)


class _Swatch(NamedTuple):
    """One colour of a swatch exchange file."""

    name: str
    model: str
    values: tuple[float, ...]


def act_colors(data: bytes) -> list[list[int]]:
    """Read a colour table: [red, green, blue], 0..255, each.

    Raises
    ------
    ValueError
        When it is of no size that a colour table has, or its number of colours is impossible.
    """
    if len(data) not in ACT_SIZES:
        raise ValueError(
            f"expected an Adobe colour table of 768 or 772 bytes, found {len(data)}; save the palette anew"
        )
    count, clear = struct.unpack(">HH", data[768:]) if len(data) == 772 else (256, None)
    if not 1 <= count <= 256:
        raise ValueError(
            f"expected an Adobe colour table of 1 to 256 colours, found {count}; save the palette anew"
        )
    colors = np.frombuffer(data[:768], np.uint8).reshape(-1, 3)[:count].tolist()
    return [color for index, color in enumerate(colors) if index != clear]


def ase_colors(data: bytes) -> list[list[int]]:
    """Read a swatch exchange file: sRGB, [red, green, blue], 0..255, each.

    Raises
    ------
    ValueError
        When it is damaged, or has colours that are for print.
    """
    swatches = list(_swatches(data))
    if not swatches:
        return []
    values = np.array([swatch.values * (3 // len(swatch.values)) for swatch in swatches])  # grey: r = g = b
    lab = np.array([swatch.model == "LAB" for swatch in swatches])
    if lab.any():
        values[lab] = _srgb_of_lab(values[lab])
    levels: list[list[int]] = np.floor(values * 255 + 0.5).astype(np.uint8).tolist()
    return levels


def palette_act(colors: NDArray[np.uint8]) -> bytes:
    """Write colours (k, 3) as a colour table.

    Raises
    ------
    ValueError
        When there are more than 256.
    """
    if len(colors) > 256:
        raise ValueError(
            f"expected at most 256 colours for an Adobe colour table (.act), found {len(colors)}; "
            "ask for fewer, or for a swatch exchange file (.ase)"
        )
    return colors.tobytes().ljust(768, b"\0") + struct.pack(">HH", len(colors), _NO_COLOR)


def palette_ase(title: str, colors: NDArray[np.uint8], names: list[str]) -> bytes:
    """Write colours (k, 3) with their names as a swatch exchange file, in a group of this title."""
    swatches = [
        _block(
            _COLOR, _coded(name) + b"RGB " + struct.pack(">3fH", *(level / 255 for level in color), _NORMAL)
        )
        for color, name in zip(colors.tolist(), names, strict=True)
    ]
    blocks = [_block(_GROUP, _coded(title[:_MOST_TITLE])), *swatches, _block(_GROUP_END)]
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def _block(kind: int, content: bytes = b"") -> bytes:
    return struct.pack(">HI", kind, len(content)) + content


def _coded(name: str) -> bytes:
    """A name as swatch exchange has it: its length with the NUL at its end, and UTF-16."""
    coded = name.encode("utf-16-be", "replace") + b"\0\0"
    return struct.pack(">H", len(coded) // 2) + coded


def _swatches(data: bytes) -> Iterator[_Swatch]:
    """Yield the colours of a swatch exchange file."""
    if len(data) < 12:
        raise _cut_short(f"{len(data)} bytes")
    (count,) = struct.unpack_from(">I", data, 8)
    place = 12
    for block in range(count):
        kind, length = struct.unpack_from(">HI", data, place) if place + 6 <= len(data) else (0, len(data))
        place += 6 + length
        if place > len(data):
            raise _cut_short(f"{block} whole blocks of {count}")
        if kind == _COLOR:
            yield _swatch(data[place - length : place])


def _swatch(block: bytes) -> _Swatch:
    """Take the block of a colour apart."""
    try:
        (length,) = struct.unpack_from(">H", block)
        place = 2 + 2 * length
        name = block[2:place].decode("utf-16-be", "replace").rstrip("\0")
        model = block[place : place + 4].decode("latin-1").strip().upper()
        values = struct.unpack_from(f">{_VALUES.get(model, 0)}f", block, place + 4)
    except struct.error as error:
        raise _cut_short("a colour that ends before its values") from error
    if model == "CMYK":
        raise ValueError(
            f"expected colours for screens, found the CMYK colour {_short(name)}, which a printing profile "
            "would have to define; convert the swatches to RGB and export them anew"
        )
    if not values:
        raise ValueError(
            f"expected RGB, Gray or LAB colours, found {_short(name)} of the model {_short(model)}; "
            "export the swatches as RGB"
        )
    swatch = _Swatch(name, model, values)
    _check(swatch)
    return swatch


def _check(swatch: _Swatch) -> None:
    """Refuse values that no program means: each may leave its range by less than half a level."""
    first, *rest = swatch.values
    slack = 0.5 / 255
    fine = -slack < first < 1 + slack
    if swatch.model == "LAB":
        fine = fine and all(-128.5 < value < 128.5 for value in rest)
    else:
        fine = fine and all(-slack < value < 1 + slack for value in rest)
    if not fine:
        ranges = "0..1, -128..127, -128..127" if swatch.model == "LAB" else "0..1"
        found = ", ".join(f"{value:g}" for value in swatch.values)
        raise ValueError(
            f"expected {swatch.model} values in {ranges}, found {found} in {_short(swatch.name)}; "
            "export the swatches anew"
        )


def _srgb_of_lab(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert (n, 3) L* / 100, a*, b* under D50 to sRGB, 0..1, clipped."""
    from skimage.color import lab2xyz, xyz2rgb

    lab = values * (100, 1, 1)
    # No light has less than no Z: scikit-image would clip it too, but with a warning.
    lab[:, 2] = np.minimum(lab[:, 2], 199.999999 * (lab[:, 0] + 16) / 116)
    adapted = lab2xyz(lab, illuminant="D50") @ _FROM_D50.T
    rgb: NDArray[np.float64] = xyz2rgb(adapted)
    return rgb


def _cut_short(found: str) -> ValueError:
    return ValueError(
        f"expected a whole Adobe swatch exchange file, found {found}; restore it from its source"
    )


def _short(name: str) -> str:
    """Quote a name of anyone's making, of any length."""
    return repr(name if len(name) <= 40 else f"{name[:39]}…")
