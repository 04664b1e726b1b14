"""The gate, `.ci/run`: it installs what is missing once, and no test is skipped unnoticed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
TOOLS = ("bash", "cat", "dirname", "grep", "mktemp", "rm", "sed", "tee", "touch", "chmod")
SKIPS = {
    "": 0,
    "SKIPPED [1] tests/test_a.py:9: all may be read": 0,
    "SKIPPED [1] tests/test_a.py:9: the CQ100 photographs and their anchors are not at /data": 0,
    "SKIPPED [2] tests/test_a.py:9: there is no chromium with its chromedriver": 1,
    "SKIPPED [1] tests/test_a.py:9: could not import 'rasterio': No module named 'rasterio'": 1,
}

# Installs nothing but what the gate looks for, and says that it was called.
APT_GET = """
echo "$*" >> "$HERE/calls"
for name in "$@"; do case $name in
  python3) touch "$HERE/venv" ;;
  systemd) ln_to systemd-analyze ;;
  chromium) ln_to chromium ;;
  chromium-driver) ln_to chromedriver ;;
  zsh | fish) ln_to "$name" ;;
esac; done
"""
LN_TO = 'ln_to() { echo "#!/bin/sh" > "$HERE/bin/$1"; chmod +x "$HERE/bin/$1"; }\n'

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")


class Gate:
    """A checkout whose tests and linters are stand-ins, on a machine that has nothing else.

    calls : what apt-get was asked for since it was last looked at.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self._bin = base / "bin"
        for folder in (self._bin, base / ".ci", base / ".venv/bin"):
            folder.mkdir(parents=True)
        shutil.copy(REPO / ".ci/run", base / ".ci/run")
        for name in TOOLS:
            (self._bin / name).symlink_to(str(shutil.which(name)))
        for name in ("ruff", "mypy"):
            self._program(base / ".venv/bin" / name, f'echo {name} "$@"')
        self._program(self._bin / "apt-get", LN_TO + APT_GET)
        self._program(self._bin / "python3", 'test -e "$HERE/venv"')

    def _program(self, path: Path, script: str) -> None:
        path.write_text(f"#!{shutil.which('bash')}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, tests: str) -> subprocess.CompletedProcess[str]:
        readme = f"<!-- tests -->\n```bash\n{tests}\n```\n"
        (self.base / "README.md").write_text(readme, encoding="utf-8")
        environment = {"PATH": str(self._bin), "HERE": str(self.base), "TMPDIR": str(self.base)}
        return subprocess.run(
            [str(self._bin / "bash"), ".ci/run"],
            cwd=self.base,
            env=environment,
            capture_output=True,
            text=True,
        )

    @property
    def calls(self) -> list[str]:
        found = self.base / "calls"
        lines = found.read_text(encoding="utf-8").splitlines() if found.exists() else []
        found.unlink(missing_ok=True)
        return lines


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_what_is_missing_is_installed_once(gate):
    assert gate.run("true").returncode == 0
    assert [call for call in gate.calls if call.startswith("install")] == [
        "install -y -qq python3 python3-venv",
        "install -y -qq systemd",
        "install -y -qq chromium chromium-driver",
        "install -y -qq zsh fish",
    ]
    done = gate.run("true")
    assert done.returncode == 0, done.stderr
    assert gate.calls == []
    assert done.stdout.splitlines() == ["+ true", "ruff check .", "ruff format --check .", "mypy"]


@pytest.mark.parametrize("line", SKIPS)
def test_only_what_the_machine_does_not_permit_is_skipped(gate, line):
    done = gate.run(f'echo "{line}"')
    assert done.returncode == SKIPS[line], done.stderr
    assert line in done.stdout
    assert ("mypy" in done.stdout) == (not SKIPS[line])
    assert ("must not be" in done.stderr) == bool(SKIPS[line])


def test_tests_are_told_that_no_browser_is_a_failure(gate):
    assert "so it is: true" in gate.run('echo "so it is: $CI"').stdout


def test_tests_that_fail_end_it(gate):
    done = gate.run("exit 3")
    assert done.returncode == 3
    assert "ruff" not in done.stdout


def test_nothing_is_left_behind(gate):
    gate.run("true")
    before = sorted(gate.base.iterdir())
    gate.run("exit 1")
    assert sorted(gate.base.iterdir()) == before


def test_it_is_a_program():
    assert os.access(REPO / ".ci/run", os.X_OK)
