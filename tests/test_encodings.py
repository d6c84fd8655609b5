"""Text is read and written in a named encoding, so that a file is the same in every locale.

Ruff (PLW1514) finds those of which it knows that they are paths.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("src/lossdiff", "cases", "backends", "harness", "reports")
_METHODS = ("read_text", "write_text")


def _is_text(arguments: list[ast.expr]) -> bool:
    """Return whether the first argument of `open` is a mode of text."""
    mode = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else ""
    return isinstance(mode, str) and re.fullmatch(r"[rwa][t+]*", mode) is not None


def without_encoding(code: str) -> list[int]:
    """Return the lines that read or write a text in the encoding of the locale."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr in _METHODS or (node.func.attr == "open" and _is_text(node.args)))
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
    code = """
files('a').joinpath('b').read_text()
path.write_text('x', encoding='utf-8')
(folder / 'a').open('a')
(folder / 'a').open('ab')
RunFile.open(path)
"""

    assert without_encoding(code) == [2, 4]
