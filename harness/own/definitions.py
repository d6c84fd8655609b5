"""Find the operations that a user's file defines: `operations = {"focal_loss": focal}`.

A formula may be a value of that dictionary, or a dictionary with the keywords of
`lossdiff.define`, or the file may call `lossdiff.define` itself. The process that judges needs the
formulas, too, and imports such a file after a worker has (`workers.definitions`); any other file is
imported by workers alone.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

from ...errors import DefinitionError
from ..answers import one_line
from ..formula import define
from .loading import load_module
from .places import place_of, source_of

NAME = "operations"
_FORMULA = "formula"


def defines(place: str) -> bool:
    """Return whether the text of a place says that it defines operations.

    Args:
        place: a file, a module, or an object of one.
    """
    file = _file_of(source_of(place))
    return file is not None and _defines(file)


def define_from(place: str) -> None:
    """Import a place and define its operations.

    What it prints is not ours, and is dropped.

    Args:
        place: a file, a module, or an object of one.

    Raises:
        UserFileError: it cannot be imported.
        DefinitionError: a definition has no meaning.
    """
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        define_operations(load_module(place_of(source_of(place))))


def define_operations(module: ModuleType) -> None:
    """Define the operations in the dictionary `operations` of a module, if it has one.

    Raises:
        DefinitionError: a definition has no meaning.
    """
    found = vars(module).get(NAME)  # a module may compute what it does not hold
    if not isinstance(found, Mapping):
        return
    entries: dict[Any, Any] = dict(found)
    if not any(callable(it) or _has_formula(it) for it in entries.values()):
        return  # the name has another meaning there
    for name, said in entries.items():
        keywords = dict(said) if isinstance(said, Mapping) else {_FORMULA: said}
        try:
            define(name, **keywords)
        except TypeError as error:
            raise DefinitionError(f"{NAME}[{name!r}]: {one_line(error)}") from error


def _has_formula(said: object) -> bool:
    return isinstance(said, Mapping) and _FORMULA in said


def _file_of(source: str) -> Path | None:
    """Return the file of a place; of a module the one that an import would find, if there is."""
    if source.endswith(".py"):
        return Path(source) if Path(source).is_file() else None
    parts = Path(*source.split("."))
    if not parts.name:
        return None
    for folder in map(Path, [".", *sys.path]):
        for file in (folder / parts.with_suffix(".py"), folder / parts / "__init__.py"):
            if file.is_file():
                return file
    return None


def _defines(file: Path) -> bool:
    """Return whether the text of a file sets `operations` or calls a function `define`."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
        return False  # its import says what is wrong
    return any(_is_definition(node) for node in ast.walk(tree))


def _is_definition(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(it, ast.Name) and it.id == NAME for it in targets)
    if isinstance(node, ast.ImportFrom):
        return any((it.asname or it.name) == NAME for it in node.names)
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
    return name == define.__name__ or getattr(name, "id", "") == define.__name__
