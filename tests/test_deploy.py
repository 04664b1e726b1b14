"""The examples for operators hold: by their own validators where there are any, by their rules else."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from trees import segpipe

from pipeline.errors import ExitCode

REPO = Path(__file__).parents[1]
DEPLOY = REPO / "configs/deploy"
SCRIPTS = sorted(DEPLOY.glob("*.sbatch"))
FIELD = r"(?:\*|\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)(?:/\d+)?"
CODES = {int(code) for code in ExitCode}
BESIDE = Path(sys.executable).parent
"""Where programs lie that packages from PyPI bring."""


def lines(name: str) -> list[str]:
    return (DEPLOY / name).read_text(encoding="utf-8").splitlines()


def segpipe_calls(text: str) -> list[str]:
    """Every call of segpipe in a file, comments left out."""
    whole = re.sub(r"^\s*#.*$", "", text.replace("\\\n", " "), flags=re.MULTILINE)
    return re.findall(r"(?<![\w/.-])(?:/usr/local/bin/)?segpipe ((?:run|merge|verify)\b[^\n&;)]*)", whole)


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_options_that_are_shown_are_there(path):
    text = path.read_text(encoding="utf-8")
    for call in segpipe_calls(text):
        told = segpipe(call.split()[0], "--help").stdout
        for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", call):
            assert option in told, f"{call}: {option}"
    assert max(map(len, text.splitlines())) < 130


@pytest.mark.parametrize(("name", "count"), [("crontab", 2), ("scrontab", 1)])
def test_crontabs_are_of_five_fields_and_a_command(name, count):
    entries = [line for line in lines(name) if line and not re.match(r"#|[A-Z]+=", line)]
    assert len(entries) == count
    for entry in entries:
        assert re.fullmatch(rf"(?:{FIELD} +){{5}}(?:told=\$\()?segpipe .+", entry), entry
        assert "%" not in entry, "cron takes it for the end of a line"
    for line in lines(name):
        if line.startswith("#SCRON"):
            assert re.fullmatch(r"#SCRON --[a-z-]+(=\S+)?", line)
    assert all("-q" in entry for entry in entries if " run " in entry)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_units_are_sound(tmp_path):
    for path in (*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")):
        text = path.read_text(encoding="utf-8").replace("/usr/local/bin/segpipe", sys.executable)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "segpipe" in line]
    if not found and done.returncode:
        pytest.skip(f"systemd-analyze cannot work here: {done.stderr.strip()[:200]}")
    assert found == []


def test_the_service_retries_what_is_worth_it():
    unit = dict(line.split("=", 1) for line in lines("segpipe.service") if re.match(r"[A-Z]\w+=", line))
    assert unit["Type"] == "oneshot"
    assert unit["Restart"] == "on-failure"
    ends = {
        int(code) for key in ("SuccessExitStatus", "RestartPreventExitStatus") for code in unit[key].split()
    }
    assert ends == CODES - {ExitCode.DONE, ExitCode.WORKERS_LOST}
    assert unit["SuccessExitStatus"] == str(int(ExitCode.WORK_LEFT))
    assert unit["KillMode"] == "mixed"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_batch_scripts_are_sound(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/bash\n")
    head, _, body = text.partition("set -u\n")
    assert "#SBATCH" not in body, "read only above the first command"
    given = re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", head, re.MULTILINE)
    assert len(given) == head.count("\n#SBATCH")
    assert dict(given)["signal"].startswith("B:USR1@")
    done = subprocess.run([BESIDE / "shellcheck", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def stub(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def start(script: str, tmp_path: Path, program: str, **variables: str) -> subprocess.Popen[str]:
    """Start a batch script with a segpipe of ours that notes what it hears."""
    stub(tmp_path, "segpipe", f'echo "segpipe $*" >> {tmp_path}/heard\n{program}')
    stub(tmp_path, "scontrol", f'echo "scontrol $*" >> {tmp_path}/heard')
    given = {"SLURM_JOB_ID": "42", "SLURM_CPUS_PER_TASK": "3", "SEGPIPE_JOB": "job.yaml"} | variables
    return subprocess.Popen(
        ["bash", str(DEPLOY / script)], env=os.environ | given | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    )


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
@pytest.mark.parametrize(
    ("code", "restarts", "again"),
    [(0, "0", False), (1, "0", False), (5, "2", True), (5, "3", False), (7, "9", True)],
)
def test_the_batch_script_queues_itself_again_for_what_is_worth_it(tmp_path, code, restarts, again):
    process = start("nightly.sbatch", tmp_path, f"exit {code}", SLURM_RESTART_COUNT=restarts)
    assert process.wait(timeout=30) == code
    heard = (tmp_path / "heard").read_text().splitlines()
    assert heard[0] == "segpipe run job.yaml --workers 3 --log-json"
    assert heard[1:] == (["scontrol requeue 42"] if again else [])


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_the_batch_script_hands_the_warning_on_and_waits(tmp_path):
    program = "trap 'sleep 0.3; exit 7' USR1; touch ${0%/*}/ready; while true; do sleep 0.05; done"
    process = start("nightly.sbatch", tmp_path, program)
    end = time.monotonic() + 30
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=30) == 7
    assert (tmp_path / "heard").read_text().splitlines()[1:] == ["scontrol requeue 42"]


def test_an_array_has_as_many_tasks_as_shards():
    text = (DEPLOY / "array.sbatch").read_text(encoding="utf-8")
    assert re.findall(r"--array=1-(\d+)|^SHARDS=(\d+)", text, re.MULTILINE) == [("8", ""), ("", "8")]


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_each_task_of_an_array_does_its_shard(tmp_path):
    process = start("array.sbatch", tmp_path, "exit 0", SLURM_ARRAY_TASK_ID="3", SLURM_ARRAY_TASK_COUNT="1")
    assert process.wait(timeout=30) == 0
    assert (tmp_path / "heard").read_text() == "segpipe run job.yaml --shard 3/8 --workers 3 --log-json\n"


def test_the_cron_job_of_kubernetes_has_what_it_must_have():
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "cronjob.yaml").read_text(encoding="utf-8"))
    assert (found["apiVersion"], found["kind"]) == ("batch/v1", "CronJob")
    kubernetes_validate.validate(found, "1.31", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError, match="concurencyPolicy"):
        kubernetes_validate.validate({**found, "spec": {"concurencyPolicy": "Forbid"}}, "1.31", strict=True)
    spec = found["spec"]
    assert re.fullmatch(rf"{FIELD}(?: {FIELD}){{4}}", spec["schedule"])
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    assert job["activeDeadlineSeconds"] > 5.5 * 3600, "the run's own time limit comes first"
    assert job["backoffLimit"] >= 1
    assert pod["restartPolicy"] == "Never", "podFailurePolicy asks for it"
    assert pod["securityContext"]["runAsNonRoot"]
    [container] = pod["containers"]
    assert container["args"][:1] == ["run"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    ignored, failing = job["podFailurePolicy"]["rules"]
    assert (ignored["action"], failing["action"]) == ("Ignore", "FailJob")
    codes = failing["onExitCodes"]
    assert (codes["containerName"], codes["operator"]) == (container["name"], "In")
    tried_again = CODES - set(codes["values"]) - {0, ExitCode.INTERRUPTED, ExitCode.TERMINATED}
    assert set(codes["values"]) <= CODES
    assert tried_again == {ExitCode.WORKERS_LOST, ExitCode.OUTPUT_UNWRITABLE}


def test_the_image_is_slim_and_nobody_is_root_in_it():
    path = DEPLOY / "Dockerfile"
    if (BESIDE / "hadolint").exists():  # there is none but for Linux
        done = subprocess.run([BESIDE / "hadolint", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    words = [word for word, _ in found]
    assert set(words) <= {"FROM", "ARG", "RUN", "COPY", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    assert re.fullmatch(r"python:3\.\d+-slim", found[0][1])
    user = next(rest for word, rest in reversed(found) if word == "USER")
    assert user.isdigit()
    assert int(user) > 0
    assert words.index("USER") < words.index("ENTRYPOINT")
    for word, rest in found:
        if word == "COPY":
            for name in rest.split()[:-1]:
                assert (REPO / name).exists(), f"COPY {name}"
