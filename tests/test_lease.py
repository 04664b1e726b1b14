"""Who works for a run that holds the lock no more writes nothing."""

from dataclasses import replace

import pytest
from stores import serving
from trees import Site, contents, plant

from pipeline.errors import OutputNotWritable
from pipeline.files.objects import place
from pipeline.jobs import lease
from pipeline.jobs.lease import Lease
from pipeline.jobs.lock import locked
from pipeline.jobs.spec import load_spec
from pipeline.jobs.tasks import Painting, process_bundle
from pipeline.jobs.trade import trade_of


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(lease, "_SIGHT", 0.05)


@pytest.fixture(params=["folder", "store"])
def state(request, tmp_path, monkeypatch):
    if request.param == "folder":
        yield tmp_path / "out/.segpipe"
    else:
        stores = serving(monkeypatch)
        yield place(f"{next(stores).url}/out/.segpipe")
        stores.close()


def test_a_run_that_holds_the_lock_may(state):
    with locked(state) as hold:
        Lease(state, hold.token).check()


def test_one_that_has_lost_it_or_has_ended_may_not(state):
    with locked(state) as hold:
        with pytest.raises(OutputNotWritable, match="found that it is another's; run again"):
            Lease(state, "0123").check()
        token = hold.token
    with pytest.raises(OutputNotWritable, match="found that it is gone; run again"):
        Lease(state, token).check()


def test_a_lock_that_is_seen_late_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "_SIGHT", 20)
    with locked(tmp_path) as hold:
        read = lease.slot_of(tmp_path).read
        seen = iter([None, OSError(5, "away")])

        class Slow:
            place = ""

            def read(self):
                if isinstance(found := next(seen, read()), OSError):
                    raise found
                return found

        monkeypatch.setattr(lease, "slot_of", lambda state: Slow())
        Lease(tmp_path, hold.token).check()


def test_a_task_that_outlives_its_run_leaves_what_the_next_has_made(tmp_path):
    """As on a cluster that goes on when the driver has been killed."""
    site = Site(tmp_path / "site")
    plant(site.inputs, "a.png", "b.png")
    state = site.outputs / ".segpipe"
    spec = load_spec(site.job)
    with locked(state) as hold:
        settings = trade_of(spec, "r", Lease(state, hold.token)).settings
    site.run("--set", "quantize.colors=3")
    before = contents(site.outputs)
    outcomes = process_bundle(settings, Painting(("a.png", "b.png")))
    assert [outcome.record.error.type for outcome in outcomes] == ["OutputNotWritable"] * 2
    assert contents(site.outputs) == before
    allowed = process_bundle(replace(settings, lease=None), Painting(("a.png",)))
    assert allowed[0].record.status == "done"
    assert contents(site.outputs) != before


@pytest.mark.parametrize("sections", [{}, {"large": {"above_megapixels": 0.0001}}, {"scope": "job"}])
def test_all_that_writes_outputs_asks(tmp_path, monkeypatch, sections):
    site = Site(tmp_path / "site", **({} if "scope" in sections else sections))
    plant(site.inputs, "a.png", "b.png")
    asked = []
    monkeypatch.setattr(Lease, "check", lambda self: asked.append(self.token))
    site.run(*(("--set", "quantize.scope=job") if "scope" in sections else ()))
    assert asked
    assert len(set(asked)) == 1
