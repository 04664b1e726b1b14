"""Time limits: what takes too long is given up, wherever it hangs, and nothing else is."""

import threading
import time

import pytest
from trees import Site, contents, debris, plant

from pipeline.errors import TimedOut
from pipeline.jobs import limits, slabtasks, tasks
from pipeline.jobs.limits import Timed, in_time, left_behind, time_for
from pipeline.jobs.plan import Reason

SECONDS = ("--set", "compute.image_timeout=0.3")


@pytest.fixture
def gate(monkeypatch):
    """What hangs until the test is over."""
    monkeypatch.setattr(limits, "_given_up", [])
    event = threading.Event()
    yield event
    event.set()
    for thread in limits._given_up:
        thread.join(10)
    assert not left_behind()


def test_more_megapixels_have_more_time():
    assert time_for(600, 0) == time_for(600, 100) == 600
    assert time_for(600, 250) == 1500
    assert not time_for(None, 250)
    assert not time_for(0, 250)


@pytest.mark.parametrize("seconds", [None, 0, 5])
def test_an_answer_or_an_error_comes_through(seconds):
    assert in_time(seconds, "a", lambda: 3) == 3
    for kind in (ValueError, KeyboardInterrupt, TimeoutError):
        with pytest.raises(kind, match="told"):
            in_time(seconds, "a", lambda kind=kind: (_ for _ in ()).throw(kind("told")))


def test_no_limit_is_no_thread():
    assert in_time(None, "a", threading.current_thread) is threading.current_thread()
    assert in_time(5, "a", threading.current_thread) is not threading.current_thread()


def test_one_thread_serves_a_caller_and_ends_with_it():
    found = []
    caller = threading.Thread(
        target=lambda: found.extend(in_time(5, "a", threading.current_thread) for _ in "ab")
    )
    caller.start()
    caller.join()
    assert found[0] is found[1]
    found[0].join(5)
    assert not found[0].is_alive()


def test_what_hangs_is_given_up(gate):
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"a\.png: .* 0\.2 s .*compute\.image_timeout"):
        in_time(0.2, "a.png", gate.wait)
    assert 0.2 <= time.monotonic() - began < 5
    assert left_behind()
    assert in_time(5, "b.png", lambda: 3) == 3  # by another thread
    gate.set()
    limits._given_up[0].join(5)
    assert not left_behind()


def test_a_machine_that_slept_has_not_been_at_work(monkeypatch):
    """The clock leaps by an hour at each look; a tick counts twice at most."""
    clock = iter(range(0, 10**9, 3600))
    monkeypatch.setattr(limits.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(limits, "_TICK", 0.1)
    assert in_time(2, "a", lambda: threading.Event().wait(0.5)) is False


def test_a_task_is_named_by_its_image(gate):
    class Task:
        keys = ("a.png",)

    assert Timed(lambda task: task.keys, 5)(Task()) == ("a.png",)
    with pytest.raises(TimedOut, match=r"^a\.png: "):
        Timed(lambda task: gate.wait(), 0.1)(Task())


# Runs in one process, where threads stay behind.


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site")
    plant(site.inputs, "a.png", "b.png", "c.png")
    site.run("--set", "output.root=calm")
    return site


def hanging(monkeypatch, place, name, gate, wanted):
    """Let a function hang when it meets something."""
    real = getattr(place, name)

    def hung(*arguments):
        if wanted(arguments):
            gate.wait()
        return real(*arguments)

    monkeypatch.setattr(place, name, hung)


@pytest.mark.parametrize("kind", ["inline", "threads"])
@pytest.mark.parametrize("scope", ["image", "job"])
def test_an_image_that_hangs_is_a_row(site, monkeypatch, gate, kind, scope):
    settings = ("--set", f"quantize.scope={scope}")
    hanging(monkeypatch, tasks, "decode", gate, lambda some: some[0].name == "b.png")
    result = site.run(*settings, *SECONDS, "--cluster", kind, code=1)
    assert site.errors() == {"b.png": "TimedOut"}
    assert "failed: b.png: TimedOut: b.png: expected to be done with it within 0.3 s" in result.stderr
    record = site.records()["b.png"]
    assert record["input"]["sha256"]
    before = contents(site.outputs)
    gate.set()
    for thread in limits._given_up:
        thread.join(10)
    assert contents(site.outputs) == before  # it wrote nothing late
    assert debris(site.outputs) == []
    monkeypatch.undo()
    assert site.reasons(*settings) == {}
    assert "TimedOut" in site.run(*settings, code=1).stderr
    assert "TimedOut" in site.call("status", *settings).stdout
    assert "failed before (TimedOut)" in site.call("plan", *settings).stdout
    site.run(*settings, "--retry-failed")
    site.run(*settings)  # a palette that images share is found anew after one more has been done
    site.run(*settings, "--set", "output.root=fresh")
    assert contents(site.outputs) == contents(site.base / "fresh")


def test_a_share_that_hangs_is_not_the_images_fault(site, monkeypatch, gate):
    hanging(monkeypatch, tasks, "read_small", gate, lambda some: some[0].name == "b.png")
    site.run(*SECONDS, code=1)
    assert site.errors() == {"b.png": "UnreadableFile"}
    assert "compute.image_timeout" in site.records()["b.png"]["error"]["message"]
    monkeypatch.undo()
    assert site.reasons() == {"b.png": Reason.FAILED_BEFORE}
    site.run()
    assert contents(site.outputs) == contents(site.base / "calm")


@pytest.mark.parametrize("change", ["bytes", "recipe", "version"])
def test_what_is_quarantined_gets_another_chance(site, monkeypatch, gate, change):
    hanging(monkeypatch, tasks, "decode", gate, lambda some: some[0].name == "b.png")
    site.run(*SECONDS, code=1)
    monkeypatch.undo()
    settings = ()
    if change == "bytes":
        plant(site.inputs, "b.png", seed=5)
    elif change == "recipe":
        settings = ("--set", "quantize.seed=4")
    else:
        for module in ("plan", "records"):
            monkeypatch.setattr(f"pipeline.jobs.{module}.__version__", "9.9.9")
        detail = next(row["detail"] for row in site.plan()["images"] if row["image"] == "b.png")
        assert detail.startswith("TimedOut with segpipe ")
        assert detail.endswith(" → 9.9.9")
    assert "b.png" in site.reasons(*settings)
    site.run(*settings)
    assert site.errors() == {}


def test_the_limit_is_no_part_of_the_recipe(site):
    site.run()
    assert site.reasons(*SECONDS) == {}


def test_without_a_limit_nothing_is_given_up(site, monkeypatch):
    monkeypatch.setattr(limits, "_hand", None)
    for value in ("0", "null"):
        site.run("--set", f"compute.image_timeout={value}", "--force")
    assert contents(site.outputs) == contents(site.base / "calm")


@pytest.mark.parametrize("kind", ["inline", "threads"])
def test_a_step_of_an_image_in_windows(tmp_path, monkeypatch, gate, kind):
    from test_large import WINDOWS, textured, tifffile

    site = Site(tmp_path / "site")
    plant(site.inputs, "a.png")
    tifffile.imwrite(site.inputs / "t.tif", textured(560, 64), tile=(64, 48), photometric="rgb")
    site.run("--set", "output.root=calm")
    hanging(monkeypatch, slabtasks.Tally, "add", gate, lambda some: True)
    site.run(*WINDOWS, *SECONDS, "--cluster", kind, code=1)
    assert site.errors() == {"t.tif": "TimedOut"}
    assert not (site.state / "large").exists()
    gate.set()
    monkeypatch.undo()
    assert site.reasons(*WINDOWS) == {}
    site.run(*WINDOWS, "--retry-failed")
    assert contents(site.outputs) == contents(site.base / "calm")
