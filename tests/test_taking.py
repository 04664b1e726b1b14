"""Taking a lock: nobody at work is pushed aside, nobody dead is waited for longer than it takes."""

import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from locks import ELSEWHERE, dead_pid, haste, put, read

from pipeline.errors import OutputLocked
from pipeline.jobs import taking
from pipeline.jobs.holder import Holder
from pipeline.jobs.lock import locked
from pipeline.jobs.lockfile import FileSlot
from pipeline.jobs.taking import Attempt

BEAT = 0.2
PATIENCE = 4 * BEAT
DAY = 86400


@pytest.fixture(autouse=True)
def _haste(monkeypatch):
    haste(monkeypatch, BEAT)


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".segpipe/lock"


def old(path, by=60.0):
    then = time.time() - by
    os.utime(path, (then, then))


def take(path, told=None):
    """Take the lock and give it back; the seconds that it took."""
    began = time.monotonic()
    with locked(path.parent, (lambda text: None) if told is None else told.append):
        took = time.monotonic() - began
        assert (read(path).pid, read(path).is_near) == (os.getpid(), True)
    return took


def test_a_silent_holder_elsewhere_is_watched_and_followed(path, tmp_path):
    holder = put(path, **ELSEWHERE, pid=7, beat=12)
    old(path)
    told = []
    assert PATIENCE <= take(path, told) < PATIENCE + 10
    [words] = told
    assert words.startswith(f"{tmp_path} is held by process 7 on node7.example since {holder.since} (4 min, ")
    assert "last sign of life 60 s ago), which has given no sign of life for 60 s: taking over if" in words
    assert list(path.parent.iterdir()) == []


def test_one_that_has_just_given_a_sign_is_not_even_watched(path, monkeypatch):
    monkeypatch.setattr(taking, "BEAT", 15.0)
    put(path, **ELSEWHERE, pid=7)
    began = time.monotonic()
    with pytest.raises(OutputLocked, match=r"process 7 on node7\.example since .* of life 0 s ago.*remove"):
        take(path)
    assert time.monotonic() - began < 5


@pytest.fixture
def beating(path):
    """A lock of another machine that gives signs of life."""
    holder, ended = put(path, **ELSEWHERE, pid=7), threading.Event()

    def beat(holder=holder):
        with path.open("r+b", buffering=0) as file:
            while not ended.wait(BEAT):
                holder = holder.beaten()
                file.seek(0)
                file.write(holder.to_bytes())
                shift = beat.day
                os.utime(path, (time.time() + shift, time.time() + shift))

    beat.day = 0
    old(path)
    thread = threading.Thread(target=beat)
    thread.start()
    yield beat
    ended.set()
    thread.join()


@pytest.mark.parametrize("day", [0, -DAY, DAY])
def test_a_beating_holder_is_refused_within_a_beat_or_two(path, beating, monkeypatch, day):
    """Whatever the times of the file say."""
    beating.day = day
    began = time.monotonic()
    with pytest.raises(OutputLocked, match=r"process 7 on node7\.example"):
        take(path)
    assert time.monotonic() - began < 4 * BEAT + 5
    assert read(path).pid == 7


@pytest.mark.parametrize("stamp", [-DAY, DAY, 10**6])
@pytest.mark.parametrize("jump", [-DAY, 0, DAY])
def test_clocks_that_jump_neither_hasten_nor_bar_it(path, monkeypatch, jump, stamp):
    """The wall clock in the midst of the watch, and the times of the file before."""
    put(path, **ELSEWHERE, since="2099-01-01 00:00:00+0000", at=1e9)
    old(path, -stamp)
    true, began = time.time, time.monotonic()
    late = began + PATIENCE / 2
    monkeypatch.setattr(time, "time", lambda: true() + (jump if time.monotonic() > late else 0))
    assert PATIENCE <= take(path) < PATIENCE + 10


def test_time_in_which_nobody_looked_is_not_silence(path, monkeypatch):
    """A server was away, or this machine asleep: the holder could not beat, or was not seen to."""
    put(path, **ELSEWHERE)
    old(path)
    now = [1000.0]
    monkeypatch.setattr(taking.time, "monotonic", lambda: now[0])
    attempt = Attempt(FileSlot(path), Holder.me(), "it", lambda text: None)
    looks = 0
    while attempt.look() is None:
        now[0] += 3600
        looks += 1
    assert looks >= PATIENCE / (2 * taking.GLANCE)


def test_a_holder_that_changes_hands_is_watched_anew(path):
    put(path, **ELSEWHERE)
    old(path)
    attempt = Attempt(FileSlot(path), Holder.me(), "it", lambda text: None)
    assert attempt.look() is None
    time.sleep(PATIENCE)
    put(path, **ELSEWHERE, beat=3)
    old(path)
    assert attempt.look() is None
    assert attempt.look() is None
    assert read(path).beat == 3


@pytest.fixture
def long(monkeypatch):
    monkeypatch.setattr(taking, "PATIENCE", 60.0)


@pytest.mark.usefixtures("long")
def test_a_dead_process_of_this_machine_is_followed_at_once(path):
    put(path, pid=dead_pid())
    assert take(path) < 20


@pytest.mark.usefixtures("long")
def test_a_number_that_another_process_has_now_bars_nobody(path):
    put(path, pid=os.getppid(), born="1")
    assert take(path) < 20


@pytest.mark.usefixtures("long")
def test_a_living_one_of_this_machine_is_refused_however_silent(path):
    put(path, pid=os.getppid(), born="")
    old(path, DAY)
    began = time.monotonic()
    with pytest.raises(OutputLocked, match=rf"process {os.getppid()} on .* last sign of life \d+ s ago\)"):
        take(path)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("words", [{"place": "this-host/this-boot/pid:[2]"}, {"place": "x/another-boot/y"}])
def test_an_equal_host_name_does_not_make_a_number_one_of_ours(path, monkeypatch, words):
    """In a container beside ours there may be no process of that number, and one at work."""
    put(path, pid=dead_pid(), **words)
    old(path)
    assert take(path) >= PATIENCE
    monkeypatch.setattr(taking, "BEAT", 15.0)
    put(path, pid=dead_pid(), **words)
    with pytest.raises(OutputLocked):
        take(path)


def test_many_takers_of_a_dead_lock(path):
    """One wins; the others are told who."""
    for words in ({"pid": dead_pid()}, ELSEWHERE):
        put(path, **words)
        old(path)
        inside, most, refused = [], [], []

        def enter(number, inside=inside, most=most, refused=refused):
            try:
                with locked(path.parent):
                    inside.append(number)
                    most.append(len(inside))
                    time.sleep(PATIENCE)
                    inside.remove(number)
            except OutputLocked as error:
                refused.append(str(error))

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(enter, range(6)))
        assert max(most) == 1
        assert len(most) + len(refused) == 6
        assert refused
        assert all("(this very process)" in words for words in refused)
        assert list(path.parent.iterdir()) == []


TAKER = """
import sys, pathlib, time
from pipeline.errors import OutputLocked
from pipeline.jobs import taking, lock
taking.PATIENCE = 1.0
taking.GLANCE = lock.GLANCE = 0.05
print("ready", flush=True)
sys.stdin.readline()
try:
    with lock.locked(pathlib.Path(sys.argv[1])):
        print("won", flush=True)
        sys.stdin.read()
except OutputLocked as error:
    print(error, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", [{}, ELSEWHERE])
def test_many_processes_that_take_over_at_once(path, words):
    put(path, **(words or {"pid": dead_pid()}))
    old(path)
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, str(path.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for taker in takers:
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        taker.stdin.write("go\n")
        taker.stdin.flush()
    told = [taker.stdout.readline() for taker in takers]
    [winner] = [taker for taker, words in zip(takers, told, strict=True) if words == "won\n"]
    assert read(path).pid == winner.pid
    assert sum(f"process {winner.pid} on" in words for words in told) == 7
    for taker in takers:
        taker.communicate(timeout=20)
        assert taker.returncode == 0
    assert list(path.parent.iterdir()) == []
    shutil.rmtree(path.parent)
