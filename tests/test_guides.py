"""What the README and the guides tell is so: links, commands, options, keys, codes, figures' commands."""

import json
import re
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.shell_completion import get_completion_class
from pages import GUIDES, PAGES, REPO, anchors_of, links_of, name_of, prose_of, sections_of, text_of
from trees import segpipe

import pipeline
from cli import main
from pipeline.errors import ExitCode, ImageError
from pipeline.jobs.plan import Reason
from pipeline.jobs.spec_schema import json_schema

README = REPO / "README.md"


@pytest.mark.parametrize("page", [*PAGES, REPO / "CHANGELOG.md", REPO / "sample_data/README.md"], ids=name_of)
def test_links_lead_somewhere(page):
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no such file"
        assert target.is_relative_to(REPO), f"{link}: is not in the repository"
        if anchor:
            assert anchor in anchors_of(target), f"{link}: there is no such heading"


def test_every_guide_and_picture_is_linked():
    told = {(README.parent / link.partition("#")[0]).resolve() for link in links_of(README)}
    assert [name_of(guide) for guide in GUIDES if guide not in told] == []
    shown = {(page.parent / link).resolve() for page in PAGES for link in links_of(page)}
    pictures = sorted((REPO / "docs/pictures").iterdir())
    assert [name_of(picture) for picture in pictures if picture not in shown] == []
    assert sum(picture.stat().st_size for picture in pictures) <= 600_000


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_guides_are_short_and_begin_with_what_the_reader_gains(guide):
    lines = text_of(guide).splitlines()
    assert len(lines) <= 200
    assert re.fullmatch(r"# \S.*", lines[0])
    assert lines[2].startswith("With this page you can ")
    assert lines[-2].startswith("See also: ") or lines[-1].startswith("See also: ")


def test_the_readme_is_short():
    lines = text_of(README).splitlines()
    assert len(lines) <= 250
    assert lines.index("## Try it") <= 60
    for mark in ("run", "tests"):
        assert lines[lines.index(f"<!-- {mark} -->") + 1] == "```bash"


def test_the_map_of_the_house_is_the_packages():
    told = pipeline.__doc__ or ""
    rows = re.findall(r"^ {4}(\S+) +(\S.*)$", told, re.MULTILINE)
    shown = re.findall(r"^\| `([^`]+)` \| (.+) \|$", sections_of(README)["The house"], re.MULTILINE)
    assert shown == rows


def told_in_commands() -> dict[str, set[str]]:
    """The options that docs/commands.md tells, by command."""
    page = REPO / "docs/commands.md"
    rows = re.findall(r"^\| `([a-z]+)[^|]*\|[^|]*\|([^|]*)\|$", prose_of(page), re.MULTILINE)
    told = {name: set(re.findall(r"`(--[a-z-]+|-[a-z]\b)", cell)) for name, cell in rows}
    of_section = {
        title: set(re.findall(r"^\| .*`(--[a-z-]+)", text, re.MULTILINE))
        for title, text in sections_of(page).items()
    }
    told["plan"] |= of_section["Which images"]
    told["run"] |= of_section["Which images"] | of_section["How a run goes"]
    return told


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_is_told(name):
    told = told_in_commands()
    assert name in told
    options = [parameter for parameter in main.commands[name].params if isinstance(parameter, click.Option)]
    if any("--set" in option.opts for option in options):
        told[name].add("--set")
    assert told[name] <= {word for option in options for word in option.opts}, "there is no such option"
    assert [option.opts for option in options if not told[name] & {*option.opts}] == [], "not told"


def test_told_commands_are_there():
    for page in PAGES:
        for name, rest in re.findall(r"`segpipe ([a-z]+)([^`]*)`", prose_of(page)):
            assert name in main.commands, f"{name_of(page)}: segpipe {name}"
            known = {word for parameter in main.commands[name].params for word in parameter.opts}
            assert {*re.findall(r"(?<!\S)--[a-z-]+", rest)} <= known, f"{name_of(page)}: segpipe {name}{rest}"


def test_completion_is_told_for_shells_that_have_it():
    text = sections_of(REPO / "docs/commands.md")["Completion"]
    shells = re.findall(r"_SEGPIPE_COMPLETE=(\w+)_source segpipe", text)
    assert shells == ["bash", "zsh", "fish"]
    for shell in shells:
        found = get_completion_class(shell)
        assert found is not None
        assert "_SEGPIPE_COMPLETE" in found(main, {}, "segpipe", "_SEGPIPE_COMPLETE").source()


def schema_keys() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of the job file, dotted, sections too."""

    def keys(node: dict[str, Any], above: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, below in node.get("properties", {}).items():
            yield f"{above}{name}", below
            yield from keys(below, f"{above}{name}.")

    return keys(json_schema(), "")


def test_every_key_that_is_told_is_there():
    known = {key for key, _ in schema_keys()}
    names = r"\b(?:input|output|quantize|regions|compute)(?:\.[a-z_][a-z0-9_]*)+|\blarge\.(?!py\b)[a-z_]+"
    for page in PAGES:
        text = re.sub(r"^```text.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)  # messages
        assert set(re.findall(names, text)) <= known, f"{name_of(page)}: no such keys"


def test_every_key_is_told_with_its_default():
    expected = []
    for key, node in schema_keys():
        if "properties" not in node:
            required = key in ("input.root", "output.root")
            default = "" if required else f"`{json.dumps(node['default'], ensure_ascii=False)}`"
            meaning = node["description"].replace("*", r"\*")
            expected.append(f"| `{key}` | {default} | {meaning} |")
    section = sections_of(REPO / "docs/job-file.md")["All keys"]
    assert [line for line in section.splitlines() if line.startswith("| `")] == expected


def test_exit_codes_are_told_as_they_are():
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", text_of(REPO / "docs/exit-codes.md"), re.MULTILINE)
    assert rows == [(str(int(code)), code.meaning, code.then) for code in ExitCode]
    shown = segpipe("--help").stdout
    for code in ExitCode:
        line = f" {int(code)}  {code.meaning} → {code.then}".replace("`", "")
        assert line in shown, f"{code.name} is not told by --help"


def test_every_reason_of_failure_is_told():
    told = set(re.findall(r"`([A-Z][A-Za-z]+)`", sections_of(REPO / "docs/images.md")["Images that fail"]))
    assert told == {kind.__name__ for kind in ImageError.__subclasses__()}


def test_every_reason_of_a_re_run_is_told():
    section = sections_of(REPO / "docs/re-runs.md")["What counts as a change"]
    assert {reason for reason in Reason if f"`{reason}" in section} == {*Reason}


def test_benchmarks_that_are_told_are_there():
    for page in PAGES:
        for script, options in re.findall(r"tests/benchmarks/(\w+\.py)([^`\n]*)", text_of(page)):
            source = (REPO / "tests/benchmarks" / script).read_text(encoding="utf-8")
            for option in re.findall(r"--[a-z-]+", options):
                assert f'"{option}"' in source, f"{name_of(page)}: {script} {option}"
    scripts = [path.name for path in (REPO / "tests/benchmarks").glob("*.py") if "argparse" in text_of(path)]
    table = sections_of(REPO / "docs/development.md")["Benchmarks"]
    assert [name for name in scripts if f"`{name}`" not in table] == []
    figures = text_of(REPO / "docs/measured.md")
    first = text_of(README).partition("## Try it")[0]
    for command in re.findall(r"`python (tests/benchmarks/[^`]+)`", first):
        script, *options = command.split()
        assert all(word in figures for word in (script, *options)), command
