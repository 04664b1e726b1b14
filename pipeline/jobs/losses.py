"""Images whose tasks came to no outcome of their own."""

from collections.abc import Iterable

from pipeline.errors import ImageError, TooMuchMemory, UnexpectedError, WorkerDied, WorkerKilled
from pipeline.files.objects import Place, without_roots
from pipeline.jobs.plan import Request, verdict
from pipeline.jobs.records import InputFacts, Record, failure_of
from pipeline.jobs.routes import Route


def lost(
    route: Route, digest: str | ImageError | None, error: Exception, request: Request, roots: Iterable[Place]
) -> Record:
    """The record of an image whose task has failed.

    digest : the file's SHA-256, if it could be read. roots : folders that no record names.
    """
    key, content = route.decision.entry.key, digest if isinstance(digest, str) else None
    told = _told(key, error, roots)
    facts = InputFacts(route.decision.entry.bytes, content)
    if route.header is not None:
        header = route.header
        facts = InputFacts(header.bytes, content, header.width, header.height, header.mode, header.format)
    failure = failure_of(told)
    return Record(key, verdict(failure.type, request.skip_unsupported), request.digest, facts, error=failure)


def _told(key: str, error: Exception, roots: Iterable[Place]) -> ImageError:
    if isinstance(error, ImageError):
        return error
    if isinstance(error, MemoryError):
        return TooMuchMemory(f"{key}: a worker ran out of memory; raise compute.memory_per_worker")
    if isinstance(error, WorkerDied):
        return WorkerKilled(
            f"{key}: its worker died, alone with it, again and again; exclude it, or give workers more "
            "memory and run with --retry-failed"
        )
    return UnexpectedError(f"{type(error).__name__}: {without_roots(str(error), roots)}")
