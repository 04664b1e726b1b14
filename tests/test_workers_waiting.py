"""Waiting for what may hang or go: bounded, and told as what it is."""

import threading
from concurrent.futures import CancelledError

import pytest
from distributed import KilledWorker

from pipeline.errors import WorkersLost
from pipeline.jobs import workers
from pipeline.jobs.clusters import joining
from pipeline.jobs.clusters.waiting import within


def test_an_answer_or_an_error_in_time_is_passed_on():
    assert within(20, lambda: 3, pytest.fail) == 3
    with pytest.raises(ZeroDivisionError):
        within(20, lambda: 1 // 0, pytest.fail)


def test_a_late_answer_is_discarded():
    go, gone = threading.Event(), threading.Event()
    discarded: list[int] = []

    def discard(answer: int) -> None:
        discarded.append(answer)
        gone.set()

    def slow() -> int:
        go.wait(20)
        return 7

    with pytest.raises(TimeoutError):
        within(0.05, slow, discard)
    go.set()
    assert gone.wait(20)
    assert discarded == [7]


def test_a_late_error_is_nobodys():
    go = threading.Event()

    def slow() -> int:
        go.wait(20)
        raise ValueError

    with pytest.raises(TimeoutError):
        within(0.05, slow, pytest.fail)
    go.set()


class Sized:
    """A cluster that notes to what size it was brought."""

    def __init__(self) -> None:
        self.worker_spec = {"a": 1, "b": 2}
        self.sizes: list[object] = []

    def scale(self, n: int | None = None, *, jobs: int | None = None) -> None:
        self.sizes.append(n if jobs is None else {"jobs": jobs})


@pytest.mark.parametrize(
    ("kind", "adaptive", "sizes"),
    [
        ("local", False, [2]),
        ("ssh", False, [2]),
        ("slurm", False, [{"jobs": 2}]),  # of several workers each
        ("slurm", True, []),
        ("kubernetes", False, []),
    ],
)
def test_a_cluster_is_kept_at_its_size_by_who_does_it(kind, adaptive, sizes):
    cluster = Sized()
    joining._keeper(kind, cluster, adaptive=adaptive)()
    assert cluster.sizes == sizes


class Future:
    """A future whose answer is not to be had."""

    def __init__(self, status: str = "finished", trouble: BaseException | None = None) -> None:
        self.status = status
        self._trouble = trouble

    def exception(self, timeout: float) -> None:
        return None

    def result(self, timeout: float) -> tuple[str, str]:
        if self._trouble is not None:
            raise self._trouble
        return "answer", "tcp://worker"


class Client:
    """One that is connected, or not."""

    def __init__(self, status: str) -> None:
        self.status = status

    def submit(self, *arguments: object, **options: object) -> None:
        raise RuntimeError("Client is closed")


def cluster(status: str = "running") -> workers._Cluster:
    return workers._Cluster(Client(status), lambda: None, None, set(), 1.0, own=True)


@pytest.mark.parametrize(
    "future",
    [
        Future(trouble=TimeoutError()),
        Future(trouble=OSError("gone")),
        Future("error", trouble=KilledWorker("task", None, 1)),
    ],
    ids=lambda future: type(future._trouble).__name__,
)
def test_an_answer_that_is_gone_with_its_worker_is_waited_for_again(future):
    """It is done again, and what comes of that may be an error."""
    assert cluster()._answer(Future()) == ("answer", "tcp://worker")
    assert cluster()._answer(future) is None


def test_an_answer_that_cannot_be_read_is_an_error_of_its_task():
    trouble = ValueError("no answer of ours")
    assert cluster()._answer(Future(trouble=trouble)) == (trouble, "")


@pytest.mark.parametrize("future", [Future("cancelled"), Future(trouble=CancelledError())])
def test_answers_that_were_cancelled_are_of_a_scheduler_that_has_gone(future):
    with pytest.raises(WorkersLost, match="the connection to the Dask scheduler was lost; run again"):
        cluster()._answer(future)


def test_a_scheduler_that_goes_while_an_answer_is_fetched_is_no_trouble_of_the_disk():
    with pytest.raises(WorkersLost, match="the connection to the Dask scheduler was lost; run again"):
        cluster("closed")._answer(Future(trouble=OSError("closed")))


def test_a_scheduler_that_goes_while_a_task_is_sent_is_told_as_well():
    with pytest.raises(WorkersLost, match="the connection to the Dask scheduler was lost"):
        cluster("closed")._begin(lambda item: item, 1)
