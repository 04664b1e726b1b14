"""What the report's page tells of a raster's clusters: shares, centres, and the colours of their segments."""

from typing import Any

from pipeline.color.falsecolors import false_colors
from pipeline.jobs.records import Record

_BANDS = 8  # of a centre that are told; the file has them all


def of_raster(record: Record) -> bool:
    """Whether an image is parted into clusters of values, not colours."""
    return "centers" in record.outputs


def clusters_in(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The clusters that a file of centres tells of, as colours of a palette; an error of Python's if none."""
    clusters = told["clusters"]
    colors = false_colors(len(clusters)).tolist()
    return [_cluster(cluster, color) for cluster, color in zip(clusters, colors, strict=True)]


def _cluster(told: dict[str, Any], color: list[int]) -> dict[str, Any]:
    center = told["center"]
    shown = ", ".join(f"{value:.6g}" for value in center[:_BANDS])
    more = f", … ({len(center)} bands)" if len(center) > _BANDS else ""
    return {
        "hex": "#{:02x}{:02x}{:02x}".format(*color),
        "count": told["count"],
        "share": told["share"],
        "center": shown + more,
    }
