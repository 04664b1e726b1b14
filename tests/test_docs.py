"""What the README, the guides, the example jobs and the docstrings show works as shown."""

import doctest
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import yaml
from pages import PAGES, REPO, all_blocks, blocks, commands, shown_outputs, text_of, told_commands
from PIL import Image
from trees import plant, segpipe

from cli import main
from pipeline.jobs.spec import load_spec

BASH = shutil.which("bash")
LEFT_OUT = ("cd", "git", "pip", "ls", ".", "mkdir", "python")
"""Programs whose commands are not run from console blocks: they set up, or are run by other tests."""
GPL = "GIMP Palette\nName: brand\n#\n0 0 0 black\n200 30 30 red\n250 240 220 cream\n"
ROWS = [
    '{"image": "a.jpg", "status": "done", "metrics": {"mse": 12.5}}',
    '{"image": "b", "status": "failed"}',
]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader of a page sits: a clone's jobs and pictures, photographs at home, a job of them."""
    home, desk = tmp_path / "home", tmp_path / "desk"
    for name in ("configs", "sample_data"):
        shutil.copytree(REPO / name, desk / name)
    for picture in (desk / "sample_data").rglob("*.*"):
        shutil.copy(picture, desk)
    for photos in (home / "photos", home / "Pictures", desk / "photos"):
        plant(photos, "a.jpg", "b.png")
    (desk / "brand.gpl").write_text(GPL, encoding="utf-8")
    (desk / "manifest.jsonl").write_text("\n".join(ROWS), encoding="utf-8")
    job = "input: {root: ~/photos}\noutput: {root: ~/photos-segpipe}\n"
    (desk / "job.yaml").write_text(job, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(desk)
    return desk


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [*blocks("console"), *(block for block in blocks("bash") if "-m venv" in block.text)], ids=str
)
def test_commands_run(desk, block):
    """Each by itself, one after the other, in this process."""
    if "segpipe init" in block.text:
        (desk / "job.yaml").unlink()
    for words in commands(block.text):
        program = words[0].rpartition("/")[2]
        if program in LEFT_OUT or words[1:3] in (["-m", "venv"], ["-m", "pytest"]):
            continue
        assert program == "segpipe", f"{block}: say in this test how {program!r} is run"
        result = segpipe(*(str(Path(word).expanduser()) for word in words[1:]))
        assert result.exit_code == 0, f"{block}: {shlex.join(words)}\n{result.output}"


@pytest.mark.slow
@pytest.mark.parametrize(("block", "shown"), shown_outputs(), ids=str)
def test_outputs_are_shown_as_they_are(desk, block, shown):
    printed = "".join(segpipe(*words[1:]).stdout for words in commands(block.text))
    missing = [line for line in shown.text.splitlines() if line.rstrip() not in printed]
    assert missing == []


@pytest.mark.slow
def test_the_first_commands_end_in_a_report(desk):
    (desk / "job.yaml").unlink()
    assert segpipe("init", Path("~/photos").expanduser(), "job.yaml").exit_code == 0
    if not load_spec(desk / "job.yaml").output.report:
        pytest.skip("init asks for no report")
    assert segpipe("run", "job.yaml").exit_code == 0
    assert Path("~/photos-segpipe/report/index.html").expanduser().exists()


@pytest.mark.slow
@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize("block", [block for block in blocks("bash") if "-m venv" not in block.text], ids=str)
def test_scripts_run(desk, block):
    """As a whole, in a shell that finds segpipe on its path."""
    programs = desk / "programs"
    programs.mkdir()
    code = f"import sys; sys.path.insert(0, {str(REPO)!r}); import cli; cli.main(prog_name='segpipe')"
    (programs / "segpipe").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n', encoding="utf-8"
    )
    (programs / "segpipe").chmod(0o755)
    there = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH, "-euo", "pipefail", "-c", block.text], env=there, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    for made in (desk / "docs/pictures").glob("*.png"):
        with Image.open(made) as new, Image.open(REPO / "docs/pictures" / made.name) as old:
            assert new.size == old.size
            off = np.abs(np.int16(new.convert("RGB")) - np.int16(old.convert("RGB"))).mean()
            assert off < 1, f"{made.name}: make it anew"  # decoders of JPEG may differ in the last bit


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize("block", all_blocks("console", "bash", "sh"), ids=str)
def test_what_is_not_run_is_well_formed_too(block):
    done = subprocess.run([BASH, "-n", "-c", block.text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "$ " not in block.text[:2], "prompts are copied along"


@pytest.mark.parametrize(
    ("place", "words"),
    told_commands(),
    ids=lambda told: told if isinstance(told, str) else " ".join(told[:1]),
)
def test_every_call_of_segpipe_is_understood(place, words):
    """Command, options and their values, whether it is run here or not."""
    if not words:  # it is asked for completion
        return
    assert words[0] in main.commands, f"{place}: there is no such command"
    command = main.commands[words[0]]
    try:
        command.make_context(words[0], words[1:])
    except click.exceptions.Exit:  # --help
        pass
    except click.UsageError as error:
        pytest.fail(f"{place}: segpipe {shlex.join(words)}: {error.format_message()}")


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
    for package in ("xarray", "sklearn"):
        if f"import {package}" in block.text or (package == "sklearn" and "ColorQuantizer" in block.text):
            pytest.importorskip(package)
    exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})  # noqa: S102


def test_every_kind_of_block_is_known_to_these_tests():
    fences = [kind for page in PAGES for kind in re.findall(r"^```(\w*)", text_of(page), re.MULTILINE)]
    known = {"console", "bash", "yaml", "python", "text", "zsh", "fish", ""}
    assert set(fences) == known
    assert fences.count("") * 2 == len(fences), "an end for each beginning, and a language for each block"
    shown = [words for block in blocks("console", "bash") for words in commands(block.text)]
    assert any(words[0].endswith("segpipe") and words[1] == "run" for words in shown)
    assert blocks("yaml")
    assert blocks("python")


def test_little_is_shown_that_is_not_run():
    shown, run = (
        len(found("console", "bash", "zsh", "fish", "yaml", "python")) for found in (all_blocks, blocks)
    )
    assert shown - run <= 16


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
