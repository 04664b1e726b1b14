"""Completion: what TAB offers, in click's words and in shells; nothing heavy is loaded, nothing fails."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from trees import Site, plant

from cli import main

REPO = Path(__file__).parents[1]


def offered(*words: str) -> list[str]:
    """The values that are offered for the last word."""
    *before, typed = words
    found = ShellComplete(main, {}, "segpipe", "_SEGPIPE_COMPLETE").get_completions(before, typed)
    return [item.value if item.type == "plain" else f"<{item.type}>" for item in found]


@pytest.fixture
def site(tmp_path, monkeypatch) -> Site:
    """A job that has run, seen from its folder."""
    made = Site(tmp_path)
    plant(made.inputs, "cats/tom.png", "cats/a b.png", "dogs/rex.png")
    made.run()
    monkeypatch.chdir(tmp_path)
    return made


def test_commands_and_options_are_offered():
    assert {"run", "plan", "status"} <= set(offered(""))
    assert offered("st") == ["status"]
    assert "--time-limit" in offered("run", "--")
    assert offered("palette", "--method", "m") == ["minibatch"]
    assert offered("palette", "--color-space", "l") == ["linear", "lab"]


def test_job_files_are_offered_and_anything_where_there_are_none(site):
    (site.base / "nightly.yml").write_text("")
    (site.base / "notes.txt").write_text("")
    assert offered("run", "") == ["job.yaml", "nightly.yml"]
    assert offered("plan", "n") == ["nightly.yml"]
    assert offered("status", f"{site.base}/j") == [str(site.job)]
    assert offered("run", "in") == ["<file>"]
    assert offered("run", "gone/x") == ["<file>"]
    assert offered("init", "") == ["<dir>"]


def test_keys_and_their_values_are_offered():
    keys = offered("run", "job.yaml", "--set", "")
    assert {"quantize.colors=", "output.palette.names=", "compute.cluster="} <= set(keys)
    assert "quantize=" not in keys
    assert "quantize.target=" not in keys
    assert offered("run", "job.yaml", "--set", "output.lab") == ["output.labels.format="]
    assert offered("run", "job.yaml", "--set", "output.labels.format=") == [
        f"output.labels.format={word}" for word in ("png", "tiff", "none")
    ]
    assert offered("run", "job.yaml", "--set", "output.report=t") == ["output.report=true"]
    assert "quantize.colors=auto" in offered("run", "job.yaml", "--set", "quantize.colors=")
    assert "compute.workers=null" in offered("plan", "job.yaml", "--set", "compute.workers=")
    assert offered("run", "job.yaml", "--set", "nope=") == []
    assert offered("run", "job.yaml", "--cluster", "s") == ["ssh", "slurm", "sge"]


def test_images_are_offered_from_the_manifest(site, monkeypatch):
    shutil.move(site.inputs, site.base / "away")
    assert offered("explain", "job.yaml", "") == ["cats/a b.png", "cats/tom.png", "dogs/rex.png"]
    assert offered("compare", "job.yaml", "cats/t") == ["cats/tom.png"]
    monkeypatch.setattr("pipeline.commands.completion._MOST", 2)
    assert offered("explain", "job.yaml", "") == ["cats/", "dogs/"]
    assert offered("explain", "job.yaml", "cats/") == ["cats/a b.png", "cats/tom.png"]


def test_images_that_no_run_has_seen_are_offered_a_folder_at_a_time(site):
    other = ("--set", "output.root=elsewhere")
    (site.inputs / "notes.txt").write_text("")
    assert offered("explain", *other, "job.yaml", "") == ["cats/", "dogs/"]
    assert offered("explain", *other, "job.yaml", "dogs/") == ["dogs/rex.png"]


@pytest.mark.parametrize("job", ["gone.yaml", "in", "broken.yaml", "\0"])
def test_what_is_wrong_is_not_offered_and_no_error(site, job):
    (site.base / "broken.yaml").write_text("input: {root: [")
    assert offered("explain", job, "") == []


@pytest.mark.parametrize(
    "instruction", ["bash_complete", "zsh_complete", "fish_complete", "bash_x", "moon", "x_y"]
)
def test_no_surroundings_bring_a_traceback(instruction):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['segpipe']; import cli; cli.main()"],
        cwd=REPO,
        env=os.environ | {"_SEGPIPE_COMPLETE": instruction},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


HEAVY = ("numba", "dask", "distributed", "skimage", "zarr")


@pytest.mark.parametrize("line", ["segpipe ", "segpipe run job.yaml --set qu", "segpipe explain job.yaml c"])
def test_nothing_heavy_is_loaded(site, line):
    script = (
        "import sys, atexit; sys.argv = ['segpipe'];"
        f"atexit.register(lambda: print('\\nloaded:', *[name for name in {HEAVY!r} if name in sys.modules]));"
        "import cli; cli.main()"
    )
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(REPO), "_SEGPIPE_COMPLETE": "bash_complete", "COMP_LINE": line},
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.monotonic() - begun < 20
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert "plain," in done.stdout


# In shells


@pytest.fixture
def path(tmp_path_factory):
    """A PATH on which there is a segpipe."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "segpipe").write_text(
        f"#!/bin/sh\nPYTHONPATH='{REPO}' exec '{sys.executable}' -c "
        '\'import sys; sys.argv[0] = "segpipe"; import cli; cli.main()\' "$@"\n'
    )
    (folder / "segpipe").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def source(shell, path):
    """The script that is sourced."""
    found = subprocess.run(
        ["segpipe"],
        env=os.environ | {"PATH": path, "_SEGPIPE_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


TAB = """
eval "$SOURCE"
COMP_LINE=$1; COMP_POINT=${#1}
compopt() { echo "compopt $*"; }
_segpipe_completion segpipe
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("segpipe stat", ["status"]),
        ("segpipe run ", ["job.yaml"]),
        ("segpipe run in", ["compopt -o default", ""]),
        ("segpipe run job.yaml --set quantize.meth", ["compopt -o nospace", "quantize.method="]),
        ("segpipe run job.yaml --set quantize.method=k", ["kmeans"]),
        ("segpipe run job.yaml --set output.report=", ["true", "false"]),
        ("segpipe run job.yaml --set=output.report=", ["true", "false"]),
        ("segpipe explain job.yaml cats/", [r"cats/a\ b.png", "cats/tom.png"]),
        (r"segpipe explain job.yaml cats/a\ ", [r"cats/a\ b.png"]),
        ("segpipe explain job.yaml 'cats/a ", ["cats/a b.png"]),
        ("segpipe explain gone.yaml ", [""]),
    ],
)
def test_bash_completes(site, path, line, answers):
    if not shutil.which("bash"):
        pytest.skip("no bash")
    done = subprocess.run(
        ["bash", "--norc", "-c", TAB, "bash", line],
        env=os.environ | {"PATH": path, "SOURCE": source("bash", path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == answers


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("segpipe stat", ["status"]),
        ("segpipe run ", ["job.yaml"]),
        ("segpipe run job.yaml --cluster ss", ["ssh"]),
        ("segpipe run job.yaml --set quantize.meth", ["quantize.method="]),
        ("segpipe run job.yaml --set output.report=", ["output.report=true", "output.report=false"]),
    ],
)
def test_fish_completes(site, path, line, answers):
    if not shutil.which("fish"):
        pytest.skip("no fish")
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"{source('fish', path)}\ncomplete -C '{line}'"],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert {row.partition("\t")[0] for row in done.stdout.splitlines()} == set(answers)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_have_no_mistake(path, tmp_path, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    script = tmp_path / "script"
    script.write_text(source(shell, path), encoding="utf-8")
    subprocess.run([shell, "-n", script], check=True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(path, shell):
    assert "_segpipe_completion" in source(shell, path)
    assert shell != "zsh" or "-S ''" in source(shell, path), "click's own has changed; look at shells.py"
