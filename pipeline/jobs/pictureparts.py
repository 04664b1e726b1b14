"""Parts of pictures on their way from the workers that make them to the one that joins them."""

from collections.abc import Sequence
from functools import partial

from pipeline.files.geotags import Carried
from pipeline.files.objects import Place
from pipeline.files.writing import AnyCommit
from pipeline.jobs.canvas import Canvas, Part
from pipeline.jobs.handover import keep_bytes
from pipeline.jobs.records import OutputFacts


def keep_parts(folder: Place, number: int, parts: dict[str, Part]) -> dict[str, Part]:
    """Put the bytes of a slab's parts into files; returns the parts, which now name these.

    number : the slab's.
    """
    there = {}
    for picture, part in parts.items():
        path = folder / f"{picture}-{number}"
        keep_bytes(path, part.read())
        there[picture] = part._replace(data=path)
    return there


def stage_pictures(
    commit: AnyCommit,
    key: str,
    canvas: Canvas,
    parts: Sequence[dict[str, Part]],
    carried: Carried,
    overviews: bool,
) -> dict[str, OutputFacts]:
    """Write the pictures of an image beside their final names, from the parts of all slabs in order."""
    outputs = {}
    for picture in canvas.formats:
        own = [part[picture] for part in parts]
        write = partial(canvas.write, picture=picture, parts=own, carried=carried, overviews=overviews)
        outputs[picture] = OutputFacts(*commit.stage_written(key, canvas.path(picture, key), write))
    return outputs


def stage_file(commit: AnyCommit, key: str, path: str, data: bytes) -> OutputFacts:
    """Write a small file of an image beside its final name."""
    [file] = commit.stage(key, {path: data})
    return OutputFacts(*file)


def publish(commit: AnyCommit) -> None:
    """Make final what was staged of one image; raises the error that it meets."""
    for error in commit.publish().values():
        raise error
