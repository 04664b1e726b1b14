"""Outputs in an object store: the tree is that of a folder, byte for byte, whatever the store does."""

import errno
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import maps
import numpy as np
import pytest
import stores
import test_large
from stores import Store, serving
from test_crash import Kill, killing
from test_large import small_slabs  # noqa: F401 -- a fixture
from trees import Site, contents, plant
from werkzeug.wrappers import Response

from pipeline.errors import OutputNotWritable
from pipeline.files.objects import place
from pipeline.files.writing import commit_at
from pipeline.jobs.lock import locked

KEYS = tuple(f"{folder}{number}.png" for folder in ("", "deep/", "[a] b/") for number in range(4))
REPO = Path(__file__).parents[1]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = Site(tmp_path / "site", output={"palette": {"formats": ["json", "gpl"]}})
    plant(found.inputs, *KEYS)
    (found.inputs / "bad.png").write_bytes(b"no image")
    return found


@pytest.fixture
def far(store: Store) -> tuple[str, ...]:
    """What sends a job's outputs to the store."""
    return ("--set", f"output.root={store.url}/out")


def tree(store: Store) -> dict[str, bytes]:
    """The outputs in the store, with the manifest."""
    found = store.contents("out/")
    return {key.removeprefix("out/"): data for key, data in found.items() if ".segpipe/" not in key}


def state(store: Store) -> list[str]:
    """What else there is, but for caches and the records of runs."""
    names = [key.removeprefix("out/.segpipe/") for key in store.keys("out/.segpipe/")]
    return [name for name in names if not re.match(r"(recipes|runs)/|stats\.msgpack$", name)]


def local(site: Site, *arguments: str, code: int = 1) -> dict[str, bytes]:
    site.run(*arguments, code=code)
    return contents(site.outputs)


@pytest.mark.parametrize("cluster", ["inline", "threads", pytest.param("local", marks=pytest.mark.slow)])
def test_the_tree_is_that_of_a_folder(site, store, far, cluster):
    expected = local(site)
    site.run(*far, "--cluster", cluster, "--workers", "2", code=1)
    assert tree(store) == expected
    assert state(store) == []
    assert site.call("verify", *far).exit_code == 0
    told = site.call("status", *far).stdout
    assert told.startswith(f"{store.url}/out: 12 done, 1 failed")


def test_reports_are_those_of_a_folder(site, store, far):
    """But for what they tell of the run; and browsers are told what the files are."""
    report = ("--set", "output.report=true")
    expected = local(site, *report)
    site.run(*far, *report, code=1)
    made = tree(store)
    assert made.keys() == expected.keys()
    assert {path for path in made if made[path] != expected[path]} <= {"report/data/index.js"}
    types = {name: store.content_type(f"out/report/{name}") for name in ("index.html", "data/00000.js")}
    assert types == {
        "index.html": "text/html; charset=utf-8",
        "data/00000.js": "text/javascript; charset=utf-8",
    }
    store.forget()
    site.run(*far, *report, code=1)
    assert store.counts().keys() <= {"GET", "HEAD", "LIST"}
    (site.inputs / "bad.png").unlink()
    assert site.call("prune", *far, *report).exit_code == 0
    assert b"bad.png" not in tree(store)["report/data/index.js"]
    assert site.call("verify", *far, *report).exit_code == 0


@pytest.mark.parametrize("scope", ["folder", "job"])
def test_shared_palettes_are_those_of_a_folder(site, store, far, scope):
    shared = ("--set", f"quantize.scope={scope}")
    expected = local(site, *shared)
    site.run(*far, *shared, code=1)
    assert tree(store) == expected
    plant(site.inputs, "deep/new.png", seed=99)
    frozen = (*shared, "--set", "quantize.freeze=true")
    expected = local(site, *frozen)
    site.run(*far, *frozen, code=1)
    assert tree(store) == expected


def test_shards_make_the_tree_of_one_run(site, store, far):
    expected = local(site)
    for number in (2, 1, 3):
        site.call("run", *far, "--shard", f"{number}/3")
        assert set(site.reasons(*far, "--shard", f"{number}/3")) == set()
    assert {name.split("/")[1] for name in state(store)} == {"1-of-3", "2-of-3", "3-of-3"}
    assert "manifest.jsonl" not in tree(store)
    assert site.call("merge", *far).exit_code == 0
    assert tree(store) == expected
    assert state(store) == []
    assert site.reasons(*far) == {}


def test_a_run_with_nothing_to_do_asks_little_however_many_images_there_are(site, store, far):
    asked = []
    for more in (0, 60):
        plant(site.inputs, *(f"more/{number}.png" for number in range(more)))
        site.run(*far, code=1)
        before = store.contents()
        store.forget()
        assert "unchanged" in site.run(*far, code=1).output
        asked.append(store.counts())
        assert store.contents() == before
    sys.stdout.write(f"a run with nothing to do asks: {dict(asked[1])}\n")
    assert asked[0] == asked[1]
    assert set(asked[1]) <= {"GET", "HEAD", "LIST"}
    assert sum(asked[1].values()) <= 20


@pytest.mark.parametrize("cluster", ["threads", pytest.param("local", marks=pytest.mark.slow)])
def test_from_a_store_to_a_store_the_tree_is_the_same(site, store, far, cluster):
    expected = local(site)
    store.plant(site.inputs, "in/")
    both = (*far, "--set", f"input.root={store.url}/in")
    workers = ("--cluster", cluster, "--workers", "2")
    site.run(*both, *workers, code=1)
    assert tree(store) == expected
    assert state(store) == []
    store.forget()
    site.run(*both, code=1)
    assert set(store.counts()) <= {"GET", "HEAD", "LIST"}
    assert sum(store.counts().values()) <= 25
    for number in (1, 2):
        site.call("run", *both, *workers, "--force", "--shard", f"{number}/2")
    assert site.call("merge", *both).exit_code == 0
    assert tree(store) == expected


def test_only_what_has_gone_is_done_again(site, store, far):
    site.run(*far, code=1)
    expected = tree(store)
    store.remove("out/labels/deep/1.png.png")
    assert site.reasons(*far) == {"deep/1.png": "output missing"}
    store.forget()
    site.run(*far, code=1)
    assert tree(store) == expected
    sent = [one.key for one in store.asked if one.method == "PUT" and "/.segpipe/" not in one.key]
    assert sent == ["out/labels/deep/1.png.png"]  # what has the same bytes stays, the manifest too


def test_a_forced_run_sends_no_output_anew_that_is_there(site, store, far):
    site.run(*far, code=1)
    store.forget()
    site.run(*far, "--force", code=1)
    assert [one.key for one in store.asked if one.method == "PUT" and "/.segpipe/" not in one.key] == []
    assert all(
        "/.segpipe/" in one.key
        for one in store.asked
        if one.method == "GET" and one.key and one.key != "out/manifest.jsonl"
    )


def test_another_content_of_the_same_size_is_found_and_mended(site, store, far):
    site.run(*far, code=1)
    expected = tree(store)
    name = "out/quantized/0.png.png"
    store.put(name, bytes(len(store.get(name))))
    assert site.reasons(*far) == {}
    assert site.reasons(*far, "--check-outputs") == {"0.png": "output damaged"}
    found = site.call("verify", *far)
    assert found.exit_code == 6
    assert found.stdout.startswith("quantized/0.png.png  sha256: ")
    site.run(*far, "--check-outputs", code=1)
    assert tree(store) == expected


def test_orphans_and_strays_are_pruned(site, store, far):
    site.run(*far, code=1)
    (site.inputs / "deep/1.png").unlink()
    store.put("out/labels/stray.png", b"x")
    store.put("out/mine.txt", b"x")
    told = site.call("prune", *far, "--dry-run")
    assert told.stdout.split() == [
        "quantized/deep/1.png.png",
        "labels/deep/1.png.png",
        "palettes/deep/1.png.json",
        "palettes/deep/1.png.gpl",
        "labels/stray.png",
    ]
    assert "5 files removed" in site.call("prune", *far).output
    assert not [key for key in store.keys("out/") if "deep/1.png" in key or "stray" in key]
    assert store.get("out/mine.txt") == b"x"
    assert b"deep/1.png" not in store.get("out/manifest.jsonl")
    assert site.reasons(*far) == {}


@pytest.mark.parametrize("fault", [stores.every(7), stores.slow(0.02)])
def test_a_store_under_load_changes_nothing(site, store, far, fault):
    expected = local(site)
    store.fault = fault
    site.run(*far, code=1)
    store.fault = lambda asked: None
    assert tree(store) == expected
    assert state(store) == []


def test_outputs_that_the_store_refuses_are_rows_and_tried_again(site, store, far):
    expected = local(site)
    store.fault = lambda asked: (
        stores.refusal(403) if asked.method == "PUT" and "labels/deep" in asked.key else None
    )
    site.run(*far, code=4)
    records = map(json.loads, tree(store)["manifest.jsonl"].splitlines())
    errors = {record["image"]: record["error"] for record in records if "error" in record}
    assert set(errors) == {"bad.png", *(key for key in KEYS if key.startswith("deep/"))}
    assert errors["deep/0.png"] == {
        "type": "OutputNotWritable",
        "message": "outputs could not be written: told to; see to the store, or to its credentials and "
        "rights, and run again",
    }
    store.fault = lambda asked: None
    site.run(*far, code=1)
    assert tree(store) == expected


def test_a_store_that_takes_nothing_ends_the_run(site, store, far):
    store.fault = lambda asked: stores.refusal(403) if asked.method == "PUT" else None
    told = site.run(*far, code=4).output
    assert f"output root {store.url}/out: expected a store to write to, found: told to" in told


def test_a_bucket_that_is_not_there_is_told(site, store):
    told = site.call("run", "--set", "output.root=s3://nobody/out")
    assert told.exit_code == 4
    assert "s3://nobody/out" in told.output


def test_two_runs_at_once_are_refused_and_named(site, store, far):
    with locked(place(f"{store.url}/out/.segpipe")):
        assert state(store) == ["lock"]
        told = site.run(*far, code=4).output
        assert (
            f"{store.url}/out is held by another run: process {os.getpid()} (this very process) on " in told
        )
        assert f"remove {store.url}/out/.segpipe/lock" in told
        assert state(store) == ["lock"]
    assert state(store) == []
    site.run(*far, code=1)


def test_of_two_that_lock_in_the_same_instant_one_is_refused(store):
    """Neither sees a lock when it looks; the store's own condition tells them apart."""
    folder = place(f"{store.url}/out/.segpipe")
    with_other = stores.once(
        lambda: store.put("out/.segpipe/lock", b"77\nelsewhere\nx\n"), method="PUT", key="/lock"
    )
    store.fault = with_other
    with pytest.raises(Exception, match=r"held by another run: process 77 on elsewhere"), locked(folder):
        pass
    assert 412 in {one.status for one in store.asked if one.method == "PUT"}
    assert store.get("out/.segpipe/lock") == b"77\nelsewhere\nx\n"


def test_secrets_are_in_no_file_and_no_words(site, store, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim-9c1")
    far = ("--set", f"output.root={store.url}/out")
    said = [site.run(*far, "-v", code=1).output, site.call("plan", *far, "--json").output]
    said += [site.call(command, *far).output for command in ("status", "verify")]
    wrong = ("--set", "output.root=s3://AKIA7:geheim/9c1@bucket/x", "--set", "input.root=s3://b/x?t=geheim")
    refused = site.call("run", *wrong)
    assert refused.exit_code == 2
    assert refused.output.count("credentials come from the environment") == 2
    site.job.write_text(site.job.read_text().replace("root: out", "root: s3://AKIA7:geheim/9c1@bucket/x"))
    said += [refused.output, site.call("plan").output]
    assert not [text for text in said if "geheim" in text or "AKIA7" in text]
    assert not [key for key, data in store.contents().items() if b"geheim" in data]


def test_a_missing_package_is_told_before_anything_else(site, store, far, monkeypatch):
    monkeypatch.setattr("pipeline.jobs.extras.find_spec", lambda name: None)
    told = site.call("run", *far)
    assert told.exit_code == 2
    assert "expected the package s3fs, found none; install it with: pip install 'segpipe[s3]'" in told.output


@pytest.fixture
def large(tmp_path: Path) -> Site:
    site = Site(tmp_path / "large", output={"palette": {"formats": ["json", "gpl", "png"]}})
    test_large.plant(site.inputs)
    return site


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("output.quantized.format=tiff", "output.labels.format=tiff", "output.preview=64"),
        ("output.comparison.layout=overlay", "output.comparison.height=64"),
    ],
)
def test_large_images_are_those_of_a_folder(large, store, far, small_slabs, settings):  # noqa: F811
    arguments = [*test_large.WINDOWS, *(word for setting in settings for word in ("--set", setting))]
    expected = local(large, *arguments, code=0)
    large.run(*far, *arguments)
    assert tree(store) == expected
    assert state(store) == []


def test_large_images_that_share_a_palette_hand_their_counts_on(large, store, far, small_slabs):  # noqa: F811
    arguments = (*test_large.WINDOWS, "--set", "quantize.scope=job")
    expected = local(large, *arguments, code=0)
    large.run(*far, *arguments)
    assert tree(store) == expected
    assert state(store) == []


def test_what_cannot_be_handed_on_is_a_row_and_tried_again(large, store, far, small_slabs):  # noqa: F811
    preview = ("--set", "output.preview=64")
    expected = local(large, *test_large.WINDOWS, *preview, code=0)
    store.fault = lambda asked: (
        stores.refusal(403) if asked.method == "PUT" and "/previews-" in asked.key else None
    )
    large.run(*far, *test_large.WINDOWS, *preview, code=4)
    assert b"previews-0.npz could not be written: told to; run again" in tree(store)["manifest.jsonl"]
    assert state(store) == []
    store.fault = lambda asked: None
    large.run(*far, *test_large.WINDOWS, *preview)
    assert tree(store) == expected
    assert state(store) == []


def test_rasters_are_those_of_a_folder(tmp_path, store, far, monkeypatch):
    maps.shrink(monkeypatch)
    site = maps.segmenting(tmp_path / "site")
    maps.save(site.inputs / "sub/deep.tif", maps.clusters(4, np.uint16)[0], **maps.TILED)
    expected = local(site, code=0)
    site.run(*far)
    assert tree(store) == expected
    assert state(store) == []


@pytest.mark.slow
def test_large_images_on_a_cluster_from_a_store_too(large, store, far):
    expected = local(large, *test_large.WINDOWS, code=0)
    store.plant(large.inputs, "in/")
    both = (*far, "--set", f"input.root={store.url}/in")
    large.run(*both, *test_large.WINDOWS, "--cluster", "local", "--workers", "2")
    assert tree(store) == expected
    assert state(store) == []


def last_refused(asked: stores.Asked) -> Response | None:
    """Refuse the last part once the others are there."""
    if "partNumber=3" not in asked.query:
        return None
    time.sleep(0.5)
    return stores.refusal(403)


def test_a_large_output_is_sent_in_parts_and_none_are_left(store, tmp_path, monkeypatch):
    from moto.s3.models import s3_backends

    from pipeline.files import objects
    from pipeline.files.uploads import ObjectCommit

    monkeypatch.setattr(objects, "_PART", 5 << 20)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data = os.urandom(12 << 20)
    commit = ObjectCommit(place(f"{store.url}/out"))
    fact = commit.stage_written("a", "labels/a.tif", lambda file: file.write(data))
    assert fact.bytes == len(data)
    assert store.keys() == []
    assert commit.publish() == {}
    assert store.get("out/labels/a.tif") == data
    assert sum(one.method == "PUT" for one in store.asked) == 3
    store.forget()
    commit.stage_written("a", "labels/a.tif", lambda file: file.write(data))
    assert commit.publish() == {}
    assert not [one for one in store.asked if one.method in ("PUT", "POST")]  # read: its ETag does not tell
    store.fault = last_refused
    commit.stage_written("a", "labels/a.tif", lambda file: file.write(data[::-1]))
    assert "told to" in str(commit.publish()["a"])
    assert store.get("out/labels/a.tif") == data
    assert not s3_backends["123456789012"]["aws"].buckets[stores.BUCKET].multiparts
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def kill(store: Store) -> Iterator[Kill]:
    """As in `test_crash`, in a process that knows the store."""
    with killing("-c", PRELUDE, REPO / "tests/killer.py") as ask:
        yield ask


PRELUDE = """
import runpy, sys
import s3fs
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(errno.ENOSPC, "full"), OutputNotWritable), (KeyError("x"), KeyError)]
)
def test_half_a_large_output_takes_its_group_along(store, tmp_path, monkeypatch, error, raised):
    def write(file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    commit = commit_at(place(f"{store.url}/out"))
    commit.stage("a", {"labels/a": b"x"})
    commit.stage("b", {"labels/b": b"y"})
    with pytest.raises(raised):
        commit.stage_written("a", "quantized/a", write)
    assert commit.publish() == {}
    assert store.keys() == ["out/labels/b"]
    assert list(tmp_path.iterdir()) == []


class Deadly:
    """Kills a process at the N-th request that changes the store, before it is done or just after."""

    def __init__(self, at: int, *, done: bool) -> None:
        self.landed: stores.Asked | None = None
        self._left = at
        self._done = done
        self._lock = threading.Lock()
        self._process: Future[int] = Future()

    def aim(self, process: int) -> None:
        """Name the process; its requests wait for that."""
        self._process.set_result(process)

    def __call__(self, asked: stores.Asked) -> Response | None:
        if asked.method in ("GET", "HEAD"):
            return None
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.landed = asked
                os.kill(self._process.result(timeout=60), signal.SIGKILL)
                return None if self._done else stores.refusal(503)
            return stores.refusal(503) if self.landed else None  # of the dead nothing more arrives


@pytest.mark.slow
def test_whoever_is_killed_at_whatever_request_the_next_run_ends_in_the_same_tree(tmp_path, store, far, kill):
    """Every second request is done all the same."""
    site = Site(tmp_path / "site", quantize={"scope": "folder"})
    plant(site.inputs, "a.png", "b/c.png")
    expected = local(site, code=0)
    store.plant(site.inputs, "in/")
    both = (*far, "--set", f"input.root={store.url}/in")
    site.run(*both, "--set", "quantize.colors=3")
    before = store.contents("out/")
    old = tree(store)
    points: list[str] = []
    at = 0
    while True:
        at += 1
        for key in store.keys("out/"):
            store.remove(key)
        for key, data in before.items():
            store.put(key, data)
        store.fault = deadly = Deadly(at, done=at % 2 == 1)
        answer = kill(-1, site.base, "run", site.job, *both, begun=deadly.aim)
        if not deadly.landed:
            assert answer["exit"] == 0
            break
        assert answer["signal"] == signal.SIGKILL
        while not deadly.landed.status:
            time.sleep(0.01)
        store.fault = lambda asked: None
        points.append(f"{deadly.landed.method} {deadly.landed.key}")
        assert all(data in (old.get(key), expected.get(key)) for key, data in tree(store).items()), points[-1]
        site.run(*both)
        assert tree(store) == expected, points[-1]
        assert state(store) == [], points[-1]
    sys.stdout.write("killed at\n" + "".join(f"  {point}\n" for point in points))
    told = " ".join(points)
    for word in (
        "lock",
        "journal/00000004",
        "quantized/",
        "shared/",
        "manifest.jsonl",
        "POST",
    ):
        assert word in told
