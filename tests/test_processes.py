"""Processes: one that is named by number and birth is there, or is not."""

import os
import subprocess
import sys
import time

import pytest
from locks import dead_pid

from pipeline.jobs.processes import born, is_alive, place, uptime

SLEEPER = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def test_this_process_is_alive_and_one_that_ended_is_not():
    assert is_alive(os.getpid(), born(os.getpid()))
    assert is_alive(os.getpid())
    assert not is_alive(dead_pid())
    assert born(dead_pid()) == ""


def test_a_number_that_is_another_process_now_is_not_alive():
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as other:
        assert is_alive(other.pid, born(other.pid))
        assert not is_alive(other.pid, "1")
        assert born(other.pid) == born(other.pid) != ""


def test_one_that_has_ended_unnoticed_is_not_alive():
    process = subprocess.Popen(SLEEPER, stdin=subprocess.PIPE)
    process.kill()
    end = time.monotonic() + 10
    while is_alive(process.pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(process.pid), "nobody has waited for it yet"
    process.communicate()


def test_processes_that_see_each_other_have_one_place():
    told = subprocess.run(
        [sys.executable, "-c", "from pipeline.jobs.processes import place; print(place())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == place()
    assert "\n" not in place()


@pytest.mark.parametrize("day", [-86400, 86400])
def test_the_wall_clock_has_no_say(monkeypatch, day):
    now, birth, true = uptime(), born(os.getpid()), time.time()
    monkeypatch.setattr(time, "time", lambda: true + day)
    assert 0 <= uptime() - now < 60
    assert is_alive(os.getpid(), birth)
