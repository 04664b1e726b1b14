"""Who is told of a run, and how: `-v`, `-q`, `--log-json`, and what stderr is."""

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.commands.reading import tell

if TYPE_CHECKING:
    from pipeline.jobs.summary import Summary
    from pipeline.views.closing import Where
    from pipeline.views.progress import Messages
    from pipeline.views.terminal import JsonLines, Quiet


class Telling:
    """What a run tells on stderr while it goes on, and at its end."""

    def __init__(self, log_json: bool, quiet: bool, verbose: bool) -> None:
        self._silent = quiet or sys.stderr is None
        self._log_json = log_json and not self._silent
        self._verbose = verbose

    @cached_property
    def watcher(self) -> "Messages | JsonLines | Quiet":
        """Who is told while it goes on."""
        from pipeline.views.progress import messages_for
        from pipeline.views.terminal import JsonLines, Quiet

        if self._silent:
            return Quiet()
        return JsonLines() if self._log_json else messages_for(sys.stderr, os.environ, self._verbose)

    def end(self, summary: "Summary", where: "Where") -> None:
        """Say the last words; who asked for quiet hears them only if all is not well."""
        from pipeline.views.closing import closing_lines

        if sys.stderr is None or (self._silent and not summary.exit_code):
            return
        say = self.watcher.say if self._log_json else tell
        for line in closing_lines(summary, where, told_already=not self._silent, quiet=self._silent):
            say(line)
