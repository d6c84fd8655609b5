"""Tell what a module defines from what it imports."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any


def defined_names(module: ModuleType) -> Callable[[str, Any], bool]:
    """Return a function that says whether a module defines what it has under a name.

    The text of the module decides where it can be read: what only `import` statements bind is
    imported. A bare alias, `softmax = other.softmax`, is no definition either; a call is one:
    `loss = Loss(0.1)`. What no statement binds counts by the module that it says it is from.
    A package defines what its `__init__.py` imports from its own modules.
    """
    imported, bound, aliases = _bindings(module)

    def is_defined(name: str, value: Any) -> bool:
        if _is_home(value, module):
            return True
        if name in bound:
            return name not in imported and name not in aliases
        return name not in imported and not _home(value)

    return is_defined


def _bindings(module: ModuleType) -> tuple[set[str], set[str], set[str]]:
    """Return the names that a module imports, those that it binds otherwise, and bare aliases."""
    imported, bound, aliases = set[str](), set[str](), set[str]()
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError, ValueError):
        return imported, bound, aliases
    for node in _statements(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {it.asname or it.name.partition(".")[0] for it in node.names}
            continue
        names = {
            it.id
            for it in ast.walk(node)
            if isinstance(it, ast.Name) and isinstance(it.ctx, ast.Store)
        }
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = {node.name}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
            aliases |= names
            continue
        bound |= names
    return imported, bound | aliases, aliases - bound


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported, those in blocks included."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt | ast.ExceptHandler | ast.match_case):
            if isinstance(part, ast.stmt):
                yield part
            if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _statements(part)


def _home(value: Any) -> str:
    """Return the name of the module that an object says it is from; empty if it says none."""
    for owner in (value, getattr(value, "__self__", None), type(value)):
        found = getattr(owner, "__module__", None)
        if isinstance(found, str) and owner is not None:
            return found
    return ""


def _is_home(value: Any, module: ModuleType) -> bool:
    """Return whether an object is from a module, or from the package that the module opens."""
    homes = {_home(value), _home(getattr(value, "__self__", None))}
    name = module.__name__
    is_package = hasattr(module, "__path__")
    return any(it == name or (is_package and it.startswith(f"{name}.")) for it in homes)
