"""Locks of others: of dead processes, of other machines, of those that are held for dead."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.jobs.holder import Holder

ELSEWHERE = {"host": "node7.example", "place": "node7.example/a-boot/pid:[1]"}


def haste(monkeypatch: pytest.MonkeyPatch, beat: float = 0.2) -> None:
    """Let locks of this process beat, and be given up, in less than a second."""
    monkeypatch.setattr("pipeline.jobs.lock.BEAT", beat)
    monkeypatch.setattr("pipeline.jobs.taking.BEAT", beat)
    monkeypatch.setattr("pipeline.jobs.taking.PATIENCE", 4 * beat)
    for module in ("lock", "taking"):
        monkeypatch.setattr(f"pipeline.jobs.{module}.GLANCE", beat / 8)


def read(path: Path) -> Holder:
    found = Holder.from_bytes(path.read_bytes())
    assert found is not None
    return found


def forge(path: Path, **words: object) -> Holder:
    """Change what a lock says; with no words, its holder becomes one of another machine."""
    found = replace(read(path), **(words or ELSEWHERE))  # type: ignore[arg-type]
    path.write_bytes(found.to_bytes())
    return found


def put(path: Path, **words: object) -> Holder:
    """Put a lock that says of this process, but for these words."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Holder.me().to_bytes())
    return forge(path, **words)


def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
