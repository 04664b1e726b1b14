"""Small trees of images, their job file, and what a tree looks like at an instant."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from cli import main

AN_HOUR = 3600 * 10**9  # ns; younger files are not trusted by their stat
DEBRIS = ".segpipe-"


def picture(seed: int, width: int = 24, height: int = 16) -> Image.Image:
    """Noise, with more colours than any job here asks for."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def plant(root: Path, *keys: str, seed: int = 0) -> None:
    """Save an image under each key, as if made an hour ago."""
    for number, key in enumerate(keys):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed + number).save(path)
        age(path)


def age(path: Path, by: int = AN_HOUR) -> None:
    """Set a file's time of change to some ns ago."""
    then = time.time_ns() - by
    os.utime(path, ns=(then, then))


def segpipe(*arguments: str | Path) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, [os.fspath(argument) for argument in arguments])


class Site:
    """A job with its folders: `inputs`, `outputs`, and the file `job`."""

    def __init__(self, base: Path, **sections: dict[str, Any]) -> None:
        base.mkdir(parents=True, exist_ok=True)
        self.base = base
        self.inputs = base / "in"
        self.outputs = base / "out"
        self.state = self.outputs / ".segpipe"
        self.manifest = self.outputs / "manifest.jsonl"
        self.job = base / "job.yaml"
        self.inputs.mkdir(exist_ok=True)
        content: dict[str, dict[str, Any]] = {
            "input": {"root": "in"},
            "output": {"root": "out"},
            "quantize": {"colors": 4},
            "compute": {"cluster": "inline"},
        }
        for name, section in sections.items():
            content.setdefault(name, {}).update(section)
        self.job.write_text(yaml.safe_dump(content), encoding="utf-8")

    def call(self, command: str, *arguments: str) -> Result:
        """Run `segpipe COMMAND JOB …`; a bug (exit 70) shows its traceback."""
        result = segpipe(command, self.job, *arguments)
        assert result.exit_code != 70, result.output
        return result

    def run(self, *arguments: str, code: int = 0) -> Result:
        """Run the job and hold the exit code against the one expected."""
        result = self.call("run", *arguments)
        assert result.exit_code == code, result.output
        return result

    def plan(self, *arguments: str) -> dict[str, Any]:
        """Give the plan as its JSON says it."""
        result = self.call("plan", "--json", *arguments)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def reasons(self, *arguments: str) -> dict[str, str]:
        """Give the reason of every decision that asks for work, by key."""
        images = self.plan(*arguments)["images"]
        return {row["image"]: row["reason"] for row in images if row["work"]}

    def records(self) -> dict[str, dict[str, Any]]:
        """Give the manifest's records by key."""
        lines = self.manifest.read_bytes().splitlines()
        return {record["image"]: record for record in map(json.loads, lines)}

    def errors(self) -> dict[str, str]:
        """Give the kind of failure of every image that failed."""
        return {key: record["error"]["type"] for key, record in self.records().items() if "error" in record}


def contents(root: Path) -> dict[str, bytes]:
    """Every file's bytes by path, the state folder left out."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".segpipe" not in path.relative_to(root).parts
    }


def snapshot(root: Path) -> dict[str, tuple[Any, ...]]:
    """Everything that a write would change: bytes, times and inodes of all files and folders."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted([root, *root.rglob("*")]):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() else None
        found[path.relative_to(root).as_posix()] = (status.st_mode, status.st_mtime_ns, status.st_ino, data)
    return found


def debris(root: Path) -> list[str]:
    """Files that a run has on disk only while it is at work."""
    return [
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*"))
        if path.name.startswith(DEBRIS) or path.relative_to(root).as_posix() in RUNNING
    ]


def peak_of_run(site: Site, *arguments: str) -> int:
    """The most memory, in bytes, that a run in one process of its own has resident; only on Linux."""
    repo = os.fspath(Path(__file__).parents[1])
    command = [sys.executable, "-m", "cli", "run", os.fspath(site.job), "--cluster", "inline", *arguments]
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *command],
        capture_output=True,
        text=True,
        check=True,
        cwd=repo,
        env=os.environ | {"PYTHONPATH": repo},
    )
    return int(done.stdout.splitlines()[-1])


_PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""

RUNNING = {".segpipe/lock", ".segpipe/journal.jsonl"}
