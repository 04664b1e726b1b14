"""What a job may ask for besides: regions, dithering, palette pictures, trees, similarity, given palettes."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity
from trees import Site, age, contents, plant, snapshot

KEYS = ("a.png", "b.jpg", "deep/er/c.bmp")


@pytest.fixture
def ran(tmp_path: Path) -> Site:
    """Three images after their first run."""
    site = Site(tmp_path / "site")
    plant(site.inputs, *KEYS)
    site.run()
    return site


def told(**settings: Any) -> list[str]:
    """Give the words of the command line that set these keys, double underscores for dots."""
    words = [("--set", f"{key.replace('__', '.')}={value}") for key, value in settings.items()]
    return [word for pair in words for word in pair]


def array_of(path: Path, mode: str | None = None) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert(mode) if mode else image)


def colors_of(site: Site, key: str) -> list[list[int]]:
    palette = json.loads((site.outputs / f"palettes/{key}.json").read_bytes())
    return [entry["rgb"] for entry in palette["colors"]]


def wings(site: Site, *names: str) -> dict[str, bytes]:
    return {path: data for path, data in contents(site.outputs).items() if path.startswith(names)}


def at_rest(site: Site, *arguments: str) -> None:
    before = snapshot(site.outputs)
    site.run(*arguments)
    assert snapshot(site.outputs) == before
    assert site.call("verify").exit_code == 0


REGIONS = told(regions__min_area=6, regions__table="csv", regions__boundaries="true")


def test_regions_have_files_of_their_own_and_leave_the_others_alone(ran):
    before = snapshot(ran.outputs)
    ran.run(*REGIONS)
    after = snapshot(ran.outputs)
    kept = [
        path for path in before if path.endswith((".png", ".json", ".bmp")) and before[path][-1] is not None
    ]
    assert len(kept) >= 3 * len(KEYS)
    for path in kept:
        if ".segpipe" not in path:
            assert after[path] == before[path], path
    expected = {f"regions/{key}.{ending}" for key in KEYS for ending in ("png", "csv")}
    assert wings(ran, "regions", "boundaries").keys() == expected | {f"boundaries/{key}.png" for key in KEYS}
    at_rest(ran, *REGIONS)


def test_records_tables_and_maps_of_regions_agree(ran):
    ran.run(*REGIONS)
    for key, record in ran.records().items():
        labels = array_of(ran.outputs / f"labels/{key}.png")
        merged = array_of(ran.outputs / f"regions/{key}.png")
        assert record["regions"]["merged_pixels"] == (merged != labels).sum() > 0
        table = list(csv.DictReader(io.StringIO((ran.outputs / f"regions/{key}.csv").read_text())))
        assert record["regions"]["found"] == len(table)
        areas = [int(row["area"]) for row in table]
        assert sum(areas) == merged.size
        assert min(areas) >= 6
        assert {int(row["label"]) for row in table} == set(np.unique(merged))
        drawn = array_of(ran.outputs / f"boundaries/{key}.png", "RGB")
        original = array_of(ran.inputs / key, "RGB")
        changed = (drawn != original).any(axis=2)
        assert (drawn[changed] == [255, 255, 0]).all()


@pytest.mark.parametrize(
    ("settings", "files"),
    [
        ({"regions__min_area": 2}, {"regions/a.png.png"}),
        ({"regions__table": "csv"}, {"regions/a.png.png", "regions/a.png.csv"}),
        ({"regions__boundaries": "true"}, {"regions/a.png.png", "boundaries/a.png.png"}),
    ],
)
def test_of_regions_only_what_is_asked_for_is_written(ran, settings, files):
    ran.run(*told(**settings))
    found = wings(ran, "regions", "boundaries")
    assert {path for path in found if "/a.png" in path} == files


def test_without_specks_to_merge_the_regions_are_the_labels(ran):
    ran.run(*told(regions__table="csv"))
    for key in KEYS:
        assert (ran.outputs / f"regions/{key}.png").read_bytes() == (
            ran.outputs / f"labels/{key}.png"
        ).read_bytes()
        assert ran.records()[key]["regions"]["merged_pixels"] == 0


def test_regions_that_are_no_longer_asked_for_are_strays(ran):
    before = contents(ran.outputs)
    ran.run(*REGIONS)
    ran.run()
    assert ran.call("status").stdout.count("\nstray  ") == 3 * len(KEYS)
    ran.call("prune")
    assert contents(ran.outputs) == before
    assert not (ran.outputs / "regions/deep").exists()


def test_transparent_pixels_are_in_no_region(tmp_path):
    site = Site(tmp_path / "site")
    pixels = np.full((10, 10, 4), 255, np.uint8)
    pixels[:, :5, :3] = 0
    pixels[:, 5, 3] = 0
    Image.fromarray(pixels).save(site.inputs / "a.png")
    site.run(*REGIONS)
    assert site.records()["a.png"]["regions"]["found"] == 2
    merged = array_of(site.outputs / "regions/a.png.png")
    assert ((merged == 2) == (pixels[:, :, 3] == 0)).all()


@pytest.mark.parametrize("method", ["floyd-steinberg", "ordered"])
def test_dithering_is_for_the_quantized_image_alone(ran, method):
    before, looked = contents(ran.outputs), snapshot(ran.outputs)
    ran.run(*told(quantize__dither=method))
    after = contents(ran.outputs)
    for key in KEYS:
        assert after[f"quantized/{key}.png"] != before[f"quantized/{key}.png"]
        for path in (f"labels/{key}.png", f"palettes/{key}.json"):
            assert snapshot(ran.outputs)[path] == looked[path]
        shown = array_of(ran.outputs / f"quantized/{key}.png", "RGB").reshape(-1, 3)
        assert {tuple(color) for color in shown.tolist()} <= {tuple(color) for color in colors_of(ran, key)}
    at_rest(ran, *told(quantize__dither=method))
    ran.run()
    assert contents(ran.outputs) == before


@pytest.mark.parametrize("method", ["floyd-steinberg", "ordered"])
@pytest.mark.parametrize("levels", [[0, 255], [0, 100, 255]])
def test_dithering_keeps_alpha(tmp_path, method, levels):
    site = Site(tmp_path / "site")
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 4), np.uint8)
    pixels[:, :, 3] = np.resize(levels, (16, 16))
    Image.fromarray(pixels).save(site.inputs / "a.png")
    site.run(*told(quantize__dither=method))
    assert (array_of(site.outputs / "quantized/a.png.png", "RGBA")[:, :, 3] == pixels[:, :, 3]).all()
    clear = array_of(site.outputs / "labels/a.png.png") == 4
    assert (clear == (pixels[:, :, 3] == 0)).all()


def test_palette_pictures_are_written_on_request(ran):
    before = contents(ran.outputs)
    ran.run(*told(output__palette__formats="[json, png]"))
    after = contents(ran.outputs)
    pictures = {f"palettes/{key}.png" for key in KEYS}
    assert after.keys() - before.keys() == pictures
    assert {path for path in before if before[path] != after[path]} == {"manifest.jsonl"}
    for path in pictures:
        seen = {tuple(color) for color in array_of(ran.outputs / path, "RGB").reshape(-1, 3).tolist()}
        key = path.removeprefix("palettes/").removesuffix(".png")
        assert {tuple(color) for color in colors_of(ran, key)} <= seen
        assert ran.records()[key]["outputs"]["palette_png"]["path"] == path


DYNAMIC = {"quantize__method": "dynamic", "quantize__threshold": 40}


def test_the_tree_of_splits_is_told_on_request_alone(ran):
    ran.run(*told(**DYNAMIC))
    plain = {key: json.loads((ran.outputs / f"palettes/{key}.json").read_bytes()) for key in KEYS}
    ran.run(*told(**DYNAMIC, output__palette__tree="true"))
    for key in KEYS:
        found = json.loads((ran.outputs / f"palettes/{key}.json").read_bytes())
        tree = found.pop("tree")
        assert tree
        assert found == plain[key]
        assert "tree" not in json.dumps(ran.records()[key])
    at_rest(ran, *told(**DYNAMIC, output__palette__tree="true"))


def test_a_tree_is_nothing_to_methods_that_do_not_split(ran):
    assert ran.reasons(*told(output__palette__tree="true")) == {}


def test_the_findings_of_a_method_are_recorded(ran):
    ran.run(*told(quantize__colors="auto", quantize__target="{psnr: 15}"))
    for key, record in ran.records().items():
        head = json.loads((ran.outputs / f"palettes/{key}.json").read_bytes())
        assert record["findings"]["target"] == head["target"] == {"psnr": 15}
        assert record["findings"]["met"] is head["met"] is True
        assert record["findings"]["reached"] == record["metrics"]["psnr"] >= 15
        assert record["colors"]["asked"] == "auto"
        assert record["colors"]["found"] == len(head["colors"])
    assert "finding   met: True" in ran.call("explain", "a.png").stdout


def test_similarity_is_recorded_on_request(ran):
    assert all("ssim" not in record["metrics"] for record in ran.records().values())
    before = contents(ran.outputs)
    ran.run(*told(output__ssim="true"))
    for key, record in ran.records().items():
        original = array_of(ran.inputs / key, "RGB")
        painted = array_of(ran.outputs / f"quantized/{key}.png", "RGB")
        expected = structural_similarity(original, painted, channel_axis=2, data_range=255)
        assert record["metrics"]["ssim"] == pytest.approx(expected, abs=1e-6)
    after = contents(ran.outputs)
    assert {path for path in before if before[path] != after[path]} == {"manifest.jsonl"}
    assert before.keys() == after.keys()


def test_similarity_is_that_of_the_dithered_image(ran):
    ran.run(*told(output__ssim="true", quantize__dither="ordered"))
    original = array_of(ran.inputs / "a.png", "RGB")
    painted = array_of(ran.outputs / "quantized/a.png.png", "RGB")
    expected = structural_similarity(original, painted, channel_axis=2, data_range=255)
    assert ran.records()["a.png"]["metrics"]["ssim"] == pytest.approx(expected, abs=1e-6)


def test_a_picture_too_small_for_it_has_no_similarity(tmp_path):
    site = Site(tmp_path / "site")
    Image.new("RGB", (6, 40), "red").save(site.inputs / "a.png")
    site.run(*told(output__ssim="true"))
    assert "ssim" not in site.records()["a.png"]["metrics"]
    at_rest(site, *told(output__ssim="true"))


@pytest.mark.parametrize("ending", ["gpl", "json"])
def test_a_palette_of_an_earlier_run_gives_the_same_labels(ran, ending):
    one = [*told(output__palette__formats="[json, gpl]"), "--only", "a.png"]
    ran.run(*one)
    before = wings(ran, "labels/a.png", "quantized/a.png")
    given = ran.base / f"given.{ending}"
    given.write_bytes((ran.outputs / f"palettes/a.png.{ending}").read_bytes())
    colors = colors_of(ran, "a.png")
    ran.run(*told(quantize__method="palette", quantize__palette=given.name))
    assert wings(ran, "labels/a.png", "quantized/a.png") == before
    for key, record in ran.records().items():
        assert colors_of(ran, key) == colors
        assert record["colors"] == {"found": len(colors), "asked": None}


def given_palette(ran: Site, text: str) -> list[str]:
    (ran.base / "brand.hex").write_text(text)
    return told(quantize__method="palette", quantize__palette="brand.hex")


def test_a_palette_file_counts_by_its_colours(ran):
    given = given_palette(ran, "000000\nff0000\nffffff\n")
    ran.run(*given)
    at_rest(ran, *given)
    given_palette(ran, "# the same colours\n\n#000000\n#FF0000\n#FFFFFF\n")
    assert ran.reasons(*given) == {}
    given_palette(ran, "000000\nff0001\nffffff\n")
    assert ran.reasons(*given) == dict.fromkeys(KEYS, "recipe changed")
    given_palette(ran, "ff0000\n000000\nffffff\n")
    assert ran.reasons(*given) == dict.fromkeys(KEYS, "recipe changed")
    ran.run(*given)
    assert colors_of(ran, "a.png") == [[255, 0, 0], [0, 0, 0], [255, 255, 255]]


def test_a_palette_file_to_start_from_counts_by_its_colours_too(ran):
    (ran.base / "start.hex").write_text("000000\nff0000\n")
    start = told(quantize__init="start.hex")
    ran.run(*start)
    at_rest(ran, *start)
    (ran.base / "start.hex").write_text("000000\n00ff00\n")
    assert ran.reasons(*start) == dict.fromkeys(KEYS, "recipe changed")


def test_unused_entries_of_a_given_palette_stay(ran):
    given = given_palette(ran, "010203\n000000\n010204\nffffff\n")
    ran.run(*given)
    for key in KEYS:
        assert colors_of(ran, key) == [[1, 2, 3], [0, 0, 0], [1, 2, 4], [255, 255, 255]]
        assert ran.call("verify").exit_code == 0


UNHEEDED = [
    {"quantize__threshold": 3, "quantize__metric": "cie76", "quantize__percentile": 50},
    {"quantize__batch_pixels": 99, "quantize__refine": "false", "quantize__max_colors": 9},
    {"quantize__background": "'#123456'"},
]


@pytest.mark.parametrize("settings", UNHEEDED)
def test_a_key_that_the_method_does_not_heed_plans_nothing(ran, settings):
    assert ran.reasons(*told(**settings)) == {}


def test_a_key_that_minibatch_heeds_plans_all(ran):
    base = {"quantize__method": "minibatch", "quantize__batch_pixels": 64}
    ran.run(*told(**base))
    at_rest(ran, *told(**base))
    assert ran.reasons(*told(**base, quantize__attempts=7, quantize__init="wu", quantize__threshold=2)) == {}
    for key, value in (("eps", 50), ("seed", 3), ("tol", 0.5), ("max_iter", 1), ("refine", "false")):
        assert ran.reasons(*told(**base, **{f"quantize__{key}": value})).keys() == set(KEYS), key


def test_everything_at_once(tmp_path):
    site = Site(
        tmp_path / "site",
        quantize={"dither": "ordered", "scope": "job", "color_space": "oklab", "small_areas": 0.3},
        output={"ssim": True, "palette": {"formats": ["json", "gpl", "png"], "tree": True}},
    )
    plant(site.inputs, *KEYS)
    site.run(*REGIONS)
    at_rest(site, *REGIONS)
    kinds = set(site.records()["a.png"]["outputs"])
    assert kinds == {
        *("quantized", "labels", "palette", "palette_gpl", "palette_png"),
        *("regions", "regions_csv", "boundaries", "shared", "shared_gpl", "shared_png"),
    }
    alone = contents(site.outputs)
    age(site.inputs / "a.png", by=1800 * 10**9)
    site.run(*REGIONS, "--force", "--cluster", "threads", "--workers", "3")
    assert contents(site.outputs) == alone
