"""Keys given on the command line, ``--set quantize.colors=32``, laid over the job file."""

from collections.abc import Sequence

from pipeline.jobs.spec_mistakes import Mistake, Place
from pipeline.jobs.yaml_places import PlacedYaml, read_yaml


def lay_over(document: PlacedYaml, overrides: Sequence[str]) -> list[Mistake]:
    """Set each override's key in the document and return what is wrong with their form.

    Whether a key exists and takes the value is found later, by the same check that the file gets.
    The last of several overrides of one key counts, as is usual for options.
    """
    mistakes: list[Mistake] = []
    for index, override in enumerate(overrides):
        key, equals, text = override.partition("=")
        place = Place((1, index, 0), f"--set {override}", names=key)
        if not equals or not all(key.split(".")):
            mistakes.append(Mistake(place, (), "expected KEY=VALUE, such as quantize.colors=32"))
            continue
        _lay_one(document, key, text, place)
    return mistakes


def _lay_one(document: PlacedYaml, key: str, text: str, place: Place) -> None:
    path = tuple(key.split("."))
    if text.startswith("#"):  # a colour; YAML would take it for a comment
        document.put(path, text, place)
        return
    given = read_yaml(text, lambda line, column: place)
    document.put(path, given.value, place)
    document.mistakes += [Mistake(place, (*path, *one.path), one.message) for one in given.mistakes]
