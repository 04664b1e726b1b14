"""The section `quantize`: what does not fit together is told in one line, with its place and its key."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SpecError
from pipeline.jobs.settings import settings_of
from pipeline.jobs.spec import JobSpec, load_spec
from pipeline.jobs.spec_quantize import INITS

ROOTS = "input: {root: in}\noutput: {root: out}\n"
BRAND = "GIMP Palette\nName: brand\n#\n16 32 48\tnight\n255 0 0\tred\n250 250 250\tpaper\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a fresh folder with a palette, so that messages show the bare ``job.yaml``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "brand.gpl").write_text(BRAND)
    return tmp_path


def loaded(text: str, *overrides: str) -> JobSpec:
    Path("job.yaml").write_text(ROOTS + text)
    return load_spec(Path("job.yaml"), overrides)


def refused(text: str, *overrides: str) -> str:
    with pytest.raises(SpecError) as caught:
        loaded(text, *overrides)
    return str(caught.value)


TARGETS = "expected one of psnr, mse and delta_e_p95, found several"
AUTO = "required, because quantize.colors is 'auto'; such as {psnr: 36}"
NUMBER = "'auto' is for quantize.method 'kmeans'; give a number"
FREEZE = "nothing is shared with quantize.scope 'image'; set 'folder' or 'job'"
NOT_PALETTE = "given, but quantize.method is not 'palette'; set that, or leave this out"
NEEDS_PALETTE = "required, because quantize.method is 'palette'; such as 'brand.gpl'"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{colors: auto}", f"3:1: quantize.target: {AUTO}"),
        ("{colors: auto, target: {}}", f"3:34: quantize.target: {AUTO}"),
        ("{colors: auto, target: {psnr: null}}", f"3:34: quantize.target: {AUTO}"),
        ("{colors: auto, target: {psnr: 30, mse: 9}}", f"3:34: quantize.target: {TARGETS}"),
        ("{colors: auto, target: {psnr: 30}, method: dynamic}", f"3:20: quantize.colors: {NUMBER}"),
        ("{colors: auto, target: {psnr: 30}, method: minibatch}", f"3:20: quantize.colors: {NUMBER}"),
        (
            "{colors: 8, target: {mse: 4}}",
            "3:31: quantize.target: given, but quantize.colors is not 'auto'; set that or leave this out",
        ),
        (
            "{method: dynamic, split_on: white, metric: oklab}",
            "3:54: quantize.metric: distances from white are redmean's; set that, or split_on: color",
        ),
        ("{freeze: true}", f"3:20: quantize.freeze: {FREEZE}"),
        ("{scope: image, freeze: true}", f"3:34: quantize.freeze: {FREEZE}"),
        ("{method: palette}", f"3:1: quantize.palette: {NEEDS_PALETTE}"),
        ("{method: palette, palette: null}", f"3:38: quantize.palette: {NEEDS_PALETTE}"),
        ("{palette: brand.gpl}", f"3:21: quantize.palette: {NOT_PALETTE}"),
        ("{method: dynamic, palette: brand.gpl}", f"3:38: quantize.palette: {NOT_PALETTE}"),
        (
            "{colors: 2, init: brand.gpl}",
            "3:29: quantize.init: the palette has 3 colours, more than quantize.colors, 2",
        ),
        (
            "{colors: auto, target: {psnr: 9}, max_colors: 2, init: brand.gpl}",
            "3:66: quantize.init: the palette has 3 colours, more than quantize.max_colors, 2",
        ),
        (
            "{method: dynamic, scope: job, split_on: white}",
            "3:51: quantize.split_on: images that share a palette get its nearest colours, which 'white' "
            "does not bound; set quantize.scope 'image', or split_on: color",
        ),
        (
            "{method: dynamic, scope: folder, criterion: diameter}",
            "3:55: quantize.criterion: images that share a palette get its nearest colours, which 'diameter' "
            "does not bound; set quantize.scope 'image', or criterion: radius",
        ),
        (
            "{method: palette, palette: s3://bucket/brand.gpl}",
            "3:38: quantize.palette: only roots may be in object stores; "
            "give a path of this machine, not 's3://bucket/brand.gpl'",
        ),
    ],
)
def test_what_does_not_fit_together_has_its_place_and_its_key(folder: Path, line: str, told: str) -> None:
    assert refused(f"quantize: {line}") == f"job.yaml:{told}"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{colors: many}", "colors: expected a whole number from 1 to 65536, or 'auto', found 'many'"),
        ("{colors: 1.5}", "colors: expected a whole number from 1 to 65536, or 'auto', found 1.5"),
        ("{colors: {k: 3}}", "colors: expected a whole number from 1 to 65536, or 'auto', found a section"),
        ("{method: palette, palette: 3}", "palette: expected text, or null, found 3"),
        ("{method: palette, palette: [a, b]}", "palette: expected text, or null, found a list"),
        ("{target: {psnr: loud}}", "target.psnr: expected a number above 0, or null, found 'loud'"),
        ("{target: {psnr: 0}}", "target.psnr: expected a number above 0, or null, found 0"),
        ("{target: {psnr: true}}", "target.psnr: expected a number above 0, or null, found true"),
        ("{target: {mse: -1}}", "target.mse: expected a number of at least 0, or null, found -1"),
        (
            "{target: {delta_e_p95: .inf}}",
            "target.delta_e_p95: expected a number of at least 0, or null, found inf",
        ),
        ("{target: {psrn: 30}}", "target.psrn: unknown key; did you mean 'psnr'?"),
        ("{target: 30}", "target: expected a section, found 30"),
        ("{small_areas: 1.5}", "small_areas: expected a number from 0 to 1, found 1.5"),
        (
            "{scope: folders}",
            "scope: expected 'image', 'folder' or 'job', found 'folders'; did you mean 'folder'?",
        ),
        (
            "{dither: floyd}",
            "dither: expected 'none', 'floyd-steinberg' or 'ordered', found 'floyd'",
        ),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_mistake_however_many_kinds_there_could_be(
    folder: Path, line: str, told: str
) -> None:
    lines = refused(f"quantize: {line}").splitlines()
    assert len(lines) == 1
    place, _, message = lines[0].partition(": ")
    assert place.startswith("job.yaml:3:")
    assert message == f"quantize.{told}"


@pytest.mark.parametrize("key", ["palette", "init"])
@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.gpl", None, "No such file or directory"),
        ("bad.gpl", b"GIMP Palette\nName: x\n#\n1 2 x\n", "line 4"),
        ("empty.hex", b"", "expected a palette, found 0 bytes"),
        ("noise.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "PNG"),
        (".", None, "expected a palette file, found a folder"),
    ],
)
def test_a_bad_palette_file_is_told_at_its_key(
    folder: Path, key: str, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    method = "palette" if key == "palette" else "kmeans"
    message = refused(f"quantize:\n  method: {method}\n  {key}: {name}\n")
    assert message.startswith(f"job.yaml:5:{len(key) + 5}: quantize.{key}: {folder}")
    assert told in message
    assert len(message.splitlines()) == 1
    assert message.endswith("or a palette file") is (key == "init")


def test_overrides_are_told_by_their_own_text(folder: Path) -> None:
    assert refused("quantize: {}", "quantize.freeze=true") == f"--set quantize.freeze=true: {FREEZE}"
    told = refused("", "quantize.method=palette", "quantize.palette=gone.gpl")
    assert told.startswith(f"--set quantize.palette=gone.gpl: {folder / 'gone.gpl'}: expected a palette file")


@pytest.mark.parametrize("percentile", [0, 101])
def test_both_ends_of_a_range_are_told(folder: Path, percentile: int) -> None:
    told = refused(f"quantize: {{percentile: {percentile}}}")
    assert told.startswith("job.yaml:3:24: quantize.percentile: expected a number above 0")
    assert f"and at most 100, found {percentile}" in told


def test_palette_files_start_from_the_job_files_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "jobs").mkdir()
    (folder / "jobs/a.yaml").write_text(
        "input: {root: in}\noutput: {root: out}\nquantize: {method: palette, palette: ../brand.gpl}\n"
    )
    (folder / "jobs/b.yaml").write_text(
        f"input: {{root: in}}\noutput: {{root: out}}\nquantize: {{init: {folder}/brand.gpl}}\n"
    )
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    given = load_spec(folder / "jobs/a.yaml").quantize
    assert given.palette == str(folder / "brand.gpl")
    expected = [[16, 32, 48], [255, 0, 0], [250, 250, 250]]
    assert given.palette_colors is not None
    assert given.palette_colors.tolist() == expected
    started = load_spec(folder / "jobs/b.yaml").quantize
    assert started.initial_colors is not None
    assert started.initial_colors.tolist() == expected
    assert started.palette_colors is None


@pytest.mark.parametrize("word", INITS)
def test_a_word_for_a_start_is_no_file(folder: Path, word: str) -> None:
    (folder / word).write_text("no palette")
    spec = loaded(f"quantize: {{init: {word}}}")
    assert (spec.quantize.init, spec.quantize.initial_colors) == (word, None)


def test_a_palette_file_is_read_once(folder: Path) -> None:
    spec = loaded("quantize: {method: palette, palette: brand.gpl}")
    (folder / "brand.gpl").unlink()
    assert spec.quantize.palette_colors is not None
    assert len(spec.quantize.palette_colors) == 3


@pytest.mark.parametrize(
    "line",
    [
        "{colors: auto, target: {psnr: 36}}",
        "{colors: auto, target: {psnr: null, mse: 3}}",
        "{colors: 65536, init: random, attempts: 3, eps: 1, color_space: lab, small_areas: 0.5}",
        "{method: minibatch, batch_pixels: 16, refine: false}",
        "{method: minibatch, colors: 300, batch_pixels: 300}",
        "{method: dynamic, threshold: 2, metric: ciede2000, criterion: diameter}",
        "{method: dynamic, split_on: white, representative: mean_of_percentile, percentile: 100}",
        "{method: palette, palette: brand.gpl, dither: ordered, scope: job, freeze: true}",
        "{scope: folder, freeze: true, init: brand.gpl, colors: 3}",
        "{target: {}}",
        "{target: }",
    ],
)
def test_what_is_accepted_can_be_done(folder: Path, line: str) -> None:
    """A job that loads has settings: no mistake is left for the workers to find."""
    settings = settings_of(loaded(f"quantize: {line}"), "r")
    assert np.isfinite(settings.max_pixels)


def test_batches_of_fewer_pixels_than_colours_are_refused(folder: Path) -> None:
    told = refused("quantize: {method: minibatch, colors: 16, batch_pixels: 15}")
    assert (
        told == "job.yaml:3:57: quantize.batch_pixels: expected at least one pixel per colour, 16, found 15"
    )
