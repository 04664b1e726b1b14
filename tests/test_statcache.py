"""The stat cache: a hint that is never wrong, and may always be missing."""

import pytest
from builders import digest, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.jobs.statcache import FileState, StatCache

STATE = FileState(10, 5_000_000_000, 7, digest("a"))
LATER = 6_000_000_000


def cache_with(path, **states):
    cache = StatCache(path)
    for key, state in states.items():
        cache.learn(key, state, LATER)
    return cache


def test_a_state_that_was_learned_is_known_again_after_saving(tmp_path):
    cache_with(tmp_path / "stats", a=STATE).save()
    cache = StatCache(tmp_path / "stats")
    assert cache.digest("a", *STATE[:3]) == STATE.sha256
    assert cache.digest("b", *STATE[:3]) is None


@pytest.mark.parametrize("field", ["bytes", "mtime_ns", "inode"])
@pytest.mark.parametrize("step", [-1, 1])
def test_any_difference_in_the_state_is_a_miss(tmp_path, field, step):
    cache = cache_with(tmp_path / "stats", a=STATE)
    other = STATE._replace(**{field: getattr(STATE, field) + step})
    assert cache.digest("a", *other[:3]) is None


@given(st.integers(-(10**9), 10**9))
@settings(max_examples=60, deadline=None)
def test_a_file_as_young_as_the_run_that_read_it_is_not_trusted(tmp_path_factory, age):
    cache = StatCache(tmp_path_factory.mktemp("cache") / "stats")
    cache.learn("a", STATE, STATE.mtime_ns + age)
    assert cache.changed == (cache.digest("a", *STATE[:3]) is not None) == (age > 20_000_000)


def test_a_version_is_trusted_however_young(tmp_path):
    cache = StatCache(tmp_path / "stats")
    cache.learn("a", STATE, STATE.mtime_ns, versioned=True)
    assert cache.digest("a", *STATE[:3]) == STATE.sha256


def test_a_racy_state_does_not_bring_an_old_one_back(tmp_path):
    cache = cache_with(tmp_path / "stats", a=STATE)
    racy = FileState(10, LATER, 7, digest("b"))
    cache.learn("a", racy, LATER)
    assert cache.digest("a", *racy[:3]) is None


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x81", b"\x81\xa1a\x93\x01\x02\x03", b"\xc0", bytes(50), b"\xff" * 50]
)
def test_a_damaged_file_is_an_empty_cache(tmp_path, content):
    path = tmp_path / "stats"
    path.write_bytes(content)
    cache = StatCache(path)
    assert cache.digest("a", *STATE[:3]) is None
    assert not cache.changed
    cache.learn("a", STATE, LATER)
    cache.save()
    assert StatCache(path).digest("a", *STATE[:3]) == STATE.sha256


def test_cut_at_any_byte_the_file_is_an_empty_cache(tmp_path):
    path = tmp_path / "stats"
    cache_with(path, a=STATE, b=STATE).save()
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.unlink()
        path.write_bytes(whole[:cut])
        assert StatCache(path).digest("a", *STATE[:3]) is None


def test_nothing_learned_is_nothing_written(tmp_path):
    StatCache(tmp_path / "stats").save()
    assert not list(tmp_path.iterdir())


def test_what_is_known_already_is_no_change(tmp_path):
    path = tmp_path / "stats"
    cache_with(path, a=STATE).save()
    before = tree(tmp_path)
    cache = cache_with(path, a=STATE)
    assert not cache.changed
    cache.save()
    assert tree(tmp_path) == before


def test_saving_settles_the_change(tmp_path):
    cache = cache_with(tmp_path / "stats", a=STATE)
    assert cache.changed
    cache.save()
    assert not cache.changed


def test_files_that_are_gone_are_forgotten_and_the_others_are_not(tmp_path):
    path = tmp_path / "stats"
    cache_with(path, a=STATE, b=STATE).save()
    cache = StatCache(path)
    cache.forget_all_but({"a", "b", "c"})
    assert not cache.changed
    cache.forget_all_but({"a"})
    assert cache.changed
    cache.save()
    again = StatCache(path)
    assert again.digest("a", *STATE[:3]) == STATE.sha256
    assert again.digest("b", *STATE[:3]) is None


@pytest.mark.parametrize("ahead", [0, 1, 10**9, 86400 * 10**9, 10**18])
def test_a_file_from_the_future_is_never_trusted(tmp_path, ahead):
    """Its clock, or this machine's, is wrong, or was: who knows what is the same instant."""
    cache = cache_with(tmp_path / "stats", a=STATE._replace(mtime_ns=LATER + ahead))
    assert not cache.changed
    assert cache.digest("a", 10, LATER + ahead, 7) is None


def test_a_clock_that_was_set_back_takes_nothing_back(tmp_path):
    """What was found out about a file in a state stays true; nothing new is learned of younger ones."""
    path = tmp_path / "stats"
    cache_with(path, a=STATE).save()
    again = StatCache(path)
    yesterday = STATE.mtime_ns - 86400 * 10**9
    again.learn("a", STATE._replace(sha256=digest("b")), yesterday)
    again.learn("b", STATE, yesterday)
    assert not again.changed
    assert again.digest("a", *STATE[:3]) == STATE.sha256
    assert again.digest("b", *STATE[:3]) is None
