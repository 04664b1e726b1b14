"""A job file's text; of a file that is none, what it is instead and what was most likely meant."""

from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from pipeline.errors import SpecError
from pipeline.files.formats import EXTENSIONS
from pipeline.jobs.spec_mistakes import Mistake, Place, refusal

MOST_BYTES = 1_000_000  # a job file has a few thousand; an image given by mistake is not read whole
SUFFIXES = (".yaml", ".yml", ".json")  # JSON is YAML
_YAML = (".yaml", ".yml")
_CONTROLS = bytes({*range(9), *range(14, 27), *range(28, 32)})  # that no text has


def text_of(path: Path) -> str:
    """Read a job file's text; SpecError if it is none."""
    if path.is_dir():
        inside = path / "job.yaml"
        advice = (
            f"did you mean '{inside}'?" if inside.is_file() else f"'segpipe init {path}' writes one for it"
        )
        raise SpecError(f"{path}: expected a job file, found a folder; {advice}")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file; {_meant(path)}") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    if path.suffix[1:].lower() in EXTENSIONS and not _is_text(content):
        raise SpecError(
            f"{path}: expected a job file, found an image; 'segpipe palette {path}' shows its colours, and "
            f"'segpipe init' writes a job file for a folder of images"
        )
    if len(content) > MOST_BYTES:
        raise SpecError(f"{path}: expected a job file, found more than {MOST_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _undecodable(path, content, error) from None


def _undecodable(path: Path, content: bytes, error: UnicodeDecodeError) -> SpecError:
    if not content.startswith((b"\xff\xfe", b"\xfe\xff")) and not _is_text(content):  # that is UTF-16
        return SpecError(f"{path}: expected a job file in YAML, found bytes that are no text; check the path")
    before = content[: error.start].decode("utf-8-sig")
    line, column = before.count("\n") + 1, error.start - content.rfind(b"\n", 0, error.start)
    place = Place.in_file(str(path), line, column)
    message = f"the byte {content[error.start]:#04x} is not UTF-8; save the file as UTF-8"
    return refusal([Mistake(place, (), message)])


def _is_text(content: bytes) -> bool:
    """Whether there are no control characters but those of text: in another encoding than UTF-8, perhaps."""
    return content[:4096].translate(None, _CONTROLS) == content[:4096]


def _meant(path: Path) -> str:
    """The job file of the same folder whose name is nearest, or how to get one."""
    names: list[str] = []
    with suppress(OSError):
        names = [other.name for other in path.parent.iterdir() if other.name.endswith(_YAML)]
    near = get_close_matches(path.name, names, n=1)
    return f"did you mean '{path.with_name(near[0])}'?" if near else "'segpipe init' writes a job file"
