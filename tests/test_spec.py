"""Reading a job: every mistake has its line, all lines come at once, and what is right loads."""

from pathlib import Path

import pytest

from pipeline.errors import ExitCode, SpecError
from pipeline.jobs.spec import load_spec
from pipeline.jobs.spec_files import MOST_BYTES

ROOTS = "input: {root: in}\noutput: {root: out}\n"
CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a fresh folder, so that messages show the bare ``job.yaml``."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(text: str | bytes, *overrides: str) -> str:
    Path("job.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError) as caught:
        load_spec(Path("job.yaml"), overrides)
    assert caught.value.exit_code is ExitCode.BAD_SPEC
    return str(caught.value)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_example_configs_load(config: Path) -> None:
    spec = load_spec(config)
    assert Path(spec.input.root).is_absolute()
    assert config.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=job.schema.json\n")


def test_two_roots_are_enough_and_start_from_the_job_files_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "job.yaml").write_text(ROOTS)
    monkeypatch.chdir("/")
    spec = load_spec(folder / "job.yaml")
    assert (spec.input.root, spec.output.root) == (str(folder / "in"), str(folder / "out"))
    assert (spec.quantize.colors, spec.quantize.tol, spec.compute.workers) == (16, 1e-4, None)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("quantize: {colours: 16}", "3:12: quantize.colours: unknown key; did you mean 'colors'?"),
        (
            "quantize: {colors: 0}",
            "3:20: quantize.colors: expected a whole number from 1 to 65536, or 'auto', found 0",
        ),
        (
            "quantize: {colors: 65537}",
            "3:20: quantize.colors: expected a whole number from 1 to 65536, or 'auto', found 65537",
        ),
        (
            'quantize: {colors: "16"}',
            "3:20: quantize.colors: expected a whole number from 1 to 65536, or 'auto', found '16'",
        ),
        (
            "quantize: {colors: true}",
            "3:20: quantize.colors: expected a whole number from 1 to 65536, or 'auto', found true",
        ),
        (
            "quantize: {colors: 16.0}",
            "3:20: quantize.colors: expected a whole number from 1 to 65536, or 'auto', found 16.0",
        ),
        (
            "quantize: {colors: }",
            "3:19: quantize.colors: expected a whole number from 1 to 65536, or 'auto', found nothing",
        ),
        (
            "quantize: {colors: [16]}",
            "3:20: quantize.colors: expected a whole number from 1 to 65536, or 'auto', found a list",
        ),
        ("quantize: {tol: -1}", "3:17: quantize.tol: expected a number of at least 0, found -1"),
        ("quantize: {tol: .nan}", "3:17: quantize.tol: expected a number of at least 0, found nan"),
        ("quantize: {tol: true}", "3:17: quantize.tol: expected a number of at least 0, found true"),
        (
            "quantize: {method: octree}",
            "3:20: quantize.method: expected 'kmeans', 'minibatch', 'dynamic', 'palette' or 'segment', "
            "found 'octree'",
        ),
        (
            "quantize: {background: #fff}\n}",
            "3:23: quantize.background: expected text such as '#ffffff', found nothing",
        ),
        (
            "quantize: {background: white}",
            "3:24: quantize.background: expected text such as '#ffffff', found 'white'",
        ),
        ("quantize: 16", "3:11: quantize: expected a section, found 16"),
        ("quantize: [colors]", "3:11: quantize: expected a section, found a list"),
        ("compute: {colors: 16}", "3:11: compute.colors: unknown key; did you mean 'quantize.colors'?"),
        ("colors: 16", "3:1: colors: unknown key; did you mean 'quantize.colors'?"),
        ("quantise: {}", "3:1: quantise: unknown key; did you mean 'quantize'?"),
        ("zebra: 1", "3:1: zebra: unknown key; valid here: input, output, quantize, regions, large, compute"),
        (
            "compute: {cluster: address}",
            "3:1: compute.address: required, because compute.cluster is 'address'; such as 'tcp://host:8786'",
        ),
        (
            "compute: {workers: 0}",
            "3:20: compute.workers: expected a whole number of at least 1, or null, found 0",
        ),
        (
            "compute: {memory_per_worker: 4 gigs}",
            "3:30: compute.memory_per_worker: expected text such as '4GiB' or '500MB', or null,"
            " found '4 gigs'",
        ),
        (
            "quantize: {seed: 1, seed: 2}",
            "3:21: quantize.seed: given twice; first at job.yaml:3:12",
        ),
        (
            "quantize: {seed: !!python/object:os.system x}",
            "3:18: quantize.seed: the tag !!python/object:os.system is not allowed; write a plain value",
        ),
        ("quantize: &q {seed: *q}", "3:11: quantize.seed: an alias that stands inside its own anchor"),
        ("quantize: {<<: 3}", "3:16: quantize: '<<' takes a section or a list of sections"),
        ("quantize: {[a]: 3}", "3:12: quantize: a key has to be plain text"),
    ],
)
def test_each_mistake_has_its_place_and_its_words(folder: Path, line: str, told: str) -> None:
    assert refused(ROOTS + line) == f"job.yaml:{told}"


def test_an_unknown_start_is_told_with_the_words_there_are(folder: Path) -> None:
    told = refused(f"{ROOTS}quantize: {{init: kmeans}}")
    assert told.startswith(f"job.yaml:3:18: quantize.init: {folder / 'kmeans'}: expected a palette file")
    assert told.endswith("; expected one of auto, wu, kmeans++, pixels, random or a palette file")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "job.yaml: empty; a job gives at least input.root and output.root"),
        ("# nothing\n", "job.yaml: empty; a job gives at least input.root and output.root"),
        ("[1]", "job.yaml:1:1: expected sections such as 'input:' and 'output:', found a list"),
        ("\n  x", "job.yaml:2:3: expected sections such as 'input:' and 'output:', found 'x'"),
        ("a: b: c", "job.yaml:1:5: not valid YAML: mapping values are not allowed here"),
        (
            "a:\n\t- b",
            "job.yaml:2:1: not valid YAML: found character '\\t' that cannot start any token; "
            "indent with spaces",
        ),
        ("a: 1\n---\nb: 1", "job.yaml:2:1: a second YAML document begins here; a job file holds one"),
        (
            'a: 1\nb: "c\nd: 2',
            "job.yaml:2:4: not valid YAML: the quote that opens here has no end; close the quote",
        ),
        ("a: *b", "job.yaml:1:4: not valid YAML: found undefined alias 'b'"),
        ("a: 1\nb: \x01", "job.yaml:2:4: not valid YAML: the character 0x1 is not allowed"),
        (b"a: 1\nb: \xc3\xa4\xff", "job.yaml:2:6: the byte 0xff is not UTF-8; save the file as UTF-8"),
        ("[" * 5000, "job.yaml:1:1: nested too deeply for a job"),
        (b"#" * (MOST_BYTES + 1), "job.yaml: expected a job file, found more than 1,000,000 bytes"),
        (
            "quantize: {}",
            "job.yaml:1:1: input.root: required key is missing\n"
            "job.yaml:1:1: output.root: required key is missing",
        ),
        ("input: {root: in}\noutput:\n", "job.yaml:2:1: output.root: required key is missing"),
    ],
)
def test_a_file_that_is_no_job_is_refused(folder: Path, text: str | bytes, told: str) -> None:
    assert refused(text) == told


@pytest.mark.parametrize("text", ["# Title\n\nSome *words*: and `more`: so\n", "# Title\n\nSome words\n", ""])
def test_a_file_of_another_kind_is_no_job(folder: Path, text: str) -> None:
    Path("README.md").write_text(text)
    with pytest.raises(
        SpecError, match=r"^README\.md:.* expected a YAML job file.*'segpipe init' writes one$"
    ):
        load_spec(Path("README.md"))


def test_a_missing_file_and_a_folder_are_refused(folder: Path) -> None:
    with pytest.raises(SpecError, match=r"^job\.yaml: no such file; 'segpipe init' writes a job file$"):
        load_spec(Path("job.yaml"))
    with pytest.raises(
        SpecError, match=r"^\.: expected a job file, found a folder; 'segpipe init \.' writes"
    ):
        load_spec(Path())


def test_all_mistakes_come_at_once_in_the_order_of_the_file_then_the_command_line(folder: Path) -> None:
    told = refused(
        "quantize: {seed: -1, colours: 3}\noutput: {root: s3://}\ninput: {formats: [jpg]}\n",
        "compute.workers=0",
        "colors",
        "compute.retry=[",
    )
    assert [line.partition(": ")[::2][0] for line in told.splitlines()] == [
        "job.yaml:1:18",
        "job.yaml:1:22",
        "job.yaml:2:16",
        "job.yaml:3:1",
        "job.yaml:3:19",
        "--set compute.workers=0",
        "--set colors",
        "--set compute.retry=[",
    ]


def test_a_root_with_credentials_is_refused_and_does_not_repeat_them(folder: Path) -> None:
    said = "expected a URL such as 's3://bucket/photos', found one with '@'; leave out what precedes it: "
    assert refused("input: {root: 's3://AKIA:geh/eim@bucket/x'}\noutput: {root: out}") == (
        f"job.yaml:1:15: input.root: {said}credentials come from the environment"
    )
    assert refused("output: {root: out}", "input.root=s3://AKIA:geh/eim@bucket/x") == (
        f"--set input.root=s3://…@bucket/x: {said}credentials come from the environment"
    )


def test_overlapping_roots_are_told_together_with_other_mistakes(folder: Path) -> None:
    assert refused("input: {root: a}\noutput: {root: a/b}\nquantize: {colors: 0}") == (
        f"job.yaml:2:16: output.root: '{folder / 'a' / 'b'}' lies inside input.root"
        f" '{folder / 'a'}'; give a folder outside it\n"
        "job.yaml:3:20: quantize.colors: expected a whole number from 1 to 65536, or 'auto', found 0"
    )


def test_anchors_aliases_and_merge_keys_work(folder: Path) -> None:
    (folder / "job.yaml").write_text(
        "input: &base {root: in}\n"
        "output: {<<: *base, root: out, quantized: &none {format: none}, labels: *none}\n"
    )
    spec = load_spec(folder / "job.yaml")
    assert (spec.output.root, spec.output.quantized.format) == (str(folder / "out"), "none")
    assert spec.output.labels.format == "none"


def test_a_mistake_in_a_merged_section_is_told_where_it_was_written(folder: Path) -> None:
    assert refused(
        "input: {root: in}\noutput: {root: out, labels: &l {formt: png}, quantized: {<<: *l}}\n"
    ) == (
        "job.yaml:2:33: output.quantized.formt: unknown key; did you mean 'format'?\n"
        "job.yaml:2:33: output.labels.formt: unknown key; did you mean 'format'?"
    )


def test_sections_with_every_key_commented_out_are_all_defaults(folder: Path) -> None:
    (folder / "job.yaml").write_text(ROOTS)
    bare = load_spec(folder / "job.yaml")
    (folder / "job.yaml").write_text(f"{ROOTS}quantize:\ncompute:\n  # workers: 3\n")
    assert load_spec(folder / "job.yaml") == bare


def test_a_byte_order_mark_and_windows_line_ends_are_read(folder: Path) -> None:
    (folder / "job.yaml").write_bytes(b"\xef\xbb\xbf" + ROOTS.replace("\n", "\r\n").encode())
    assert load_spec(folder / "job.yaml").input.root == str(folder / "in")


def test_the_spec_is_immutable(folder: Path) -> None:
    (folder / "job.yaml").write_text(ROOTS)
    spec = load_spec(folder / "job.yaml")
    with pytest.raises(ValueError, match="frozen"):
        spec.quantize.colors = 3


@pytest.mark.parametrize(
    ("quantize", "most"),
    [
        ("{colors: 300}", 300),
        ("{method: minibatch, colors: 257}", 257),
        ("{method: dynamic, max_colors: 1000}", 1000),
        ("{colors: auto, target: {mse: 3}, max_colors: 512}", 512),
        ("{method: palette, palette: many.hex}", 300),
    ],
)
def test_a_colour_table_is_refused_where_more_colours_may_come(
    folder: Path, quantize: str, most: int
) -> None:
    (folder / "many.hex").write_text("".join(f"{code:06x}\n" for code in range(300)))
    job = "input: {root: in}\noutput: {root: out, palette: {formats: [json, act]}}\nquantize: "
    told = refused(f"{job}{quantize}\n")
    assert "job.yaml:2:" in told
    assert "output.palette.formats" in told
    assert f"'act' holds at most 256 colours, and this job may find {most}; leave it out" in told


@pytest.mark.parametrize(
    "quantize",
    [
        "{colors: 256}",
        "{method: dynamic}",
        "{method: dynamic, colors: 300}",
        "{method: segment, colors: 300}",
    ],
)
def test_a_colour_table_is_taken_where_it_has_room(folder: Path, quantize: str) -> None:
    job = "input: {root: in}\noutput: {root: out, palette: {formats: [json, act]}}\nquantize: "
    (folder / "job.yaml").write_text(f"{job}{quantize}\n")
    assert load_spec(folder / "job.yaml").output.palette.formats == ["json", "act"]
