"""Who holds a lock: written down and read back, with every sign of life in as many bytes."""

import os
import socket
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.jobs.holder import Holder, spell, token_of


def test_it_reads_what_it_writes():
    me = Holder.me()
    assert (me.pid, me.host, me.is_near, me.is_alive) == (os.getpid(), socket.gethostname(), True, True)
    again = Holder.from_bytes(me.to_bytes())
    assert again == replace(me, at=round(me.at, 2))
    assert Holder.me().token != me.token


def test_every_sign_of_life_is_another_of_the_same_holder_in_as_many_bytes():
    holder = Holder.me()
    first = holder.to_bytes()
    for beat in range(1, 1001):
        holder = holder.beaten()
        assert holder.beat == beat
        assert len(holder.to_bytes()) == len(first)
        assert token_of(holder.to_bytes()) == token_of(first)


@given(st.binary(max_size=100))
def test_whatever_a_lock_says_has_a_token_that_can_be_in_a_name(data):
    Holder.from_bytes(data)
    assert token_of(data).isalnum()
    assert len(token_of(data)) < 64


@pytest.mark.parametrize(
    "data",
    [b"", b"x\nhost\n", b"0\nhost\n", b"-1\nhost\n", b"99999999999\nhost\n", b"7\n\n", b"7", b"\xff\n\n"],
)
def test_what_names_nobody(data):
    assert Holder.from_bytes(data) is None


@pytest.mark.parametrize("token", ["../../x", "a/b", "", "x" * 1000])
def test_a_forged_token_names_no_file_elsewhere(token):
    data = replace(Holder.me(), token=token).to_bytes()
    assert token not in token_of(data) or not token


def test_a_lock_of_an_earlier_version_names_its_holder():
    found = Holder.from_bytes(b"7\nelsewhere\n123456\n")
    assert found == Holder(7, "elsewhere")
    assert not found.is_near
    assert Holder(7, socket.gethostname()).is_near


def test_an_equal_host_name_alone_is_not_near():
    """Two containers of one image, say; or the machine before it was started anew."""
    assert not replace(Holder.me(), place="another boot").is_near


def test_words():
    holder = replace(Holder.me(), pid=7, host="node7", place="x", since="2026-01-02 03:04:05+0000", beat=1000)
    words = "process 7 on node7 since 2026-01-02 03:04:05+0000 (4.2 h"
    assert holder.told(4.2) == f"{words}, last sign of life 4 s ago)"
    assert holder.told(None) == f"{words})"
    assert [spell(seconds) for seconds in (0, 119, 120, 7199, 7200)] == [
        "0 s",
        "119 s",
        "2 min",
        "120 min",
        "2.0 h",
    ]
