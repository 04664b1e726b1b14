"""Shared palettes on a disk: one label, one colour, whoever did the work and in whatever order."""

import json
import os
import random
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from builders import done, entry
from PIL import Image
from trees import Site, age, contents, debris, picture, plant, snapshot

from pipeline.jobs import bundles, sharing, tasks
from pipeline.jobs.plan import Decision, Reason
from pipeline.jobs.records import OutputFacts
from pipeline.jobs.routes import Route
from pipeline.jobs.scopes import Group
from pipeline.jobs.sharing import fit_group
from pipeline.jobs.tasks import process_bundle

KEYS = ("a.png", "b.png", "d/c.png", "d/e.png")
SHARED = {"folder": {"": "shared/palette", "d": "shared/d/palette"}, "job": {"": "shared/palette"}}


def site_of(base: Path, scope: str, **quantize: object) -> Site:
    return Site(
        base,
        quantize={"scope": scope, "colors": 5, **quantize},
        output={"palette": {"formats": ["json", "gpl", "png"]}},
    )


@pytest.fixture(params=["folder", "job"])
def scope(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def site(tmp_path: Path, scope: str) -> Site:
    """Four images in two folders, not run yet."""
    site = site_of(tmp_path / "site", scope)
    plant(site.inputs, *KEYS)
    return site


@pytest.fixture
def ran(site: Site) -> Site:
    """The same after their first run."""
    site.run()
    return site


@pytest.fixture
def job(tmp_path: Path) -> Site:
    """Four images in two folders that share one palette, after their first run."""
    site = site_of(tmp_path / "site", "job")
    plant(site.inputs, *KEYS)
    site.run()
    return site


FROZEN = ("--set", "quantize.freeze=true")


def palette_of(path: Path) -> list[tuple[int, ...]]:
    return [tuple(entry["rgb"]) for entry in json.loads(path.read_bytes())["colors"]]


def pixels_of(path: Path, mode: str = "RGB") -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert(mode))


def labels_of(site: Site, key: str) -> np.ndarray:
    with Image.open(site.outputs / f"labels/{key}.png") as image:
        return np.asarray(image)


def group_of(site: Site, key: str) -> str:
    """Where the palette of an image is, without its ending."""
    path = site.records()[key]["outputs"]["shared"]["path"]
    return str(path).removesuffix(".json")


def at_rest(site: Site, *arguments: str, code: int = 0) -> None:
    """Hold that another run does nothing at all."""
    assert site.reasons(*arguments) == {}
    before = snapshot(site.outputs)
    site.run(*arguments, code=code)
    assert snapshot(site.outputs) == before
    assert debris(site.outputs) == []


def as_fresh(site: Site) -> None:
    """Hold that the tree, pruned, is that of a first run over the same inputs."""
    site.call("prune")
    expected = site.base.with_name("fresh")
    shutil.rmtree(expected, ignore_errors=True)
    shutil.copytree(site.base, expected)
    shutil.rmtree(expected / "out")
    fresh = Site.__new__(Site)
    fresh.job, fresh.outputs = expected / "job.yaml", expected / "out"
    assert fresh.call("run").exit_code in (0, 1)
    assert contents(site.outputs) == contents(fresh.outputs)


def test_a_label_means_the_same_colour_in_every_image_of_a_group(ran, scope):
    files = set(contents(ran.outputs))
    assert {path for path in files if path.startswith("shared/")} == {
        f"{path}.{ending}" for path in SHARED[scope].values() for ending in ("json", "gpl", "png")
    }
    for key in KEYS:
        place = group_of(ran, key)
        colors = palette_of(ran.outputs / f"{place}.json")
        assert len(colors) == 5
        assert palette_of(ran.outputs / f"palettes/{key}.json") == colors
        painted = np.array(colors, np.uint8)[labels_of(ran, key)]
        assert (painted == pixels_of(ran.outputs / f"quantized/{key}.png")).all()
        original = pixels_of(ran.inputs / key).astype(int)
        distances = ((original[:, :, None] - np.array(colors)) ** 2).sum(axis=3)
        assert (distances.min(axis=2) == ((original - painted) ** 2).sum(axis=2)).all()


def test_the_records_and_the_palette_tell_of_each_other(ran, scope):
    for key, record in ran.records().items():
        place = "shared/d/palette" if scope == "folder" and key.startswith("d/") else "shared/palette"
        shared = {kind: file["path"] for kind, file in record["outputs"].items() if kind.startswith("shared")}
        assert shared == {
            "shared": f"{place}.json",
            "shared_gpl": f"{place}.gpl",
            "shared_png": f"{place}.png",
        }
        assert record["colors"] == {"asked": 5, "found": 5}
        assert "frozen" not in record
        head = json.loads((ran.outputs / f"{place}.json").read_bytes())
        counted = [
            one for one in ran.records().values() if one["outputs"]["shared"]["path"] == f"{place}.json"
        ]
        assert (head["scope"], head["images"], head["pixels"]) == (
            scope,
            len(counted),
            24 * 16 * len(counted),
        )
        assert sum(entry["count"] for entry in head["colors"]) == head["pixels"]
        assert head["inertia"] == sum(one["inertia"] for one in counted)


def test_one_image_of_a_scope_has_the_palette_it_would_have_alone(tmp_path):
    alone, shared = Site(tmp_path / "alone"), Site(tmp_path / "shared", quantize={"scope": "job"})
    for site in (alone, shared):
        plant(site.inputs, "a.png")
        site.run()
    for name in ("quantized/a.png.png", "labels/a.png.png"):
        assert (alone.outputs / name).read_bytes() == (shared.outputs / name).read_bytes()


def test_an_unused_entry_stays_in_an_images_palette(tmp_path):
    """So that a label means the same everywhere; the image's own file says that nothing has it."""
    site = Site(tmp_path / "site", quantize={"scope": "job", "colors": 2})
    for name, level in (("black.png", 10), ("white.png", 240)):
        Image.new("RGB", (8, 8), (level, level, level)).save(site.inputs / name)
        age(site.inputs / name)
    site.run()
    assert set(np.unique(labels_of(site, "black.png"))) != set(np.unique(labels_of(site, "white.png")))
    for key in ("black.png", "white.png"):
        entries = json.loads((site.outputs / f"palettes/{key}.json").read_bytes())["colors"]
        assert sorted(entry["count"] for entry in entries) == [0, 64]
        assert [tuple(entry["rgb"]) for entry in entries] == palette_of(site.outputs / "shared/palette.json")
    assert site.call("verify").exit_code == 0
    at_rest(site)


def test_the_images_of_a_palette_that_stays_are_told_apart_in_one_pass(tmp_path, monkeypatch):
    class Key(str):
        """A key that notes how often it is compared."""

        __slots__ = ()
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Key.compared += 1
            return str.__eq__(self, other)

    keys = [Key(f"{number}.png") for number in range(400)]
    decisions = [Decision(entry(key), True, Reason.FORCED) for key in keys]
    routes = {key: Route(decision) for key, decision in zip(keys, decisions, strict=True)}
    group = Group("", decisions, {"shared": OutputFacts("shared/palette.json", 1, "")}, "of those")
    monkeypatch.setattr(sharing, "_kept_colors", lambda path: np.zeros((1, 3), np.uint8))
    records = {key: done(key) for key in keys[::2]}
    tasks = sharing.Sharing("job", [group], routes, records).paintings(tmp_path, set())
    counted = {key for task in tasks if not task.palette.frozen for key in task.keys}
    assert counted == set(keys[::2])
    assert sorted(key for task in tasks for key in task.keys) == sorted(keys)
    assert Key.compared < 20 * len(keys)


def test_a_second_run_does_nothing(ran):
    at_rest(ran)
    at_rest(ran, *FROZEN)
    assert ran.call("verify").exit_code == 0


def test_transparent_pixels_are_not_counted(tmp_path):
    site = site_of(tmp_path / "site", "job")
    plant(site.inputs, "a.png")
    clear = np.dstack([np.full((16, 24, 3), 255, np.uint8), np.zeros((16, 24), np.uint8)])
    clear[0, 0] = 7, 7, 7, 255
    Image.fromarray(clear).save(site.inputs / "b.png")
    age(site.inputs / "b.png")
    site.run()
    assert json.loads((site.outputs / "shared/palette.json").read_bytes())["pixels"] == 24 * 16 + 1
    assert (labels_of(site, "b.png") == 5).sum() == 24 * 16 - 1
    at_rest(site)


METHODS = {
    "minibatch": {"method": "minibatch", "batch_pixels": 64},
    "dynamic": {"method": "dynamic", "threshold": 30},
    "oklab": {"color_space": "oklab", "small_areas": 0.5},
    "auto": {"colors": "auto", "target": {"psnr": 14}},
    "palette": {"method": "palette", "palette": "given.hex"},
}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_shared(tmp_path, method):
    site = site_of(tmp_path / "site", "folder", **METHODS[method])
    (site.base / "given.hex").write_text("000000\nff0000\n00ff00\n0000ff\nffffff\n")
    plant(site.inputs, *KEYS)
    site.run()
    for key in KEYS:
        colors = palette_of(site.outputs / f"{group_of(site, key)}.json")
        assert len(colors) > 1
        painted = np.array(colors, np.uint8)[labels_of(site, key)]
        assert (painted == pixels_of(site.outputs / f"quantized/{key}.png")).all()
    at_rest(site)
    plant(site.inputs, "d/n.png", seed=9)
    site.run()
    as_fresh(site)


@pytest.mark.parametrize("shuffle", range(4))
def test_bundles_and_their_order_change_no_byte(tmp_path, scope, monkeypatch, shuffle):
    chance = random.Random(shuffle)  # noqa: S311

    def scattered(routes):
        left = list(routes)
        chance.shuffle(left)
        while left:
            size = chance.randint(1, 3)
            yield left[:size]
            left = left[size:]

    plain, other = site_of(tmp_path / "plain", scope), site_of(tmp_path / "other", scope)
    keys = [f"{folder}{number}.png" for folder in ("", "d/", "d/f/") for number in range(5)]
    for site in (plain, other):
        plant(site.inputs, *keys)
    plain.run()
    monkeypatch.setattr(bundles, "bundle", scattered)
    other.run()
    assert contents(other.outputs) == contents(plain.outputs)


def test_threads_give_the_same_bytes(ran, scope, tmp_path):
    other = site_of(tmp_path / "other", scope)
    plant(other.inputs, *KEYS)
    other.run("--cluster", "threads", "--workers", "4")
    assert contents(other.outputs) == contents(ran.outputs)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_processes_give_the_same_bytes(ran, scope, tmp_path, workers):
    other = site_of(tmp_path / "other", scope)
    plant(other.inputs, *KEYS)
    other.run("--cluster", "local", "--workers", workers)
    assert contents(other.outputs) == contents(ran.outputs)
    plant(other.inputs, "d/n.png", seed=9)
    plant(ran.inputs, "d/n.png", seed=9)
    ran.run()
    other.run("--cluster", "local", "--workers", workers)
    assert contents(other.outputs) == contents(ran.outputs)


def test_a_new_image_has_its_group_done_again(ran, scope):
    before = snapshot(ran.outputs)
    plant(ran.inputs, "d/n.png", seed=9)
    told = {row["image"]: (row["reason"], row["detail"]) for row in ran.plan()["images"] if row["work"]}
    touched = {"d/c.png", "d/e.png"} if scope == "folder" else set(KEYS)
    assert told == dict.fromkeys(touched, ("palette changed", "d/n.png: new")) | {"d/n.png": ("new", "")}
    result = ran.run()
    assert f"{len(touched) + 1} done" in result.stderr
    after = snapshot(ran.outputs)
    for key in set(KEYS) - touched:
        for name in (f"quantized/{key}.png", f"labels/{key}.png", f"palettes/{key}.json"):
            assert after[name] == before[name]
    at_rest(ran)
    as_fresh(ran)


def test_a_changed_image_has_its_group_done_again(ran):
    plant(ran.inputs, "d/c.png", seed=9)
    assert ran.reasons()["d/e.png"] == "palette changed"
    assert ran.reasons()["d/c.png"] == "input changed"
    ran.run()
    at_rest(ran)
    as_fresh(ran)


def test_a_changed_image_whose_output_is_missing_too_is_not_overlooked(ran):
    """Both are pictures of the same size in bytes, so that the missing output is what is seen first."""
    for seed in (1, 2):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)).save(
            ran.inputs / "d/c.png", compress_level=0
        )
        if seed == 1:
            ran.run()
    age(ran.inputs / "d/c.png", by=1800 * 10**9)
    (ran.outputs / "labels/d/c.png.png").unlink()
    ran.run()
    at_rest(ran)
    as_fresh(ran)


def test_a_renamed_image_is_done_and_the_others_are_spared(ran):
    """The colours are those of before, and so is the palette, to the last byte."""
    before = snapshot(ran.outputs)
    (ran.inputs / "d/e.png").rename(ran.inputs / "d/z.png")
    result = ran.run()
    assert "1 done" in result.stderr
    after = snapshot(ran.outputs)
    changed = {path for path in before.keys() & after.keys() if before[path] != after[path]}
    assert {path for path in changed if after[path][-1] is not None and ".segpipe" not in path} <= {
        "manifest.jsonl"
    }
    assert not [path for path in changed if path.startswith(("quantized/d/c", "labels/d/c", "shared"))
                and after[path][-1] is not None]  # fmt: skip
    at_rest(ran)
    assert ran.call("verify").exit_code == 0
    as_fresh(ran)


def test_an_image_that_has_gone_has_the_palette_found_once_more_and_that_is_all(ran):
    (ran.inputs / "d/e.png").unlink()
    assert set(ran.reasons().values()) == {"palette changed"}
    ran.run()
    at_rest(ran)
    assert ran.call("verify").exit_code == 0, "what an image shared before it went is not its own to miss"
    as_fresh(ran)


def test_an_image_that_comes_back_is_counted_again(ran):
    path = ran.inputs / "d/e.png"
    before, data = contents(ran.outputs), path.read_bytes()
    path.unlink()
    ran.run()
    path.write_bytes(data)
    age(path)
    assert ran.reasons()
    ran.run()
    assert contents(ran.outputs) == before
    at_rest(ran)


def test_pruning_before_the_run_does_not_hide_that_an_image_has_gone(ran):
    (ran.inputs / "d/e.png").unlink()
    ran.call("prune")
    ran.run()
    at_rest(ran)
    as_fresh(ran)


def test_an_excluded_image_does_not_count(ran):
    without = ("--set", "input.exclude=[d/e.png]")
    ran.run(*without)
    place = group_of(ran, "d/c.png")
    images = json.loads((ran.outputs / f"{place}.json").read_bytes())["images"]
    at_rest(ran, *without)
    ran.run()
    assert json.loads((ran.outputs / f"{place}.json").read_bytes())["images"] == images + 1
    as_fresh(ran)


def test_only_takes_whole_groups(site, scope):
    site.run("--only", "d/c.png")
    expected = ["d/c.png", "d/e.png"] if scope == "folder" else list(KEYS)
    assert list(site.records()) == expected
    site.run()
    at_rest(site)
    as_fresh(site)


def test_a_missing_output_is_made_again_alone(ran):
    before, looked = contents(ran.outputs), snapshot(ran.outputs)
    (ran.outputs / "labels/d/c.png.png").unlink()
    assert ran.reasons() == {"d/c.png": "output missing"}
    ran.run()
    assert contents(ran.outputs) == before
    after = snapshot(ran.outputs)
    assert all(after[path] == looked[path] for path in looked if path.startswith("shared/"))
    at_rest(ran)


@pytest.mark.parametrize("ending", ["json", "gpl", "png"])
@pytest.mark.parametrize("damage", ["gone", "cut", "flipped"])
@pytest.mark.parametrize("freeze", [(), FROZEN], ids=["", "frozen"])
def test_a_lost_shared_file_is_made_again(job, ending, damage, freeze):
    before = contents(job.outputs)
    path = job.outputs / f"shared/palette.{ending}"
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        data[-3] ^= 1
        path.write_bytes(data[:-1] if damage == "cut" else data)
    check = ("--check-outputs",) if damage == "flipped" else ()
    job.run(*check, *freeze)
    assert contents(job.outputs) == before
    at_rest(job, *check, *freeze)


@pytest.mark.parametrize("ending", ["json", "gpl"])
def test_a_lost_shared_file_is_seen_behind_a_lost_output(job, ending):
    before = contents(job.outputs)
    for key in KEYS:
        (job.outputs / f"quantized/{key}.png").unlink()
    (job.outputs / f"shared/palette.{ending}").unlink()
    job.run()
    assert contents(job.outputs) == before
    at_rest(job)


def test_verify_tells_a_damaged_shared_palette_once(job):
    path = job.outputs / "shared/palette.json"
    path.write_bytes(path.read_bytes().replace(b'"label"', b'"lebal"', 1))
    result = job.call("verify")
    assert result.exit_code == 6
    assert result.stdout.count("shared/palette.json") == 1
    assert f"{3 * len(KEYS) + 2 * len(KEYS) + 3} files compared, 1 difference" in result.stderr


def test_frozen_palettes_map_what_comes_and_thaw(ran):
    before = snapshot(ran.outputs)
    plant(ran.inputs, "d/n.png", seed=9)
    assert ran.reasons(*FROZEN) == {"d/n.png": "new"}
    ran.run(*FROZEN)
    after = snapshot(ran.outputs)
    files = [path for path in before if before[path][-1] is not None and ".segpipe" not in path]
    assert [path for path in files if before[path] != after[path]] == ["manifest.jsonl"]
    assert ran.records()["d/n.png"]["frozen"] is True
    colors = palette_of(ran.outputs / f"{group_of(ran, 'd/n.png')}.json")
    painted = np.array(colors, np.uint8)[labels_of(ran, "d/n.png")]
    assert (painted == pixels_of(ran.outputs / "quantized/d/n.png.png")).all()
    at_rest(ran, *FROZEN)
    assert set(ran.reasons().values()) == {"palette changed"}
    ran.run()
    assert "frozen" not in ran.records()["d/n.png"]
    at_rest(ran)
    as_fresh(ran)


def test_frozen_palettes_do_not_mind_what_changes_or_goes(ran):
    before = {path: facts for path, facts in snapshot(ran.outputs).items() if path.startswith("shared")}
    plant(ran.inputs, "d/c.png", seed=9)
    (ran.inputs / "b.png").unlink()
    assert ran.reasons(*FROZEN) == {"d/c.png": "input changed"}
    ran.run(*FROZEN)
    assert {
        path: facts for path, facts in snapshot(ran.outputs).items() if path.startswith("shared")
    } == before
    at_rest(ran, *FROZEN)
    ran.run()
    at_rest(ran)
    as_fresh(ran)


def test_frozen_from_the_first_run_there_is_a_palette_all_the_same(site):
    site.run(*FROZEN)
    at_rest(site, *FROZEN)
    at_rest(site)
    as_fresh(site)


def test_what_breaks_while_frozen_is_not_counted_when_it_thaws(ran):
    (ran.inputs / "d/c.png").write_bytes(b"no image")
    age(ran.inputs / "d/c.png")
    ran.run(*FROZEN, code=1)
    at_rest(ran, *FROZEN, code=1)
    ran.run(code=1)
    images = json.loads((ran.outputs / f"{group_of(ran, 'd/e.png')}.json").read_bytes())["images"]
    assert images == sum(
        1 for key in KEYS if key != "d/c.png" and group_of(ran, key) == group_of(ran, "d/e.png")
    )
    at_rest(ran, code=1)


def group_members(site: Site, key: str) -> list[str]:
    place = group_of(site, key)
    return [one for one, record in site.records().items() if "shared" in record.get("outputs", {})
            and group_of(site, one) == place]  # fmt: skip


def test_a_corrupt_image_is_a_failed_row_and_disturbs_nobody(site, tmp_path, scope):
    """Its header is sound, so that a worker finds out, while it counts."""
    data = (site.inputs / "d/c.png").read_bytes()
    broken = site.inputs / "d/broken.png"
    broken.write_bytes(data[: len(data) // 2])
    age(broken)
    site.run(code=1)
    assert site.errors() == {"d/broken.png": "TruncatedImage"}
    at_rest(site, code=1)
    sound = site_of(tmp_path / "sound", scope)
    plant(sound.inputs, *KEYS)
    sound.run()
    found = contents(site.outputs)
    del found["manifest.jsonl"]
    assert found == {path: data for path, data in contents(sound.outputs).items() if path != "manifest.jsonl"}


def test_an_image_that_breaks_is_no_longer_counted(ran):
    data = (ran.inputs / "d/c.png").read_bytes()
    (ran.inputs / "d/c.png").write_bytes(data[: len(data) // 2])
    age(ran.inputs / "d/c.png")
    ran.run(code=1)
    assert ran.errors() == {"d/c.png": "TruncatedImage"}
    place = group_of(ran, "d/e.png")
    assert json.loads((ran.outputs / f"{place}.json").read_bytes())["images"] == len(
        group_members(ran, "d/e.png")
    )
    at_rest(ran, code=1)
    (ran.inputs / "d/c.png").write_bytes(data)
    age(ran.inputs / "d/c.png")
    ran.run()
    ran.run()
    at_rest(ran)
    as_fresh(ran)


def test_broken_images_alone_make_no_palette(tmp_path, scope):
    site = site_of(tmp_path / "site", scope)
    for key in ("a.png", "b.png"):
        (site.inputs / key).write_bytes(b"no image")
        age(site.inputs / key)
    site.run(code=1)
    assert not (site.outputs / "shared").exists()
    at_rest(site, code=1)
    plant(site.inputs, "c.png")
    site.run(code=1)
    assert json.loads((site.outputs / "shared/palette.json").read_bytes())["images"] == 1
    at_rest(site, code=1)


def test_a_broken_link_does_not_have_the_rest_counted_every_night(ran, monkeypatch):
    (ran.inputs / "d/link.png").symlink_to("nowhere")
    ran.run(code=1)
    counted = []
    monkeypatch.setattr(tasks, "count_bundle", lambda *arguments: counted.append(arguments))
    for arguments in ((), ("--retry-failed",), FROZEN):
        ran.run(*arguments, code=1)
    assert counted == []


def test_a_palette_that_cannot_be_written_is_the_images_failure_and_is_healed(job):
    before = contents(job.outputs)
    plant(job.inputs, "n.png", seed=9)
    (job.outputs / "shared").rename(job.outputs / "elsewhere")
    (job.outputs / "shared").write_bytes(b"in the way")
    job.run(code=4)
    assert set(job.errors().values()) == {"OutputNotWritable"}
    (job.outputs / "shared").unlink()
    (job.outputs / "elsewhere").rename(job.outputs / "shared")
    (job.inputs / "n.png").unlink()
    job.run()
    job.run()
    job.call("prune")
    assert contents(job.outputs) == before
    at_rest(job)


def test_a_change_of_scope_and_back_gives_the_first_bytes(ran, scope):
    before = contents(ran.outputs)
    other = {"folder": "job", "job": "folder"}[scope]
    for wanted in (other, "image"):
        ran.run("--set", f"quantize.scope={wanted}")
        at_rest(ran, "--set", f"quantize.scope={wanted}")
        assert ran.call("verify", "--set", f"quantize.scope={wanted}").exit_code == 0
    ran.call("prune", "--set", "quantize.scope=image")
    assert not (ran.outputs / "shared").exists() or not list((ran.outputs / "shared").iterdir())
    ran.run()
    assert contents(ran.outputs) == before


def test_prune_keeps_a_palette_as_long_as_somebody_has_it(ran, scope):
    (ran.inputs / "d/c.png").unlink()
    ran.run()
    ran.call("prune")
    place = SHARED[scope].get("d", "shared/palette")
    assert (ran.outputs / f"{place}.json").exists()
    assert ran.call("verify").exit_code == 0
    (ran.inputs / "d/e.png").unlink()
    ran.run()
    ran.call("prune")
    assert (ran.outputs / "shared/d").exists() is False
    assert (ran.outputs / "shared/palette.json").exists()
    at_rest(ran)
    as_fresh(ran)


def test_prune_of_nothing_keeps_every_palette(ran):
    before = snapshot(ran.outputs)
    assert "0 orphans, 0 strays, 0 files removed" in ran.call("prune").stderr
    assert snapshot(ran.outputs) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_counting_writes_no_palette_of_a_part(site, monkeypatch, number):
    def counted(settings, task):
        os.kill(os.getpid(), number)
        return count(settings, task)

    count = tasks.count_bundle
    monkeypatch.setattr(bundles, "bundle", lambda routes: [[route] for route in routes])
    monkeypatch.setattr(tasks, "count_bundle", counted)
    site.run(code=128 + number)
    assert set(contents(site.outputs)) <= {"manifest.jsonl"}
    assert site.records() == {}
    assert debris(site.outputs) == []
    monkeypatch.undo()
    site.run()
    at_rest(site)
    as_fresh(site)


def test_a_stop_while_counting_leaves_the_palette_that_was_there(ran, monkeypatch):
    def counted(settings, task):
        os.kill(os.getpid(), signal.SIGTERM)
        return count(settings, task)

    count = tasks.count_bundle
    before = contents(ran.outputs)
    plant(ran.inputs, "d/n.png", seed=9)
    monkeypatch.setattr(bundles, "bundle", lambda routes: [[route] for route in routes])
    monkeypatch.setattr(tasks, "count_bundle", counted)
    ran.run(code=143)
    assert contents(ran.outputs) == before
    monkeypatch.undo()
    ran.run()
    as_fresh(ran)


@pytest.mark.parametrize("step", ["fit_group", "process_bundle"])
def test_a_stop_after_counting_is_made_up_for(ran, monkeypatch, step):
    def last(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    module, original = {"fit_group": (sharing, fit_group), "process_bundle": (tasks, process_bundle)}[step]
    plant(ran.inputs, "d/n.png", "n.png", seed=9)
    monkeypatch.setattr(bundles, "bundle", lambda routes: [[route] for route in routes])
    monkeypatch.setattr(module, step, last)
    ran.run(code=143)
    monkeypatch.undo()
    ran.run()
    at_rest(ran)
    as_fresh(ran)


def test_fail_fast_writes_no_palette_of_a_part(site):
    (site.inputs / "a.png").write_bytes((site.inputs / "a.png").read_bytes()[:200])
    age(site.inputs / "a.png")
    site.run("--fail-fast", code=1)
    assert not (site.outputs / "shared").exists()
    site.run(code=1)
    at_rest(site, code=1)


def test_plan_and_explain_tell_of_the_shared_palette(ran):
    plant(ran.inputs, "d/n.png", seed=9)
    assert "do    d/c.png  palette changed (d/n.png: new)" in ran.call("plan").stdout
    result = ran.call("explain", "d/c.png")
    assert result.exit_code == 0
    assert f"{group_of(ran, 'd/c.png')}.json" in result.stdout


CHANGES = (
    "add", "change", "remove", "rename", "copy", "swap", "break", "lose", "cut", "lose shared",
    "cut shared", "freeze", "force", "only",
)  # fmt: skip


class Walk:
    """Things that happen to a job, one after the other, by chance."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self.site = site
        self.told: list[str] = []
        self._chance = chance
        self._made = 0

    def step(self) -> None:
        """Let one thing happen."""
        keys = [
            path.relative_to(self.site.inputs).as_posix() for path in sorted(self.site.inputs.rglob("*.png"))
        ]
        key, what = self._chance.choice(keys), self._chance.choice(CHANGES)
        self.told.append(f"{what} {key}")
        path = self.site.inputs / key
        if what in ("add", "change"):
            self._draw(path if what == "change" else path.with_name(self._name()))
        elif what == "remove" and len(keys) > 1:
            path.unlink()
        elif what == "rename":
            path.rename(path.with_name(self._name()))
        elif what == "copy":
            shutil.copy2(path, path.with_name(self._name()))
        elif what == "swap":
            other = self.site.inputs / self._chance.choice(keys)
            mine, theirs = path.read_bytes(), other.read_bytes()
            path.write_bytes(theirs)
            other.write_bytes(mine)
        elif what == "break":
            path.write_bytes(b"no image")
        elif what.startswith(("lose", "cut")):
            self._harm(what)
        else:
            self._run(*{"freeze": FROZEN, "force": ("--force",), "only": ("--only", key)}[what])

    def _name(self) -> str:
        self._made += 1
        return f"n{self._made}.png"

    def _draw(self, path: Path) -> None:
        self._made += 1
        picture(self._made, 7, 5).save(path)

    def _harm(self, what: str) -> None:
        shared = what.endswith("shared")
        found = [path for path in contents(self.site.outputs) if path.startswith("shared/") is shared]
        found = [path for path in found if path != "manifest.jsonl"]
        if found:
            path = self.site.outputs / self._chance.choice(found)
            path.unlink() if what.startswith("lose") else path.write_bytes(path.read_bytes()[:-1])

    def _run(self, *arguments: str) -> None:
        for path in self.site.inputs.rglob("*.png"):
            age(path)
        assert self.site.call("run", *arguments).exit_code in (0, 1)
        before = snapshot(self.site.outputs)
        self.site.call("run", *(word for word in arguments if word != "--force"))
        assert snapshot(self.site.outputs) == before

    def settle(self) -> None:
        """Run, and hold the tree against that of a first run over the same inputs."""
        self._run()
        for _ in range(2):
            self.site.call("prune")
        failed = {key for key, record in self.site.records().items() if record["status"] != "done"}
        found = {
            path: data
            for path, data in contents(self.site.outputs).items()
            if not any(path.partition("/")[2].startswith(f"{key}.") for key in failed)
        }
        fresh = self.site.base.with_name("fresh")
        shutil.copytree(self.site.inputs, fresh / "in")
        shutil.copy2(self.site.job, fresh)
        other = Site.__new__(Site)
        other.job = fresh / "job.yaml"
        other.call("run")
        expected = contents(fresh / "out")
        shutil.rmtree(fresh)
        assert found == expected
        assert self.site.call("verify").exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_whatever_has_happened_one_run_ends_in_the_tree_of_a_first_run(tmp_path, seed):
    """And another does nothing."""
    chance = random.Random(seed)  # noqa: S311
    site = site_of(tmp_path / "site", chance.choice(["folder", "job"]))
    plant(site.inputs, *KEYS)
    site.run()
    walk = Walk(site, chance)
    try:
        for _ in range(5):
            for _ in range(chance.randint(1, 3)):
                walk.step()
            walk.told.append("run")
            walk.settle()
    except AssertionError as error:
        raise AssertionError(f"{', '.join(walk.told)}: {error}") from error


def test_prune_names_a_file_that_several_have_once(ran):
    for key in KEYS:
        (ran.inputs / key).unlink()
    plant(ran.inputs, "z.png", seed=3)
    ran.run()
    named = ran.call("prune", "--dry-run").stdout.splitlines()
    assert len(named) == len(set(named))
