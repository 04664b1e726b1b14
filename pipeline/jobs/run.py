"""One run of a job: survey → plan → tasks → journal → manifest.

    pixels ──count──► ColorCounts ──fit──► Palette ──map──► label map ──► files

happens in the tasks; here is decided which images take part. What came of them, `keeping` keeps.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from itertools import chain
from typing import Any

from pipeline.errors import OutputError, WorkersLost
from pipeline.jobs.bundles import bundled, choose_workers
from pipeline.jobs.extras import require_extras
from pipeline.jobs.holding import held
from pipeline.jobs.inspection import marked
from pipeline.jobs.keeping import Keeper
from pipeline.jobs.ledger import Books
from pipeline.jobs.leftovers import sweep_outputs, sweep_state
from pipeline.jobs.lock import Hold, is_marked
from pipeline.jobs.merging import fold_parts
from pipeline.jobs.routes import Route, worker_count
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.spec_compute import HERE
from pipeline.jobs.stopping import Stop, Stopped, on_signals
from pipeline.jobs.summary import Summary, write_runlog
from pipeline.jobs.survey import Options, Survey, survey
from pipeline.jobs.trials import Trials, drawn, sweep_again
from pipeline.jobs.watcher import Watcher
from pipeline.jobs.workplaces import forget_gone


def run(
    spec: JobSpec,
    options: Options,
    watcher: Watcher,
    *,
    fail_fast: bool = False,
    time_limit: float | None = None,
) -> Summary:
    """Do all images whose inputs, recipe or outputs have changed. Doing nothing writes nothing.

    fail_fast : begin nothing more after the first failure. time_limit : seconds from now on after which
    nothing more is begun.

    Raises InputError, OutputError (OutputLocked) or WorkersLost if the run as a whole cannot go on;
    what was finished by then is kept.
    """
    started = time.time_ns()
    stop = Stop(None if time_limit is None else time.monotonic() + time_limit, watcher.say)
    with on_signals(stop, watcher.say), ExitStack() as stack:
        try:
            with stop.ends_waiting(whatever_the_time=True):  # what is left is to be told
                found = survey(spec, options, started)
                if is_marked(found.tree.state):  # by a run at work, or one that was killed
                    with held(found.tree, watcher.say):
                        sweep_state(found.tree)
                hold = None
                if found.plan.work or found.manifest.replayed or found.manifest.damaged:
                    require_extras(spec.compute)
                    hold = stack.enter_context(held(found.tree, watcher.say))
                    if found.outdated():
                        found = survey(spec, options, started)
        except Stopped:
            return Summary.unseen(stop.signal, over=stop.over)
        if hold is None:
            return _nothing_to_do(found, watcher, started)
        watcher.planned(found)
        hold.tell_of_loss(stop.ask)
        return _Run(spec, found, watcher, stop, fail_fast, started).execute(hold)


def _nothing_to_do(found: Survey, watcher: Watcher, started: int) -> Summary:
    """Write nothing; only the stat cache, if it was lost and much had to be read for want of it."""
    watcher.planned(found)
    if found.evidence.worth_keeping and found.tree.state.exists():
        # A cache that cannot be written now costs the next run time, no more.
        with suppress(OSError, OutputError), held(found.tree):
            found.evidence.cache.save()
    summary = Summary.of(found)
    summary.seconds = (time.time_ns() - started) / 1e9
    return summary


class _Run:
    """A run that has work to do and holds the lock."""

    def __init__(
        self, spec: JobSpec, found: Survey, watcher: Watcher, stop: Stop, fail_fast: bool, started: int
    ) -> None:
        self._started = started
        self._spec = spec
        self._found = found
        self._watcher = watcher
        self._stop = stop
        self._fail_fast = fail_fast
        self._summary = Summary.of(found)
        self._routes = {route.decision.entry.key: route for route in found.routes}

    def execute(self, hold: Hold) -> Summary:
        """Do the work, and fold what came of it into the manifest, whatever ends it but a lost lock."""
        tree = self._found.tree
        try:
            self._sweep()  # first: once journal and parts are gone, nobody knows where to look
            if tree.shard is None:
                fold_parts(tree, hold)
            self._found.evidence.remember_recipe(self._found.request.recipe, self._found.request.digest)
            books = Books(tree, self._found.manifest, hold)
            try:
                self._forget_gone(books)
                self._do(books)
            finally:
                books.close()
                self._found.evidence.cache.forget_all_but({e.key for e in self._found.listing.entries})
                self._found.evidence.cache.save()
            self._summary.seconds = (time.time_ns() - self._started) / 1e9
            self._summary.signal, self._summary.over = self._stop.signal, self._stop.over
            write_runlog(tree.state, self._spec, self._summary, self._started)
        except OSError as error:
            raise OutputError(
                f"output root {tree.outputs}: could not be written: {error.strerror or error}; make room "
                "or rights and run again: nothing that was finished is lost"
            ) from error
        return self._summary

    def _sweep(self) -> None:
        """Remove what killed runs have left; not the counts of large images that are to be done."""
        tree = self._found.tree
        sweep_state(tree)
        sweep_outputs(tree, self._found.manifest.touched)
        forget_gone(tree.state / "large", self._found.unsettled())

    def _forget_gone(self, books: Books) -> None:
        """Forget images that a killed run had begun and that have gone since.

        Nobody knows what their outputs are now, and as strays they can be pruned. A shard cannot make
        the manifest forget, and leaves it to the next run of the whole.
        """
        if self._found.tree.shard is None:
            books.forget(books.unfinished - {entry.key for entry in self._found.listing.entries})

    def _do(self, books: Books) -> None:
        """Refuse what is refused, and have workers do the rest."""
        failed = self._stop.ask if self._fail_fast else lambda: None
        keeper = Keeper(self._found, books, self._summary, self._watcher, failed)
        self._refuse(keeper)
        if not self._routes or self._stop.asked:
            return
        # Here and not above: a plan, or a run with nothing to do, starts without numba and Dask.
        from pipeline.jobs.lease import Lease
        from pipeline.jobs.trade import trade_of

        lease = Lease(self._found.tree.state, books.token)
        trade = trade_of(self._spec, self._found.request.digest, lease)
        with ExitStack() as stack:
            workers = self._open_workers(stack, trade.ready)
            if workers is not None:
                self._work(Trials(workers, self._stop), trade, keeper)

    def _refuse(self, keeper: Keeper) -> None:
        """Record the images that are refused from their header; no worker is asked."""
        for key, route in list(self._routes.items()):
            record = route.foretold(self._found.request)
            if record is not None:
                del self._routes[key]
                keeper.keep([record])

    def _open_workers(self, stack: ExitStack, ready: Callable[[], None]) -> Any:
        """Open the workers that the job asks for, until the stack ends; None if the run is to stop."""
        from pipeline.jobs.workers import open_workers

        tree, compute = self._found.tree, self._spec.compute
        asked, count = compute.cluster, worker_count(self._spec)
        kind = choose_workers(list(self._routes.values()), count) if asked == "auto" else asked
        folders = None if kind in HERE else stack.enter_context(marked(tree.inputs, tree.state))
        # Workers may die, or have died before, whose work others do: looked at when all have ended.
        if kind not in ("inline", "threads") or self._found.manifest.touched:
            stack.callback(sweep_again, tree, set(self._routes))
        try:
            with self._stop.ends_waiting():
                opened = open_workers(kind, count, compute, self._watcher.say, ready, folders)
                return stack.enter_context(opened)
        except Stopped:
            return None
        except WorkersLost:
            if self._stop.signal is None:
                raise
            return None  # who ended us may have ended them

    def _work(self, trials: Trials, trade: Any, keeper: Keeper) -> None:
        """Do all images: those that share a palette once it is found, large ones after all others."""
        from pipeline.jobs.tasks import Painting, process_bundle

        routes = list(self._routes.values())
        large: Any = self._large(trials, trade) if any(route.parted for route in routes) else None
        if self._spec.quantize.scope == "image":
            tasks = [Painting(keys, None, size) for keys, size in bundled(routes)]
        else:
            tasks = self._share(trials, large, trade.settings, keeper)
        keys = [key for task in tasks for key in task.keys]
        self._watcher.started(len(keys), sum(self._routes[key].megapixels for key in keys))
        whole, parted = self._by_way(tasks)
        for task, answer in trials.each(partial(process_bundle, trade.settings), whole, keeper.books):
            keeper.settle(self._routes_of(task), answer)
        for task in self._stop.until(drawn(parted, keeper.books)):  # one by one: all workers do each
            answer = large.process(task.keys[0], task.palette)
            if answer is not None:
                keeper.settle(self._routes_of(task), answer if isinstance(answer, Exception) else [answer])
        if large is not None and not self._stop.asked:
            large.forget()

    def _large(self, trials: Trials, trade: Any) -> Any:
        """What does the images that are done in parts."""
        from pipeline.jobs.parted import Team

        team = Team(trials.each, self._watcher.progressed, self._spec.compute.image_timeout)
        parted = [route for route in self._routes.values() if route.parted]
        return trade.in_parts(parted, self._found.tree.state / "large", team)

    def _share(self, trials: Trials, large: Any, settings: Any, keeper: Keeper) -> list[Any]:
        """Find the palettes that images share; returns the tasks of painting in them."""
        from pipeline.jobs.sharing import Sharing, fit_group
        from pipeline.jobs.tasks import count_bundle

        scope = self._spec.quantize.scope
        sharing = Sharing(scope, self._found.groups, self._routes, self._found.manifest.records)
        tasks: list[Any] = sharing.countings()
        total, done = sum(len(task.keys) for task in tasks), 0
        if tasks:
            told = "1 image" if total == 1 else f"{total} images"
            self._watcher.say(f"counting {told} for shared palettes")
        settled: set[str] = set()
        whole, parted = self._by_way(tasks)
        counted = trials.each(partial(count_bundle, settings), whole)
        counted_large = ((task, large.count(task.keys[0])) for task in self._stop.until(parted))
        for task, answer in chain(counted, counted_large):
            if answer is None:  # the run is to stop
                continue
            done += len(task.keys)
            self._watcher.counting(done, total)
            if isinstance(answer, Exception):
                settled |= keeper.fail(self._routes_of(task), answer)
            else:
                sharing.take(task.group, answer)
                settled |= keeper.take(answer.failures)
        if self._stop.asked:
            return []
        fit = partial(fit_group, settings, scope)
        # Begun, for once its palette is replaced an image's record may name one that is no more.
        for task, answer in trials.each(fit, sharing.fittings(settled), keeper.books):
            if isinstance(answer, Exception):
                settled |= keeper.fail(self._routes_of(task), answer)
            else:
                settled |= keeper.leave(sharing.settle(task.group, answer))
                keeper.books.part(sharing.parted(task.group, self._found.plan.orphans))
        return sharing.paintings(self._found.tree.outputs, settled)

    def _by_way(self, tasks: list[Any]) -> tuple[list[Any], list[Any]]:
        """Tasks on whole images, and those on one that is done in parts."""
        ways: tuple[list[Any], list[Any]] = [], []
        for task in tasks:
            ways[self._routes[task.keys[0]].parted].append(task)
        return ways

    def _routes_of(self, task: Any) -> list[Route]:
        return [self._routes[key] for key in task.keys]
