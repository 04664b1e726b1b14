"""Images whose tasks came to no outcome of their own."""

from pipeline.errors import ImageError, UnexpectedError, WorkerDied, WorkerKilled
from pipeline.jobs.plan import Request, verdict
from pipeline.jobs.records import Failure, InputFacts, Record
from pipeline.jobs.routes import Route


def lost(route: Route, digest: str | ImageError | None, error: Exception, request: Request) -> Record:
    """The record of an image whose task has failed. digest : the file's SHA-256, if it could be read."""
    key, content = route.decision.entry.key, digest if isinstance(digest, str) else None
    told = _told(key, error)
    facts = InputFacts(route.decision.entry.bytes, content)
    if route.parted and route.header is not None:
        header = route.header
        facts = InputFacts(header.bytes, content, header.width, header.height, header.mode, header.format)
    failure = Failure(type(told).__name__, str(told))
    return Record(key, verdict(failure.type, request.skip_unsupported), request.digest, facts, error=failure)


def _told(key: str, error: Exception) -> ImageError:
    if isinstance(error, ImageError):
        return error
    if isinstance(error, WorkerDied):
        return WorkerKilled(
            f"{key}: its worker died, alone with it, again and again; exclude it, or give workers more "
            "memory and run with --retry-failed"
        )
    return UnexpectedError(f"{type(error).__name__}: {error}")
