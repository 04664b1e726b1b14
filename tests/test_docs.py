"""What the README, the example jobs and the docstrings show works as shown."""

import doctest
import importlib
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from trees import plant, segpipe

from cli import main
from pipeline.errors import ExitCode
from pipeline.jobs.spec import load_spec
from pipeline.jobs.spec_schema import json_schema

REPO = Path(__file__).parents[1]
README = (REPO / "README.md").read_text(encoding="utf-8")
SKIPPED = ("<!-- not run -->", "…", "tcp://", "<", "JOB")
"""A command or block that shows one of these stands for others: it is not run."""


class Block(NamedTuple):
    """A fenced block of the README."""

    kind: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"README.md:{self.line}"


def blocks(*kinds: str) -> list[Block]:
    """All blocks of some languages, but for those behind a line ``<!-- not run -->``."""
    found = re.finditer(r"^([^\n]*)\n```(\w+)\n(.*?)^```$", f"\n{README}", re.MULTILINE | re.DOTALL)
    return [
        Block(match[2], README[: match.start()].count("\n") + 2, match[3])
        for match in found
        if match[2] in kinds and match[1].strip() != SKIPPED[0]
    ]


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a console block, word by word: lines after a prompt, or all if there is none."""
    lines = text.replace("\\\n", " ").splitlines()
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    for line in prompted or lines:
        for command in re.split(r"&&|;|\|", line.partition(" #")[0]):
            if command.strip() and not any(mark in command for mark in SKIPPED):
                yield shlex.split(command, comments=True)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader of the README sits: a clone's jobs and pictures, and photographs at home."""
    home, desk = tmp_path / "home", tmp_path / "desk"
    for name in ("configs", "sample_data"):
        shutil.copytree(REPO / name, desk / name)
    for picture in (desk / "sample_data").rglob("*.*"):
        shutil.copy(picture, desk)
    for photos in (home / "photos", home / "Pictures", desk / "photos"):
        plant(photos, "a.jpg", "b.png")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(desk)
    return desk


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("console", "bash", "sh", "shell"), ids=str)
def test_commands_run(desk, block):
    for words in commands(block.text):
        program = words[0].rpartition("/")[2]
        if program in ("cd", "git", "pip", "ls") or words[1:3] in (
            ["-m", "venv"],
            ["-m", "pip"],
            ["-m", "pytest"],
        ):
            continue
        if words[1:3] == ["-m", "pydoc"]:
            assert importlib.import_module(words[3]).__doc__
            continue
        assert program == "segpipe", f"{block}: say in this test how {program!r} is run"
        result = segpipe(*(str(Path(word).expanduser()) for word in words[1:]))
        assert result.exit_code == 0, f"{block}: {shlex.join(words)}\n{result.output}"


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_jobs_load(desk, block):
    job = desk / "shown.yaml"
    content: dict[str, dict[str, Any]] = yaml.safe_load(block.text)
    if {"input", "output"} <= content.keys():
        job.write_text(block.text, encoding="utf-8")
        load_spec(job)
    content.setdefault("input", {})["root"] = "photos"
    content.setdefault("output", {})["root"] = "quantized-photos"
    job.write_text(yaml.safe_dump(content), encoding="utf-8")
    load_spec(job)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_runs(desk, block):
    exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})  # noqa: S102


def test_there_is_something_to_run():
    shown = [words for block in blocks("console", "bash") for words in commands(block.text)]
    assert any(words[0].endswith("segpipe") and words[1] == "run" for words in shown)
    assert blocks("yaml")
    assert blocks("python")


def test_every_command_is_told_and_every_told_command_is_there():
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    told = set(re.findall(r"`segpipe ([a-z]+)", prose))
    cells = re.findall(r"^\| ([^|]+) \|", prose, re.MULTILINE)
    rows = {word for cell in cells for word in re.findall(r"`([a-z]+)[ `]", cell)}
    assert told <= main.commands.keys()
    assert main.commands.keys() <= told | rows


def test_every_key_that_is_told_is_there():
    def keys(node: dict[str, Any], above: str) -> Iterator[str]:
        for name, below in node.get("properties", {}).items():
            yield f"{above}{name}"
            yield from keys(below, f"{above}{name}.")

    known = set(keys(json_schema(), ""))
    told = set(re.findall(r"\b(?:input|output|quantize|compute)\.[a-z_]+(?:\.[a-z_]+)*", README))
    assert told <= known, "no such keys"


def test_exit_codes_are_told_as_they_are():
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", README, re.MULTILINE)
    assert rows == [(str(int(code)), code.meaning, code.then) for code in ExitCode]
    shown = segpipe("--help").stdout
    for code in ExitCode:
        line = f" {int(code)}  {code.meaning}: {code.then}".replace("`", "")
        assert line in shown, f"{code.name} is not told by --help"


@pytest.mark.parametrize("path", sorted((REPO / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_example_jobs_load(path):
    spec = load_spec(path)
    assert spec.input.root != spec.output.root
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=job.schema.json\n")


@pytest.mark.slow
def test_the_main_job_runs_and_has_nothing_to_do_then(desk):
    assert segpipe("run", "configs/job.yaml").exit_code == 0
    result = segpipe("run", "configs/job.yaml")
    assert (result.exit_code, "0 done" in result.stderr) == (0, True)


@pytest.mark.parametrize("name", ["pipeline", "pipeline.library.quantizer"])
def test_docstrings_show_what_happens(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted or name == "pipeline"  # which shows, and skips, what the other runs
