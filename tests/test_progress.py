"""Progress: a bar that leaves no trace in a terminal, lines in CI, silence under cron; messages are whole."""

import io
import os
import re
import subprocess
import sys

import pytest
from builders import done, failed
from hypothesis import given, settings
from hypothesis import strategies as st
from terminals import CLEARED, REPO, in_terminal
from trees import Site
from trees import plant as plant_images
from watched import watch

from pipeline.jobs.records import InputFacts, Record
from pipeline.views.progress import Bar, Messages, Steps, Work, messages_for


class Screen(io.StringIO):
    """A stream that says it is a terminal, or none."""

    def __init__(self, terminal):
        super().__init__()
        self._terminal = terminal

    def isatty(self):
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "environ", "kind"),
    [
        (True, {"TERM": "xterm"}, Bar),
        (True, {"TERM": "xterm", "CI": "true", "NO_COLOR": "1"}, Bar),
        (True, {}, Bar),  # Windows
        (True, {"TERM": "dumb"}, Steps),
        (False, {"CI": "true"}, Steps),
        (False, {"CI": "1", "TERM": "dumb"}, Steps),
        (False, {"CI": ""}, Messages),
        (False, {"CI": "false"}, Messages),
        (False, {"TERM": "xterm"}, Messages),
    ],
)
def test_the_surroundings_say_how_progress_is_told(terminal, environ, kind):
    assert type(messages_for(Screen(terminal), environ, False)) is kind


@pytest.mark.parametrize("verbose", [False, True])
def test_failures_are_told_and_all_images_only_if_asked_to(tmp_path, capsys, verbose):
    watch(Messages(verbose), tmp_path)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0] == "segpipe: manifest.jsonl:1 could not be read; its image is done anew"
    assert lines[1].startswith(r"segpipe: passed over l\nk.png: the link leaves the input root")
    assert ("segpipe: done: a.png" in lines) == verbose
    assert lines[-2] == r"segpipe: failed: a\x1b[2J\r\n\u202eb\x00\x9b.png: TruncatedImage: !"
    assert lines[-1] == "segpipe: some words"
    assert len(lines) == 4 + verbose


@pytest.mark.parametrize("kind", [Messages, Steps, Bar])
def test_one_that_has_not_started_can_be_told_and_closed(capsys, kind):
    watcher = kind(True)
    watcher.finished(done("a"))
    watcher.close()
    assert capsys.readouterr().err == "segpipe: done: a\n"


def sized(key, megapixels):
    return Record(key, "done", "r", InputFacts(1, None, round(megapixels * 1000), 1000, "RGB", "png"))


def steps(capsys, sizes, seconds_each=0.0, verbose=False):
    """The lines of a run over images of these megapixels, each of which takes so long."""
    now = [0.0]
    watcher = Steps(verbose, lambda: now[0])
    watcher.started(len(sizes), sum(sizes))
    for place, size in enumerate(sizes):
        now[0] += seconds_each
        watcher.finished(sized(f"{place}", size))
    watcher.close()
    return capsys.readouterr().err.splitlines()


def test_lines_come_at_tenths_and_the_last_is_the_whole(capsys):
    lines = steps(capsys, [1.0] * 1000, 0.0101)
    assert lines[0] == "segpipe: 1000 images to do, 1000.0 Mpx"
    assert [line.split()[1] for line in lines[1:]] == [f"{share}" for share in range(10, 101, 10)]
    assert lines[5] == "segpipe: 50 %: 500/1000 images, 500.0/1000.0 Mpx, 00:05 left"
    assert lines[-1] == "segpipe: 100 %: 1000/1000 images, 1000.0/1000.0 Mpx, 00:00 left"


def test_lines_come_each_half_minute_at_least(capsys):
    lines = steps(capsys, [1.0] * 1000, 10)
    assert 10_000 // 30 <= len(lines) <= 1 + 10_000 // 30 + 10
    assert lines[1] == "segpipe: 0 %: 3/1000 images, 3.0/1000.0 Mpx"


def test_a_large_image_tells_now_and_then(capsys):
    now = [0.0]
    watcher = Steps(False, lambda: now[0])
    watcher.started(1, 400.0)
    for part in range(1, 101):
        now[0] += 1
        watcher.progressed("map\n.tif", "counted", part * 4_000_000, 400_000_000)
    lines = capsys.readouterr().err.splitlines()[1:]
    assert lines == [f"segpipe: map\\n.tif: {share} % of 400.0 Mpx counted" for share in (30, 60, 90)]


@given(st.lists(st.floats(0, 50), min_size=1, max_size=40), st.data())
@settings(max_examples=80, deadline=None)
def test_work_rises_to_its_whole_whatever_fails(sizes, data):
    work = Work(len(sizes), sum(sizes))
    before = 0.0
    for size in sizes:
        work.take(sized("a", size) if data.draw(st.booleans()) else failed("a"))
        assert before <= work.done <= work.total + 1e-6
        before = work.done
    assert work.done == pytest.approx(work.total)


# As a program


@pytest.fixture
def site(tmp_path):
    """Some images, one of them bad."""
    made = Site(tmp_path)
    plant_images(made.inputs, *(f"{place:02}.png" for place in range(12)))
    (made.inputs / "05.png").write_bytes(b"")
    (made.inputs / "06.png").write_bytes(b"no image")
    return made


def piped(site, *options, **environ):
    """Run with stderr on a pipe: the lines."""
    clean = {name: value for name, value in os.environ.items() if name not in CLEARED}
    command = [sys.executable, REPO / "cli.py", "run", site.job, *options]
    result = subprocess.run(command, env=clean | environ, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert "\r" not in result.stderr
    return [line for line in result.stderr.splitlines() if "compiling" not in line]


def test_under_cron_only_what_matters_is_said(site):
    lines = piped(site)
    assert [line.split(": ")[2] for line in lines[:2]] == ["05.png", "06.png"]
    assert lines[2].startswith("10 done, 2 failed in ")
    assert len(lines) == 5
    (site.inputs / "05.png").unlink()
    (site.inputs / "06.png").unlink()
    assert "10 unchanged" in in_terminal("run", site.job).screen()[0]


def test_in_ci_the_last_line_of_progress_is_the_whole(site):
    lines = piped(site, CI="true")
    assert "segpipe: 11 images to do, 0.0 Mpx" in lines, "one was refused before"
    assert [line for line in lines if " %: " in line][-1].startswith("segpipe: 100 %: 11/11 images")
    assert not [line for line in piped(site, "-q", "--force", CI="true") if " %: " in line]


@pytest.mark.parametrize("width", [0, 10, 24, 200])
def test_a_terminal_has_a_bar_that_fits_and_goes(site, width):
    shown = in_terminal("run", site.job, width=width)
    lines = [line for line in shown._replace(width=10**6).screen() if line and "compiling" not in line]
    assert shown.code == 1
    assert lines[0].startswith("segpipe: failed: 05.png: EmptyFile")
    assert lines[1].startswith("segpipe: failed: 06.png: NotAnImage")
    assert lines[2].startswith("10 done, 2 failed in ")
    assert len(lines) == 5, lines
    drawn = [part for part in re.split(r"[\r\n]", shown.text) if "%|" in part]
    assert drawn or width < 24
    assert not width or all(len(part.rstrip("\x1b[A")) <= width for part in drawn)
    if width == 200:
        assert any(re.search(r"\d+/11 images, 0\.0/0\.0 Mpx \[00:\d\d<", part) for part in drawn)


def test_a_dumb_terminal_has_lines(site):
    shown = in_terminal("run", site.job, environ={"TERM": "dumb"})
    assert "\x1b" not in shown.text
    assert "\r" not in shown.text.replace("\r\n", "")
    assert "segpipe: 100 %: 11/11 images" in shown.text


def test_an_interrupted_bar_leaves_whole_lines(tmp_path):
    site = Site(tmp_path)
    plant_images(site.inputs, *(f"{place:04}.png" for place in range(3000)))
    shown = in_terminal("run", site.job, width=70, interrupt_at="%|")
    assert shown.code == 130
    lines = [line for line in shown._replace(width=10**6).screen() if line and "compiling" not in line]
    assert lines[0].endswith("segpipe: stopping: finishing what is under way; Ctrl-C again ends at once")
    assert re.fullmatch(r"\d+ done, \d+ not begun in .*", lines[1])
    assert re.fullmatch(r"\d+ images left to do: run again to go on", lines[2])
    assert not [line for line in lines if "%|" in line]


def test_images_that_are_counted_first_have_a_bar_of_their_own(site):
    shown = in_terminal("run", site.job, "--set", "quantize.scope=job", width=100)
    assert shown.code == 1
    assert re.search(r"counted: +\d+%\|", shown.text)
    assert "%|" not in "".join(shown.screen())


def test_counting_tells_now_and_then(capsys):
    now = [0.0]
    watcher = Steps(False, lambda: now[0])
    for image in range(1, 101):
        now[0] += 1
        watcher.counting(image, 100)
    assert capsys.readouterr().err.splitlines() == [
        f"segpipe: {count}/100 images counted" for count in (30, 60, 90)
    ]
