"""What goes wrong on the first day: each mistake ends in its code and in words that say what to do.

A row is what is typed, the exit code, and words that have to be there, in this order: the place, what was
expected or found, what to do.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trees import Site, plant, segpipe

import pipeline
from pipeline.jobs import extras


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job with its images, and what may be taken for one."""
    site = Site(tmp_path)
    plant(site.inputs, "a.png", "sub/dog.png")
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(site.inputs / "black.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "docs").mkdir()
    for name in ("a.heic", "b.txt", "c.txt"):
        (tmp_path / "docs" / name).write_text("no image")
    (tmp_path / "random.yaml").write_bytes(np.random.default_rng(0).bytes(400))
    (tmp_path / "utf16.yaml").write_bytes("input:".encode("utf-16"))
    (tmp_path / "a file").write_text("in the way")
    monkeypatch.chdir(tmp_path)
    return tmp_path


ROWS: list[tuple[tuple[str, ...], int, tuple[str, ...]]] = [
    # no command, or another word
    ((), 2, ("Usage: ", "Commands:", "init", "run")),
    (("stauts", "job.yaml"), 2, ("expected a command", "'stauts'", "did you mean 'status'")),
    (("Run", "job.yaml"), 2, ("did you mean 'run'",)),
    (("xyzzy",), 2, ("expected a command", "'xyzzy'", "compare, explain, init")),
    (("job.yaml",), 2, ("found the file 'job.yaml'", "did you mean: segpipe run job.yaml")),
    (("in",), 2, ("found the folder 'in'", "segpipe init in")),
    (("in/a.png",), 2, ("found the file 'in/a.png'", "segpipe palette in/a.png")),
    (("x" * 5000,), 2, ("expected a command",)),
    (("run", "job.yaml", "--wrokers", "3"), 2, ("--wrokers", "--workers")),
    (("run", "job.yaml", "other.yaml"), 2, ("other.yaml",)),
    # no job file, or another file
    (("run",), 2, ("expected a job file", "did you mean: segpipe run job.yaml")),
    (("plan", "--json"), 2, ("expected a job file", "segpipe plan job.yaml")),
    (("run", "jbo.yaml"), 2, ("jbo.yaml: no such file", "did you mean 'job.yaml'?")),
    (("run", "elsewhere/x.yaml"), 2, ("elsewhere/x.yaml: no such file", "segpipe init")),
    (("run", "in"), 2, ("in: expected a job file, found a folder", "segpipe init in")),
    (("run", "."), 2, (".: expected a job file, found a folder", "did you mean 'job.yaml'?")),
    (("run", "in/a.png"), 2, ("in/a.png: expected a job file, found an image", "segpipe palette in/a.png")),
    (("run", "random.yaml"), 2, ("random.yaml: expected a job file", "no text", "check the path")),
    (("run", "utf16.yaml"), 2, ("utf16.yaml:1:1", "0xff is not UTF-8", "save the file as UTF-8")),
    (("run", "docs/b.txt"), 2, ("docs/b.txt:1:1", "expected sections", "found 'no image'")),
    # wrong keys and values
    (
        ("run", "job.yaml", "--set", "quantize.colours=3"),
        2,
        ("--set quantize.colours=3", "did you mean 'colors'"),
    ),
    (("run", "job.yaml", "--set", "colors=3"), 2, ("--set colors=3", "did you mean 'quantize.colors'")),
    (("run", "job.yaml", "--set", "quantize.colors"), 2, ("expected KEY=VALUE", "quantize.colors=32")),
    (("run", "job.yaml", "--set", "quantize.colors=many"), 2, ("whole number from 1 to 65536", "'many'")),
    (("run", "job.yaml", "--set", "quantize.colors=0"), 2, ("whole number from 1 to 65536", "found 0")),
    (("run", "job.yaml", "--set", "quantize.colors=-1"), 2, ("whole number from 1 to 65536", "found -1")),
    (("run", "job.yaml", "--set", "quantize.colors=70000"), 2, ("from 1 to 65536", "found 70000")),
    (("run", "job.yaml", "--set", "quantize.method=kmaens"), 2, ("'kmeans'", "did you mean 'kmeans'?")),
    (("run", "job.yaml", "--set", "output.report=perhaps"), 2, ("true or false", "found 'perhaps'")),
    (("run", "job.yaml", "--cluster", "slrum"), 2, ("compute.cluster", "did you mean 'slurm'?")),
    (("run", "job.yaml", "--workers", "none"), 2, ("--workers", "'none'")),
    (("run", "job.yaml", "--time-limit", "soon"), 2, ("45s, 90m or 5.5h", "'soon'")),
    (
        ("run", "job.yaml", "--set", "quantize.colors=300", "--set", "output.palette.formats=[json, act]"),
        2,
        ("output.palette.formats", "at most 256 colours", "300", "ask for fewer colours"),
    ),
    # keys of the job file as options
    (("run", "job.yaml", "--colors", "8"), 2, ("'--colors'", "did you mean --set quantize.colors=8?")),
    (("plan", "job.yaml", "--max-iter=9"), 2, ("'--max-iter'", "--set quantize.max_iter=9?")),
    (("plan", "job.yaml", "--workers"), 2, ("--set compute.workers=VALUE?",)),
    (("plan", "--ssim", "job.yaml"), 2, ("--set output.ssim=true?",)),
    (
        ("status", "job.yaml", "--root", "my in"),
        2,
        ("--set input.root='my in' or --set output.root='my in'?",),
    ),
    (("run", "job.yaml", "--set", "quantize.colors", "8"), 2, ("KEY=VALUE", "--set quantize.colors=8?")),
    (("run", "job.yaml", "--nonsense", "8"), 2, ("No such option '--nonsense'",)),
    (("run", "job.yaml", "other.yaml"), 2, ("unexpected extra argument (other.yaml)",)),
    (("schema", "--colors", "8"), 2, ("No such option '--colors'",)),
    # wrong roots
    (
        ("run", "job.yaml", "--set", "input.root=inn"),
        3,
        ("input root", "found nothing there", "check input.root"),
    ),
    (("run", "job.yaml", "--set", "input.root=empty"), 3, ("empty", "found none", "check input.root")),
    (
        ("run", "job.yaml", "--set", "input.root=docs"),
        3,
        ("docs", "found none (but 2 .txt, 1 .heic)", "input.include"),
    ),
    (("run", "job.yaml", "--set", "input.root=in/a.png"), 3, ("found a file", "give the folder")),
    (
        ("run", "job.yaml", "--set", "output.root=in/out"),
        2,
        ("lies inside input.root", "give a folder outside it"),
    ),
    (
        ("run", "job.yaml", "--set", "output.root=a file"),
        4,
        ("output root", "expected a folder", "found a file"),
    ),
    (("run", "job.yaml", "--set", "output.root=a file/out"), 4, ("output root", "a file", "give another")),
    (("run", "job.yaml", "--set", "input.root=nope://b/x"), 2, ("nope://", "expected a protocol")),
    # images that are not meant so
    (
        ("run", "job.yaml", "--only", "*.gif"),
        3,
        ("--only *.gif", "none of the 3 images", "'a.png'", "give a pattern"),
    ),
    (
        ("explain", "job.yaml", "in/sub/dog.png"),
        2,
        ("key of an image", "did you mean 'sub/dog.png'?", "plan -v"),
    ),
    (("explain", "job.yaml", "dog.png"), 2, ("key of an image", "did you mean 'sub/dog.png'?")),
    (("explain", "job.yaml", "sub/dgo.png"), 2, ("key of an image", "did you mean 'sub/dog.png'")),
    (
        ("explain", "job.yaml", "zzzzz"),
        2,
        ("zzzzz: expected the key of an image", "segpipe plan -v job.yaml"),
    ),
    (
        ("compare", "job.yaml", "dgo.png"),
        2,
        ("key of an image", "found no such file", "did you mean 'sub/dog.png'"),
    ),
    (("palette", "in"), 2, ("in: expected an image, found a folder", "segpipe init")),
    (("palette", "nope.png"), 2, ("nope.png: expected an image, found none", "check the path")),
    (("init", "docs", "j.yaml"), 3, ("expected images", "found 2 .txt, 1 .heic", "check the path")),
    (("init", "in"), 2, ("job.yaml: expected a new file, found one", "another name")),
    # before the first run
    (("verify", "job.yaml"), 0, ("nothing is recorded", "run the job first", "0 files compared")),
    (("report", "job.yaml"), 4, ("expected a manifest, found none", "run the job first")),
]


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    ROWS,
    ids=lambda value: " ".join(map(str, value))[:60] if isinstance(value, tuple) else None,
)
def test_a_mistake_ends_in_its_code_and_in_words_that_help(desk, typed, code, words):
    result = segpipe(*typed)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert result.stdout == "" or not typed
    place = 0
    for word in words:
        found = result.output.find(word, place)
        assert found >= 0, f"{word!r} is not told, or not in its place: {result.output}"
        place = found


def test_without_a_job_file_here_it_is_told_how_to_get_one(desk):
    (desk / "job.yaml").rename(desk / "nightly.yaml")
    assert "here are: nightly.yaml, random.yaml, utf16.yaml" in segpipe("run").stderr
    os.chdir(desk / "empty")
    assert "segpipe init FOLDER" in segpipe("run").stderr
    assert "'segpipe init' writes a job file" in segpipe("run", "job.yaml").stderr


def test_fewer_colours_than_asked_for_is_no_error(desk):
    result = segpipe("run", "job.yaml", "--set", "quantize.colors=64", "--only", "black.png")
    assert result.exit_code == 0
    assert "1 done" in result.stderr


def test_an_output_root_without_rights_is_told(desk):
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("for root there is no folder without rights")
    (desk / "locked").mkdir(mode=0o500)
    result = segpipe("run", "job.yaml", "--set", "output.root=locked/out")
    assert result.exit_code == 4
    assert "expected a folder to write to, found: Permission denied; check its permissions" in result.stderr


@pytest.mark.parametrize(
    ("typed", "module", "words"),
    [
        (
            ("--set", "input.root=s3://b/photos"),
            "s3fs",
            ("s3://b/photos", "s3fs", "pip install 'segpipe[s3]'"),
        ),
        (
            ("--cluster", "slurm", "--workers", "2", "--set", "compute.batch.memory=1GiB"),
            "dask_jobqueue",
            ("compute.cluster slurm", "dask-jobqueue", "pip install 'segpipe[hpc]'"),
        ),
        (
            ("--cluster", "ssh", "--set", "compute.ssh.hosts=[a]"),
            "asyncssh",
            ("compute.cluster ssh", "asyncssh", "pip install 'segpipe[ssh]'"),
        ),
        (
            ("--cluster", "kubernetes", "--workers", "2", "--set", "compute.kubernetes.image=x"),
            "dask_kubernetes",
            ("compute.cluster kubernetes", "dask-kubernetes", "pip install 'segpipe[kubernetes]'"),
        ),
    ],
)
def test_a_package_that_is_not_there_is_told_with_its_extra(desk, monkeypatch, typed, module, words):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == module else find_spec(name))
    result = segpipe("run", "job.yaml", *typed)
    assert result.exit_code == 2
    assert all(word in result.stderr for word in words), result.stderr


def test_the_estimator_tells_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for name in [name for name in sys.modules if name.startswith(("sklearn.", "pipeline.library.estimator"))]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"scikit-learn.*pip install 'segpipe\[sklearn\]'"):
        _ = pipeline.ColorQuantizer
