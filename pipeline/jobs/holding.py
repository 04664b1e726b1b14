"""Who may write to an output root: one run of the whole job, or shards of one number, each once.

Whoever comes takes the lock of its own and then looks whether another holds one that bars it: of two
who come in the same instant, at least one sees the other and gives way. It may be both.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import OutputError, OutputLocked
from pipeline.files.objects import Place
from pipeline.jobs.lock import is_marked, locked
from pipeline.jobs.tree import Tree

_INSTANT = 2.0  # seconds; so long may others be at looking whether a lock has been left behind


@contextmanager
def held(tree: Tree) -> Iterator[None]:
    """Hold the state folder of a run, and see to it that none is at work that bars it.

    Raises OutputLocked, naming who is, or OutputError if the folder cannot be written, or if shards
    of another number have left parts.
    """
    for folder in (tree.base, tree.base / "shards") if tree.shard else ():
        if folder.is_symlink():
            raise OutputError(f"{folder}: expected a folder, found a link; remove the link")
    with locked(tree.state):
        if tree.shard is None:
            for shard in tree.shards:
                _expect_nobody(shard.state)
        else:
            _expect_nobody(tree.base)
            _expect_no_others(tree, tree.shard.count)
        yield


def _expect_nobody(state: Place) -> None:
    """Raise OutputLocked if a lock is held; one that a killed run of this machine left is removed."""
    end = time.monotonic() + _INSTANT
    while is_marked(state):
        try:
            with locked(state):
                return
        except OutputLocked:
            if time.monotonic() > end:
                raise
            time.sleep(_INSTANT / 20)


def _expect_no_others(tree: Tree, count: int) -> None:
    """Raise OutputError if shards of another number, whose images are others, are or were at work."""
    for other in tree.shards:
        if other.shard and other.shard.count != count:
            _expect_nobody(other.state)
            if other in tree.parts:
                raise OutputError(
                    f"{tree.outputs}: expected parts of {count} shards, found one of shard {other.shard}; "
                    "merge them first (segpipe merge)"
                )
