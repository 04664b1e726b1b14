"""Records: what came of each image. One record is one line of the manifest.

A record says nothing that another run over the same files would not say: no clock, no host, no
absolute path.
"""

from typing import Literal

import msgspec


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
    """How many colours were asked for and found."""

    asked: int
    found: int


class MetricFacts(msgspec.Struct, frozen=True, gc=False):
    """How far the quantized image is from the original: see `pipeline.color.metrics`."""

    mse: float
    psnr: float | None
    delta_e_mean: float
    delta_e_p95: float
    delta_e_max: float


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why an image failed: the name of a class in `pipeline.errors`, and its message."""

    type: str
    message: str


class Record(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """The state of one image in the output tree.

    "skipped" is a file that is no supported image, in a job that passes such files over.
    `notes` are the policies that were applied to it (orientation, profile, depth, …).
    """

    image: str
    status: Literal["done", "failed", "skipped"]
    recipe: str
    input: InputFacts | None = None
    outputs: dict[str, OutputFacts] = {}
    colors: ColorFacts | None = None
    metrics: MetricFacts | None = None
    iterations: int | None = None
    converged: bool | None = None
    notes: tuple[str, ...] = ()
    error: Failure | None = None


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
