"""The words for what a key takes come from the models, for every key."""

from typing import Any

import pytest

from pipeline.jobs.spec import JobSpec
from pipeline.jobs.spec_words import expectation, key_paths, node_at, plain_schema, shown

SCHEMA = plain_schema(JobSpec)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("input.root", "text"),
        ("input.include", "a list of text"),
        ("input.max_megapixels", "a number above 0"),
        ("input.follow_symlinks", "true or false"),
        ("output.palette.formats", "a list of 'json', 'gpl', 'png', 'ase', 'act', 'hex', 'txt' or 'css'"),
        ("quantize", "a section"),
        ("quantize.method", "'kmeans', 'minibatch', 'dynamic', 'palette' or 'segment'"),
        ("quantize.colors", "a whole number from 1 to 65536, or 'auto'"),
        (
            "quantize.init",
            "text such as 'auto', 'wu', 'kmeans++', 'pixels', 'random' or 'brand.gpl'",
        ),
        ("quantize.target", "a section"),
        ("quantize.target.psnr", "a number above 0, or null"),
        ("quantize.target.mse", "a number of at least 0, or null"),
        ("quantize.small_areas", "a number from 0 to 1"),
        ("quantize.palette", "text, or null"),
        ("regions.min_area", "a whole number of at least 1"),
        ("quantize.tol", "a number of at least 0"),
        ("compute.workers", "a whole number of at least 1, or null"),
        ("compute.memory_per_worker", "text such as '4GiB' or '500MB', or null"),
    ],
)
def test_what_a_key_takes(key: str, words: str) -> None:
    assert expectation(node_at(SCHEMA, tuple(key.split(".")))) == words


@pytest.mark.parametrize("path", key_paths(SCHEMA), ids=".".join)
def test_every_key_is_described_and_can_be_put_in_words(path: tuple[str, ...]) -> None:
    node = node_at(SCHEMA, path)
    assert node["description"].endswith(".")
    assert expectation(node)


def test_sections_come_before_their_keys() -> None:
    paths = key_paths(SCHEMA)
    assert paths[:2] == [("input",), ("input", "root")]
    assert all(paths.index(path[:-1]) < paths.index(path) for path in paths if len(path) > 1)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x", "'x'"),
        (True, "true"),
        (None, "nothing"),
        (16.0, "16.0"),
        ([], "a list"),
        ({}, "a section"),
        ("y" * 200, "'" + "y" * 78 + "…"),
    ],
)
def test_what_was_found_is_one_short_phrase(value: Any, words: str) -> None:
    assert shown(value) == words
