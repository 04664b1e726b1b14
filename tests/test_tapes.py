"""Tapes in a store: lines come back in order, and what is folded stays so whatever is left of it."""

from collections.abc import Iterator
from contextlib import closing
from itertools import combinations

import pytest
import stores
from stores import Store, serving

from pipeline.files.objects import ObjectPath, place
from pipeline.jobs import tapes
from pipeline.jobs.tapes import lines_on, open_tape, stamp_of, wind_back


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    yield from serving(monkeypatch)


@pytest.fixture
def folder(store: Store) -> ObjectPath:
    found = place(f"{store.url}/out/.segpipe/journal")
    assert isinstance(found, ObjectPath)
    return found


def said(folder: ObjectPath) -> list[bytes] | None:
    lines = lines_on(folder)
    return None if lines is None else [line for _, line in lines]


def test_a_journal_that_is_wound_back_has_gone_from_the_disk_too(tmp_path, monkeypatch):
    """After a power cut it would bring back what was pruned since."""
    path, flushed = tmp_path / "journal.jsonl", []
    path.write_bytes(b"x\n")
    monkeypatch.setattr(tapes, "flush_folder", lambda folder: flushed.append((folder, path.exists())))
    wind_back(path)
    assert flushed == [(tmp_path, False)]


def test_each_append_is_an_object_and_all_are_read_in_order(store, folder):
    assert said(folder) is None
    assert stamp_of(folder) is None
    with closing(open_tape(folder)) as tape:
        for number in range(12):
            place = tape.append(b"%d\n%d again\n" % (number, number))
            assert tape.line(place) == b"%d\n" % number
    with closing(open_tape(folder)) as tape:
        tape.append(b"more\n")  # by the next run
    assert store.keys() == [f"out/.segpipe/journal/{number:08d}.jsonl" for number in range(1, 14)]
    expected = [line for n in range(12) for line in (b"%d\n" % n, b"%d again\n" % n)]
    assert said(folder) == [*expected, b"more\n"]
    assert [place for place, _ in lines_on(folder) or ()][-2:] == [
        "journal/00000012.jsonl:2",
        "journal/00000013.jsonl:1",
    ]


def test_an_append_that_another_run_was_first_to_make_is_refused(store, folder):
    with closing(open_tape(folder)) as tape, closing(open_tape(folder)) as other:
        other.append(b"of another\n")
        with pytest.raises(OSError, match=r"00000001\.jsonl is there already: another run writes here"):
            tape.append(b"mine\n")
    assert said(folder) == [b"of another\n"]


@pytest.mark.parametrize("line", [b"", b"kept\n"])
def test_of_what_is_folded_any_part_may_be_left(store, folder, line):
    """Whoever winds back is killed at removing: what is left, in whatever order it goes, says nothing."""
    with closing(open_tape(folder)) as tape:
        for number in (1, 2, 3):
            tape.append(b"%d\n" % number)
    whole = store.contents()
    removed: list[list[ObjectPath]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tapes, "remove_all", lambda paths: removed.append(list(paths)))
        wind_back(folder, line)
    assert [path.name for path in removed[0]] == [f"0000000{number}.jsonl" for number in (1, 2, 3)]
    for count in range(4):
        for left in combinations(whole, count):
            for key, data in whole.items():
                store.put(key, data) if key in left else store.remove(key)
            assert said(folder) == ([line] if line else [])
    with closing(open_tape(folder)) as tape:
        tape.append(b"new\n")
    assert said(folder) == ([line] if line else []) + [b"new\n"]
    wind_back(folder)
    assert said(folder) is None
    assert store.keys() == []


def test_a_tape_that_is_not_there_is_wound_back_without_a_write(store, folder):
    wind_back(folder)
    assert set(store.counts()) == {"LIST"}


def test_a_part_that_goes_while_it_is_read_is_folded(store, folder):
    with closing(open_tape(folder)) as tape:
        tape.append(b"1\n")
        tape.append(b"2\n")
    store.fault = stores.once(lambda: store.remove("out/.segpipe/journal/00000001.jsonl"))
    assert said(folder) in ([b"2\n"], [b"1\n", b"2\n"])
