"""Images that hang, kill or eat memory, in worker processes: told by their names.

A worker loads this file before it works (Dask's preload). `POISON` in its environment holds words such as
`crash:3.png`: of the image of that name (`*`: of each), decoding does what the word says; `crash_once:3.png`
does so only the first time. `POISON_LOG` names a file in which each image is noted that is decoded.
"""

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any


def crash() -> None:
    """End as a decoder does that reads where it may not."""
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    """Wait in C for what never comes, deaf to exceptions."""
    ctypes.CDLL(None).sleep(3600)


def freeze() -> None:
    """Stop the whole process, the part that talks to the scheduler too."""
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3600)


def gorge() -> None:
    """Take memory until someone ends it."""
    eaten = []
    while True:
        eaten.append(b"x" * (8 << 20))
        time.sleep(0.01)


def slow() -> None:
    """Take a while, so that others can interfere."""
    time.sleep(0.6)


DEEDS = {deed.__name__: deed for deed in (crash, hang, freeze, gorge, slow)}


def dask_setup(worker: Any) -> None:
    """Poison this process."""
    from pipeline.jobs import tasks

    doses = dict(dose.split(":")[::-1] for dose in os.environ.get("POISON", "").split())
    decode = tasks.decode

    def poisoned(source: Any, *arguments: Any) -> Any:
        diary = Path(os.environ["POISON_LOG"])
        seen = diary.exists() and source.name in diary.read_text().split()
        with diary.open("a") as log:
            log.write(f"{source.name}\n")
        deed = doses.get(source.name) or doses.get("*", "")
        if deed and not (seen and deed.endswith("_once")):
            DEEDS[deed.removesuffix("_once")]()
        return decode(source, *arguments)

    tasks.decode = poisoned
