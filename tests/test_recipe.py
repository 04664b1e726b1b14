"""The recipe: all that can change an output is in it, and nothing else."""

import json
from pathlib import Path
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
    assert recipe_digest(found) == "02a64a19b548c034"


def test_a_job_of_before_differs_in_the_algorithm_alone() -> None:
    """The digest that version 1 gave the default job: what has come since is left out while it is off."""
    assert recipe_digest(recipe(spec()) | {"algorithm": 1}) == "5c1c2b41ceb23f23"


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
        {"quantize": {"eps": 0, "small_areas": 0, "dither": "none", "scope": "image"}},
        {"output": {"ssim": False, "palette": {"tree": False, "names": "none"}}},
        {"regions": {"min_area": 1, "table": "none", "boundaries": False}},
    ],
)
def test_what_cannot_change_an_output_is_not_in_it(sections: dict[str, Any]) -> None:
    assert recipe(spec(**sections)) == recipe(spec())


@pytest.mark.parametrize(
    "sections",
    [
        {"output": {"palette": {"names": "css"}}},
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
        {"output": {"palette": {"formats": ["json", "png"]}}},
        {"output": {"ssim": True}},
        {"quantize": {"eps": 0.5}},
        {"quantize": {"color_space": "oklab"}},
        {"quantize": {"small_areas": 0.5}},
        {"quantize": {"scope": "folder"}},
        {"quantize": {"scope": "job"}},
        {"quantize": {"dither": "ordered"}},
        {"quantize": {"method": "minibatch"}},
        {"quantize": {"method": "dynamic"}},
        {"quantize": {"colors": "auto", "target": {"psnr": 30}}},
        {"regions": {"min_area": 2}},
        {"regions": {"table": "csv"}},
        {"regions": {"boundaries": True}},
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


CHANGED: dict[str, Any] = {
    "colors": 5,
    "max_colors": 7,
    "init": "wu",
    "attempts": 3,
    "max_iter": 9,
    "tol": 0.5,
    "eps": 2.0,
    "seed": 4,
    "color_space": "lab",
    "small_areas": 0.25,
    "batch_pixels": 512,
    "refine": False,
    "threshold": 3.0,
    "metric": "cie76",
    "criterion": "diameter",
    "representative": "median",
    "percentile": 50.0,
}
"""Another value for each key of `quantize` that only some methods heed."""

HEEDED = {
    "kmeans": "colors init attempts max_iter tol eps seed color_space small_areas",
    "minibatch": "colors batch_pixels refine max_iter tol eps seed color_space small_areas",
    "dynamic": "threshold metric criterion representative percentile max_colors",
    "palette": "color_space",
}


@pytest.mark.parametrize("key", CHANGED)
@pytest.mark.parametrize("method", HEEDED)
def test_a_key_is_in_it_if_the_method_heeds_it(tmp_path: Path, method: str, key: str) -> None:
    base: dict[str, Any] = {"method": method}
    if method == "palette":
        base["palette"] = palette_file(tmp_path / "two.hex", "102030\nff0000\n")
    changed = recipe(spec(quantize=base | {key: CHANGED[key]})) != recipe(spec(quantize=base))
    assert changed is (key in HEEDED[method].split())


def test_dynamic_heeds_what_it_splits_on() -> None:
    white = {"method": "dynamic", "split_on": "white"}
    assert recipe(spec(quantize=white)) != recipe(spec(quantize={"method": "dynamic"}))
    assert recipe(spec(quantize={"split_on": "white"})) == recipe(spec())


def test_a_target_is_in_it_with_the_most_colours_and_no_number() -> None:
    found = recipe(spec(quantize={"colors": "auto", "target": {"delta_e_p95": 2}}))
    assert found["quantize.target.delta_e_p95"] == 2
    assert found["quantize.colors"] == "auto"
    assert found["quantize.max_colors"] == 256
    assert not {"quantize.target.psnr", "quantize.target.mse"} & found.keys()


def palette_file(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("key", ["palette", "init"])
def test_a_palette_file_is_told_by_its_colours_in_their_order(tmp_path: Path, key: str) -> None:
    method = {"method": "palette"} if key == "palette" else {}

    def of(name: str, text: str) -> dict[str, Any]:
        return recipe(spec(quantize=method | {key: palette_file(tmp_path / name, text)}))

    first = of("a.hex", "102030\nff0000\n")
    assert of("b.txt", "# a comment of another file\n102030\nFF0000\n") == first
    assert of("c.json", '["#102030", "#ff0000"]') == first
    assert of("a.hex", "ff0000\n102030\n") != first
    assert of("a.hex", "102030\nff0001\n") != first
    assert str(tmp_path) not in json.dumps(first)
    assert json.loads(json.dumps(first)) == first


def test_freezing_is_no_part_of_it() -> None:
    """It says when a palette is found anew, not what it would be."""
    shared = {"scope": "folder"}
    assert recipe(spec(quantize=shared | {"freeze": True})) == recipe(spec(quantize=shared))
