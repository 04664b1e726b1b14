"""Processes of runs that are started to be killed, and the proof that a kill has landed.

A driver is a copy of this process (fork) that runs the command line: everything is imported and
compiled already, so that hundreds of them are affordable. Workers are processes of their own, as
users start them.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from select import select

import psutil

import cli
from pipeline.jobs import bundles

REPO = Path(__file__).parents[2]
_PATIENCE = 60.0
_IMAGES = 8  # of a bundle: small ones, or a run would be over after four


class Driver:
    """A run in a process of its own. log : the file that gets what it says."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.status: int | None = None
        self._log = log
        self.pid = os.fork()
        if self.pid == 0:
            _perform(arguments, log)

    def ended(self) -> bool:
        """Whether it has ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def started(self) -> bool:
        """Whether it has begun to do images, by its log."""
        try:
            return b'"event": "started"' in self._log.read_bytes()
        except FileNotFoundError:
            return False

    def wait(self) -> int:
        """Its exit code, or minus the signal that has killed it."""
        end = time.monotonic() + _PATIENCE
        while not self.ended():
            if time.monotonic() > end:
                self.kill()
                return 1000  # it hangs
            time.sleep(0.002)
        return os.waitstatus_to_exitcode(self.status or 0)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal, if it is there."""
        if not self.ended():  # not waited for, its id is nobody else's
            os.kill(self.pid, number)

    def workers(self) -> list[psutil.Process]:
        """The worker processes that it has started."""
        return _children(self.pid)


def _perform(arguments: list[str], log: Path) -> None:
    """Run the command line, as a copy of the process that has just begun; it does not return."""
    code = 70
    try:
        told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        silence = os.open(os.devnull, os.O_RDWR)
        for handle, to in ((0, silence), (1, silence), (2, told)):
            os.dup2(to, handle)
        bundles._IMAGES = _IMAGES
        cli.main(arguments, prog_name="segpipe")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        os._exit(code)


class Cluster:
    """A Dask scheduler and two workers, each below a nanny that replaces it."""

    def __init__(self) -> None:
        self.address = ""
        self._scheduler: subprocess.Popen[bytes] | None = None
        self._nannies: list[subprocess.Popen[bytes]] = []

    def keep_up(self) -> str:
        """Start what is not there; returns the scheduler's address."""
        if self._scheduler is None or self._scheduler.poll() is not None:
            self.close()
            with socket.create_server(("127.0.0.1", 0)) as server:
                port = server.getsockname()[1]
            self.address = f"tcp://127.0.0.1:{port}"
            options = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
            self._scheduler = _program("distributed.cli.dask_scheduler", *options)
        self._nannies = [nanny for nanny in self._nannies if nanny.poll() is None]
        while len(self._nannies) < 2:
            options = ("--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1", "--death-timeout", "20")
            self._nannies.append(_program("distributed.cli.dask_worker", self.address, *options))
        return self.address

    def workers(self) -> list[psutil.Process]:
        """The worker processes below the nannies."""
        return [worker for nanny in self._nannies for worker in _children(nanny.pid)]

    def kill_scheduler(self) -> bool:
        """Kill it; tells whether the kill has landed."""
        return self._scheduler is not None and _kill_child(self._scheduler)

    def kill_nanny(self, number: int) -> bool:
        """Kill one, and with it its worker; tells whether the kill has landed."""
        return bool(self._nannies) and _kill_child(self._nannies[number % len(self._nannies)])

    def close(self) -> None:
        """End all of it."""
        for process in [*self._nannies, *([self._scheduler] if self._scheduler else [])]:
            left = _children(process.pid) if process.poll() is None else []
            process.kill()
            process.wait()
            for worker in left:
                kill_other(worker)
        self._nannies, self._scheduler = [], None


def kill_other(process: psutil.Process) -> bool:
    """Kill a process that is not a child of ours.

    Tells whether it was alive when the signal was sent, and has gone then: the handle stands for this
    very process, whoever may get its number later.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if (
            not process.is_running()
            or process.status() == psutil.STATUS_ZOMBIE
            or select([handle], [], [], 0)[0]
        ):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        return bool(select([handle], [], [], 5.0)[0])
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
    finally:
        os.close(handle)


def _kill_child(process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        return False
    process.kill()
    return process.wait() == -signal.SIGKILL


def _program(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=REPO,
        env=os.environ | {"PYTHONPATH": str(REPO)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _children(pid: int) -> list[psutil.Process]:
    """The worker processes that a process has started."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return [
            child
            for child in psutil.Process(pid).children()
            if any("spawn_main" in word for word in child.cmdline())
        ]
    return []
