"""Kinds of files by their extensions, in words."""

from collections.abc import Mapping


def told_kinds(kinds: Mapping[str, int], most: int = 6) -> str:
    """Extensions with their numbers, the most frequent first: "3 .txt, 1 without extension"."""
    ranked = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
    words = [f"{count} {printable(kind) or 'without extension'}" for kind, count in ranked[:most]]
    return ", ".join(words) + (", …" if len(ranked) > most else "")


def printable(text: str) -> str:
    """A name as it can stand in a comment or a message."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
