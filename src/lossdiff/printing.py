"""Make texts printable, whatever they hold."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return a text that any terminal can print: all but line ends and tabs is visible.

    Texts come from files, names and other people's exceptions, and may hold commands for a
    terminal, or signs that turn the order of what follows.

    >>> printable("a\x1b[31m\n\u202eb")
    'a\\x1b[31m\n\\u202eb'
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else sign.encode("unicode_escape").decode()
        for sign in text
    )
