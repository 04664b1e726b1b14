"""Folding the parts that shards keep into the manifest."""

from typing import NamedTuple

from pipeline.errors import OutputError
from pipeline.files.objects import Place
from pipeline.files.writing import flush_folder, remove_tree, write_whole
from pipeline.jobs.holding import held
from pipeline.jobs.ledger import Part, load_parts, load_whole
from pipeline.jobs.lock import Hold, Say
from pipeline.jobs.manifest import NAME, fold
from pipeline.jobs.statcache import StatCache
from pipeline.jobs.tapes import wind_back
from pipeline.jobs.tree import Tree


class Merged(NamedTuple):
    """How many parts were folded into the manifest, and how many records they had."""

    parts: int
    records: int


def merge(tree: Tree, say: Say = lambda text: None) -> Merged:
    """Fold all parts into the manifest; nothing is written if there are none.

    say : see `held`. Raises OutputLocked if a run is at work, OutputError if the folders cannot be written.
    """
    if not tree.shards:
        return Merged(0, 0)
    with held(tree, say) as hold:
        try:
            return fold_parts(tree, hold)
        except OSError as error:
            raise OutputError(
                f"output root {tree.outputs}: could not be written: {error.strerror or error}; make room "
                "or rights and merge again: nothing is lost"
            ) from error


def fold_parts(tree: Tree, hold: Hold) -> Merged:
    """Fold all parts into the manifest. Needs the lock.

    Killed at whatever instant, it leaves parts that say what the manifest says, or are not in it yet.
    """
    parts, shards = load_parts(tree), tree.shards
    if parts:
        _fold(tree, parts, hold)
    for shard in shards:
        # In this order: the journal tells which of the records in the part do not hold any more.
        if (part := shard.book / NAME).exists():
            part.unlink()
            flush_folder(shard.state)
        wind_back(shard.journal)
        remove_tree(shard.state)
    return Merged(len(parts), sum(len(part.known.records) for part in parts))


def _fold(tree: Tree, parts: list[Part], hold: Hold) -> None:
    states = [part.tree.state for part in parts]
    for state in states:
        for path in (state / "recipes").glob("*.json"):
            write_whole(tree.state / "recipes" / path.name, path.read_bytes())
        for path in (state / "runs").glob("*.json"):
            _keep_run(path, tree.state / "runs", state.name)
    cache = StatCache(*(folder / "stats.msgpack" for folder in (tree.base, *states)))
    cache.changed = True
    cache.save()
    known = load_whole(tree, parts)
    hold.confirm()  # it may be another's by now, and the manifest newer
    fold(tree.outputs, tree.journal, known.records, known.unfinished)


def _keep_run(path: Place, folder: Place, shard: str) -> None:
    """Put the record of a run beside all others, in the place of none; doing it again changes nothing."""
    data, new = path.read_bytes(), folder / path.name
    if new.exists() and new.read_bytes() != data:
        new = folder / f"{path.name.removesuffix('.json')}-{shard}.json"
    write_whole(new, data)
