"""Whether the output tree is what its manifest says, to the last byte."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from pipeline.files.writing import digest_of_file
from pipeline.jobs.ledger import load_manifest
from pipeline.jobs.leftovers import inside
from pipeline.jobs.manifest import Manifest
from pipeline.jobs.records import OutputFacts, Record
from pipeline.jobs.tree import Tree

_READERS = 8  # threads


class Difference(NamedTuple):
    """A file that is not as recorded, or a line of the manifest that is none."""

    image: str
    path: str
    found: str


class Verdict(NamedTuple):
    """What `verify` found: files read, and differences in manifest order."""

    files: int
    differences: list[Difference]


def verify(tree: Tree) -> Verdict:
    """Read every recorded output and compare its SHA-256. Writes nothing.

    Raises OutputError if the manifest cannot be read, or names a file outside the output root.
    """
    manifest = load_manifest(tree)
    differences = [Difference("", line, "unreadable line") for line in manifest.damaged]
    recorded = list(_recorded(manifest))
    with ThreadPoolExecutor(_READERS) as readers:
        for found in readers.map(lambda pair: list(_compare(tree, *pair)), recorded):
            differences += found
    return Verdict(len(recorded), differences)


def _recorded(manifest: Manifest) -> Iterator[tuple[Record, OutputFacts]]:
    """Every output with its image; one that images share only once for all that tell the same of it."""
    told: set[OutputFacts] = set()
    for _, record in sorted(manifest.records.items()):
        for kind, output in record.outputs.items():
            if not kind.startswith("shared") or output not in told:
                told.add(output)
                yield record, output


def _compare(tree: Tree, record: Record, output: OutputFacts) -> Iterator[Difference]:
    path = inside(tree.outputs, output.path)
    try:
        if path.is_symlink():
            yield Difference(record.image, output.path, "a link in place of the file")
            return
        digest = digest_of_file(path)
    except FileNotFoundError:
        yield Difference(record.image, output.path, "missing")
    except OSError as error:
        yield Difference(record.image, output.path, f"unreadable: {error.strerror}")
    else:
        if digest != output.sha256:
            yield Difference(record.image, output.path, f"sha256: {output.sha256[:12]} → {digest[:12]}")
