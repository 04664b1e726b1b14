"""One run of a job: survey → plan → tasks → journal → manifest.

    pixels ──count──► ColorCounts ──fit──► Palette ──map──► label map ──► files

happens in the tasks; here is decided which images take part, and what came of them is kept.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import ImageError, OutputError, UnexpectedError, WorkerDied, WorkerKilled
from pipeline.files.outputs import sweep
from pipeline.jobs.bundles import bundle, choose_workers
from pipeline.jobs.leftovers import WINGS, inside, sweep_state
from pipeline.jobs.lock import is_marked, locked
from pipeline.jobs.manifest import Journal, fold
from pipeline.jobs.records import Failure, InputFacts, Record
from pipeline.jobs.routes import worker_count
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.stopping import Stop, on_signals
from pipeline.jobs.summary import Summary, write_runlog
from pipeline.jobs.survey import Options, Survey, survey


class Watcher:
    """Told what a run does; this one does nothing about it."""

    def planned(self, found: Survey) -> None:
        """The plan stands."""

    def started(self, images: int, megapixels: float) -> None:
        """So many images are about to be done."""

    def finished(self, record: Record) -> None:
        """An image is done, or has failed."""

    def say(self, text: str) -> None:
        """Something a person at the terminal would want to know."""


def run(spec: JobSpec, options: Options, watcher: Watcher, *, fail_fast: bool = False) -> Summary:
    """Do all images whose inputs, recipe or outputs have changed. Doing nothing writes nothing.

    Raises InputError, OutputError (OutputLocked) or WorkersLost if the run as a whole cannot go on;
    what was finished by then is kept.
    """
    started = time.time_ns()
    found = survey(spec, options, started)
    if is_marked(found.tree.state):  # by a run at work, or one that was killed and may have left debris
        with locked(found.tree.state):
            sweep_state(found.tree)
    if not (found.plan.work or found.manifest.replayed or found.manifest.damaged):
        return _nothing_to_do(found, watcher, started)
    with ExitStack() as stack:
        stack.enter_context(locked(found.tree.state))
        if found.outdated():
            found = survey(spec, options, started)
        watcher.planned(found)
        stop = Stop()
        stack.enter_context(on_signals(stop, watcher.say))
        return _Run(spec, found, watcher, stop, fail_fast).execute(started)


def _nothing_to_do(found: Survey, watcher: Watcher, started: int) -> Summary:
    """Write nothing; only the stat cache, if it was lost and much had to be read for want of it."""
    watcher.planned(found)
    if found.evidence.worth_keeping and found.tree.state.exists():
        # A cache that cannot be written now costs the next run time, no more.
        with suppress(OSError, OutputError), locked(found.tree.state):
            found.evidence.cache.save()
    summary = Summary.of(found)
    summary.seconds = (time.time_ns() - started) / 1e9
    return summary


class _Run:
    """A run that has work to do and holds the lock."""

    def __init__(self, spec: JobSpec, found: Survey, watcher: Watcher, stop: Stop, fail_fast: bool) -> None:
        self._spec = spec
        self._found = found
        self._watcher = watcher
        self._stop = stop
        self._fail_fast = fail_fast
        self._summary = Summary.of(found)
        self._records = dict(found.manifest.records)
        self._unfinished = set(found.manifest.unfinished)  # images whose outputs may be half replaced
        self._routes = {route.decision.entry.key: route for route in found.routes}

    def execute(self, started: int) -> Summary:
        """Do the work, and fold what came of it into the manifest, whatever ends it."""
        tree = self._found.tree
        try:
            self._sweep()
            self._found.evidence.remember_recipe(self._found.request.recipe, self._found.request.digest)
            journal = Journal(tree.journal)
            try:
                self._refuse(journal)
                self._work(journal, started)
            finally:
                journal.close()
                fold(tree.outputs, tree.journal, self._records.values(), self._unfinished)
                self._found.evidence.cache.forget_all_but({e.key for e in self._found.listing.entries})
                self._found.evidence.cache.save()
            self._summary.seconds = (time.time_ns() - started) / 1e9
            self._summary.signal = self._stop.signal
            write_runlog(tree.state, self._spec, self._summary, started)
        except OSError as error:
            raise OutputError(
                f"output root {tree.outputs}: could not be written: {error.strerror or error}; make room "
                "or rights and run again: nothing that was finished is lost"
            ) from error
        return self._summary

    def _sweep(self) -> None:
        """Remove what a killed run left beside the final names it was about to replace.

        Images that it had begun and that have gone since are forgotten: nobody knows what their
        outputs are now, and as strays they can be pruned.
        """
        tree = self._found.tree
        sweep_state(tree)
        folders: set[Path] = set()
        for path in (f"{wing}/{key}" for key in self._unfinished for wing in WINGS):
            with suppress(OutputError):  # a forged journal names what is not ours
                folders.add(inside(tree.outputs, path).parent)
        for folder in sorted(folders):
            sweep(folder)
        for key in self._unfinished - {entry.key for entry in self._found.listing.entries}:
            self._unfinished.discard(key)
            self._records.pop(key, None)

    def _refuse(self, journal: Journal) -> None:
        """Record the images that are refused from their header; no worker is asked."""
        for key, route in list(self._routes.items()):
            record = route.foretold(self._found.request)
            if record is not None:
                del self._routes[key]
                self._keep([record], journal)

    def _work(self, journal: Journal, started: int) -> None:
        if not self._routes or self._stop.asked:
            return
        routes = list(self._routes.values())
        count = worker_count(self._spec)
        asked = self._spec.compute.cluster
        kind = choose_workers(routes, count) if asked == "auto" else asked
        self._watcher.started(len(routes), sum(route.megapixels for route in routes))
        # Here and not above: a plan, or a run with nothing to do, starts without numba and Dask.
        from pipeline.jobs.settings import settings_of
        from pipeline.jobs.tasks import process_bundle
        from pipeline.jobs.workers import open_workers

        task = partial(process_bundle, settings_of(self._spec, self._found.request.digest))
        bundles = [tuple(route.decision.entry.key for route in group) for group in bundle(routes)]
        with open_workers(kind, count, self._spec.compute, self._watcher.say) as workers:
            while bundles:
                again: list[tuple[str, ...]] = []
                for keys, answer in workers.map(task, self._stop.until(self._begun(bundles, journal))):
                    again += self._take(keys, answer, journal, started)
                bundles = again

    def _begun(self, bundles: list[tuple[str, ...]], journal: Journal) -> Iterator[tuple[str, ...]]:
        """Hand out bundles, noting first that their outputs are about to be replaced."""
        for keys in bundles:
            journal.begin(keys)
            self._unfinished.update(keys)
            yield keys

    def _take(
        self, keys: tuple[str, ...], answer: Any, journal: Journal, started: int
    ) -> list[tuple[str, ...]]:
        """Keep what came of a bundle; returns what is to be tried again, if its worker died."""
        if isinstance(answer, Exception):
            died = isinstance(answer, WorkerDied)
            if died and self._stop.asked:  # whoever asked may have ended the workers too
                return []
            if died and len(keys) > 1:  # one of them is to blame: alone, it will be found out
                return [(key,) for key in keys]
            self._keep([self._lost(key, answer, died) for key in keys], journal)
            return []
        for outcome in answer:
            if outcome.state is not None:
                self._found.evidence.cache.learn(outcome.record.image, outcome.state, started)
        self._keep([outcome.record for outcome in answer], journal)
        return []

    def _lost(self, key: str, answer: Exception, died: bool) -> Record:
        error: ImageError = UnexpectedError(f"{type(answer).__name__}: {answer}")
        if died:
            error = WorkerKilled(
                f"{key}: its worker died, alone with it, again and again; exclude it, or give workers more "
                "memory and run with --retry-failed"
            )
        entry = self._routes[key].decision.entry
        digest = self._found.evidence.input_digest(entry)
        facts = InputFacts(entry.bytes, digest if isinstance(digest, str) else None)
        failure = Failure(type(error).__name__, str(error))
        return Record(key, "failed", self._found.request.digest, facts, error=failure)

    def _keep(self, records: list[Record], journal: Journal) -> None:
        """Put records on the disk, then count them and show them."""
        journal.add(records)
        for record in records:
            self._records[record.image] = record
            self._unfinished.discard(record.image)
            self._summary.count(record)
            self._watcher.finished(record)
            if self._fail_fast and record.status == "failed":
                self._stop.ask()
