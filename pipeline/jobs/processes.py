"""Processes, and whether one that was named long ago is still at work."""

import socket
import time
import uuid
from pathlib import Path

import psutil

_DEAD = ("Z", "X")  # has ended, and waits for its parent to notice


def place() -> str:
    """What is equal for two processes only if each could see the other by its number.

    The same boot of the same machine, and the same space of process numbers: two containers may well
    have one host name, and each a process 7.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except (OSError, ValueError):  # no Linux; without a network address, the number is a new one each time
        boot, space = f"{uuid.getnode():x}", ""
    return "/".join((socket.gethostname(), boot, space)).replace("\n", " ")


def born(pid: int) -> str:
    """What tells a process from all others that ever had its number; "" if that cannot be found out."""
    try:
        if Path("/proc/self/stat").exists():  # in ticks since the boot: psutil's follows the wall clock
            return _stat(pid)[19]
        return f"{psutil.Process(pid).create_time():.2f}"
    except (OSError, ValueError, IndexError, psutil.Error):
        return ""


def is_alive(pid: int, birth: str = "") -> bool:
    """Whether the process of a number, and if known of that birth, is there and has not ended."""
    if not psutil.pid_exists(pid):
        return False
    try:
        if _stat(pid)[0] in _DEAD:
            return False
    except (OSError, ValueError, IndexError):  # no Linux, or not ours to look at
        pass
    now = born(pid)
    return not (birth and now) or birth == now


def uptime() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def _stat(pid: int) -> list[str]:
    """What Linux tells of a process after its name, which may hold anything."""
    told = Path(f"/proc/{pid}/stat").read_bytes()
    return told.rpartition(b")")[2].decode("ascii").split()
