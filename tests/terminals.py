"""Programs in a pseudo-terminal, and what they leave on its screen."""

import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

REPO = Path(__file__).parents[1]
CLEARED = ("COLORTERM", "NO_COLOR", "TERM", "COLUMNS", "LINES", "CI")


class Shown(NamedTuple):
    """What a program wrote to its terminal, and how it ended."""

    text: str
    code: int
    width: int

    def screen(self) -> list[str]:
        """The lines on the screen at the end: those of a terminal that scrolls and knows no colours."""
        lines, row, column = [""], 0, 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\s\S]", self.text):
            if part == "\r":
                column = 0
            elif part == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif part == "\x1b[A":
                row = max(0, row - 1)
            elif part.startswith("\x1b"):
                assert part[-1] == "m", f"an escape that this screen does not know: {part!r}"
            else:
                if column >= self.width:
                    row, column = row + 1, 0
                    lines += [""] * (row + 1 - len(lines))
                lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + 1 :]
                column += 1
        return [line.rstrip() for line in lines]


def in_terminal(
    *arguments: str | Path, width: int = 80, environ: dict[str, str] | None = None, interrupt_at: str = ""
) -> Shown:
    """Run the command line with stderr and stdin on a pseudo-terminal of this width.

    interrupt_at : Ctrl-C is pressed when this has been shown.
    """
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in CLEARED}
    with subprocess.Popen(
        [sys.executable, REPO / "cli.py", *arguments],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=clean | {"PYTHONUTF8": "1", "TERM": "xterm"} | (environ or {}),
        start_new_session=True,
    ) as program:
        os.close(theirs)
        shown, end = b"", time.monotonic() + 120
        while part := read(ours):
            shown += part
            if interrupt_at and interrupt_at.encode() in shown:
                interrupt_at = ""
                program.send_signal(signal.SIGINT)
            assert time.monotonic() < end, shown
    os.close(ours)
    return Shown(shown.decode(), program.returncode, width)


def read(terminal: int) -> bytes:
    """Read what there is; nothing when the other side has gone."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
