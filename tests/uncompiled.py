"""Runs tests with the compiled loops as plain Python, so that their coverage is seen: a plugin of pytest.

    pip install coverage
    python -m coverage run -m pytest
    ls pipeline/color/*.py | sed 's,.*/,tests/test_,' | xargs ls 2> /dev/null > colors.txt
    PYTHONPATH=tests python -m coverage run -m pytest -p uncompiled $(cat colors.txt)
    python -m coverage combine && python -m coverage report

A loop is some hundred times slower so. A test that takes more than a second of the processor is ended and
counts as skipped; what it has run by then is covered all the same. Without a compiler numbers of 32 bits do
not wrap around unnoticed: tests may fail here that pass otherwise.
"""

import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numba
import pytest

numba.config.DISABLE_JIT = True  # of this process; those that tests start have no end otherwise
_REPO = str(Path(__file__).parents[1])
_SECONDS = 1.0


def _end(number: int, frame: FrameType | None) -> None:
    if frame is not None and frame.f_code.co_filename.startswith(_REPO):
        pytest.skip(f"has taken {_SECONDS} s")
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)  # elsewhere a lock might be held


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore::RuntimeWarning")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    signal.signal(signal.SIGVTALRM, _end)
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
