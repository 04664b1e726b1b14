"""Kinds of files by their extensions, in words."""

from collections.abc import Mapping

from pipeline.files.printable import plain


def told_kinds(kinds: Mapping[str, int], most: int = 6) -> str:
    """Extensions with their numbers, the most frequent first: "3 .txt, 1 without extension"."""
    ranked = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
    words = [f"{count} {plain(kind) or 'without extension'}" for kind, count in ranked[:most]]
    return ", ".join(words) + (", …" if len(ranked) > most else "")
