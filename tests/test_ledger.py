"""The books of a run: what they say of shards' parts, and that who has lost the lock writes nothing."""

from contextlib import suppress

import pytest
from builders import done, job

from pipeline.errors import OutputLocked
from pipeline.jobs.ledger import Books, load_manifest
from pipeline.jobs.lock import locked
from pipeline.jobs.manifest import Journal, Manifest, load, save
from pipeline.jobs.records import Records
from pipeline.jobs.shards import Shard
from pipeline.jobs.tree import tree_of

KEYS = ("a.png", "b.png")


@pytest.fixture
def spec(tmp_path):
    found = job(tmp_path)
    (tmp_path / "out").mkdir()
    return found


def noted(tree, begun=(), records=()):
    """Write the journal of a run that was killed."""
    tree.state.mkdir(parents=True, exist_ok=True)
    journal = Journal(tree.journal)
    journal.begin(begun)
    journal.add(list(records))
    journal.close()


def test_what_a_shard_has_finished_since_is_not_unfinished(spec):
    """Its part is newer than the journal of the run of the whole that was killed at the image."""
    noted(tree_of(spec), KEYS)
    shard = Shard(1, 1)
    assert all(map(shard.holds, KEYS))
    part = tree_of(spec, shard)
    noted(part, KEYS, [done("a.png")])
    save(part.book, Records.of(done("a.png")))
    for tree in (tree_of(spec), part):
        known = load_manifest(tree)
        assert known.unfinished == {"b.png"}
        assert known.touched == set(KEYS)
        assert set(known.records) == {"a.png"}


@pytest.mark.parametrize(
    "write",
    [
        lambda books: books.begin(("b.png",)),
        lambda books: books.keep([done("b.png")]),
        lambda books: books.leave([done("b.png")]),
        lambda books: books.part([done("b.png")]),
        lambda books: books.close(),
    ],
    ids=["begin", "keep", "leave", "part", "close"],
)
def test_who_has_lost_the_lock_writes_nothing(spec, write):
    tree = tree_of(spec)
    save(tree.outputs, Records.of(done("a.png")))
    with locked(tree.state) as hold:
        books = Books(tree, load_manifest(tree), hold)
        books.keep([done("c.png")])
        hold.lost = "another has it"
        before = (tree.outputs / "manifest.jsonl").read_bytes(), tree.journal.read_bytes()
        with pytest.raises(OutputLocked, match="another has it"):
            write(books)
        with suppress(OutputLocked):  # it leaves no file open
            books.close()
        assert ((tree.outputs / "manifest.jsonl").read_bytes(), tree.journal.read_bytes()) == before


def test_a_lock_that_is_lost_unnoticed_is_noticed_before_the_manifest_is_replaced(spec):
    tree = tree_of(spec)
    save(tree.outputs, Records.of(done("a.png")))
    before = (tree.outputs / "manifest.jsonl").read_bytes()
    with locked(tree.state) as hold:
        books = Books(tree, load_manifest(tree), hold)
        books.keep([done("b.png")])
        (tree.state / "lock").unlink()
        with pytest.raises(OutputLocked, match="has been removed"):
            books.close()
    assert (tree.outputs / "manifest.jsonl").read_bytes() == before
    assert set(load(tree.outputs, tree.journal).records) == {"a.png", "b.png"}, (
        "the next run finds what was done"
    )


def test_books_close_to_one_manifest(spec):
    tree = tree_of(spec)
    with locked(tree.state) as hold:
        books = Books(tree, Manifest(Records.of(done("a.png"), done("b.png")), set(), [], False), hold)
        books.begin(("c.png", "d.png"))
        books.keep([done("c.png")])
        books.forget({"a.png"})
        books.close()
    found = load(tree.outputs, tree.journal)
    assert list(found.records) == ["b.png", "c.png"]
    assert found.unfinished == {"d.png"}
