"""The recipe: all that can change an output is in it, and nothing else."""

import json
from typing import Any

import pytest

from pipeline.jobs.recipe import ALGORITHM_VERSION, recipe, recipe_digest
from pipeline.jobs.spec import JobSpec


def spec(**sections: dict[str, Any]) -> JobSpec:
    roots = {"input": {"root": "/in"}, "output": {"root": "/out"}}
    return JobSpec.model_validate(
        {key: roots.get(key, {}) | sections.get(key, {}) for key in {*roots, *sections}}
    )


def test_the_default_recipe_to_the_letter() -> None:
    found = recipe(spec())
    assert found == {
        "algorithm": ALGORITHM_VERSION,
        "quantize.method": "kmeans",
        "quantize.colors": 16,
        "quantize.init": "auto",
        "quantize.attempts": 1,
        "quantize.max_iter": 100,
        "quantize.tol": 1e-4,
        "quantize.seed": 0,
        "quantize.color_space": "srgb",
        "quantize.alpha": "preserve",
        "output.quantized.format": "png",
        "output.labels.format": "png",
        "output.palette.formats": ["json"],
    }
    assert json.loads(json.dumps(found)) == found
    assert recipe_digest(found) == "5c1c2b41ceb23f23"


@pytest.mark.parametrize(
    "sections",
    [
        {
            "input": {
                "root": "/elsewhere",
                "exclude": ["*.gif"],
                "max_megapixels": 3,
                "on_unsupported": "skip",
            }
        },
        {"output": {"root": "/elsewhere"}},
        {"compute": {"workers": 7, "cluster": "threads", "memory_per_worker": "1GB", "retries": 0}},
        {"quantize": {"background": "#123456"}},
        {"output": {"palette": {"formats": ["json", "json"]}}},
    ],
)
def test_what_cannot_change_an_output_is_not_in_it(sections: dict[str, Any]) -> None:
    assert recipe(spec(**sections)) == recipe(spec())


@pytest.mark.parametrize(
    "sections",
    [
        {"quantize": {"colors": 17}},
        {"quantize": {"init": "wu"}},
        {"quantize": {"attempts": 2}},
        {"quantize": {"max_iter": 99}},
        {"quantize": {"tol": 0}},
        {"quantize": {"seed": 1}},
        {"quantize": {"alpha": "flatten"}},
        {"quantize": {"alpha": "flatten", "background": "#000000"}},
        {"output": {"quantized": {"format": "none"}}},
        {"output": {"labels": {"format": "none"}}},
        {"output": {"palette": {"formats": ["json", "gpl"]}}},
    ],
)
def test_what_can_change_an_output_changes_the_digest(sections: dict[str, Any]) -> None:
    assert recipe_digest(recipe(spec(**sections))) != recipe_digest(recipe(spec()))


def test_two_ways_to_say_the_same_have_one_digest() -> None:
    one = spec(
        output={"palette": {"formats": ["gpl", "json"]}},
        quantize={"alpha": "flatten", "background": "#ABCDEF"},
    )
    other = spec(
        output={"palette": {"formats": ["json", "gpl"]}},
        quantize={"alpha": "flatten", "background": "#abcdef"},
    )
    assert recipe_digest(recipe(one)) == recipe_digest(recipe(other))


def test_the_digest_does_not_hang_on_the_order_of_keys() -> None:
    found = recipe(spec())
    assert recipe_digest(dict(reversed(found.items()))) == recipe_digest(found)


def test_the_algorithms_version_is_part_of_the_digest() -> None:
    found = recipe(spec())
    assert recipe_digest(found | {"algorithm": ALGORITHM_VERSION + 1}) != recipe_digest(found)
