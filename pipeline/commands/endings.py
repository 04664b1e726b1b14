"""How a command that failed ends: the exit code of an error."""

import errno

from pipeline.errors import ExitCode, SegpipeError


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code that an error ends in."""
    if isinstance(error, SegpipeError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
        return ExitCode.OUTPUT_UNWRITABLE
    return ExitCode.BUG
