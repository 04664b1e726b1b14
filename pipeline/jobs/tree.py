"""Where a job's files are."""

from dataclasses import dataclass, replace

from pipeline.files.objects import Place, place
from pipeline.jobs.extras import require_store
from pipeline.jobs.manifest import NAME
from pipeline.jobs.shards import Shard, shards_in
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.tapes import journal_in


@dataclass(frozen=True)
class Tree:
    """The folders of a job, or of one shard of it."""

    inputs: Place
    outputs: Place
    shard: Shard | None = None

    @property
    def base(self) -> Place:
        """What is no output: journal, lock, stat cache, recipes, run records; and the shards' own."""
        return self.outputs / ".segpipe"

    @property
    def state(self) -> Place:
        """The same of a run: of a shard's, a folder of its own."""
        return self.shard.state(self.base) if self.shard else self.base

    @property
    def journal(self) -> Place:
        """The records of a run in progress, or of one that was killed."""
        return journal_in(self.state)

    @property
    def book(self) -> Place:
        """The folder of the manifest that a run writes: of a shard's, its part."""
        return self.state if self.shard else self.outputs

    @property
    def whole(self) -> "Tree":
        """The tree of the whole job."""
        return replace(self, shard=None)

    @property
    def shards(self) -> list["Tree"]:
        """The shards that have a state folder."""
        return [replace(self, shard=shard) for shard in shards_in(self.base)]

    @property
    def parts(self) -> list["Tree"]:
        """Those shards of which something is recorded that is not in the manifest."""
        return [tree for tree in self.shards if (tree.state / NAME).exists() or tree.journal.exists()]


def tree_of(spec: JobSpec, shard: Shard | None = None) -> Tree:
    """The folders of a job, or of one shard of it.

    Raises SpecError if they need a package that is not there.
    """
    for root in (spec.input.root, spec.output.root):
        require_store(root)
    return Tree(place(spec.input.root), place(spec.output.root), shard)
