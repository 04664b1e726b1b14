"""Routes: what an image will cost is known from its header, and refused with the numbers."""

import os

import pytest
from builders import digest_of, entry, header, job, look, noise, plant, route

from pipeline.errors import BrokenLink, TooManyPixels, TooMuchMemory
from pipeline.jobs import routes
from pipeline.jobs.manifest import save
from pipeline.jobs.plan import Decision, Reason, Request
from pipeline.jobs.records import Failure, InputFacts, Records
from pipeline.jobs.routes import Route, memory_share, worker_count
from pipeline.jobs.run import run
from pipeline.jobs.survey import Options
from pipeline.jobs.watcher import Watcher

TIGHT = {"compute": {"cluster": "inline", "workers": 1, "memory_per_worker": "1MB"}}


REQUEST = Request(recipe={}, digest="r")


def work_of(found):
    return [(route.decision.entry.key, type(route.refusal).__name__) for route in found.routes]


def record_refusals(found):
    """Do what a run does with them."""
    (found.tree.outputs).mkdir(exist_ok=True)
    save(
        found.tree.outputs,
        Records.of(*[route.foretold(found.request) for route in found.routes if route.refusal]),
    )


def test_an_image_that_fits_goes_whole(tmp_path):
    spec = job(tmp_path)
    plant(tmp_path / "in", "a.png", noise(20, 30))
    [found] = look(spec).routes
    assert (found.header.width, found.header.height, found.refusal) == (30, 20, None)
    assert found.megapixels == 600 / 1e6
    assert found.foretold(REQUEST) is None


def test_too_many_pixels_are_refused_with_the_numbers_and_the_key(tmp_path):
    spec = job(tmp_path, input={"max_megapixels": 0.0005})
    plant(tmp_path / "in", "a.png", noise(20, 30))
    [found] = look(spec).routes
    assert isinstance(found.refusal, TooManyPixels)
    for word in ("30 × 20", "0.0006", "0.0005", "input.max_megapixels"):
        assert word in str(found.refusal)


def test_as_many_pixels_as_are_admitted_are_not_refused(tmp_path):
    plant(tmp_path / "in", "a.png", noise(20, 30))
    assert look(job(tmp_path, input={"max_megapixels": 0.0006})).routes[0].refusal is None


def test_too_much_memory_is_refused_with_the_numbers_and_the_key(tmp_path):
    plant(tmp_path / "in", "a.png", noise(20, 30))
    [found] = look(job(tmp_path, **TIGHT)).routes
    assert isinstance(found.refusal, TooMuchMemory)
    need = (found.header.peak_bytes + routes.WORKER_BYTES) / 1e6
    for word in ("a.png", "30 × 20", f"about {need:.0f} MB", "has 1 MB", "compute.memory_per_worker"):
        assert word in str(found.refusal)


def test_the_limit_of_memory_is_what_is_needed_to_the_byte():
    need = 1000 + routes.WORKER_BYTES
    assert routes._too_much("a", header(), 1000, need) is None
    assert routes._too_much("a", header(), 1000, need - 1) is not None


def test_a_header_that_cannot_be_read_goes_to_a_worker(tmp_path):
    spec = job(tmp_path)
    (tmp_path / "in/a.png").write_bytes(b"no image")
    [found] = look(spec).routes
    assert (found.header, found.refusal, found.megapixels) == (None, None, 0.0)


def test_what_the_listing_knows_to_fail_is_refused_with_that_error(tmp_path):
    spec = job(tmp_path)
    (tmp_path / "in/a.png").symlink_to("nowhere")
    [found] = look(spec).routes
    assert isinstance(found.refusal, BrokenLink)


def test_the_record_of_a_refused_image_holds_what_is_known_of_it():
    record = Route(Decision(entry("a"), True, Reason.NEW), header(), TooMuchMemory("too much"))
    record = record.foretold(REQUEST)
    assert (record.image, record.status, record.recipe) == ("a", "failed", "r")
    assert record.input == InputFacts(10, None, 7, 6, "RGB", "png")
    assert record.error == Failure("TooMuchMemory", "too much")
    assert route("a", refusal=BrokenLink("gone")).foretold(REQUEST).input == InputFacts(10)


@pytest.mark.parametrize("sections", [TIGHT, {"input": {"max_megapixels": 0.0005}}])
def test_what_is_refused_again_and_recorded_so_is_no_work(tmp_path, sections):
    spec = job(tmp_path, **sections)
    plant(tmp_path / "in", "a.png", noise(20, 30))
    (tmp_path / "in/b.png").symlink_to("nowhere")
    first = look(spec)
    assert [key for key, _ in work_of(first)] == ["a.png", "b.png"]
    record_refusals(first)
    again = look(spec)
    assert work_of(again) == []
    assert not again.plan.work
    assert [str(decision) for decision in again.plan.decisions] == [
        f"failed before ({type(first.routes[0].refusal).__name__})",
        "failed before (BrokenLink)",
    ]


def test_a_refusal_with_other_numbers_is_recorded_anew(tmp_path):
    plant(tmp_path / "in", "a.png", noise(20, 30))
    record_refusals(look(job(tmp_path, input={"max_megapixels": 0.0005})))
    assert look(job(tmp_path, input={"max_megapixels": 0.0004})).plan.work
    assert look(job(tmp_path, input={"max_megapixels": 1})).routes[0].refusal is None


def test_a_refusal_under_another_recipe_is_recorded_anew(tmp_path):
    plant(tmp_path / "in", "a.png", noise(20, 30))
    record_refusals(look(job(tmp_path, **TIGHT)))
    other = job(tmp_path, **TIGHT, quantize={"colors": 3})
    assert look(other).plan.work
    assert look(other).routes[0].foretold(look(other).request).recipe == digest_of(other)


def test_an_empty_file_that_is_recorded_is_no_work(tmp_path):
    spec = job(tmp_path)
    (tmp_path / "in/a.png").write_bytes(b"")
    run(spec, Options(), Watcher())
    assert not look(spec).plan.work


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_skipped_where_unsupported_files_are(tmp_path):
    spec = job(tmp_path, input={"on_unsupported": "skip"})
    os.mkfifo(tmp_path / "in/a.png")
    found = look(spec)
    assert found.routes[0].foretold(found.request).status == "skipped"


def test_workers_are_as_many_as_asked_for_or_as_there_are_cores(tmp_path, monkeypatch):
    assert worker_count(job(tmp_path, compute={"workers": 3})) == 3
    free = job(tmp_path, compute={"workers": None})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 4, 5}, raising=False)
    assert worker_count(free) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert worker_count(free) == 1


def test_memory_is_as_given_or_the_machines_shared_out(tmp_path, monkeypatch):
    monkeypatch.setattr(routes, "_machine_memory", lambda: 12_000)
    assert memory_share(job(tmp_path, compute={"workers": 3})) == 4_000
    assert memory_share(job(tmp_path, compute={"workers": 3, "threads_per_worker": 2})) == 2_000
    given = {"workers": 3, "threads_per_worker": 2, "memory_per_worker": "8kB"}
    assert memory_share(job(tmp_path, compute=given)) == 4_000


@pytest.mark.parametrize(
    ("limit", "expected"), [("500\n", 500), ("max\n", 1000), ("5000\n", 1000), (None, 1000)]
)
def test_the_machines_memory_minds_a_containers_limit(monkeypatch, limit, expected):
    def read(path):
        if limit is None:
            raise FileNotFoundError
        return limit

    class Memory:
        total = 1000

    monkeypatch.setattr(routes.psutil, "virtual_memory", Memory)
    monkeypatch.setattr(routes.Path, "read_text", read)
    assert routes._machine_memory() == expected
