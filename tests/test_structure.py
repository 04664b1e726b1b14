"""The house: who may import whom, told from the syntax trees alone."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from trees import Site, plant

REPO = Path(__file__).parents[1]
FILES = [REPO / "cli.py", *sorted((REPO / "pipeline").rglob("*.py"))]
ORDER = (
    "pipeline",
    "pipeline.errors",
    "pipeline.color",
    "pipeline.files",
    "pipeline.library",
    "pipeline.jobs",
    "pipeline.views",
    "pipeline.commands",
    "cli",
)
"""The wings, each of which may import those before it."""

ONLY = {
    "PIL": r"pipeline\.files\..*",
    "click": r"cli|pipeline\.commands\..*",
    "asyncssh": r"pipeline\.jobs\.clusters\.ssh",
    "dask": r"pipeline\.jobs\.clusters\..*|pipeline\.library\.chunks",
    "dask_jobqueue": r"pipeline\.jobs\.clusters\.batch",
    "dask_kubernetes": r"pipeline\.jobs\.clusters\.kubernetes",
    "distributed": r"pipeline\.jobs\.(workers|clusters\..*)",
    "fsspec": r"pipeline\.files\.(objectsystems|patterns)",
    "imagecodecs": r"pipeline\.files\..*",
    "msgspec": r"pipeline\.files\.exports|pipeline\.jobs\.(manifest|records|slabpictures|statcache|tasks)",
    "numba": r"pipeline\.color\..*",
    "numpy": r"pipeline\.(color|files|library)\..*"
    r"|pipeline\.jobs\.(canvas|choosing|comparisons|handover|previews|products|rasterlabels|rastertasks|rasterthumbnails|settings|sharing|slabpictures|slabtasks|spec_quantize|tasks|thumbnails)",
    "psutil": r"pipeline\.jobs\.(processes|routes)",
    "pydantic": r"pipeline\.jobs\.spec.*",
    "pyvips": r"pipeline\.files\..*",
    "skimage": r"pipeline\.color\.(regions|similarity)|pipeline\.files\.swatches",
    "sklearn": r"pipeline\.library\.estimator",
    "tifffile": r"pipeline\.files\..*",
    "tqdm": r"pipeline\.views\.progress",
    "xarray": r"pipeline\.library\.labelled",
    "yaml": r"pipeline\.jobs\.yaml_places",
    "zarr": r"pipeline\.files\.zarrs",
    "zlib_ng": r"pipeline\.files\.png",
}
"""Which modules may import a package; what is not named here is imported nowhere."""

TOOLS = ("bench", "docs", "test")
"""Extras that the package itself does not import."""

BY_NAME = ("s3fs",)
"""Packages that fsspec imports, by the protocol of a URL."""

IMPORTED_AS = {
    "dask[distributed]": ("dask", "distributed"),
    "pillow": ("PIL",),
    "pyvips[binary]": ("pyvips",),
    "pyyaml": ("yaml",),
    "scikit-image": ("skimage",),
    "scikit-learn": ("sklearn",),
    "zlib-ng": ("zlib_ng",),
}


class Import(NamedTuple):
    """One import: by which module, of what, where, and whether at the top of the file."""

    by: str
    of: str
    line: int
    top: bool
    typing: bool

    def __str__(self) -> str:
        return f"{self.by}:{self.line} imports {self.of}"


def module_of(path: Path) -> str:
    parts = path.relative_to(REPO).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imports_of(module: str) -> Iterator[Import]:
    """Every import of a module, in functions too."""

    def walk(node: ast.AST, top: bool, typing: bool) -> Iterator[Import]:
        for below in ast.iter_child_nodes(node):
            if isinstance(below, ast.Import):
                for alias in below.names:
                    yield Import(module, alias.name, below.lineno, top, typing)
            elif isinstance(below, ast.ImportFrom):
                assert below.level == 0, f"{module}:{below.lineno}: say from where in full"
                assert below.module is not None
                for alias in below.names:
                    full = f"{below.module}.{alias.name}"
                    yield Import(module, full if full in MODULES else below.module, below.lineno, top, typing)
            else:
                inner = isinstance(below, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                guarded = isinstance(below, ast.If) and "TYPE_CHECKING" in ast.unparse(below.test)
                yield from walk(below, top and not inner, typing or guarded)

    yield from walk(MODULES[module], True, False)


IMPORTS = [found for module in MODULES for found in imports_of(module)]
OURS = [found for found in IMPORTS if found.of in MODULES]
FOREIGN = [
    found
    for found in IMPORTS
    if found.of not in MODULES and found.of.partition(".")[0] not in {*sys.stdlib_module_names, "__future__"}
]


def wing(module: str) -> int:
    """The place of a module's wing in the order."""
    return max(place for place, name in enumerate(ORDER) if f"{module}.".startswith(f"{name}."))


def test_every_import_of_ours_is_of_a_module_that_is_there():
    lost = [str(found) for found in FOREIGN if found.of.partition(".")[0] in ("pipeline", "cli")]
    assert lost == []


def test_imports_go_one_way():
    """The package itself is the doormat: all may take the version from it; it hands on the public API."""
    wrong = [
        str(found)
        for found in OURS
        if "pipeline" not in (found.by, found.of) and wing(found.of) > wing(found.by)
    ]
    assert wrong == []


def test_the_package_itself_imports_only_when_asked():
    assert [str(found) for found in OURS if found.by == "pipeline" and found.top and not found.typing] == []
    assert {found.of for found in OURS if found.by == "pipeline"} <= {
        *(f"pipeline.color.{name}" for name in ("opencv", "rasters")),
        *(f"pipeline.library.{name}" for name in ("estimator", "palettes", "quantized", "quantizer")),
        "pipeline.files.palettefiles",
    }


def test_there_are_no_cycles():
    """Imports within functions count: a cycle that is put off is a cycle. The doormat is no door."""
    below: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in OURS:
        if not found.typing and "pipeline" not in (found.by, found.of):
            below[found.by].add(found.of)

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path[path.index(module) :], module])
        if module not in known:
            for other in sorted(below[module]):
                walk(other, (*path, module))
            known.add(module)

    known: set[str] = set()
    for module in MODULES:
        walk(module, ())
    assert known == set(MODULES)


@pytest.mark.parametrize("package", sorted({found.of.partition(".")[0] for found in FOREIGN} | set(ONLY)))
def test_who_may_import(package):
    assert package in ONLY, f"{package} is imported; say here by whom it may be"
    guests = [found for found in FOREIGN if found.of.partition(".")[0] == package]
    assert [str(found) for found in guests if not re.fullmatch(ONLY[package], found.by)] == []


def test_slow_packages_are_imported_when_they_are_needed():
    slow = ("asyncssh", "dask", "distributed", "skimage", "fsspec", "xarray", "zarr")
    assert [str(found) for found in FOREIGN if found.top and found.of.startswith(slow)] == []


def test_plan_and_manifest_never_see_a_pixel():
    for module in ("pipeline.jobs.plan", "pipeline.jobs.manifest", "pipeline.jobs.records"):
        seen = {found.of for found in IMPORTS if found.by == module}
        assert not [
            name for name in seen if re.match(r"numpy|PIL|pipeline\.color|pipeline\.files\.images", name)
        ]


def test_color_knows_no_files():
    """But for the kernels' own source, which tells whether compiled loops are still its own."""
    system = {"os", "pathlib", "io", "shutil", "tempfile", "json", "pickle", "mmap"}
    seen = {(found.by, found.of) for found in IMPORTS if found.by.startswith("pipeline.color.")}
    touched = {(by, of) for by, of in seen if of.partition(".")[0] in system}
    assert touched <= {("pipeline.color.kernels", "pathlib")}


def test_dependencies_are_those_that_are_imported():
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name not in TOOLS}
    lines = [*project["dependencies"], *(line for extra in extras.values() for line in extra)]
    asked = {re.split(r"[<>=!~; ]", line)[0] for line in lines}
    names = {name: IMPORTED_AS.get(name, (name.replace("-", "_"),)) for name in asked}
    imported = {found.of.partition(".")[0] for found in FOREIGN}
    unused = {name for name, modules in names.items() if not set(modules) & imported} - {*BY_NAME}
    assert unused == set(), "imported by none"
    assert imported - {module for modules in names.values() for module in modules} == set(), "undeclared"


def test_every_module_says_what_it_is():
    for module, tree in MODULES.items():
        told = ast.get_docstring(tree)
        assert told, f"{module} has no docstring"
        assert told.splitlines()[0].rstrip("…").endswith((".", "?", ":", "!")), (
            f"{module}: {told.splitlines()[0]}"
        )


def test_the_package_tells_its_wings():
    told = ast.get_docstring(MODULES["pipeline"]) or ""
    for name in ORDER[1:]:
        short = name.rpartition(".")[2]
        assert re.search(rf"^ +{short}(/|\.py)? +\S", told, re.MULTILINE), f"{short} is not told"
    folders = {path.name for path in (REPO / "pipeline").iterdir() if (path / "__init__.py").exists()}
    assert folders == {name.rpartition(".")[2] for name in ORDER if name.startswith("pipeline.")} - {"errors"}


HEAVY = ("numba", "dask", "distributed", "skimage", "zarr")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("palette", "--help"),
        ("compare", "--help"),
        ("plan", "JOB"),
        ("status", "JOB"),
        ("run", "JOB"),
        ("verify", "JOB"),
    ],
)
def test_what_needs_no_work_starts_without_the_heavy_libraries(tmp_path, arguments):
    """A run with nothing to do, too."""
    site = Site(tmp_path)
    plant(site.inputs, "a.png")
    site.run()
    words = [str(site.job) if word == "JOB" else word for word in arguments]
    script = (
        "import sys, atexit; sys.path.insert(0, sys.argv.pop(1));"
        f"atexit.register(lambda: print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules]));"
        "import cli; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, REPO, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


def test_importing_the_package_loads_nothing():
    script = "import sys, pipeline; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPO
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {*HEAVY, "numpy", "PIL", "yaml", "click"}
    assert "pipeline" in loaded


def test_nothing_lies_about_at_the_top():
    """What a command has left there is easily taken along by a commit."""
    listed = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone")
    top = {path.partition("/")[0] for path in listed.stdout.splitlines()}
    assert top == {
        ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "cli.py", "configs", "docs",
        "pipeline", "pyproject.toml", "sample_data", "tests",
    }  # fmt: skip
