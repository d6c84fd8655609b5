"""Text is read and written in a named encoding, so that a file is the same in every locale.

Ruff (PLW1514) finds calls of `open` and of `Path`; a resource of the package escapes it.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("src/lossdiff", "cases", "backends", "harness", "reports")
_METHODS = ("read_text", "write_text")


def without_encoding(code: str) -> list[int]:
    """Return the lines that read or write a text in the encoding of the locale."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _METHODS
        and "encoding" not in {keyword.arg for keyword in node.keywords}
    ]


def test_every_text_has_an_encoding() -> None:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {
        path.relative_to(ROOT).as_posix(): without_encoding(path.read_text(encoding="utf-8"))
        for path in files
    }

    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_text_without_one_is_found() -> None:
    code = "files('a').joinpath('b').read_text()\npath.write_text('x', encoding='utf-8')"

    assert without_encoding(code) == [1]
