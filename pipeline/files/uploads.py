"""The writer of outputs in object stores: groups of objects that are replaced together.

An object is replaced as a whole by the one request (of large ones, the last of several) that ends its
upload: whoever is killed at whatever instant, a name has the old bytes or the new, and nothing lies
beside it. So nothing is written under temporary names: until `publish` outputs are kept here, large ones
in a file of this machine. Of a group that was begun some may be new and some old, as with files.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import OutputNotWritable
from pipeline.files.objects import ObjectPath
from pipeline.files.outputs import Guard, OutputFile, allowed, refused
from pipeline.files.storecalls import ABREAST, head
from pipeline.files.wholefiles import digest_of


class _Upload(NamedTuple):
    """An output on its way: its bytes, or the file that they are in."""

    final: ObjectPath
    content: bytes | Path
    facts: OutputFile


class ObjectCommit:
    """Outputs of some images under one root; the same to its callers as `Commit`."""

    def __init__(self, root: ObjectPath, guard: Guard = allowed) -> None:
        self._root = root
        self._guard = guard
        self._groups: dict[str, list[_Upload]] = {}

    def stage(self, key: str, files: Mapping[str, bytes]) -> list[OutputFile]:
        """Keep the files of image `key`."""
        group = self._groups.setdefault(key, [])
        facts = [
            OutputFile(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()
        ]
        group += [_Upload(self._root / fact.path, files[fact.path], fact) for fact in facts]
        return facts

    def stage_written(self, key: str, path: str, write: Callable[[BinaryIO], object]) -> OutputFile:
        """Have `write` write one more file of image `key`, of any size, on this machine's disk.

        Raises OutputNotWritable, or what `write` raises, leaving nothing of this image behind.
        """
        group = self._groups.setdefault(key, [])
        file = None
        try:
            handle, name = tempfile.mkstemp(prefix="segpipe-")
            file = Path(name)
            os.close(handle)
            with file.open("w+b") as opened:  # TIFFs are written into files that have a name
                write(opened)
            facts = OutputFile(path, file.stat().st_size, digest_of(file))
        except BaseException as error:  # whatever it is, half a group must not become final
            if file is not None:
                file.unlink(missing_ok=True)
            self.discard(key)
            if isinstance(error, OSError):
                raise _not_writable(error) from error
            raise
        group.append(_Upload(self._root / path, file, facts))
        return facts

    def discard(self, key: str) -> None:
        """Drop what was staged for image `key`."""
        for upload in self._groups.pop(key, []):
            if isinstance(upload.content, Path):
                with suppress(OSError):
                    upload.content.unlink()

    def publish(self) -> dict[str, OutputNotWritable]:
        """Replace the objects of all that was staged; returns the images for which that failed.

        Of such an image some outputs may be new and some old: its record must not be written.
        """
        uploads = [(key, upload) for key, group in self._groups.items() for upload in group]
        failed: dict[str, OutputNotWritable] = {}
        refusal = refused(self._guard)
        if refusal is not None:
            failed = dict.fromkeys(self._groups, refusal)
        elif uploads:
            with ThreadPoolExecutor(min(ABREAST, len(uploads))) as senders:
                answers = list(senders.map(lambda pair: _send(pair[1]), uploads))
            for (key, _), error in zip(uploads, answers, strict=True):
                if error is not None:
                    failed.setdefault(key, _not_writable(error))
        for key in list(self._groups):
            self.discard(key)
        return failed


def write_object(path: ObjectPath, data: bytes) -> bool:
    """Replace an object's bytes, unless it has them already; returns whether it did. Raises OSError."""
    if _has_content(path, data, len(data)):
        return False
    path.write_bytes(data)
    return True


def _send(upload: _Upload) -> OSError | None:
    """Replace an object, unless it has the same bytes; returns the error met."""
    final, content, facts = upload
    try:
        if isinstance(content, bytes):
            write_object(final, content)
        elif not _has_content(final, content, facts.bytes):
            final.upload(content)
    except OSError as error:
        return error
    return None


def _has_content(path: ObjectPath, content: bytes | Path, size: int) -> bool:
    """Whether an object has these bytes: asked of its head; read only if it could be and does not tell."""
    found = head(path)
    if found is None or found.size != size:
        return False
    # Of what was sent in one part, and is not encrypted under a key of its own, the ETag is the MD5.
    if found.etag.strip('"') == _md5(content):
        return True
    with path.open("rb") as file:
        there = hashlib.file_digest(file, "sha256").hexdigest()
    if isinstance(content, bytes):
        return there == hashlib.sha256(content).hexdigest()
    return there == digest_of(content)


def _md5(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.md5(content, usedforsecurity=False).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _not_writable(error: OSError) -> OutputNotWritable:
    return OutputNotWritable(
        f"outputs could not be written: {error.strerror or type(error).__name__}; see to the store, or to "
        "its credentials and rights, and run again"
    )
