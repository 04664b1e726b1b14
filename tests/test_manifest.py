"""The manifest and its journal: what was finished stays known, whatever was torn."""

import errno
import os

import msgspec
import pytest
from builders import done, failed, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.jobs import manifest
from pipeline.jobs.manifest import Journal, fold, load, save
from pipeline.jobs.records import Records, to_line

A, B, C = done("a"), failed("b"), done("ç/d\n.jpg")


def journal_of(folder, *steps):
    """Write a journal: a list is begun, a tuple added; returns its path and bytes."""
    path = folder / "journal.jsonl"
    journal = Journal(path)
    for step in steps:
        (journal.begin if isinstance(step, list) else journal.add)(list(step))
    journal.close()
    return path, path.read_bytes()


def rewrite(path, content):
    path.unlink()  # many file systems flush a file that is overwritten: slow
    path.write_bytes(content)


def test_nothing_there_is_an_empty_manifest(tmp_path):
    assert load(tmp_path, tmp_path / "journal.jsonl") == ({}, set(), [], False, set())


def test_records_come_back_sorted_by_key(tmp_path):
    assert save(tmp_path, Records.of(C, B, A))
    found = load(tmp_path, tmp_path / "none")
    assert list(found.records.items()) == [("a", A), ("b", B), (C.image, C)]
    assert found[1:] == (set(), [], False, set())


@given(st.permutations(["a", "a/b", "a-b", "B", "ä", "z.png", "\U0001f600", "a b"]))
@settings(max_examples=20, deadline=None)
def test_the_bytes_do_not_hang_on_the_order_of_records(tmp_path_factory, keys):
    root = tmp_path_factory.mktemp("root")
    save(root, Records.of(*[done(key) for key in keys]))
    assert (root / manifest.NAME).read_bytes() == b"".join(to_line(done(key)) for key in sorted(keys))


def test_saving_the_same_writes_nothing(tmp_path):
    save(tmp_path, Records.of(A, B))
    before = tree(tmp_path)
    assert not save(tmp_path, Records.of(B, A))
    assert tree(tmp_path) == before


def test_a_save_that_fails_keeps_the_old_manifest(tmp_path, monkeypatch):
    save(tmp_path, Records.of(A))
    before = tree(tmp_path)

    def full(_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        save(tmp_path, Records.of(A, B))
    assert tree(tmp_path) == before


def test_the_journal_lies_over_the_manifest(tmp_path):
    save(tmp_path, Records.of(failed("a"), B))
    path, _ = journal_of(tmp_path, ["a"], (A,))
    found = load(tmp_path, path)
    assert found == ({"a": A, "b": B}, set(), [], True, {"a"})


def test_begun_without_a_record_is_unfinished_and_a_record_after_it_finishes_it(tmp_path):
    path, _ = journal_of(tmp_path, ["a", "b", "x"], (A,), (B,))
    assert load(tmp_path, path) == ({"a": A, "b": B}, {"x"}, [], True, {"a", "b", "x"})


def test_begun_again_after_its_record_is_unfinished_again(tmp_path):
    path, _ = journal_of(tmp_path, ["a"], (A,), ["a"])
    assert load(tmp_path, path) == ({"a": A}, {"a"}, [], True, {"a"})


def test_nothing_begun_and_nothing_added_writes_nothing(tmp_path):
    assert journal_of(tmp_path, [], ())[1] == b""


def test_the_last_record_of_an_image_stands(tmp_path):
    path, _ = journal_of(tmp_path, (failed("a"), A))
    assert load(tmp_path, path).records == {"a": A}


def test_cut_at_any_byte_the_journal_gives_a_prefix_of_its_records(tmp_path):
    steps = (["a", "b"], (A,), [C.image], (B, C), ["a"], (failed("a"),))
    path, whole = journal_of(tmp_path, *steps)
    states, unfinished = [{}], [set()]
    for line in whole.splitlines():
        begun = msgspec.json.decode(line).get("begun")
        record = None if begun else manifest.from_line(line)
        states.append(states[-1] if begun else states[-1] | {record.image: record})
        unfinished.append(unfinished[-1] | set(begun) if begun else unfinished[-1] - {record.image})
    for cut in range(len(whole) + 1):
        rewrite(path, whole[:cut])
        found = load(tmp_path, path)
        lines = whole[:cut].count(b"\n")
        ends = cut == len(whole) or whole[cut : cut + 1] == b"\n"
        lines += ends and cut > 0 and whole[cut - 1 : cut] != b"\n"  # only its line feed is missing
        assert found.records == states[lines], cut
        assert found.unfinished == unfinished[lines], cut
        assert len(found.damaged) <= 1
        assert found.replayed


def test_cut_at_any_byte_the_journal_is_appended_to_without_harm(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # for speed: thousands of them
    path, whole = journal_of(tmp_path, ["a"], (A,))
    for cut in range(len(whole) + 1):
        rewrite(path, whole[:cut])
        before = load(tmp_path, path)
        journal_of(tmp_path, ["b"], (B,))
        after = load(tmp_path, path)
        assert after.records == dict(before.records) | {"b": B}
        assert after.unfinished == before.unfinished
        assert after.damaged == before.damaged


def test_a_journal_that_is_empty_is_appended_to_from_its_first_byte(tmp_path):
    (tmp_path / "journal.jsonl").write_bytes(b"")
    assert journal_of(tmp_path, (A,))[1] == to_line(A)


garbage = st.binary(min_size=1, max_size=30).filter(lambda line: b"\n" not in line and line.strip())


@given(st.lists(st.tuples(st.integers(0, 3), garbage), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_garbage_lines_anywhere_cost_only_themselves_and_are_named(tmp_path_factory, lines):
    root = tmp_path_factory.mktemp("root")
    good = [to_line(record) for record in (A, B, C)]
    mixed = []
    for place in range(4):
        mixed += [line + b"\n" for where, line in lines if where == place] + good[place : place + 1]
    named = [str(number) for number, line in enumerate(mixed, 1) if line not in good]
    (root / manifest.NAME).write_bytes(b"".join(mixed))
    path = root / "journal.jsonl"
    path.write_bytes(b"".join(mixed))
    found = load(root, path)
    assert found.records == {record.image: record for record in (A, B, C)}
    assert found.damaged == [f"{name}:{n}" for name in (manifest.NAME, path.name) for n in named]


def test_a_damaged_begun_line_is_named(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"begun": "a"}\n{"begun"\n{"begun": [1]}\n' + to_line(A))
    found = load(tmp_path, path)
    assert found.records == {"a": A}
    assert found.damaged == [f"journal.jsonl:{number}" for number in (1, 2, 3)]


def test_a_manifest_that_cannot_be_read_is_an_error_of_the_system(tmp_path):
    (tmp_path / manifest.NAME).mkdir()
    with pytest.raises(IsADirectoryError):
        load(tmp_path, tmp_path / "none")


def test_folding_moves_the_records_and_removes_the_journal(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begin(["a"])
    journal.add([A])
    journal.close()
    fold(tmp_path, tmp_path / "journal.jsonl", Records.of(A, B), [])
    assert load(tmp_path, tmp_path / "journal.jsonl") == ({"a": A, "b": B}, set(), [], False, set())


def test_folding_keeps_what_is_unfinished_and_nothing_else(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begin(["z", "a", "b"])
    journal.add([B])
    journal.close()
    fold(tmp_path, tmp_path / "journal.jsonl", Records.of(A, B), {"z", "a"})
    assert (tmp_path / "journal.jsonl").read_bytes() == b'{"begun":["a","z"]}\n'
    assert load(tmp_path, tmp_path / "journal.jsonl") == ({"a": A, "b": B}, {"a", "z"}, [], True, {"a", "z"})


def test_a_short_write_is_an_error(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.close()

    class Short:
        def write(self, data):
            return len(data) - 1

    journal._tape._file = Short()
    with pytest.raises(OSError, match=r"only \d+ of \d+ bytes .* journal\.jsonl"):
        journal.add([A])


def test_each_record_is_on_the_disk_before_the_next(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.jsonl")
    sizes, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (sizes.append(os.fstat(handle).st_size), real(handle)))
    journal.add([A])
    journal.begin(["b"])
    journal.close()
    assert sizes == [len(to_line(A)), (tmp_path / "journal.jsonl").stat().st_size]


def test_records_are_a_mapping_that_holds_lines(tmp_path):
    some, others = Records.of(A, B), Records.of(failed("a"), C)
    assert dict(some) == {"a": A, "b": B} == some
    assert dict(some.under([others])) == {"a": failed("a"), "b": B, C.image: C}
    assert dict(some.under([others, some])) == {"a": A, "b": B, C.image: C}
    assert dict(some) == {"a": A, "b": B}
    assert dict(some.only(lambda key: key == "b")) == {"b": B}
    assert some.line("b") == to_line(B)
    assert "a" in some
    assert C.image not in some
    assert some.get(C.image) is None


def test_a_line_that_was_written_otherwise_is_put_right(tmp_path):
    """Of a hand that changed it, or cut off without a line feed: what is folded is as any other."""
    loose = b'{ "status": "failed",' + to_line(B).rstrip()[1:].replace(b'"status":"failed",', b"")
    (tmp_path / manifest.NAME).write_bytes(to_line(A) + loose)
    found = load(tmp_path, tmp_path / "none")
    assert found.records == {"a": A, "b": B}
    save(tmp_path, found.records)
    assert (tmp_path / manifest.NAME).read_bytes() == to_line(A) + to_line(B)


def test_a_journal_tells_where_its_records_are(tmp_path):
    path, _ = journal_of(tmp_path, ["a", "b"], (C,))
    with path.open("ab") as file:
        file.write(b'{"image": torn')
    journal = Journal(path)
    journal.begin(["a"])
    places = [*journal.add([A, B]), *journal.add([]), *journal.add([C])]
    journal.close()
    data = path.read_bytes()
    assert [data[place:].partition(b"\n")[0] + b"\n" for place in places] == [
        to_line(one) for one in (A, B, C)
    ]
