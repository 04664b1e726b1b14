"""Roots: what a text means as a folder, and which pairs are refused."""

import re
from pathlib import Path

import pytest

from pipeline.jobs.spec_mistakes import WrongKeyError
from pipeline.jobs.spec_roots import check_apart, local_folder, root_of

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
        ("file://host/x", "expected a URL such as 'file:///data/photos', found 'file://host/x'"),
        ("file:///", "expected a URL such as 'file:///data/photos', found 'file:///'"),
        ("~nobody-of-this-name/x", "no home folder is known for '~nobody-of-this-name/x'"),
        ("a\0b", "'a\\x00b' holds a null character, which no path can"),
    ],
)
def test_what_names_no_folder_here_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        local_folder(text, BASE)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket/photos/", "s3://bucket/photos"),
        ("S3://bucket", "s3://bucket"),
        ("s3a://bucket/a b/c", "s3://bucket/a b/c"),
        ("gcs://bucket/x", "gs://bucket/x"),
        ("abfss://box@account.dfs.core.windows.net/x", "abfss://box@account.dfs.core.windows.net/x"),
        ("file:///data/x", "/data/x"),
    ],
)
def test_a_url_means_a_place_in_a_store(text: str, url: str) -> None:
    assert root_of(text, BASE) == url
    assert root_of(url, None) == url


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("s3://", "expected a bucket, such as 's3://bucket/photos'"),
        ("s3:///photos", "expected a bucket, such as 's3://bucket/photos'"),
        (
            "s3://AKIA:geh/eim@bucket/x",
            "found one with '@'; leave out what precedes it: credentials come from",
        ),
        ("s3://AKIA@bucket/x", "found one with '@'"),
        ("abfss://geheim:box@account/x", "found one with '@'"),
        ("s3://bucket/x?secret=geheim", "found one with '?'; leave out what follows it"),
        ("simplecache::gs://b/x", "found a chain of protocols"),
        ("s3://bucket//x", "expected names between slashes, found 's3://bucket//x'"),
        ("s3://bucket/a/../x", "expected names between slashes, found 's3://bucket/a/../x'"),
    ],
)
def test_what_has_no_place_in_a_url_is_refused_and_secrets_are_not_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        root_of(text, BASE)
    assert not re.search("AKIA|eim|geheim", str(caught.value))


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


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("s3://b/a", "s3://b/a", "is the same folder as"),
        ("s3://b", "s3://b/a", "lies inside"),
        ("s3://b/a/b", "s3://b/a", "contains"),
    ],
)
def test_overlapping_urls_are_refused(source: str, target: str, told: str) -> None:
    with pytest.raises(WrongKeyError, match=f"^'{target}' {told} input.root '{source}'"):
        check_apart(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [("s3://b/a", "s3://b/ab"), ("s3://b/a", "s3://c/a"), ("s3://b/a", "gs://b/a"), ("s3://b/a", "/b/a")],
)
def test_urls_beside_each_other_are_fine(source: str, target: str) -> None:
    check_apart(source, target)
    check_apart(target, source)
