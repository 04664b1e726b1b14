"""Roots: what a text means as a folder, and which pairs are refused."""

import re
from pathlib import Path

import pytest

from pipeline.jobs.spec_mistakes import WrongKeyError
from pipeline.jobs.spec_roots import check_apart, local_folder

BASE = Path("/jobs/here")


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("a/b", "/jobs/here/a/b"),
        (".", "/jobs/here"),
        ("../a", "/jobs/a"),
        ("/data/x/", "/data/x"),
        ("~/pictures", "/home/me/pictures"),
        ("file:///data/x", "/data/x"),
        ("file://localhost/a%20b", "/a b"),
        ("FILE:///data/x", "/data/x"),
        ("a:b", "/jobs/here/a:b"),
        ("x~", "/jobs/here/x~"),
    ],
)
def test_a_text_means_one_absolute_folder(monkeypatch: pytest.MonkeyPatch, text: str, folder: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert local_folder(text, BASE) == folder
    assert local_folder(folder, None) == folder


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a folder, found ''; the job file's own is '.'"),
        ("s3://bucket/x", "object stores are not supported; give a local folder, not 's3://bucket/x'"),
        (
            "simplecache::gs://b/x",
            "object stores are not supported; give a local folder, not 'simplecache::gs://b/x'",
        ),
        ("file://host/x", "expected a URL such as 'file:///data/photos', found 'file://host/x'"),
        ("file:///", "expected a URL such as 'file:///data/photos', found 'file:///'"),
        ("~nobody-of-this-name/x", "no home folder is known for '~nobody-of-this-name/x'"),
        ("a\0b", "'a\\x00b' holds a null character, which no path can"),
    ],
)
def test_what_names_no_folder_here_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        local_folder(text, BASE)


def test_dots_behind_a_link_lead_where_the_link_leads(tmp_path: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    assert local_folder("link/../x", tmp_path) == str((tmp_path / "far" / "x").resolve())
    assert local_folder("link/x", tmp_path) == str(tmp_path / "link" / "x")


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("a", "a", "is the same folder as input.root '{source}'; give a folder of its own"),
        ("a", "a/b/c", "lies inside input.root '{source}'; give a folder outside it"),
        ("a/b", "a", "contains input.root '{source}'; give a folder beside it"),
        ("a", "link", "is the same folder as input.root '{source}'; give a folder of its own"),
        ("a", "link/b", "lies inside input.root '{source}'; give a folder outside it"),
        ("link/b", "a", "contains input.root '{source}'; give a folder beside it"),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_overlapping_roots_are_refused(
    tmp_path: Path, source: str, target: str, told: str, exists: bool
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    if exists:
        (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    one, other = str(tmp_path / source), str(tmp_path / target)
    with pytest.raises(WrongKeyError) as caught:
        check_apart(one, other)
    assert caught.value.key == "root"
    assert str(caught.value) == f"'{other}' {told.format(source=one)}"


@pytest.mark.parametrize(("source", "target"), [("a", "b"), ("a", "ab"), ("ab", "a"), ("a/b", "a/c")])
def test_roots_beside_each_other_are_fine(tmp_path: Path, source: str, target: str) -> None:
    check_apart(str(tmp_path / source), str(tmp_path / target))
