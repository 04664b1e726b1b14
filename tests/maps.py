"""Rasters whose clusters are known, jobs that segment them, and what such jobs wrote."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio import Affine
from trees import Site, age

from pipeline.jobs import rastertasks, slabs

HEIGHT, WIDTH = 300, 400
TRANSFORM = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0)
TILED = {"tiled": True, "blockxsize": 64, "blockysize": 32, "compress": "deflate"}
STRIPED = {"blockysize": 7, "compress": "lzw", "interleave": "band"}


def clusters(
    bands: int, dtype: Any, k: int = 5, height: int = HEIGHT, width: int = WIDTH
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """A raster of k groups of values far apart, of unlike sizes, and the group of each pixel.

    Groups lie in blocks of 9 × 9 pixels. Each is a tenth of its distance from the others wide.
    """
    rng = np.random.default_rng([bands, k])
    shares = np.arange(1, k + 1) / (k * (k + 1) / 2)
    blocks = rng.choice(k, (height // 9 + 1, width // 9 + 1), p=shares)
    truth = np.repeat(np.repeat(blocks, 9, axis=0), 9, axis=1)[:height, :width]
    middles = np.stack([rng.permutation(k) for _ in range(bands)], axis=1) * 4000.0 + 2000
    pixels = middles[truth] + rng.normal(0, 120, (height, width, bands))
    return np.round(pixels, 1).astype(dtype), truth


def save(path: Path, pixels: NDArray[Any], **options: Any) -> None:
    """Write a raster (height, width, bands) with a place on Earth, as if made an hour ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, bands = pixels.shape
    form = {"height": height, "width": width, "count": bands, "dtype": pixels.dtype.name}
    place = {"crs": "EPSG:32632", "transform": TRANSFORM}
    with rasterio.open(path, "w", driver="GTiff", **form, **place, **options) as target:
        target.write(pixels.transpose(2, 0, 1))
    age(path)


def segmenting(base: Path, pixels: NDArray[Any] | None = None, **sections: dict[str, Any]) -> Site:
    """A job that segments; with pixels, a raster of them is at `a.tif`."""
    wanted = {"method": "segment", "colors": 5} | sections.pop("quantize", {})
    site = Site(base, quantize=wanted, **sections)
    if pixels is not None:
        save(site.inputs / "a.tif", pixels)
    return site


def labels_of(site: Site, key: str = "a.tif", ending: str = ".png") -> NDArray[Any]:
    """The label map as Pillow opens it."""
    with Image.open(site.outputs / f"labels/{key}{ending}") as image:
        return np.asarray(image)


def centers_of(site: Site, key: str = "a.tif") -> dict[str, Any]:
    """What the JSON of the centres says."""
    found: dict[str, Any] = json.loads((site.outputs / f"centers/{key}.json").read_bytes())
    return found


def shrink(monkeypatch: pytest.MonkeyPatch, pixels: int = 20_000, patch: int = 30_000) -> None:
    """Make slabs and windows as small as they come, so that small rasters have several."""
    monkeypatch.setattr(slabs.slabs_of, "__defaults__", (pixels,))
    monkeypatch.setattr(rastertasks, "RASTER_PATCH_BYTES", patch)


def hold(
    site: Site, pixels: NDArray[Any], missing: Any = False, key: str = "a.tif", ending: str = ".png"
) -> None:
    """Hold label map and JSON against a plain reckoning: `missing` pixels have no data."""
    told, labels = centers_of(site, key), labels_of(site, key, ending).astype(np.int64)
    missing = np.broadcast_to(missing, labels.shape)
    k = told["clusters_found"]
    centers = np.array([cluster["center"] for cluster in told["clusters"]])
    assert centers.shape == (k, pixels.shape[2])
    assert [cluster["label"] for cluster in told["clusters"]] == list(range(k))
    assert ((labels == k) == missing).all()
    assert told["no_data"] == ({"label": k, "count": int(missing.sum())} if missing.any() else None)
    assert told["pixels"] == (~missing).sum() == sum(cluster["count"] for cluster in told["clusters"])
    counts = np.bincount(labels[~missing], minlength=k)
    assert [cluster["count"] for cluster in told["clusters"]] == counts.tolist()
    assert counts.min() > 0
    shares = [cluster["share"] for cluster in told["clusters"]]
    assert np.allclose(shares, counts / counts.sum(), atol=1e-8)
    values = pixels[~missing].astype(np.float64)
    scaled = (values - told["offsets"]) / told["scales"]
    goals = (centers - told["offsets"]) / told["scales"]
    squares = ((scaled[:, None] - goals) ** 2).sum(axis=2)
    own = squares[np.arange(len(values)), labels[~missing]]
    assert np.allclose(own, squares.min(axis=1), rtol=1e-9, atol=1e-12)
    assert np.isclose(told["inertia"], squares.min(axis=1).sum(), rtol=1e-9, atol=1e-12)
    record = site.records()[key]
    assert record["colors"] == {"asked": told["clusters_asked"], "found": k}
    assert record["inertia"] == told["inertia"]
