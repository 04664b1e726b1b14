"""Which array of a Zarr folder is its picture, and which of its axes are rows, columns and channels.

    array                the array; axes by their number and sizes: y x, y x c or c y x
    OME-Zarr, 0.1–0.5    the base level of the first image; axes by their names

Of all other axes the first plane is taken. What is passed over is told in notes.
"""

import json
from typing import Any, NamedTuple

from pipeline.errors import DamagedImage, UnsupportedImage
from pipeline.files.failures import failed_reading
from pipeline.files.objects import Place

_BEFORE_AXES = ("t", "c", "z", "y", "x")  # OME-Zarr 0.1 and 0.2 name none: all arrays have these
_KINDS = {"channel": "c", "time": "t"}
_MOST_INTERLEAVED = 4
_RUNS_CODE = "pickle"


class Base(NamedTuple):
    """An image in its best resolution.

    Attributes
    ----------
    path : str
        Of the array below the folder; empty for the folder itself.
    version : int
        Of the Zarr format: 2 or 3.
    axes : tuple of str or None
        Their names, "y", "x" and "c" among them; None when none are told.
    blosc : bool
        Whether chunks are stored as Blosc compresses them.
    notes : tuple of str
        What was chosen, in words.
    """

    path: str
    version: int
    axes: tuple[str, ...] | None
    blosc: bool
    notes: tuple[str, ...]


class Axes(NamedTuple):
    """The places of rows, columns and channels among an array's axes, and what was chosen of others."""

    y: int
    x: int
    c: int | None
    notes: tuple[str, ...]


def base_of(folder: Place, name: str) -> Base:
    """Choose the array of a Zarr folder that is its picture.

    Parameters
    ----------
    folder : Path or ObjectPath
        The folder.
    name : str
        Its name, for messages.

    Raises
    ------
    DamagedImage
        When metadata are missing or broken, or contradict each other.
    UnsupportedImage
        When it is a group without images, or has a codec that runs code of the file's.
    """
    version, node, attributes = _node(folder, name, "")
    if node is not None:
        _check_codecs(node, name)
        return Base("", version, None, _by_blosc(node), ())
    told = attributes.get("ome", attributes)
    images = told.get("multiscales") if isinstance(told, dict) else None
    if not images:
        raise UnsupportedImage(
            f"{name}: expected a Zarr array or an OME-Zarr image, found a group without multiscales; give "
            "each of its arrays a folder of its own whose name ends in .zarr, or exclude it"
        )
    path, axes, notes = _first_image(images, name)
    version, node, _ = _node(folder, name, path)
    if node is None:
        raise DamagedImage(
            f"{name}: expected its base level, an array, at {path}, found a group; restore it from its source"
        )
    _check_codecs(node, name)
    return Base(path, version, axes, _by_blosc(node), notes)


def axes_of(base: Base, shape: tuple[int, ...], name: str) -> Axes:
    """Tell rows, columns and channels of an array of that shape; errors as `base_of`."""
    if not shape or min(shape) < 1:
        raise DamagedImage(
            f"{name}: expected at least one pixel, found an array of {_by(shape)}; restore it from its source"
        )
    if base.axes is None:
        return Axes(*_by_shape(shape, name), base.notes)
    axes = base.axes
    if len(axes) != len(shape):
        raise DamagedImage(
            f"{name}: expected {len(axes)} axes as its OME metadata tell, found an array of {_by(shape)}; "
            "restore it from its source"
        )
    if not axes.count("y") == axes.count("x") == 1 or axes.count("c") > 1:
        raise UnsupportedImage(
            f"{name}: expected one axis y, one x and one c at most, found {', '.join(axes)}; "
            "save it anew with these, or exclude it"
        )
    planes = tuple(
        f"plane 1 of {size} along {axis.upper()}"
        for axis, size in zip(axes, shape, strict=True)
        if axis not in "yxc" and size > 1
    )
    level = base.notes[-1:] if base.notes and base.notes[-1].startswith("base") else ()
    notes = (*base.notes[: len(base.notes) - len(level)], *planes, *level)
    return Axes(axes.index("y"), axes.index("x"), axes.index("c") if "c" in axes else None, notes)


def _by_shape(shape: tuple[int, ...], name: str) -> tuple[int, int, int | None]:
    if len(shape) == 2:
        return 0, 1, None
    if len(shape) == 3:
        last = shape[2] <= _MOST_INTERLEAVED and shape[2] < min(shape[:2])
        return (0, 1, 2) if last else (1, 2, 0)
    raise UnsupportedImage(
        f"{name}: expected an array of 2 or 3 axes, or axes named by OME metadata, found {_by(shape)}; "
        "add OME metadata, or save it anew as (y, x) or (c, y, x)"
    )


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) if shape else "no axes"


def _node(folder: Place, name: str, path: str) -> tuple[int, dict[str, Any] | None, dict[str, Any]]:
    """What is at a path: format, the array's metadata or None for a group, attributes."""
    place = folder / path if path else folder
    prefix = f"{path}/" if path else ""
    if (found := _read(place / "zarr.json", f"{prefix}zarr.json", name)) is not None:
        kind = found.get("node_type")
        if found.get("zarr_format") != 3 or kind not in ("array", "group"):
            raise DamagedImage(
                f"{name}: expected {prefix}zarr.json to tell of an array or a group of Zarr 3, found "
                f"{kind!r} of Zarr {found.get('zarr_format')!r}; restore it from its source"
            )
        attributes = found.get("attributes")
        return 3, found if kind == "array" else None, attributes if isinstance(attributes, dict) else {}
    attributes = _read(place / ".zattrs", f"{prefix}.zattrs", name) or {}
    if (found := _read(place / ".zarray", f"{prefix}.zarray", name)) is not None:
        return 2, found, attributes
    if _read(place / ".zgroup", f"{prefix}.zgroup", name) is not None:
        return 2, None, attributes
    what = f"its base level at {path}" if path else "zarr.json, .zarray or .zgroup"
    raise DamagedImage(f"{name}: expected {what}, found none; restore it from its source")


def _read(path: Place, shown: str, name: str) -> dict[str, Any] | None:
    """A file of metadata; None when it is absent."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise failed_reading(error, name) from error
    except (ValueError, RecursionError) as error:
        raise DamagedImage(
            f"{name}: expected metadata as JSON in {shown}, found what is none ({error}); "
            "restore it from its source"
        ) from error
    if not isinstance(found, dict):
        raise DamagedImage(
            f"{name}: expected metadata in {shown}, found {type(found).__name__}; restore it from its source"
        )
    return found


def _first_image(images: Any, name: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Base level, axes and notes of the first of a group's images."""
    try:
        image = images[0]
        levels = image["datasets"]
        path = str(levels[0]["path"]).strip("/")
        axes = tuple(map(_axis, image.get("axes") or _BEFORE_AXES))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise DamagedImage(
            f"{name}: expected multiscales with datasets and their paths in its OME metadata, found broken "
            f"ones ({type(error).__name__}: {error}); restore it from its source"
        ) from error
    if not path or {"", ".", ".."} & set(path.split("/")):
        raise DamagedImage(
            f"{name}: expected its base level below the folder, found the path {path!r}; "
            "restore it from its source"
        )
    notes = []
    if len(images) > 1:
        notes.append(f"image 1 of {len(images)}")
    if len(levels) > 1:
        notes.append(f"base level of {len(levels)}")
    return path, axes, tuple(notes)


def _axis(told: Any) -> str:
    """The name of an axis; in OME-Zarr 0.3 there is nothing else."""
    if isinstance(told, str):
        return told.lower()
    return _KINDS.get(told.get("type"), str(told["name"]).lower())


def _by_blosc(node: dict[str, Any]) -> bool:
    """Tell whether the codec that has the last word on a chunk is Blosc."""
    told = (node.get("filters"), [node.get("compressor")], node.get("codecs"))
    codecs = [codec for part in told if isinstance(part, list) for codec in part]
    last = [codec for codec in codecs if isinstance(codec, dict)][-1:]
    return any("blosc" in str(codec.get("id", codec.get("name"))) for codec in last)


def _check_codecs(node: Any, name: str) -> None:
    """Refuse an array with a codec that would run what the file says."""
    waiting = [node.get(key) for key in ("filters", "compressor", "codecs")]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if any(_RUNS_CODE in str(found.get(key, "")).lower() for key in ("id", "name")):
                raise UnsupportedImage(
                    f"{name}: expected numbers, found objects pickled by Python, which can run any program; "
                    "save it anew without them, or exclude it"
                )
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
