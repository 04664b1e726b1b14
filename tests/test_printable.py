"""Text that can be shown: whatever a file is named, a reader sees one line of it and nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st
from watched import EVIL

from pipeline.files.printable import plain, utf8


@given(st.text(st.characters(exclude_categories=[])))
@settings(max_examples=150, deadline=None)
def test_what_is_shown_is_printable_and_printable_text_is_not_changed(text):
    shown = plain(text)
    assert shown.isprintable()
    shown.encode()  # no half of a surrogate pair is left
    if text.isprintable():
        assert shown == text


def test_control_characters_are_shown_as_escapes():
    assert plain(f"{EVIL}\udcff") == r"a\x1b[2J\r\n\u202eb\x00\x9b.png\udcff"
    assert plain("ä ö/日本 😀") == "ä ö/日本 😀"


def test_bytes_that_are_no_utf8_are_shown_as_escapes():
    assert utf8("gr\udcf6ße.png") == r"gr\xf6ße.png"
