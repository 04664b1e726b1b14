"""Rows of the report: what is told of an image is what its record says."""

import pytest

from pipeline.jobs.records import ColorFacts, Failure, Record
from pipeline.views.reportrows import columns, warnings_of, way_out


@pytest.mark.parametrize(
    ("facts", "warning"),
    [
        ({"converged": False}, "the fit was ended by quantize.max_iter before it had converged"),
        ({"frozen": True}, "painted in a palette that was found before this image was there"),
        ({"colors": ColorFacts(16, 3)}, "has 3 distinct colours, fewer than the 16 asked for"),
        ({"notes": ("one of 4 frames",)}, "one of 4 frames"),
        ({"converged": True, "colors": ColorFacts(16, 16)}, None),
        ({"colors": ColorFacts("auto", 3)}, None),
    ],
)
def test_what_one_might_want_to_look_at_is_noted(facts, warning):
    record = Record("a.png", "done", "r", **facts)
    assert warnings_of(record) == ([warning] if warning else [])
    assert columns([record], [""], set())["noted"] == [int(warning is not None)]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("TruncatedImage", "Tried again when the file or the recipe changes, or with --retry-failed."),
        ("TooMuchMemory", "Tried again by the next run."),
        (None, ""),
    ],
)
def test_a_failed_image_is_told_when_it_is_tried_again(kind, words):
    record = (
        Record("a.png", "failed", "r", error=Failure(kind, "!")) if kind else Record("a.png", "done", "r")
    )
    assert way_out(record) == words
