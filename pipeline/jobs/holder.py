"""Who holds a lock, as the lock says it."""

import hashlib
import os
import secrets
import socket
import time
from dataclasses import dataclass, replace

from pipeline.jobs.processes import born, is_alive, place, uptime

BEAT = 15.0
"""Seconds between two signs of life of one who holds a lock."""


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock.

    token : which no other has, nor the same process at another time. place, born : see `processes`.
    since : when it took the lock, for people. at : of its last sign of life, by its machine's `uptime`.
    beat : how many signs of life it has given. Written by another version of the program, all but the
    first two may be missing.
    """

    pid: int
    host: str
    token: str = ""
    place: str = ""
    born: str = ""
    since: str = ""
    at: float = 0.0
    beat: int = 0

    @classmethod
    def me(cls) -> "Holder":
        """Make that of this process, which is about to take a lock."""
        pid, since = os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S%z")
        return cls(pid, socket.gethostname(), secrets.token_hex(8), place(), born(pid), since, uptime())

    def beaten(self) -> "Holder":
        """The same, with one more sign of life."""
        return replace(self, at=uptime(), beat=self.beat + 1)

    def to_bytes(self) -> bytes:
        """Write it down; with whatever sign of life, in as many bytes."""
        words = {"token": self.token, "place": self.place, "born": self.born, "since": self.since}
        told = "".join(f"{key}={word}\n" for key, word in words.items())
        return f"{self.pid}\n{self.host}\n{told}at={self.at:014.2f}\nbeat={self.beat:010}\n".encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Holder | None":
        """Read it; None if it names nobody: its writer was killed over it."""
        try:
            pid, host, *more = data.decode().split("\n")
            words = dict(line.split("=", 1) for line in more if "=" in line)
            at, beat = float(words.pop("at", 0)), int(words.pop("beat", 0))
            texts = {key: words.get(key, "") for key in ("token", "place", "born", "since")}
            found = cls(int(pid), host, **texts, at=at, beat=beat)
        except ValueError:
            return None
        return found if 0 < found.pid < 2**31 and host else None

    @property
    def is_near(self) -> bool:
        """Whether this process could see it by its number."""
        return self.place == place() if self.place else self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether it is at work; only to be asked of one that is near."""
        return is_alive(self.pid, self.born)

    def told(self, age: float | None) -> str:
        """Who it is, in words. age : seconds since its last sign of life, if known."""
        mine = " (this very process)" if self.is_near and self.pid == os.getpid() else ""
        parts = [f"process {self.pid}{mine} on {self.host}"]
        if self.since:
            known = max(0.0, age or 0.0)
            parts.append(f"since {self.since} ({spell(self.beat * BEAT + known)}")
            parts[-1] += ")" if age is None else f", last sign of life {spell(known)} ago)"
        return " ".join(parts)


def token_of(data: bytes) -> str:
    """What tells a lock's holder from all others; of a lock that names none, its content's own digest."""
    found = Holder.from_bytes(data)
    if found is not None and found.token.isalnum() and len(found.token) < 64:
        return found.token
    return hashlib.sha256(data).hexdigest()[:16]


def spell(seconds: float) -> str:
    """A time in words; a rough one is enough."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
