"""``--set KEY=VALUE``: it beats the file, and is told by its own text when it is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SpecError
from pipeline.jobs.spec import JobSpec, load_spec
from pipeline.jobs.yaml_places import as_yaml


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("job") / "job.yaml"
    path.write_text("input: {root: in}\noutput: {root: out}\nquantize: {colors: 0}\n")
    return path


def value_at(spec: JobSpec, key: str) -> object:
    found: object = spec
    for name in key.split("."):
        found = getattr(found, name)
    return found


SOUND = st.one_of(
    st.tuples(st.just("quantize.colors"), st.integers(1, 65536)),
    st.tuples(st.just("quantize.seed"), st.integers(0, 2**63 - 1)),
    st.tuples(st.just("quantize.tol"), st.floats(0, allow_nan=False, allow_infinity=False)),
    st.tuples(st.just("quantize.alpha"), st.sampled_from(["preserve", "flatten"])),
    st.tuples(st.just("input.exclude"), st.lists(st.text("ab*?/.~'\"#: -,", max_size=8), max_size=3)),
    st.tuples(st.just("input.follow_symlinks"), st.booleans()),
    st.tuples(st.just("compute.workers"), st.none() | st.integers(1, 1000)),
)


@given(override=SOUND)
def test_a_value_comes_back_as_given(job: Path, override: tuple[str, object]) -> None:
    key, value = override
    spec = load_spec(job, ["quantize.colors=5", f"{key}={as_yaml(value)}"])
    assert value_at(spec, key) == value


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("quantize.colors=x", "expected a whole number from 1 to 65536, or 'auto', found 'x'"),
        ("quantize.colors=", "expected a whole number from 1 to 65536, or 'auto', found nothing"),
        ("quantize.colors", "expected KEY=VALUE, such as quantize.colors=32"),
        ("=3", "expected KEY=VALUE, such as quantize.colors=32"),
        ("quantize..colors=3", "expected KEY=VALUE, such as quantize.colors=32"),
        ("quantize.colours=3", "unknown key; did you mean 'colors'?"),
        ("colors=3", "unknown key; did you mean 'quantize.colors'?"),
        ("quantise.colors=3", "quantise: unknown key; did you mean 'quantize'?"),
        (
            "quantize.colors.most=3",
            "quantize.colors: expected a whole number from 1 to 65536, or 'auto', found a section",
        ),
        (
            "quantize={colors: 0}",
            "quantize.colors: expected a whole number from 1 to 65536, or 'auto', found 0",
        ),
        ("quantize.seed=[", "not valid YAML: expected the node content, but found '<stream end>'"),
        ("quantize.seed=!!python/name:os.system", "the tag !!python/name:os.system is not allowed;"),
        ("input.formats=[jpeg, gif, x]", "input.formats[2]: expected 'jpeg', "),
    ],
)
def test_a_wrong_override_is_told_by_its_own_text(job: Path, override: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(job, ["quantize.colors=5", override])
    line = str(caught.value)
    assert line.startswith(f"--set {override}: {told}")
    assert line.count("\n") == 0


def test_the_last_of_several_counts_and_heals_the_ones_before(job: Path) -> None:
    overrides = ["quantize.colors=x", "quantize.colors=!!set {a}", "quantize.colors=7"]
    assert load_spec(job, overrides).quantize.colors == 7


@pytest.mark.parametrize(
    "wrong",
    [
        "quantize: {colors: 1, colors: 2}",
        "quantize: {colors: !!set {a}}",
        "quantize: 5",
        "quantize:",
        "",
    ],
)
def test_a_mistake_of_the_file_that_is_overridden_is_none(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "job.yaml").write_text(f"input: {{root: in}}\noutput: {{root: out}}\n{wrong}\n")
    assert load_spec(tmp_path / "job.yaml", ["quantize.colors=9"]).quantize.colors == 9


def test_a_colour_needs_no_quotes_although_yaml_would_read_a_comment(job: Path) -> None:
    spec = load_spec(job, ["quantize.colors=5", "quantize.background=#A0b1C2"])
    assert spec.quantize.background == "#a0b1c2"


def test_a_relative_root_starts_from_the_job_files_folder(job: Path) -> None:
    spec = load_spec(job, ["quantize.colors=5", "output.root=elsewhere"])
    assert spec.output.root == str(job.parent / "elsewhere")
