"""Checks take what is in bounds, and refuse anything else with what was expected and found."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.color.checks import check_colors, check_number, check_whole, check_word


def having(value):
    return SimpleNamespace(size=value, other=3)


@pytest.mark.parametrize("value", [1, 5, 9, np.int64(9), np.uint8(1)])
def test_whole_numbers_in_bounds_are_taken(value):
    check_whole(having(value), ("other", 3, 3), ("size", 1, 9))


@pytest.mark.parametrize("value", [0, 10, -5, 2.0, 2.5, True, "3", None, np.float64(2), np.bool_(1), [3]])
def test_anything_else_is_no_whole_number(value):
    with pytest.raises(ValueError, match="size must be a whole number from 1 to 9, not ") as caught:
        check_whole(having(value), ("other", 3, 3), ("size", 1, 9))
    assert str(caught.value).endswith(f"not {value!r}")


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 1, np.float32(0.5), np.int8(1)])
def test_numbers_in_bounds_are_taken(value):
    check_number(having(value), ("other", 0, 5), ("size", 0, 1))


@pytest.mark.parametrize(
    "value",
    [-0.1, 1.1, float("nan"), float("inf"), 10**400, True, "0.5", None, 1j, np.complex64(1), np.bool_(0)],
)
def test_anything_else_is_no_number(value):
    with pytest.raises(ValueError, match="size must be a number from 0 to 1, not ") as caught:
        check_number(having(value), ("other", 0, 5), ("size", 0, 1))
    assert str(caught.value).endswith(f"not {value!r}")


def test_a_number_without_an_upper_bound_is_finite_all_the_same():
    check_number(having(1e300), ("size", 0.5, np.inf))
    for value in (0.4, float("inf"), float("nan"), 10**400):
        with pytest.raises(ValueError, match=f"size must be a number of at least 0.5, not {value}"):
            check_number(having(value), ("size", 0.5, np.inf))


def test_words_are_told_when_another_is_found():
    check_word(having("lab"), "size", ("srgb", "lab"))
    with pytest.raises(ValueError, match="size must be 'a', 'b' or 'c', not 'd'"):
        check_word(having("d"), "size", ("a", "b", "c"))
    with pytest.raises(ValueError, match="size must be 'a' or 'b', not 3"):
        check_word(having(3), "size", ("a", "b"))


@pytest.mark.parametrize("count", [1, 2, 65_536])
def test_colors_are_taken(count):
    check_colors("palette", np.zeros((count, 3), np.uint8))


@pytest.mark.parametrize(
    ("colors", "found"),
    [
        (np.zeros((0, 3), np.uint8), r"shape \(0, 3\) of uint8"),
        (np.zeros((65_537, 3), np.uint8), r"shape \(65537, 3\) of uint8"),
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\) of uint8"),
        (np.zeros(3, np.uint8), r"shape \(3,\) of uint8"),
        (np.zeros((4, 5, 3), np.uint8), r"shape \(4, 5, 3\) of uint8"),
        (np.zeros((4, 3)), r"shape \(4, 3\) of float64"),
        ([[1, 2, 3]], r"shape \(1, 3\) of int64"),
        ("red", r"shape \(\) of <U3"),
        (None, r"shape \(\) of object"),
    ],
)
def test_anything_else_is_no_colors(colors, found):
    with pytest.raises(ValueError, match=r"palette must be 1 to 65,536 colours of .* uint8, not " + found):
        check_colors("palette", colors)
