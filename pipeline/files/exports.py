"""Palettes in the formats of other programs.

    json    the full record of a run               gpl    GIMP, Inkscape, Krita
    png     a picture, see `bars`                  ase    Adobe swatch exchange, see `swatches`
    act     Adobe colour table, see `swatches`     hex    rrggbb a line, as Lospec has them
    txt     Paint.NET: AARRGGBB a line             css    custom properties of `:root`

Names of colours stand where a format has room for them: in JSON as `name`, in GIMP palettes and
swatch exchange before the code, in CSS behind the share. All text is UTF-8 with a line feed
at the end of each line.
"""

import re
from pathlib import PurePosixPath
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.color.clusters import Clusters
from pipeline.color.palette import Palette
from pipeline.files.bars import palette_png
from pipeline.files.printable import plain
from pipeline.files.swatches import palette_act, palette_ase

FORMATS = ("json", "gpl", "png", "ase", "act", "hex", "txt", "css")
"""The formats, which are the endings of their files."""


def exported(kind: str, title: str, palette: Palette, names: list[str] | None) -> bytes:
    """Write a palette in any of the formats but JSON.

    title : what it is the palette of. names : of its colours, if they are to be told.

    Raises
    ------
    ValueError
        When the format cannot hold so many colours.
    """
    match kind:
        case "gpl":
            return palette_gpl(title, palette, names)
        case "png":
            return palette_png(palette)
        case "ase":
            return palette_ase(title, palette.colors, labelled(palette, names))
        case "act":
            return palette_act(palette.colors)
        case "hex":
            return palette_hex(palette)
        case "txt":
            return palette_txt(title, palette)
        case "css":
            return palette_css(title, palette, names)
    raise ValueError(f"a format must be one of {', '.join(FORMATS)}, not {kind!r}")


def palette_json(
    about: dict[str, Any], palette: Palette, clusters: Clusters, names: list[str] | None = None
) -> bytes:
    """Write a palette with what each entry stands for: one line an entry, for eyes and diffs.

    about : what goes to the top, before `colors`. names : of the colours, if they are to be told.
    """
    return _record(about, "colors", _entries(palette, clusters, names))


def centers_json(about: dict[str, Any], centers: NDArray[np.float64], counts: NDArray[np.int64]) -> bytes:
    """Write the centres (k, bands) of a raster's clusters and the pixels (k,) of each, one line a cluster.

    about : what goes to the top, before `clusters`.
    """
    shares = np.round(counts / counts.sum(), 8).tolist()
    told = zip(counts.tolist(), shares, centers.tolist(), strict=True)
    entries = [
        {"label": label, "count": count, "share": share, "center": center}
        for label, (count, share, center) in enumerate(told)
    ]
    return _record(about, "clusters", entries)


def palette_gpl(title: str, palette: Palette, names: list[str] | None = None) -> bytes:
    """Write a GIMP palette, which Inkscape and Krita read too."""
    rows = [
        f"{r:3d} {g:3d} {b:3d}\t{label}"
        for (r, g, b), label in zip(palette.colors.tolist(), labelled(palette, names), strict=True)
    ]
    return _lines("GIMP Palette", f"Name: {plain(title)}", "Columns: 8", "#", *rows)


def palette_hex(palette: Palette) -> bytes:
    """Write six digits a line and nothing else, as Lospec does."""
    return _lines(*(code[1:] for code in palette.hex))


def palette_txt(title: str, palette: Palette) -> bytes:
    """Write a palette of Paint.NET, all of it opaque; that program shows the first 96 colours."""
    head = ("paint.net Palette File", plain(title), f"Colors: {len(palette)}")
    codes = (f"FF{code[1:].upper()}" for code in palette.hex)
    return _lines(*(f"; {line}" for line in head), *codes)


def palette_css(title: str, palette: Palette, names: list[str] | None = None) -> bytes:
    """Write custom properties, `--<stem of the title>-<label>`, with the shares as comments."""
    stem = re.sub("[^0-9A-Za-z_]+", "-", PurePosixPath(title).stem).strip("-") or "color"
    told = zip(palette.hex, palette.percents, names or [""] * len(palette), strict=True)
    rows = [
        f"  --{stem}-{label}: {code}; /* {f'{share} {name}'.rstrip()} */"
        for label, (code, share, name) in enumerate(told)
    ]
    about = plain(title).replace("*/", "*\\/")  # it must not end the comment
    return _lines(f"/* {about} */", ":root {", *rows, "}")


def labelled(palette: Palette, names: list[str] | None) -> list[str]:
    """The codes of the colours, behind their names if they are to be told: two may have one name."""
    if names is None:
        return palette.hex
    return [f"{name} {code}" for name, code in zip(names, palette.hex, strict=True)]


def _entries(palette: Palette, clusters: Clusters, names: list[str] | None) -> list[dict[str, Any]]:
    centroids = np.round(clusters.centroids, 4).tolist()
    spreads = np.round(clusters.spreads, 4).tolist()
    shares = np.round(palette.shares, 8).tolist()
    counts = palette.counts.tolist()
    swatches = clusters.swatches.tolist()
    swatch_counts = clusters.swatch_counts.tolist()
    return [
        {
            "label": label,
            "rgb": palette.colors[label].tolist(),
            "hex": code,
            **({"name": names[label]} if names else {}),
            "count": counts[label],
            "share": shares[label],
        }
        | (
            {
                "centroid": centroids[label],
                "median": clusters.medians[label].tolist(),
                "nearest": clusters.nearest[label].tolist(),
                "spread": spreads[label],
                "swatches": [
                    {"rgb": rgb, "count": count}
                    for rgb, count in zip(swatches[label], swatch_counts[label], strict=True)
                    if count
                ],
            }
            if counts[label]  # of a palette that was given, some entries may stand for nothing
            else {}
        )
        for label, code in enumerate(palette.hex)
    ]


def _record(about: dict[str, Any], name: str, entries: list[dict[str, Any]]) -> bytes:
    """An object of what is told at the top, a line a key, and a list under a name, a line an entry."""
    head = [f"{_json(key)}: {_json(value)}" for key, value in about.items()]
    listed = ",\n  ".join(map(_json, entries))
    return ("{" + ",\n ".join([*head, f'"{name}": [\n  {listed}\n ]']) + "}\n").encode()


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
