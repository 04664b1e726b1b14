"""Shards: a job's images parted among runs that know nothing of each other, by the hash of the key.

Each shard has a state folder of its own, `.segpipe/shards/3-of-8`, with lock, journal, caches and a
part of the manifest: the records of what its runs have done since the parts were last merged. So
shards may run on many machines at once, and none writes what another does.
"""

import hashlib
import re
from dataclasses import dataclass

from pipeline.errors import OutputError, SpecError
from pipeline.files.objects import Place


@dataclass(frozen=True, order=True)
class Shard:
    """One of `count` shards of a job, by its number from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, word: str) -> "Shard":
        """The shard that a word such as 3/8 names; SpecError if it names none."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", word.strip())
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise SpecError(f"--shard {word}: expected a number of a number such as 3/8, from 1/8 to 8/8")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, key: str) -> bool:
        """Whether an image is of this shard: by its key alone, on any machine, at any time."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def state(self, base: Place) -> Place:
        """The shard's state folder below that of the output root."""
        return base / "shards" / f"{self.number}-of-{self.count}"


def shards_in(base: Place) -> list[Shard]:
    """The shards that have a state folder, in order, below that of an output root.

    Raises OutputError if that cannot be read.
    """
    try:
        names = [path.name for path in (base / "shards").iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OutputError(
            f"output root {base.parent}: expected a readable folder, found: {error.strerror}; "
            "check its permissions"
        ) from error
    found = (re.fullmatch(r"([1-9][0-9]{0,5})-of-([1-9][0-9]{0,5})", name) for name in names)
    return sorted(Shard(int(words[1]), int(words[2])) for words in found if words)
