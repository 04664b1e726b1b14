"""Palettes in the formats of other programs."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.color.clusters import Clusters
from pipeline.color.palette import Palette


def palette_json(about: dict[str, Any], palette: Palette, clusters: Clusters) -> bytes:
    """Write a palette with what each entry stands for: one line an entry, for eyes and diffs.

    about : what goes to the top, before `colors`.
    """
    head = [f"{_json(key)}: {_json(value)}" for key, value in about.items()]
    entries = ",\n  ".join(_json(entry) for entry in _entries(palette, clusters))
    return ("{" + ",\n ".join([*head, f'"colors": [\n  {entries}\n ]']) + "}\n").encode()


def centers_json(about: dict[str, Any], centers: NDArray[np.float64], counts: NDArray[np.int64]) -> bytes:
    """Write the centres (k, bands) of a raster's clusters and the pixels (k,) of each, one line a cluster.

    about : what goes to the top, before `clusters`.
    """
    head = [f"{_json(key)}: {_json(value)}" for key, value in about.items()]
    shares = np.round(counts / counts.sum(), 8).tolist()
    entries = ",\n  ".join(
        _json({"label": label, "count": count, "share": share, "center": center})
        for label, (count, share, center) in enumerate(
            zip(counts.tolist(), shares, centers.tolist(), strict=True)
        )
    )
    return ("{" + ",\n ".join([*head, f'"clusters": [\n  {entries}\n ]']) + "}\n").encode()


def palette_gpl(name: str, palette: Palette) -> bytes:
    """Write a GIMP palette, which Inkscape and Krita read too."""
    title = name.encode("unicode_escape").decode()  # a line break in a name must not end the line
    rows = [
        f"{r:3d} {g:3d} {b:3d}\t{code}"
        for (r, g, b), code in zip(palette.colors.tolist(), palette.hex, strict=True)
    ]
    return "\n".join(["GIMP Palette", f"Name: {title}", "Columns: 8", "#", *rows, ""]).encode()


def _entries(palette: Palette, clusters: Clusters) -> list[dict[str, Any]]:
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


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
