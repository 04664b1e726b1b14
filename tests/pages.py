"""The README and the guides in docs/: their blocks, commands, links and headings."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).parents[1]
GUIDES = sorted((REPO / "docs").glob("*.md"))
PAGES = [REPO / "README.md", *GUIDES]
NOT_RUN = "<!-- not run -->"
"""A line before a block that needs what a test has not: a cluster, a browser, a registry."""


class Block(NamedTuple):
    """A fenced block of a page. mark : the line before it."""

    page: str
    kind: str
    line: int
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(REPO).as_posix()


def text_of(page: Path) -> str:
    """What the page says."""
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """The page without its blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def all_blocks(*kinds: str) -> list[Block]:
    """All blocks of some languages, of all pages."""
    found = []
    for page in PAGES:
        text = f"\n{text_of(page)}"
        for match in re.finditer(r"^([^\n]*)\n```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 1
            found.append(Block(name_of(page), match[2], line, match[3], match[1].strip()))
    return [block for block in found if block.kind in kinds]


def blocks(*kinds: str) -> list[Block]:
    """Those that are run."""
    return [block for block in all_blocks(*kinds) if block.mark != NOT_RUN]


def shown_outputs() -> list[tuple[Block, Block]]:
    """Blocks that are run and what they print, where it is shown right behind them."""
    text = {page: text_of(REPO / page) for page in {block.page for block in all_blocks("text")}}
    return [
        (told, shown)
        for told in blocks("console")
        for shown in all_blocks("text")
        if told.page == shown.page and f"{told.text}```\n\n```text\n{shown.text}" in text[told.page]
    ]


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a block, word by word, without the variables set before them."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line.partition(" #")[0], posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split, lexer.commenters = True, ""
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";&|<>"):
                if words:
                    yield words
                words = []
            elif words or not re.match(r"[A-Z_]+=", word):
                words.append(word)


def told_commands() -> list[tuple[str, list[str]]]:
    """All calls of segpipe in blocks, run or not: place and words behind the program's name."""
    return [
        (str(block), words[1:])
        for block in all_blocks("console", "bash", "sh", "zsh", "fish")
        for words in commands(re.sub(r'"?\$\(.*?\)"?', "", block.text))
        if words[0].rpartition("/")[2] == "segpipe"
    ]


def links_of(page: Path) -> list[str]:
    """What the page links to, or shows, within the repository: path, path#heading or #heading."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose_of(page))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors_of(page: Path) -> set[str]:
    """The headings of a page as GitHub names them in links."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (numbered := f"{name}-{number}" if number else name) in found:
            number += 1
        found.add(numbered)
    return found


def sections_of(page: Path) -> dict[str, str]:
    """The page's text by the headings of second level."""
    parts = re.split(r"^## (.+)$", text_of(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
