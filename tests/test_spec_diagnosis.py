"""The nearest valid key: in the same section first, then anywhere."""

import pytest

from pipeline.jobs.spec import JobSpec
from pipeline.jobs.spec_diagnosis import nearest_key
from pipeline.jobs.spec_words import key_paths, plain_schema

SCHEMA = plain_schema(JobSpec)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("quantize.colours", "colors"),
        ("quantize.n_colors", "colors"),
        ("quantize.COLORS", "colors"),
        ("quantize.max_iterations", "max_iter"),
        ("input.format", "formats"),
        ("output.format", "output.quantized.format"),
        ("output.formats", "output.palette.formats"),
        ("output.palette.format", "formats"),
        ("quantize.workers", "compute.workers"),
        ("colors", "quantize.colors"),
        ("inputs", "input"),
        ("zebra", None),
        ("quantize.zzz", None),
    ],
)
def test_the_key_that_was_meant(wrong: str, meant: str | None) -> None:
    assert nearest_key(tuple(wrong.split(".")), SCHEMA) == meant


@pytest.mark.parametrize("path", [path for path in key_paths(SCHEMA) if len(path) == 2], ids=".".join)
def test_one_letter_too_many_is_always_understood(path: tuple[str, str]) -> None:
    assert nearest_key((path[0], f"{path[1]}x"), SCHEMA) == path[1]
