"""Lines of mistakes: their order, their wording, none twice."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.jobs.spec_mistakes import Mistake, Place, dotted, refusal

LINES = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1, max_size=8)


def test_a_path_is_told_as_it_is_written() -> None:
    assert dotted(()) == ""
    assert dotted(("input", "formats", 0)) == "input.formats[0]"


def test_a_key_that_the_place_names_is_not_said_twice() -> None:
    place = Place((1, 0, 0), "--set a.b=x", names="a.b")
    assert str(Mistake(place, ("a", "b"), "wrong")) == "--set a.b=x: wrong"
    assert str(Mistake(place, ("a",), "wrong")) == "--set a.b=x: a: wrong"
    assert str(Mistake(Place.in_file("job.yaml", 7, 3), (), "wrong")) == "job.yaml:7:3: wrong"


@given(lines=LINES, seed=st.integers(0, 99))
def test_mistakes_are_told_once_in_the_order_of_the_file(lines: list[tuple[int, int]], seed: int) -> None:
    mistakes = [Mistake(Place.in_file("f", *at), ("k",), "wrong") for at in lines * 2]
    random.Random(seed).shuffle(mistakes)  # noqa: S311 - no secret
    assert str(refusal(mistakes)).splitlines() == [
        f"f:{line}:{column}: k: wrong" for line, column in sorted(set(lines))
    ]
