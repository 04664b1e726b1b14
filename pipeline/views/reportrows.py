"""What the report's page tells of images: columns of its index, and all of each image page by page.

Data are calls in JavaScript, for a page that was opened from a disk may load nothing else. A page
begins with a line that names the records it tells of, by a digest, and what the index takes from it:
while those records stay as they are no palette has to be read again, but where one could not be. The
index knows each page by a digest too, for a page of another report is not to be shown under its names.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pipeline.errors import ImageError
from pipeline.jobs.records import Record, to_line
from pipeline.views.reportclusters import of_raster
from pipeline.views.reportpalettes import Palette

ROWS = 50
"""Images in a page: few enough that one is loaded in no time, with 256 colours too."""

_FORM = 3  # of the pages; another form makes all of them anew


class Made(NamedTuple):
    """A page that was made: by what digest the index knows it, and whether all its palettes were read."""

    made: str
    whole: bool


def page_of(
    number: int,
    records: Sequence[Record],
    known: bytes,
    palettes_of: Callable[[Sequence[Record]], list[Palette]],
) -> tuple[bytes, list[str]]:
    """A page's content, and the bars of its images for the index.

    known : the page as it was, or nothing. palettes_of : reads the palettes of some records.
    """
    lines = b"".join(map(to_line, records))
    digest = hashlib.sha256(b"%d\n%d\n%b" % (_FORM, number, lines)).hexdigest()
    head = _head(known)
    if head.get("records") == digest and _is_whole(known, number, head["made"]):
        return known, head["bars"]
    palettes = palettes_of(records)
    bars = [palette.bar for palette in palettes]
    rows = f"[{','.join(map(_row, records, palettes))}]"
    made = _digest(rows)
    whole = all(palette.read for palette in palettes)
    told = _script({"records": digest if whole else None, "made": made, "bars": bars})
    return f"// {told}\nsegpipe.page({number}, {rows}, {_script(made)});\n".encode(), bars


def made_of(page: bytes) -> Made:
    """What the index and the report are to know of a page."""
    head = _head(page)
    return Made(head["made"], head["records"] is not None)


def columns(records: Sequence[Record], bars: Sequence[str], changed: set[str]) -> dict[str, list[Any]]:
    """The index of all images, a list for each thing that is told of them."""
    states = ("done", "failed", "skipped")
    inputs = [record.input for record in records]
    return {
        "name": [record.image for record in records],
        "state": [states.index(record.status) for record in records],
        "asked": [_asked(record) for record in records],
        "found": [record.colors.found if record.colors else None for record in records],
        "mse": [round(record.metrics.mse, 2) if record.metrics else None for record in records],
        "delta": [round(record.metrics.delta_e_mean, 2) if record.metrics else None for record in records],
        "width": [facts.width if facts else None for facts in inputs],
        "height": [facts.height if facts else None for facts in inputs],
        "thumb": [int("thumbnail" in record.outputs) for record in records],
        "clusters": [int(of_raster(record)) for record in records],
        "changed": [int(record.image in changed) for record in records],
        "noted": [int(bool(warnings_of(record))) for record in records],
        "bar": list(bars),
        "why": [f"{record.error.type}: {record.error.message}" if record.error else "" for record in records],
    }


def index_script(content: dict[str, Any]) -> bytes:
    """The index as the page loads it."""
    return f"segpipe.index({_script(content)});\n".encode()


def warnings_of(record: Record) -> list[str]:
    """What of an image that is done one might want to look at."""
    warnings = list(record.notes)
    asked = _asked(record)
    if record.colors and asked and record.colors.found < asked:
        kind = "pixels" if of_raster(record) else "colours"
        warnings.append(f"has {record.colors.found} distinct {kind}, fewer than the {asked} asked for")
    if record.converged is False:
        end = "its last step" if of_raster(record) else "quantize.max_iter"
        warnings.append(f"the fit was ended by {end} before it had converged")
    if record.frozen:
        warnings.append("painted in a palette that was found before this image was there")
    return warnings


def way_out(record: Record) -> str:
    """When a failed image is tried again."""
    if record.error is None:
        return ""
    if ImageError.named(record.error.type).lasting:
        return "Tried again when the file or the recipe changes, or with --retry-failed."
    return "Tried again by the next run."


def _asked(record: Record) -> int | None:
    asked = record.colors.asked if record.colors else None
    return asked if isinstance(asked, int) else None


def _head(page: bytes) -> dict[str, Any]:
    """What the first line of a page says; nothing of a page that is not there, or no page."""
    line = page.partition(b"\n")[0]
    try:
        found = json.loads(line.removeprefix(b"// "))
    except ValueError:
        return {}
    return found if isinstance(found, dict) and {"records", "made", "bars"} <= found.keys() else {}


def _is_whole(page: bytes, number: int, made: str) -> bool:
    """Whether a page ends as it was made to: half of one says who made it, too."""
    body = page.partition(b"\n")[2].decode(errors="replace")
    begin, end = f"segpipe.page({number}, ", f", {_script(made)});\n"
    return body.endswith(end) and _digest(body.removeprefix(begin).removesuffix(end)) == made


def _digest(rows: str) -> str:
    return hashlib.sha256(rows.encode()).hexdigest()[:16]


def _row(record: Record, palette: Palette) -> str:
    told = {
        "facts": _facts(record),
        "notes": warnings_of(record),
        "error": [record.error.type, record.error.message, way_out(record)] if record.error else None,
        "files": [
            [kind, file.path, file.bytes] for kind, file in record.outputs.items() if kind != "thumbnail"
        ],
    }
    return f'{_script(told)[:-1]},"palette":{_escaped(palette.rows)}}}'


def _facts(record: Record) -> list[list[str]]:
    facts = []
    if record.input:
        size = f"{record.input.width} × {record.input.height}, " if record.input.width else ""
        form = f"{record.input.format}, {record.input.mode}, " if record.input.format else ""
        facts.append(["input", f"{size}{form}{record.input.bytes:,} bytes"])
    if record.colors:
        asked = "" if record.colors.asked is None else f" of {record.colors.asked} asked for"
        facts.append(["clusters" if of_raster(record) else "colours", f"{record.colors.found}{asked}"])
    if record.metrics:
        found = record.metrics
        psnr = "none: the image is reproduced exactly" if found.psnr is None else f"{found.psnr:.2f} dB"
        facts.append(["MSE (sum of the channels)", f"{found.mse:.2f}"])
        facts.append(["PSNR", psnr])
        facts.append(
            [
                "ΔE₂₀₀₀",
                f"mean {found.delta_e_mean:.2f}, 95 % below {found.delta_e_p95:.2f}, "
                f"most {found.delta_e_max:.2f}",
            ]
        )
        if found.ssim is not None:
            facts.append(["SSIM", f"{found.ssim:.4f}"])
    if record.iterations is not None:
        facts.append(
            ["fit", f"{record.iterations} iterations, {'converged' if record.converged else 'not converged'}"]
        )
    if record.regions:
        facts.append(["regions", f"{record.regions.found:,}; {record.regions.merged_pixels:,} pixels merged"])
    return facts


def _script(value: Any) -> str:
    """JSON that is JavaScript too, whatever the names are, in a file of its own or in a page."""
    return _escaped(json.dumps(value, ensure_ascii=True, separators=(",", ":")))


def _escaped(text: str) -> str:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
