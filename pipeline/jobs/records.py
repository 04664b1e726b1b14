"""Records: what came of each image. One record is one line of the manifest.

A record says nothing that another run over the same files would not say: no clock, no host, no
absolute path.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from pipeline import __version__
from pipeline.errors import ImageError


class InputFacts(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """The input file. What was not found out is missing: its content if it was refused unread."""

    bytes: int
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    format: str | None = None


class OutputFacts(msgspec.Struct, frozen=True, gc=False):
    """One output file: path relative to the output root, size, content."""

    path: str
    bytes: int
    sha256: str


class ColorFacts(msgspec.Struct, frozen=True, gc=False):
    """How many colours were asked for (None: the method has no say in it) and found."""

    asked: int | Literal["auto"] | None
    found: int


class MetricFacts(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """How far the quantized image is from the original: see `pipeline.color.metrics`."""

    mse: float
    psnr: float | None
    delta_e_mean: float
    delta_e_p95: float
    delta_e_max: float
    ssim: float | None = None


class RegionFacts(msgspec.Struct, frozen=True, gc=False):
    """Connected regions of the label map, and pixels whose region was too small to stay."""

    found: int
    merged_pixels: int


class Failure(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """Why an image failed: the name of a class in `pipeline.errors`, and its message.

    version : of the program that it was too much for, if another one might do it.
    """

    type: str
    message: str
    version: str = ""


class Record(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """The state of one image in the output tree.

    "skipped" is a file that is no supported image, in a job that passes such files over.
    `notes` are the policies that were applied to it (orientation, profile, depth, …). `inertia` is
    the sum of squared distances to the palette in the working space, `findings` what the method has
    to say besides. `members` tells the images that a shared palette was found for, by a digest of
    theirs; `frozen`: this image, which has it, was not one of them.
    """

    image: str
    status: Literal["done", "failed", "skipped"]
    recipe: str
    input: InputFacts | None = None
    outputs: dict[str, OutputFacts] = {}
    colors: ColorFacts | None = None
    metrics: MetricFacts | None = None
    inertia: int | float | None = None
    iterations: int | None = None
    converged: bool | None = None
    findings: dict[str, Any] = {}
    regions: RegionFacts | None = None
    members: str = ""
    frozen: bool = False
    notes: tuple[str, ...] = ()
    error: Failure | None = None

    @property
    def shared(self) -> dict[str, OutputFacts]:
        """The files of the palette that it shares."""
        return {kind: file for kind, file in self.outputs.items() if kind.startswith("shared")}

    def without_shared(self) -> "Record":
        """The record with its image's own files only."""
        own = {kind: file for kind, file in self.outputs.items() if kind not in self.shared}
        return msgspec.structs.replace(self, outputs=own, members="", frozen=False)


def failure_of(error: ImageError) -> Failure:
    """What a record says of an error."""
    return Failure(type(error).__name__, str(error), __version__ if error.quarantined else "")


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def to_line(record: Record) -> bytes:
    """Write a record as a line of JSON, line feed included."""
    return _encode(record) + b"\n"


def from_line(line: bytes) -> Record:
    """Read a record back; raises ValueError (msgspec's are) for what is no record."""
    try:
        return _decode(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


class Records(Mapping[str, Record]):
    """Records by key, held as lines and read when they are asked for: at 100,000 images, half the memory."""

    def __init__(self, lines: dict[str, bytes] | None = None) -> None:
        self._lines = lines or {}

    @classmethod
    def of(cls, *records: Record) -> "Records":
        """Hold some records."""
        return cls({record.image: to_line(record) for record in records})

    def __getitem__(self, key: str) -> Record:
        return from_line(self._lines[key])

    def __contains__(self, key: object) -> bool:
        return key in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, key: str) -> bytes:
        """A record as a line of the manifest."""
        return self._lines[key]

    def under(self, newer: "Iterable[Records]") -> "Records":
        """These with others over them: of one image the last record counts."""
        lines = dict(self._lines)
        for records in newer:
            lines |= records._lines
        return Records(lines)

    def only(self, wanted: Callable[[str], bool]) -> "Records":
        """Those of some images."""
        return Records({key: line for key, line in self._lines.items() if wanted(key)})
