"""What the plan asks of the disk: contents of inputs, sizes of outputs, recipes of earlier runs."""

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from pipeline.errors import ImageError, OutputError
from pipeline.files.folders import is_image_folder, marks_image
from pipeline.files.listing import Entry
from pipeline.files.objects import ObjectPath, Place
from pipeline.files.sources import digest_file
from pipeline.files.writing import digest_of_file, write_whole
from pipeline.jobs.statcache import FileState, StatCache

_MUCH = 64 << 20  # bytes; below, reading them again takes no time
_HASHERS = 8  # threads; reading and hashing let go of the interpreter's lock
_FAR_HASHERS = 16  # of objects in a store: most of the time is spent waiting for it


class Evidence:
    """Answers about the trees of one job; each costs, so the plan asks only what it needs.

    input_root, output_root, state : folders; the last is the output root's `.segpipe`, or a shard's
    below it. started : the run's start, in ns since 1970. base : where a shard looks besides.
    """

    def __init__(
        self, input_root: Place, output_root: Place, state: Place, started: int, base: Place | None = None
    ) -> None:
        self._input_root = input_root
        self._outputs = output_root
        self._output_root = str(output_root)
        self._sizes: dict[str, int] | None = None
        self._recipes = [folder / "recipes" for folder in dict.fromkeys((state, base or state))]
        self._started = started
        self._digests: dict[str, str | ImageError] = {}
        self._bytes_read = 0
        self._names: set[str] | None = None
        own = state / "stats.msgpack"
        self.cache = StatCache(own, *((base / own.name, own) if base and base != state else ()))

    def hash_ahead(self, entries: Iterable[Entry]) -> None:
        """Read those of the inputs that the stat cache cannot vouch for, several at a time."""
        unknown = [entry for entry in entries if self._cached(entry) is None]
        if unknown:
            threads = _FAR_HASHERS if isinstance(self._input_root, ObjectPath) else _HASHERS
            with ThreadPoolExecutor(threads) as hashers:
                list(hashers.map(self.input_digest, unknown))

    @property
    def worth_keeping(self) -> bool:
        """Whether so much had to be read that a run with nothing to do had better write the cache."""
        return self.cache.changed and self._bytes_read > _MUCH

    def input_digest(self, entry: Entry) -> str | ImageError:
        """The SHA-256 of an input file, or the error met in reading it."""
        known = self._cached(entry) or self._digests.get(entry.key)
        if known is None:
            try:
                state, known = digest_file(self._input_root / entry.key)
            except ImageError as error:
                known = error
            else:
                self.learn(entry.key, FileState(*state, known))
                self._bytes_read += entry.bytes
            self._digests[entry.key] = known
        return known

    def learn(self, key: str, state: FileState) -> None:
        """Remember the state in which an input was read."""
        versioned = isinstance(self._input_root, ObjectPath) and state.inode != 0
        self.cache.learn(key, state, self._started, versioned=versioned)

    def input_exists(self, key: str) -> bool:
        """Whether an input that is not listed is there all the same."""
        try:
            if isinstance(self._input_root, ObjectPath):
                return key in self._objects(self._input_root)
            path = self._input_root / key
            return path.is_file() or is_image_folder(path)
        except (OSError, ValueError):
            return False

    def output_size(self, path: str) -> int | None:
        """Bytes of an output file; None if it is missing."""
        if isinstance(self._outputs, ObjectPath):
            return self._listed(self._outputs).get(path)
        try:
            # A re-run asks this 300,000 times for 100,000 images: a Path each would double its time.
            return os.stat(f"{self._output_root}/{path}").st_size  # noqa: PTH116
        except (OSError, ValueError):  # a damaged record may name anything
            return None

    def output_digest(self, path: str) -> str:
        """The SHA-256 of an output file; a word in its place if it cannot be read."""
        try:
            return digest_of_file(self._outputs / path)
        except (OSError, ValueError) as error:
            return f"unreadable ({getattr(error, 'strerror', error)})"

    def _listed(self, root: ObjectPath) -> dict[str, int]:
        """The sizes of all outputs, by one listing: asking for each would be a request each."""
        if self._sizes is None:
            try:
                self._sizes = {name: found.st_size for name, found in root.walk()}
            except FileNotFoundError:
                self._sizes = {}
            except OSError as error:
                raise OutputError(
                    f"output root {root}: expected a store that lists its objects, found: {error.strerror}; "
                    "check the URL, the credentials and their rights"
                ) from error
        return self._sizes

    def old_recipe(self, digest: str) -> dict[str, Any] | None:
        """A recipe by its digest; None if it is not known any more."""
        for folder in self._recipes:
            with suppress(OSError, ValueError):
                found = json.loads((folder / f"{digest}.json").read_bytes())
                if isinstance(found, dict):
                    return found
        return None

    def remember_recipe(self, content: dict[str, Any], digest: str) -> None:
        """Keep a recipe under its digest, to tell later what changed."""
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        write_whole(self._recipes[0] / f"{digest}.json", text.encode())

    def _objects(self, root: ObjectPath) -> set[str]:
        """All that inputs in a store may be called: listed once, for to ask for each takes far longer."""
        if self._names is None:
            names = {name for name, _ in root.walk()}
            folders = {name.rpartition("/")[0] for name in names if marks_image(name.rpartition("/")[2])}
            self._names = names | folders
        return self._names

    def _cached(self, entry: Entry) -> str | None:
        return self.cache.digest(entry.key, entry.bytes, entry.mtime_ns, entry.inode)
