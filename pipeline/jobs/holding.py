"""Who may write to an output root: one run of the whole job, or shards of one number, each once.

Whoever comes takes the lock of its own and then looks whether another holds one that bars it: of two
who come in the same instant, at least one sees the other and gives way. It may be both.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import OutputError, OutputLocked
from pipeline.files.objects import Place
from pipeline.jobs.lock import Hold, Say, Wanted, is_marked, locked
from pipeline.jobs.tree import Tree

_INSTANT = 2.0  # seconds; so long may others be at looking whether a lock has been left behind


@contextmanager
def held(tree: Tree, say: Say = lambda text: None) -> Iterator[Hold]:
    """Hold the state folder of a run, and see to it that none is at work that bars it.

    say : told when it takes up to a minute to find out whether somebody is at work.
    Raises OutputLocked, naming who is, or OutputError if the folder cannot be written, or if shards
    of another number have left parts.
    """
    for folder in (tree.base, tree.base / "shards") if tree.shard else ():
        if folder.is_symlink():
            raise OutputError(f"{folder}: expected a folder, found a link; remove the link")
    with locked(tree.state, say) as hold:
        if tree.shard is None:
            _expect_nobody([shard.state for shard in tree.shards], say)
        else:
            _expect_nobody([tree.base], say)
            _expect_no_others(tree, tree.shard.count, say)
        yield hold


def _expect_nobody(states: list[Place], say: Say) -> None:
    """Raise OutputLocked if one of some locks is held; those that killed runs left are removed.

    All are watched at once: the tasks of an array that a power cut ended are dead together.
    """
    end = time.monotonic() + _INSTANT
    wanted = {state: Wanted(state, say) for state in states if is_marked(state)}
    while wanted:
        for state, lock in list(wanted.items()):
            if not is_marked(state) or _is_free(lock, end):
                del wanted[state]
        if wanted:
            time.sleep(_INSTANT / 20)


def _is_free(lock: Wanted, end: float) -> bool:
    """Whether a lock could be taken, and given back."""
    try:
        hold = lock.look()
    except OutputLocked:
        if time.monotonic() > end:
            raise
        return False
    if hold is not None:
        with hold:
            pass
    return hold is not None


def _expect_no_others(tree: Tree, count: int, say: Say) -> None:
    """Raise OutputError if shards of another number, whose images are others, are or were at work."""
    others = [other for other in tree.shards if other.shard and other.shard.count != count]
    _expect_nobody([other.state for other in others], say)
    for other in tree.parts:
        if other in others:
            raise OutputError(
                f"{tree.outputs}: expected parts of {count} shards, found one of shard {other.shard}; "
                "merge them first (segpipe merge)"
            )
