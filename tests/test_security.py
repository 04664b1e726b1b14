"""Nothing that lies in a tree, or that a job file says, is ever run; nobody elsewhere is let in unasked."""

import ast
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from trees import Site, contents, plant

from pipeline.errors import SpecError
from pipeline.jobs.handover import kept
from pipeline.jobs.spec import load_spec
from pipeline.jobs.spec_compute import Compute
from pipeline.jobs.workers import open_workers

REPO = Path(__file__).parents[1]
SOURCES = [REPO / "cli.py", *sorted((REPO / "pipeline").rglob("*.py"))]
RUNNING = {
    "pickle",
    "cloudpickle",
    "dill",
    "shelve",
    "marshal",
    "subprocess",
    "code",
    "runpy",
    "pty",
    "joblib",
}
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "spawnv", "execv", "import_module"}
KNOWN = {"import_module": "pipeline/__init__.py"}
"""What of these has its place: the names that the package hands on are in a table of its own."""

LOADERS = {"load", "load_all", "full_load", "unsafe_load", "FullLoader", "UnsafeLoader", "Loader"}


class Trap:
    """What unpickling it does can be seen."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(REPO).as_posix())
def test_no_source_has_the_means_to_run_what_it_reads(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not RUNNING & {name.partition(".")[0] for name in names}, f"line {node.lineno}"
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            regular = called == "compile" and getattr(node.func.value, "id", "") == "re"
            known = path == REPO / KNOWN.get(called, "")
            assert called not in CALLS or regular or known, f"line {node.lineno}"
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "yaml":
            assert node.attr not in LOADERS, f"line {node.lineno}"
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            assert node.value.value is False, f"line {node.value.lineno}"


@pytest.mark.parametrize("kind", ["npz", "npy", "pickle"])
def test_arrays_that_are_pickled_are_not_loaded(tmp_path, kind):
    sprung = tmp_path / "sprung"
    array = io.BytesIO()
    np.save(array, np.array([Trap(sprung)], object), allow_pickle=True)
    path = tmp_path / "counts.npz"
    if kind == "npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("codes.npy", array.getvalue())
    else:
        path.write_bytes(array.getvalue() if kind == "npy" else pickle.dumps(Trap(sprung)))
    assert kept(path) is None
    assert not sprung.exists()


def test_pickles_in_both_trees_are_bytes_like_any_other(tmp_path):
    """Wherever a run reads: images, its state, its work folders, what it recorded."""
    sprung = tmp_path / "sprung"
    site = Site(tmp_path / "site", large={"above_megapixels": 0.0001})
    plant(site.inputs, "a.png", "b.png")
    site.run()
    before = contents(site.outputs)
    trap = pickle.dumps(Trap(sprung))
    pickle.loads(trap)  # noqa: S301 -- to see that it would spring
    assert sprung.exists()
    sprung.unlink()
    state = site.outputs / ".segpipe"
    for path in (site.outputs / "manifest.jsonl", *(p for p in state.rglob("*") if p.is_file())):
        path.write_bytes(trap)
    for name in (
        "lock",
        "journal.jsonl",
        "large/0123456789abcdef01234567/image",
        "shards/1-of-2/journal.jsonl",
    ):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_bytes(trap)
    (site.inputs / "trap.png").write_bytes(trap)
    site.run(code=1)
    assert not sprung.exists()
    after = contents(site.outputs)
    assert {key: after.get(key) for key in before if key != "manifest.jsonl"} == {
        key: data for key, data in before.items() if key != "manifest.jsonl"
    }
    assert b"NotAnImage" in after["manifest.jsonl"]


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:pathlib.Path.touch [sprung]",
        "{input: {root: !!python/object/apply:os.system ['touch sprung']}, output: {root: out}}",
        "{input: {root: in}, output: {root: out}, compute: {batch: {script_prologue: [touch sprung]}}}",
        "{input: {root: in}, output: {root: out}, compute: {ssh: {python: ./sprung}}}",
        "{input: {root: in}, output: {root: out}, quantize: {seed: !!python/name:os.system }}",
    ],
)
def test_a_job_file_runs_nothing(tmp_path, text):
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError):
        load_spec(path)
    assert [item.name for item in tmp_path.iterdir()] == ["job.yaml"]


def test_nothing_in_a_job_file_is_filled_in_from_the_surroundings(tmp_path, monkeypatch):
    """Else a file from somewhere could have secrets written into records and names."""
    monkeypatch.setenv("SECRET", "hush")
    path = tmp_path / "job.yaml"
    path.write_text("{input: {root: $SECRET}, output: {root: '${SECRET}'}}", encoding="utf-8")
    spec = load_spec(path)
    assert "hush" not in spec.model_dump_json()


@pytest.mark.slow
def test_a_local_cluster_listens_at_the_loopback_address_alone():
    with open_workers("local", 2, Compute(), lambda said: None):
        here = psutil.Process()
        addresses = {
            connection.laddr.ip
            for process in (here, *here.children(recursive=True))
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
    assert addresses == {"127.0.0.1"}
