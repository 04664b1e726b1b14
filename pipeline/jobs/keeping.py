"""What comes of the images of a run: kept in the books, then counted and shown."""

from collections.abc import Callable
from typing import Any

from pipeline.jobs.ledger import Books
from pipeline.jobs.losses import lost
from pipeline.jobs.records import Record
from pipeline.jobs.routes import Route
from pipeline.jobs.summary import Summary
from pipeline.jobs.survey import Survey
from pipeline.jobs.watcher import Watcher


class Keeper:
    """Takes what came of images, however it came; each method returns which they are.

    summary : counted into. failed : called for each image that has failed.
    """

    def __init__(
        self, found: Survey, books: Books, summary: Summary, watcher: Watcher, failed: Callable[[], None]
    ) -> None:
        self.books = books
        self._found = found
        self._summary = summary
        self._watcher = watcher
        self._failed = failed

    def settle(self, routes: list[Route], answer: list[Any] | Exception) -> set[str]:
        """Keep what came of a task on some images: an outcome of each, or the error that it ended in."""
        return self.fail(routes, answer) if isinstance(answer, Exception) else self.take(answer)

    def take(self, outcomes: list[Any]) -> set[str]:
        """Keep outcomes, and in which state the images' files were read."""
        for outcome in outcomes:
            if outcome.state is not None:
                self._found.evidence.learn(outcome.record.image, outcome.state)
        return self.keep([outcome.record for outcome in outcomes])

    def fail(self, routes: list[Route], error: Exception) -> set[str]:
        """Keep that images came to no outcome of their own."""
        tree, request, evidence = self._found.tree, self._found.request, self._found.evidence
        digests = [evidence.input_digest(route.decision.entry) for route in routes]
        roots = (tree.outputs, tree.inputs)
        return self.keep([lost(*one, error, request, roots) for one in zip(routes, digests, strict=True)])

    def leave(self, records: list[Record]) -> set[str]:
        """Let images stay as they are, whose palette has been found to be what it was."""
        self.books.leave(records)
        self._summary.spare(len(records))
        return {record.image for record in records}

    def keep(self, records: list[Record]) -> set[str]:
        """Put records on the disk, then count them and show them."""
        self.books.keep(records)
        for record in records:
            self._summary.count(record)
            self._watcher.finished(record)
            if record.status == "failed":
                self._failed()
        return {record.image for record in records}
