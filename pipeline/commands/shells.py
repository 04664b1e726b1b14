"""Completion in bash and zsh, where click's own falls short.

Bash parts words at '=' and ':', which keys of `--set` and addresses have: here the line itself is read, and
only what follows the last of these is answered. Words that go on ('quantize.', 'folder/') get no space.
"""

import os
import re
from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

_BASH = """\
%(complete_func)s() {
    local response type value
    response=$(env COMP_LINE="${COMP_LINE:0:$COMP_POINT}" %(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                [[ $value == *[=/] ]] && compopt -o nospace ;;
        esac
    done <<< "$response"
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_PLAIN = "compadd -U -V unsorted -a completions"
_PARTED = """\
local -a going=(${(M)completions:#*[=/]}) ended=(${completions:#*[=/]})
        (( $#going )) && compadd -U -V unsorted -S '' -a going
        (( $#ended )) && compadd -U -V unsorted -a ended"""


class Bash(BashComplete):
    """Reads the line up to the cursor."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Give the words before the one that is typed, and that one."""
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        bare = re.sub(r"\\.", "", line)
        self._quoted = bool(bare.count("'") % 2 or bare.count('"') % 2)
        self._typed = words.pop() if len(words) > 1 and (self._quoted or not _ends(line)) else ""
        return words[1:], self._typed

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Write an answer as the script reads it."""
        if item.type != "plain" or self._quoted:
            return f"{item.type},{item.value}"
        typed = self._typed.partition("=")[2] if self._typed.startswith("-") else self._typed
        answered = max(typed.rfind("="), typed.rfind(":")) + 1
        return "plain," + re.sub(r"([^\w@%+=:,./~-])", r"\\\1", item.value[answered:])


class Zsh(ZshComplete):
    """Adds no space behind what goes on."""

    source_template = ZshComplete.source_template.replace(_PLAIN, _PARTED)


def register() -> None:
    """Let click know them."""
    add_completion_class(Bash)
    add_completion_class(Zsh)


def _ends(line: str) -> bool:
    """Whether the last word of a line is ended: by a space that is not escaped."""
    return re.search(r"(?<!\\)(?:\\\\)*\s$", line) is not None
