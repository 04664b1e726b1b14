"""The sections by themselves: what they take, what they refuse, what they work out."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.jobs.spec_compute import Compute
from pipeline.jobs.spec_quantize import Quantize
from pipeline.jobs.spec_sections import Input, PaletteFiles


@pytest.mark.parametrize("written", [1e-4, "1e-4", "1E-4", "1.e-4", "0.1e-3", "+1e-4"])
def test_a_number_may_be_written_with_an_exponent(written: Any) -> None:
    assert Quantize.model_validate({"tol": written}).tol == 1e-4


def test_a_whole_number_is_a_number_too() -> None:
    tol = Quantize.model_validate({"tol": 0}).tol
    assert isinstance(tol, float)
    assert tol == 0


@pytest.mark.parametrize("written", ["1", "0.5", "e5", "1e", "1e999", "nan", "inf", None, True])
def test_other_text_is_no_number(written: Any) -> None:
    with pytest.raises(ValidationError):
        Quantize.model_validate({"tol": written})


@given(st.integers(1, 10**10))
@settings(deadline=None)
def test_an_image_of_just_the_megapixels_that_are_written_is_admitted(pixels: int) -> None:
    assert Input.model_validate({"root": "/in", "max_megapixels": pixels / 1e6}).max_pixels == pixels


@pytest.mark.parametrize(
    ("memory", "count"),
    [
        ("1B", 1),
        ("500MB", 500_000_000),
        ("4GiB", 4 * 2**30),
        ("1.5 GiB", 3 * 2**29),
        ("16kB", 16_000),
        ("16KiB", 2**14),
        ("2TB", 2 * 10**12),
        (None, None),
    ],
)
def test_memory_is_worked_out_in_bytes(memory: str | None, count: int | None) -> None:
    assert Compute.model_validate({"memory_per_worker": memory}).memory_bytes == count


@pytest.mark.parametrize(
    "memory", ["", "4", "0GB", "GiB", "-1GB", "4gib", "4 GiB ", "4iB", "1e3MB", 4_000_000]
)
def test_other_amounts_of_memory_are_refused(memory: Any) -> None:
    with pytest.raises(ValidationError):
        Compute.model_validate({"memory_per_worker": memory})


@pytest.mark.parametrize("formats", [[], ["gpl"]])
def test_the_json_palette_cannot_be_left_out(formats: list[str]) -> None:
    with pytest.raises(ValidationError, match="'json' has to be in the list"):
        PaletteFiles.model_validate({"formats": formats})


def test_an_address_is_needed_only_by_the_cluster_of_that_name() -> None:
    assert Compute.model_validate({"cluster": "threads"}).address is None
    assert Compute.model_validate({"cluster": "address", "address": "tls://a:1"}).address == "tls://a:1"
    with pytest.raises(ValidationError, match="because compute\\.cluster is 'address'"):
        Compute.model_validate({"cluster": "address", "address": None})


def test_a_relative_root_needs_to_know_from_where() -> None:
    with pytest.raises(ValidationError, match="expected an absolute folder, found 'in'"):
        Input.model_validate({"root": "in"})


def test_defaults_are_not_shared_between_specs() -> None:
    first = Input.model_validate({"root": "/in"})
    first.exclude.append("x")
    assert Input.model_validate({"root": "/in"}).exclude == []
