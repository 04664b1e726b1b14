"""Everything that can go wrong, and the exit code it ends in.

    SegpipeError
    ├── SpecError             2   the job file or the command line is wrong
    ├── InputError            3   the input root cannot be read as a whole
    ├── OutputError           4   the output root cannot be written
    │   └── OutputLocked      4   … because another run holds it
    ├── WorkersLost           5   the cluster cannot be reached or lost its workers (worth a retry)
    └── ImageError            1   one image failed: a row of the manifest, never the end of the run
        ├── EmptyFile, NotAnImage, TruncatedImage, DamagedImage, UnsupportedImage,
        │   NothingVisible                  the file's own fault: the same bytes fail again
        ├── BrokenLink, UnusableName, UnlistedFormat, TooManyPixels, TooMuchMemory
        │                                   seen without reading the picture; looked at on each run
        ├── UnreadableFile, VanishedFile, ChangedWhileReading
        │                                   the surroundings' fault: tried again on the next run
        ├── OutputNotWritable         4     the same, for the output tree
        ├── WorkerKilled, TimedOut          the image took its worker down, or would not end; quarantined
        └── UnexpectedError                 a bug met while working on this image

`WorkerDied` is none of them: an answer between workers and driver, of which a row or an end comes later.
Messages say where, what was expected, what was found and what to do.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller; a stable interface. A code not listed here is a failure.

    meaning : what has happened. then : what whoever called had better do.
    """

    meaning: str
    then: str

    def __new__(cls, code: int, meaning: str, then: str) -> "ExitCode":
        """Make a member that carries its words."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.then = then
        return member

    DONE = 0, "all done, or nothing to do", "nothing"
    IMAGES_FAILED = 1, "some images failed, all others are done", "look at them; a retry alone is no use"
    BAD_SPEC = 2, "bad job file or command line", "mend it; never retry"
    INPUT_UNREADABLE = 3, "input unreadable as a whole", "look at the mount and its rights"
    OUTPUT_UNWRITABLE = 4, "output not writable, or locked by another run", "make room, or wait for that run"
    WORKERS_LOST = 5, "workers lost or cluster unreachable", "retry"
    DIFFERENCES_FOUND = 6, "`verify` or `plan --check` found differences", "run the job"
    WORK_LEFT = 7, "the time was over and work is left", "run again, when there is time"
    BUG = 70, "a bug", "report it; never retry"
    INTERRUPTED = 130, "interrupted (SIGINT), in good order", "run again"
    TERMINATED = 143, "terminated (SIGTERM), in good order", "run again"


class SegpipeError(Exception):
    """Base of every error that segpipe raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG


class SpecError(SegpipeError):
    """The job file or the command line is wrong."""

    exit_code = ExitCode.BAD_SPEC


class InputError(SegpipeError):
    """The input root cannot be read as a whole."""

    exit_code = ExitCode.INPUT_UNREADABLE


class OutputError(SegpipeError):
    """The output root cannot be written."""

    exit_code = ExitCode.OUTPUT_UNWRITABLE


class OutputLocked(OutputError):
    """Another run holds the output root."""


class WorkersLost(SegpipeError):
    """The cluster cannot be reached, or its workers are gone; a later try may succeed."""

    exit_code = ExitCode.WORKERS_LOST


class ImageError(SegpipeError):
    """One image failed. Recorded under the class's name; the run goes on.

    `lasting` tells whether the same bytes and the same recipe must fail again: then a re-run
    does not try them. Otherwise the surroundings were at fault and the next run tries again.
    `quarantined` tells that what happened may be this program's fault, or a library's: a record says
    which version was at work, and another one tries again.
    """

    exit_code = ExitCode.IMAGES_FAILED
    lasting: ClassVar[bool] = True
    quarantined: ClassVar[bool] = False

    @staticmethod
    def named(name: str) -> "type[ImageError]":
        """The class of that name; `UnexpectedError` for a name of another version."""
        return next((kind for kind in ImageError.__subclasses__() if kind.__name__ == name), UnexpectedError)


class EmptyFile(ImageError):
    """The file has no bytes."""


class NotAnImage(ImageError):
    """The content is of no image format that is read."""


class TruncatedImage(ImageError):
    """The file ends before its picture does."""


class DamagedImage(ImageError):
    """The file is of a known format but its content is broken."""


class UnsupportedImage(ImageError):
    """A sound image of a kind that is not read."""


class UnlistedFormat(ImageError):
    """A sound image of a format that `input.formats` does not list."""

    lasting = False  # cheap to find again, and the list is not part of the recipe


class NothingVisible(ImageError):
    """Every pixel is fully transparent: there is no colour to fit."""


class BrokenLink(ImageError):
    """A symbolic link that leads nowhere, or round in a circle."""

    lasting = False


class UnusableName(ImageError):
    """The file's name cannot be recorded, or its outputs could not have theirs."""

    lasting = False


class TooManyPixels(ImageError):
    """More pixels than `input.max_megapixels` admits."""

    lasting = False  # cheap to find again, and the limit is not part of the recipe


class TooMuchMemory(ImageError):
    """The image needs more memory than a worker has."""

    lasting = False


class UnreadableFile(ImageError):
    """The file is there but cannot be read (permissions, a failing disk)."""

    lasting = False


class VanishedFile(ImageError):
    """The file was listed but has gone since."""

    lasting = False


class ChangedWhileReading(ImageError):
    """The file's size or time changed while it was being read."""

    lasting = False


class OutputNotWritable(ImageError):
    """The image's outputs could not be written (disk full, read-only, no permission)."""

    exit_code = ExitCode.OUTPUT_UNWRITABLE
    lasting = False


class WorkerKilled(ImageError):
    """The image took its worker down with it (memory, a crash in a decoder)."""

    quarantined = True


class TimedOut(ImageError):
    """The work on the image took longer than `compute.image_timeout` (a decoder that hangs)."""

    quarantined = True


class UnexpectedError(ImageError):
    """A bug met while working on this image; the message carries the place."""

    lasting = False


class WorkerDied(Exception):
    """The answer for a task whose worker died under it, once too often; no end of a run, nor a row yet."""
