"""Text that can be shown: names of files may hold anything, and move a cursor or end a line early."""

import os


def plain(text: str) -> str:
    """Escape control characters and whatever else cannot be shown; letters of all languages stay."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def counted(number: int, noun: str) -> str:
    """A number of things, such as "1 image" or "2 images"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def utf8(name: str) -> str:
    """Write the bytes of a file's name that are not UTF-8 as backslash escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
