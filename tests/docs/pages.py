"""The snippets and the commands of the pages, in the order in which they are printed.

Sybil finds the fenced blocks. Its own runner is not used: it collects the pages themselves as
tests, and a page needs the marks of the frameworks that it imports.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sybil import Document
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
)
_FILE = re.compile(r"`([\w.]+\.py)`:\s*\Z")  # "A complete file, `mine.py`:" before a block
_INLINE = re.compile(
    r"(?<!`)`((?:lossdiff|tox|python|pytest|pip|ruff|\.venv/bin/\w+)\s[^`]+)`(?!`)"
)
_VENV = re.compile(r"^\.venv/bin/(python )?")


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page.

    Attributes:
        file: the name that the page gives the block as a file; empty for none.
    """

    page: str
    line: int
    language: str
    text: str
    file: str = ""

    @property
    def place(self) -> str:
        """Where it is printed."""
        return f"{self.page}:{self.line}"

    def one_of(self, table: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
        """Return the key of a table, a page and a beginning, that names this block."""
        return next((key for key in table
                     if key[0] == self.page and self.text.startswith(key[1])), None)  # fmt: skip

    @property
    def commands(self) -> list[str]:
        """The command lines of a block of shell, without comments and without a `.venv`."""
        text = self.text.replace("\\\n", " ")
        lines = [shlex.join(shlex.split(line, comments=True)) for line in text.splitlines()]
        parts = [part for line in lines for part in re.split(r" '&&' ", line)]
        return [_VENV.sub("", part).replace("'|'", "|") for part in parts if part]


def snippets(page: str) -> list[Snippet]:
    """Return the fenced blocks of a page."""
    document = Document.parse(str(ROOT / page), FencedCodeBlockLexer(r"\w*"))
    return [
        Snippet(page, example.line, example.region.lexemes["language"],
                str(example.region.lexemes["source"]), _named(document, example.region.start))
        for example in document.examples()
    ]  # fmt: skip


def _named(document: Document, start: int) -> str:
    found = _FILE.search(document.text[:start])
    return found[1] if found else ""


def inline_commands(page: str) -> list[str]:
    """Return the commands that stand in running text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [_VENV.sub("", " ".join(command.split())) for command in _INLINE.findall(text)]
