"""Errors: the tree that the module tells is the tree there is, each with its exit code."""

import re

import pytest

from pipeline import errors
from pipeline.errors import ExitCode, ImageError, SegpipeError, UnexpectedError


def classes():
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, SegpipeError)
    }


def told():
    """Read the docstring's tree: (parent, name, code or None) of each class."""
    found, above = [], []
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([│ ]*)(├── |└── |)([A-Z]\w+(?:, *[A-Z]\w+)*,?)(?: +(\d+))?(?= |$)", line)
        if match is None:
            continue
        indent, branch, names, code = match.groups()
        depth = len(indent + branch) // 4
        if branch or not above:
            del above[depth:]
        parent = above[depth - 1] if depth else None
        for name in re.findall(r"\w+", names):
            found.append((parent, name, int(code) if code else None))
        if branch or depth == 0:
            above.append(re.findall(r"\w+", names)[0])
    return found


def test_the_docstring_tells_every_class_below_its_parent():
    tree = {name: kind.__base__.__name__ for name, kind in classes().items()}
    assert {name: parent or "Exception" for parent, name, _ in told()} == tree
    assert len(told()) == len(tree)


def test_the_docstring_tells_the_exit_codes():
    codes = {name: code for _, name, code in told() if code is not None}
    assert codes == {
        name: kind.exit_code
        for name, kind in classes().items()
        if kind.__base__ in (SegpipeError, errors.OutputError) or kind is errors.OutputNotWritable
    }


def test_exit_codes_are_a_stable_interface():
    assert {code.name: code.value for code in ExitCode} == {
        "DONE": 0,
        "IMAGES_FAILED": 1,
        "BAD_SPEC": 2,
        "INPUT_UNREADABLE": 3,
        "OUTPUT_UNWRITABLE": 4,
        "WORKERS_LOST": 5,
        "DIFFERENCES_FOUND": 6,
        "WORK_LEFT": 7,
        "BUG": 70,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }


def test_every_class_has_a_code_other_than_done_and_a_word_about_itself():
    for kind in classes().values():
        assert kind.exit_code != ExitCode.DONE
        assert kind.__doc__


def test_a_kind_is_found_by_its_name():
    for kind in ImageError.__subclasses__():
        assert ImageError.named(kind.__name__) is kind


@pytest.mark.parametrize("name", ["", "ImageError", "SpecError", "ValueError", "OfALaterVersion"])
def test_other_names_are_unexpected(name):
    assert ImageError.named(name) is UnexpectedError


def test_errors_of_images_lie_directly_below_their_base():
    """`named` looks no deeper."""
    assert all(not kind.__subclasses__() for kind in ImageError.__subclasses__())


def test_exit_codes_tell_who_may_try_again():
    """Batch systems and pod policies rest on it: one code is worth a retry, two never are."""
    assert [code for code in ExitCode if code.then.startswith("retry")] == [ExitCode.WORKERS_LOST]
    assert [code for code in ExitCode if "never retry" in code.then] == [ExitCode.BAD_SPEC, ExitCode.BUG]
