"""Read the program text of implementations from their files, without importing a framework.

The text is what a user copies: the function, what it needs of its file, and the imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any

from . import FRAMEWORKS

_NO_IMPLEMENTATIONS = ("__init__", "adapter", "interpreter", "script")
_SETTINGS = ("namespace", "names", "kind", "targets")
_VJP = "_vjp"


@dataclass(frozen=True)
class FunctionText:
    """The text of an implementation.

    Attributes:
        function: the name of the function in the text.
        code: a module of its own: imports, what the function needs, and the function.
    """

    function: str
    code: str


def text_of(framework: str, name: str) -> FunctionText | None:
    """Return the text of an implementation that a backend has.

    Args:
        framework: a name of `FRAMEWORKS`.
        name: the name that its users know.

    Returns:
        The text; None if no file of the backend defines such a function.

    >>> print(text_of("numpy", "scipy.special.softmax").code)
    from scipy import special
    <BLANKLINE>
    <BLANKLINE>
    def softmax(logits, *, axis=-1):
        return special.softmax(logits, axis=axis)
    """
    return _texts(framework).get(name) if framework in FRAMEWORKS else None


@cache
def _texts(framework: str) -> dict[str, FunctionText]:
    spec = util.find_spec(FRAMEWORKS[framework].package)
    found: dict[str, FunctionText] = {}
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted(Path(folder).glob("*.py")):
            if path.stem not in _NO_IMPLEMENTATIONS:
                found |= dict(_in_file(path.read_text(encoding="utf-8"), path.stem))
    return found


def _in_file(text: str, stem: str) -> Iterator[tuple[str, FunctionText]]:
    nodes = ast.parse(text).body
    settings = _settings(nodes)
    namespace, names = settings.get("namespace", stem), settings.get("names", {})
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            name = names.get(node.name, f"{namespace}.{node.name}")
            yield name, FunctionText(node.name, _code(text, nodes, node.name))


def _settings(nodes: list[ast.stmt]) -> dict[str, Any]:
    """Return what a file says of its implementations, by computing these assignments alone."""
    found: dict[str, Any] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and _bound(node) & set(_SETTINGS):
            exec(compile(ast.Module([node], []), "<settings>", "exec"), found)  # noqa: S102 -- a file of a backend
    return found


def _code(text: str, nodes: list[ast.stmt], name: str) -> str:
    lines = text.splitlines()
    needed = _needed(nodes, {name, name + _VJP})
    imports, definitions = [], []
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            taken = [it for it in node.names if (it.asname or it.name.partition(".")[0]) in needed]
            if taken:
                node.names, whole = taken, node.names
                imports.append(ast.unparse(node))
                node.names = whole
        elif _bound(node) & needed:
            first = min([node.lineno, *(it.lineno for it in getattr(node, "decorator_list", []))])
            definitions.append("\n".join(lines[first - 1 : node.end_lineno]))
    return "\n\n\n".join(["\n".join(imports), *definitions])


def _needed(nodes: list[ast.stmt], wanted: set[str]) -> set[str]:
    """Return some names with all that their definitions need."""
    found: set[str] = set()
    while wanted - found:
        found |= wanted
        for node in nodes:
            is_import = isinstance(node, ast.Import | ast.ImportFrom)
            if not is_import and _bound(node) & found:
                wanted |= {it.id for it in ast.walk(node) if isinstance(it, ast.Name)}
    return found


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {it.id for it in node.targets if isinstance(it, ast.Name)}
    return set()
