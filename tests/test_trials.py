"""Trials: whoever of a bundle kills its worker is found out, and all others are done once."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import WorkerDied
from pipeline.jobs import trials
from pipeline.jobs.stopping import Stop
from pipeline.jobs.trials import Trials


class Bundle(NamedTuple):
    """A task that can be split."""

    keys: tuple[str, ...]

    def split(self) -> "list[Bundle]":
        return [Bundle((key,)) for key in self.keys]


class Whole(NamedTuple):
    """A task that cannot be split: of an image that is done in windows."""

    keys: tuple[str, ...]


class Workers:
    """A worker that dies of some images, of each as often as told, and of what else is done just then.

    deaths : by key; an image of which a worker always dies has many. tried : the tasks, in
    order. told : is told how many they are, before they are answered.
    """

    def __init__(self, deaths, crowd=1, told=lambda tries: None):
        self.deaths = dict(deaths)
        self.crowd = crowd  # tasks that are under way together
        self.told = told
        self.tried = []
        self.missing = 0  # so often one looks before all workers are there

    def whole(self):
        self.missing -= 1
        return self.missing < 0

    def map(self, function, tasks):
        tasks = list(tasks)
        for first in range(0, len(tasks), self.crowd):
            together = tasks[first : first + self.crowd]
            self.tried += together
            fatal = [key for task in together for key in task.keys if self.deaths.get(key, 0)]
            for key in fatal:
                self.deaths[key] -= 1
            self.told(len(self.tried))
            for task in together:
                yield task, WorkerDied("it has died") if fatal else function(task)


def answers_of(workers, tasks, stop=None):
    """The keys with an answer, and those that are to blame."""
    done, blamed = [], []
    for task, answer in Trials(workers, stop or Stop()).each(lambda task: "done", tasks):
        (blamed if isinstance(answer, WorkerDied) else done).extend(task.keys)
    return done, blamed


@given(st.lists(st.integers(1, 5), max_size=6), st.data(), st.integers(1, 4))
@settings(deadline=None)
def test_all_are_answered_once_and_just_the_deadly_are_to_blame(sizes, data, crowd):
    keys = iter(range(100))
    tasks = [Bundle(tuple(str(next(keys)) for _ in range(size))) for size in sizes]
    every = [key for task in tasks for key in task.keys]
    deadly = data.draw(st.sets(st.sampled_from(every))) if every else set()
    done, blamed = answers_of(Workers(dict.fromkeys(deadly, 1000), crowd), tasks)
    assert sorted(blamed) == sorted(deadly)
    assert sorted(done) == sorted(set(every) - deadly)


def test_who_has_died_once_alone_is_not_to_blame_yet():
    """The worker may have been about to end of the death before."""
    for deaths in range(3):
        assert answers_of(Workers({"a": deaths}), [Whole(("a",))]) == (["a"], [])
    assert answers_of(Workers({"a": 3}), [Whole(("a",))]) == ([], ["a"])


def test_nobody_is_to_blame_when_the_end_was_asked_for():
    """Who asked may have ended the worker."""
    stop = Stop()
    workers = Workers({"a": 1000}, told=lambda tries: stop.ask() if tries == 3 else None)
    assert answers_of(workers, [Whole(("a",))], stop) == ([], [])
    assert len(workers.tried) == 3


def test_images_are_tried_alone_when_all_workers_are_there_again(monkeypatch):
    monkeypatch.setattr(trials, "_GLANCE", 0.0)
    workers = Workers({"a": 1000})
    workers.told = lambda tries: setattr(workers, "missing", 3)
    looks = []
    workers.whole, whole = lambda: looks.append(len(workers.tried)) or whole(), workers.whole
    assert answers_of(workers, [Whole(("a",))]) == ([], ["a"])
    assert looks == [1, 1, 1, 1, 2, 2, 2, 2]


def test_workers_that_never_come_are_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(trials, "_CALM", 0.01)
    workers = Workers({"a": 1})
    workers.whole = lambda: False
    assert answers_of(workers, [Whole(("a",))]) == (["a"], [])
