"""A lock in a file: of several who do the same at once one does it, whoever is killed when."""

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from locks import ELSEWHERE, put

from pipeline.jobs.holder import Holder, token_of
from pipeline.jobs.lockfile import FileSlot


def fresh() -> bytes:
    return Holder.me().to_bytes()


def beaten(data: bytes) -> bytes:
    found = Holder.from_bytes(data)
    assert found is not None
    return found.beaten().to_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture(params=["links", "no links"])
def slot(request, path, monkeypatch) -> FileSlot:
    if request.param == "no links":

        def refuse(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    return FileSlot(path)


def names(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir())


def test_made_renewed_and_removed(slot, path):
    assert slot.read() is None
    assert not slot.is_marked()
    data = fresh()
    seen = slot.create(data)
    assert slot.read() == seen == (data, "lock")
    assert slot.is_marked()
    assert names(path) == ["lock"]
    assert slot.create(fresh()) is None
    for _ in range(3):
        data = beaten(data)
        seen = slot.replace(seen, data)
        assert path.read_bytes() == data
        assert slot.read() == seen
    assert slot.remove(seen)
    assert names(path) == []
    assert not slot.remove(seen)


def test_another_takes_over_what_it_has_seen(slot, path):
    mine, theirs = fresh(), fresh()
    seen = slot.create(mine)
    other = FileSlot(path)
    taken = other.replace(other.read(), theirs)
    assert other.read() == taken == (theirs, "lock")
    assert names(path) == ["lock"]
    assert slot.replace(seen, beaten(mine)) is None, "whose it was notices"
    assert path.read_bytes() == theirs, "and has not written over it"
    assert not slot.remove(seen)
    assert other.replace(taken, beaten(theirs)) is not None


def test_a_sign_of_life_before_the_claim_bars_a_taker(slot, path):
    mine = fresh()
    seen = slot.create(mine)
    other = FileSlot(path)
    before = other.read()
    assert slot.replace(seen, beaten(mine)) is not None
    assert other.replace(before, fresh()) is None
    assert names(path) == ["lock"]


def test_a_taker_that_comes_too_late_takes_nothing(slot, path):
    slot.create(fresh())
    early, late, latest = FileSlot(path), FileSlot(path), FileSlot(path)
    before = early.read()
    taken = early.replace(before, fresh())
    assert late.replace(before, fresh()) is None
    early.remove(taken)
    assert latest.replace(before, fresh()) is None
    assert names(path) == []


@pytest.mark.parametrize("start", ["absent", "dead", "empty", "chain"])
def test_of_many_at_once_one_wins(slot, path, start):
    """The others leave nothing, and what the winner has is what is there."""
    for _ in range(20):
        path.unlink(missing_ok=True)
        if start != "absent":
            path.write_bytes(b"" if start == "empty" else fresh())
        if start == "chain":
            path.with_name(f"lock.{token_of(path.read_bytes())}").write_bytes(fresh())
        together = threading.Barrier(8)

        def take(_: int, together: threading.Barrier = together) -> bytes | None:
            slot, data = FileSlot(path), fresh()
            before = slot.read()
            together.wait()
            taken = slot.create(data) if before is None else slot.replace(before, data)
            return data if taken is not None else None

        with ThreadPoolExecutor(8) as threads:
            won = [data for data in threads.map(take, range(8)) if data is not None]
        assert len(won) == 1
        assert FileSlot(path).read() == (won[0], "lock")
        FileSlot(path)._sweep()
        assert names(path) == ["lock"]


def test_takers_that_were_killed_leave_a_chain_whose_end_holds(path):
    dead = fresh()
    path.write_bytes(dead)
    for _ in range(3):
        path.with_name(f"lock.{token_of(dead)}").write_bytes(dead := fresh())
    path.with_name("lock.of-nobody").write_bytes(b"")
    slot = FileSlot(path)
    before = slot.read()
    assert before is not None
    assert before.data == dead
    data = fresh()
    assert slot.replace(before, data) == (data, "lock")
    assert names(path) == ["lock"]


def test_one_held_for_dead_while_taking_over_moves_what_took_over_from_it(path, monkeypatch):
    """It was about to move its claim up, and goes on when another has claimed its claim, or has it all."""
    for late in (False, True):
        path.write_bytes(fresh())
        slow, quick = FileSlot(path), FileSlot(path)
        data, move_up = fresh(), slow._move_up
        results = []

        def meanwhile(chain, late=late, quick=quick, data=data, move_up=move_up, results=results):
            if late:
                results.append(quick.replace(quick.read(), data))
                move_up(chain)
            else:
                quick._move_up = lambda links: (move_up(chain), FileSlot._move_up(quick, links))
                results.append(quick.replace(quick.read(), data))

        slow._move_up = meanwhile
        assert slow.replace(slow.read(), fresh()) is None
        assert results == [(data, "lock")]
        assert path.read_bytes() == data
        path.unlink()


def test_a_chain_in_a_circle_ends(path):
    data = fresh()
    path.write_bytes(data)
    path.with_name(f"lock.{token_of(data)}").write_bytes(data)
    assert FileSlot(path).read() is not None


def test_a_link_that_was_made_though_the_answer_was_lost(slot, path, monkeypatch):
    link = os.link

    def twice(*paths):
        link(*paths)
        link(*paths)

    if "refuse" not in os.link.__name__:
        monkeypatch.setattr(os, "link", twice)
    assert slot.create(fresh()) is not None


def test_a_file_that_a_run_has_swept_away_is_written_again(path, monkeypatch):
    link, calls = os.link, []

    def swept(temporary, final):
        calls.append(temporary)
        if len(calls) < 3:
            temporary.unlink()
        link(temporary, final)

    monkeypatch.setattr(os, "link", swept)
    assert FileSlot(path).create(fresh()) is not None
    assert names(path) == ["lock"]


def test_a_folder_that_has_gone_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FileSlot(tmp_path / "none/lock").create(fresh())
    assert not FileSlot(tmp_path / "none/lock").is_marked()


def test_a_link_in_its_place_is_not_followed(path):
    (path.parent / "victim").write_bytes(b"x")
    path.symlink_to("victim")
    with pytest.raises(OSError, match=r"[Ss]ymbolic"):
        FileSlot(path).read()
    assert FileSlot(path).create(fresh()) is None
    assert (path.parent / "victim").read_bytes() == b"x"


def test_a_disk_that_is_full_leaves_nothing(slot, path, monkeypatch):
    monkeypatch.setattr(os, "write", lambda handle, data: 0)
    with pytest.raises(OSError, match="space"):
        slot.create(fresh())
    assert names(path) == []


def test_a_handle_that_the_server_has_forgotten_is_opened_again(path):
    slot, data = FileSlot(path), fresh()
    seen = slot.create(data)
    assert seen is not None
    assert slot._handle is not None
    os.close(slot._handle)
    os.open(os.devnull, os.O_RDONLY)  # takes its number, and cannot be written to
    with pytest.raises(OSError, match=r"."):
        slot.replace(seen, beaten(data))
    data = beaten(beaten(data))
    assert slot.replace(seen, data) is not None
    assert path.read_bytes() == data


def test_the_age_is_told_by_one_clock(path):
    slot = FileSlot(path)
    put(path, **ELSEWHERE)
    seen = slot.read()
    assert seen is not None
    now = path.stat().st_mtime
    age = slot.age(seen)
    assert age is not None
    assert 0 <= age < 5
    os.utime(path, (now - 100, now - 100))
    assert 100 <= slot.age(seen) < 105
    os.utime(path, (now + 100, now + 100))
    assert slot.age(seen) is None, "a clock has been set back"
    path.unlink()
    assert slot.age(seen) is None
    assert names(path) == []
