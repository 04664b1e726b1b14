"""`segpipe palette`: the palettes that a job would find, shown, listed and saved, and errors as a job's."""

import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trees import Site, contents, picture, plant, segpipe, snapshot

from pipeline.files.palettefiles import read_palette

REPO = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two images and a file that is none, in the working folder."""
    plant(tmp_path, "a.png", "b c.png")
    (tmp_path / "no.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


def complaints(result):
    """What is said on stderr, but for the loops' compiling, which takes a while once."""
    return [line for line in result.stderr.splitlines() if "compiling" not in line]


def test_a_palette_is_shown_as_plain_text(folder):
    result = segpipe("palette", "a.png", "--colors", "5", "--names")
    assert (result.exit_code, complaints(result)) == (0, [])
    lines = result.stdout.splitlines()
    assert len(lines) == 5
    for label, line in enumerate(lines):
        assert re.fullmatch(rf"{label}  #[0-9a-f]{{6}}  [ 1]?\d+\.\d\d%  [a-z]+ +[▏▎▍▌▋▊▉█]+", line)
        assert len(line) <= 80


@pytest.mark.parametrize(
    ("options", "quantize"),
    [
        ((), {"colors": 8}),
        (("--colors", "5", "--color-space", "oklab"), {"colors": 5, "color_space": "oklab"}),
        (("--method", "minibatch", "-c", "4"), {"colors": 4, "method": "minibatch"}),
        (("--method", "dynamic", "--threshold", "40"), {"method": "dynamic", "threshold": 40}),
    ],
)
@pytest.mark.parametrize("names", [False, True])
def test_json_is_what_a_job_writes(folder, options, quantize, names):
    site = Site(folder / "site", quantize=quantize, output={"palette": {"names": "css" if names else "none"}})
    plant(site.inputs, "a.png", "b c.png")
    site.run()
    result = segpipe("palette", "a.png", "b c.png", "--json", *options, *["--names"] * names)
    assert result.exit_code == 0
    written = [
        json.loads((site.outputs / f"palettes/{key}.json").read_bytes()) for key in ("a.png", "b c.png")
    ]
    assert json.loads(result.stdout) == written


def test_transparent_pixels_take_no_part(folder):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0] = 255
    Image.fromarray(pixels).save("clear.png")
    (found,) = json.loads(segpipe("palette", "clear.png", "--json").stdout)
    assert [entry["hex"] for entry in found["colors"]] == ["#ffffff"]
    assert found["transparent"] == {"label": 1, "count": 12}
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save("nothing.png")
    result = segpipe("palette", "nothing.png")
    assert result.exit_code == 1
    assert "failed: nothing.png: NothingVisible: " in result.stderr


def test_several_images_have_a_heading_each(folder):
    lines = segpipe("palette", "a.png", "b c.png", "-c", "2").stdout.splitlines()
    assert lines[0] == "a.png: 2 of 384 colours"
    assert lines[3:5] == ["", "b c.png: 2 of 384 colours"]
    assert len(lines) == 7


def test_together_they_have_the_palette_of_a_job_that_shares_one(folder):
    site = Site(folder / "site", quantize={"scope": "job"})
    plant(site.inputs, "a.png", "b c.png")
    site.run()
    result = segpipe("palette", "b c.png", "a.png", "--together", "--json", "-c", "4")
    (found,) = json.loads(result.stdout)
    shared = json.loads((site.outputs / "shared/palette.json").read_bytes())
    assert found.pop("images") == ["b c.png", "a.png"]
    assert found == {key: value for key, value in shared.items() if key not in ("scope", "group", "images")}
    shown = segpipe("palette", "b c.png", "a.png", "--together", "-c", "4").stdout.splitlines()
    assert shown[0] == "2 images together: 4 of 768 colours"
    assert len(shown) == 5


@pytest.mark.parametrize("together", [False, True])
def test_a_bad_image_is_told_and_the_others_are_shown(folder, together):
    result = segpipe("palette", "no.png", "a.png", "-c", "2", *["--together"] * together)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 3
    (complaint,) = complaints(result)
    assert complaint.startswith("segpipe: failed: no.png: NotAnImage: no.png: expected one of")
    listed = segpipe("palette", "no.png", "a.png", "--json", *["--together"] * together)
    assert (listed.exit_code, len(json.loads(listed.stdout))) == (1, 1)


@pytest.mark.parametrize("together", [False, True])
def test_without_any_image_nothing_is_shown(folder, together):
    result = segpipe("palette", "no.png", *["--together"] * together)
    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads(segpipe("palette", "no.png", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Missing argument"),
        (("gone.png",), "gone.png: expected an image, found none; check the path"),
        (("a.png", "."), ".: expected an image, found a folder; name its images"),
        (("a.png", "-c", "0"), "--colors"),
        (("a.png", "--method", "palette"), "--method"),
        (("a.png", "--threshold", "nan"), "--threshold: expected a number of at least 0, found nan"),
        (("a.png", "--threshold", "-1"), "--threshold: expected a number of at least 0, found -1"),
        (("a.png", "--save", "x.aco"), "expected a file that ends in .json, .gpl"),
        (("a.png", "--save", "x"), "found ''; choose one"),
        (("a.png", "--save", "a.png"), "expected another file than the images that are read"),
        (("a.png", "--save", "gone/x.css"), "expected a file in a folder that is there"),
        (("a.png", "b c.png", "--save", "x.css"), "found those of 2 images; add --together"),
        (("a.png", "-c", "300", "--save", "x.ACT"), "at most 256 colours"),
    ],
)
def test_a_wrong_command_line_is_2_before_anything_is_done(folder, arguments, told):
    before = snapshot(folder)
    result = segpipe("palette", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert snapshot(folder) == before


@pytest.mark.parametrize("ending", ["json", "gpl", "ase", "act", "hex", "txt", "css", "CSS"])
def test_what_is_saved_is_the_palette_that_is_shown(folder, ending):
    result = segpipe("palette", "a.png", "--save", f"brand.{ending}", "--save", "brand.png")
    assert result.exit_code == 0
    shown = [bytes(color).hex() for color in read_palette(folder / f"brand.{ending}").tolist()]
    assert shown == re.findall("#([0-9a-f]{6})", result.stdout)
    assert (folder / "brand.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in folder.iterdir()} == {
        "a.png",
        "b c.png",
        "no.png",
        f"brand.{ending}",
        "brand.png",
    }


def test_saved_files_are_those_of_a_job(folder):
    formats = ["json", "gpl", "png", "ase", "act", "hex", "txt", "css"]
    site = Site(folder / "site", output={"palette": {"formats": formats, "names": "css"}})
    plant(site.inputs, "a.png")
    site.run()
    for ending in formats:
        segpipe("palette", "a.png", "-c", "4", "--names", "--save", f"x.{ending}")
        assert (folder / f"x.{ending}").read_bytes() == contents(site.outputs)[f"palettes/a.png.{ending}"]


def test_a_file_that_cannot_be_written_is_4(folder, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.views.reports.write_whole", full)
    result = segpipe("palette", "a.png", "--save", "x.css")
    assert result.exit_code == 4
    assert "--save x.css: could not be written: No space left on device" in result.stderr


def test_no_name_can_forge_a_line(folder):
    name = "e\x1b[2J\nvil.png"
    picture(1).save(folder / name)
    result = segpipe("palette", name, "a.png", "-c", "2")
    assert result.stdout.splitlines()[0] == r"e\x1b[2J\nvil.png: 2 of 384 colours"
    (folder / name).write_bytes(b"no image")
    assert "\x1b" not in segpipe("palette", name).output


# As a program, in a terminal


def in_terminal(folder, width, environ, *arguments):
    """Run in a pseudo-terminal of this width: what it shows."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in COLORING}
    command = [sys.executable, REPO / "cli.py", "palette", *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env=clean | {"PYTHONUTF8": "1"} | environ,
    ) as program:
        os.close(theirs)
        shown = b""
        while part := read(ours):
            shown += part
    os.close(ours)
    assert program.returncode == 0
    return shown.decode().replace("\r\n", "\n").splitlines()


def read(terminal):
    """Read what there is; nothing when the other side has gone."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


COLORING = ("COLORTERM", "NO_COLOR", "TERM", "COLUMNS", "LINES")
TRUE = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def test_a_terminal_with_colours_has_swatches_in_them(folder):
    lines = in_terminal(folder, 70, TRUE, "a.png", "-c", "3")
    assert len(lines) == 3
    for line in lines:
        red, green, blue = map(int, re.search(r"\x1b\[48;2;(\d+);(\d+);(\d+)m {6}\x1b\[0m", line).groups())
        assert f"  #{red:02x}{green:02x}{blue:02x}  " in line
    assert max(len(re.sub("\x1b.*?m", "", line)) for line in lines) == 70


def test_a_terminal_of_256_colours_has_the_nearest(folder):
    lines = in_terminal(folder, 40, {"TERM": "xterm-256color"}, "a.png", "-c", "3")
    assert all(re.match(r"\d  \x1b\[48;5;\d+m  \x1b\[0m  #[0-9a-f]{6}  ", line) for line in lines)
    assert max(len(re.sub("\x1b.*?m", "", line)) for line in lines) == 40


@pytest.mark.parametrize(
    "environ", [TRUE | {"NO_COLOR": "1"}, TRUE | {"TERM": "dumb"}, {"TERM": "vt100"}, {}], ids=str
)
def test_a_terminal_without_colours_has_none(folder, environ):
    lines = in_terminal(folder, 60, environ, "a.png", "b c.png", "-c", "3")
    assert "\x1b" not in "".join(lines)
    assert len(lines) == 9


def test_a_pipe_has_plain_text_whatever_the_terminal(folder):
    done = subprocess.run(
        [sys.executable, REPO / "cli.py", "palette", "a.png", "b c.png"],
        cwd=folder,
        env=os.environ | TRUE,
        capture_output=True,
        check=True,
    )
    assert b"\x1b" not in done.stdout + done.stderr
    assert done.stdout.count(b"#") == 16
