"""What a job file for an input root should say, after a glance at it."""

import math
from collections import Counter
from collections.abc import Iterator
from glob import escape

from pipeline.files.kinds import told_kinds
from pipeline.files.printable import counted, plain
from pipeline.jobs.glance import Glance
from pipeline.jobs.spec_sections import Input
from pipeline.jobs.spec_template import Setting
from pipeline.jobs.yaml_places import as_yaml

_MOST: float = Input.model_fields["max_megapixels"].default


def settings_for(found: Glance) -> dict[str, Setting]:
    """The keys that the job should set beside its roots."""
    settings = {"output.report": Setting("true", "Set, so that there is something to look at after a run.")}
    if found.uncommon:
        kinds = ", ".join(plain(kind) for kind in found.uncommon)
        patterns = [f"*{escape(kind)}" for kind in sorted(found.kinds)]
        settings["input.include"] = Setting(
            as_yaml(patterns), f"Set, because {kinds} files are images, which their names do not say."
        )
    if found.exclude:
        settings["input.exclude"] = Setting(as_yaml(found.exclude), "Set: these are outputs of jobs.")
    largest = max((one.megapixels for one in found.read), default=0.0)
    if largest > _MOST:
        settings["input.max_megapixels"] = Setting(
            f"{math.ceil(largest / 10) * 10}", f"Raised: the largest image found has {largest:.0f} million."
        )
    if found.read and all(one.raster for one in found.read):
        settings["quantize.method"] = Setting("segment", f"Set: these are rasters of {_rasters(found)}.")
        settings["output.labels.format"] = Setting("tiff", "Set: tiles, places and no-data stay as they are.")
    return settings


def remarks_on(found: Glance) -> Iterator[str]:
    """What was seen, for those who read the job file: paragraphs."""
    yield sizes_of(found)
    unread = len(found.looked) - len(found.read)
    if unread:
        yield f"Of {len(found.looked)} that were looked at, {unread} could not be read; runs will name them."
    rasters = sum(bool(one.raster) for one in found.read)
    if 0 < rasters < len(found.read):
        yield (
            f"{rasters} of {len(found.read)} that were looked at are rasters of {_rasters(found)}: here they "
            "are done as pictures. To segment their numbers, make a job of them with input.include and "
            "quantize.method: segment."
        )
    if found.others:
        yield f"Not taken in, as their names are no images': {told_kinds(found.others)}."


def sizes_of(found: Glance) -> str:
    """How many images there are, and how large they are together."""
    told = f"{counted(found.images, 'image')} ({told_kinds(found.kinds)})"
    if not found.read:
        return f"{told}."
    megapixels = f"{sum(one.megapixels for one in found.read):.1f} Mpx"
    if len(found.looked) < found.images:
        return f"{told}; the {len(found.looked)} looked at have {megapixels}."
    return f"{told}, {megapixels}."


def _rasters(found: Glance) -> str:
    """The kinds of numbers, the most frequent first."""
    counts = Counter(one.raster for one in found.read if one.raster)
    return " or ".join(kind for kind, _ in counts.most_common(3))
