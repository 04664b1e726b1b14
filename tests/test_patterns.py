"""Include and exclude patterns say what .gitignore's say."""

import pytest

from pipeline.errors import SpecError
from pipeline.files.patterns import Patterns


def takes(key, include=(), exclude=()):
    return Patterns(include, exclude).takes(key, key.rpartition("/")[2])


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        (
            "*.png",
            ["a.png", "deep/er/a.png", "new\nline.png", ".png"],
            ["a.jpg", "a.png.txt", "a.PNG", "png/a"],
        ),
        ("a?.png", ["ab.png", "x/ab.png"], ["a.png", "a/.png", "abc.png"]),
        ("[ab].png", ["a.png", "x/b.png"], ["c.png"]),
        ("raw/*.png", ["raw/a.png"], ["a.png", "raw/x/a.png", "x/raw/a.png"]),
        ("raw/**", ["raw/a.png", "raw/x/a.png"], ["a.png", "x/raw/a.png", "rawer/a.png"]),
        ("**/raw/*.png", ["raw/a.png", "x/y/raw/a.png"], ["raw/x/a.png"]),
        ("raw/", ["raw/a.png", "x/raw/y/a.png"], ["raw", "a.png", "rawer/a.png"]),
        ("x/raw/", ["x/raw/y/a.png"], ["raw/a.png", "z/x/raw/a.png"]),
        ("/a.png", ["a.png"], ["x/a.png"]),
        ("/raw/", ["raw/x/a.png"], ["x/raw/a.png"]),
    ],
)
def test_pattern(pattern, taken, left):
    assert [key for key in taken + left if takes(key, [pattern])] == taken
    everything = ["**"]
    assert [key for key in taken + left if takes(key, everything, [pattern])] == left


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "a.b.TiFf", "folder.x/a.webp", "-a.png", "ä ö.png"])
def test_image_extensions_are_taken_by_default(name):
    assert takes(name)


@pytest.mark.parametrize("name", ["a.txt", "jpg", "a.jpg.txt", "a.", "jpg/a"])
def test_other_files_are_not_taken_by_default(name):
    assert not takes(name)


def test_exclude_wins():
    assert not takes("a.png", ["a.png"], ["*.png"])


def test_only_patterns_for_all_below_prune():
    patterns = Patterns([], ["drafts/", "old/**", "*.png", "x/*"])
    assert patterns.prunes("drafts")
    assert patterns.prunes("x/drafts")
    assert patterns.prunes("old")
    assert not patterns.prunes("x/old")
    assert not patterns.prunes("x")
    assert not patterns.prunes("a.png")


@pytest.mark.parametrize("pattern", ["", "/", "a**b/c"])
def test_malformed_pattern_is_named(pattern):
    with pytest.raises(SpecError, match="pattern"):
        Patterns([pattern], [])
