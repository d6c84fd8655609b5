"""Read where a user's function is: `mine.py`, `package.losses`, `mine.py:loss=cross_entropy`.

A place is a file or a module; after a colon may come an object of it, and after `=` what it is.
The object is an attribute, or a call with plain values: `package.losses:Loss(smoothing=0.1)`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ...cases.operations import OPERATIONS
from ...errors import DeclarationError, UserFileError
from .declaration import Declaration, implements
from .names import NAMES, Meaning

_FILE = re.compile(r"(?P<file>.*?\.py)(?::(?P<rest>.*))?", re.DOTALL)
_MODULE = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*)(?::(?P<rest>.*))?", re.DOTALL)
_EXAMPLES = "mine.py, package.losses, or mine.py:loss=cross_entropy"


@dataclass(frozen=True)
class Place:
    """A file or module of a user's, and perhaps one object of it.

    Attributes:
        text: all of it, as it is given.
        source: the path of a file that ends in `.py`, or the name of a module.
        expression: the object, an expression; empty for all that the module defines.
        declaration: what is said of the object; None if nothing is.
    """

    text: str
    source: str
    expression: str = ""
    declaration: Declaration | None = None

    @property
    def file(self) -> Path | None:
        """The file; None for a module."""
        return Path(self.source) if self.source.endswith(".py") else None

    @property
    def stem(self) -> str:
        """The name of the file without its end, or the last part of the module's name."""
        return self.file.stem if self.file else self.source.rpartition(".")[2]

    def absolute(self) -> str:
        """Return the place as text that means the same in any folder."""
        if self.file is None:
            return self.text
        return str(self.file.resolve()) + self.text[len(self.source) :]


def place_of(text: str) -> Place:
    """Read a place.

    Raises:
        UserFileError: it is none.
        DeclarationError: what it says of an object names something that does not exist.

    >>> place_of("mine.py:Loss(0.1)=cross_entropy").expression
    'Loss(0.1)'
    """
    if text.endswith(".ipynb"):
        raise UserFileError(f"{text} is a notebook: export it as a Python file, and name that")
    if not _MODULE.fullmatch(text) and Path(text).is_dir():
        raise UserFileError(f"{text} is a folder: name a file in it, or a module by its dots")
    found = _FILE.fullmatch(text) or _MODULE.fullmatch(text)
    if found is None:
        raise UserFileError(f"{text!r} is no place of a function; allowed: {_EXAMPLES}")
    source, rest = found.group(1), found.group("rest")
    if rest is None:
        return Place(text, source)
    expression, said = _split(rest)
    if not expression:
        raise UserFileError(f"{text!r} names no object after the colon; allowed: {_EXAMPLES}")
    return Place(text, source, expression, _declaration(said) if said else None)


def source_of(text: str) -> str:
    """Return the file or module of a place, without the object and what is said of it.

    >>> source_of("mine.py:loss=focal_loss")
    'mine.py'
    """
    found = _FILE.fullmatch(text) or _MODULE.fullmatch(text)
    return found.group(1) if found else text


def _split(text: str) -> tuple[str, str]:
    """Return an expression and what is said of it, which comes after the `=` that ends it."""
    ends = [match.start() for match in re.finditer("=", text)]
    for end in [*ends, len(text)]:
        try:
            tree = ast.parse(text[:end].strip(), mode="eval")
        except (SyntaxError, ValueError):
            continue
        _check(tree.body, text[:end])
        return ast.unparse(tree), text[end + 1 :].strip()
    if ends == [0] or not text.strip():
        return "", ""
    raise UserFileError(f"{text!r} is no expression of an object; allowed: {_EXAMPLES}")


def _check(node: ast.expr, text: str) -> None:
    """Refuse an expression that is more than attributes and calls with plain values.

    Raises:
        UserFileError: it is more.
    """
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            node = node.value
            continue
        if not isinstance(node, ast.Call):
            raise UserFileError(f"{text!r} is neither a name, an attribute nor a call of one")
        _arguments(node)
        node = node.func


def _arguments(call: ast.Call) -> tuple[list[object], dict[str, object]]:
    """Return the arguments of a call, which are plain values.

    Raises:
        UserFileError: one of them is not.
    """
    try:
        keywords = {str(item.arg or ""): ast.literal_eval(item.value) for item in call.keywords}
        return [ast.literal_eval(item) for item in call.args], keywords
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        text = ast.unparse(call)
        raise UserFileError(f"the arguments of {text} are not plain values, such as 0.1") from error


def _declaration(text: str) -> Declaration:
    """Return what `cross_entropy(label_smoothing=0.1)` says."""
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise DeclarationError(f"{text!r} is no operation, such as cross_entropy") from error
    call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
    if not isinstance(call.func, ast.Name) or call.args:
        raise DeclarationError(f"{text!r} is no operation, such as cross_entropy(reduction='none')")
    _, settings = _arguments(call)
    name = call.func.id
    meaning = NAMES.get(name) or (Meaning(name) if name in OPERATIONS else None)
    if meaning is None:
        near = get_close_matches(name, [*OPERATIONS, *NAMES], 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise DeclarationError(f"{name!r} is no operation{meant} (`lossdiff list names` shows all)")
    if meaning.targets and meaning.operation != name:
        settings.setdefault("targets", meaning.targets)
    return implements(meaning.operation, **settings).declaration  # type: ignore[arg-type]


def evaluated(expression: str, module: object) -> object:
    """Return the object that an expression names in a module.

    Args:
        expression: one that `place_of` has read.
        module: the module, whose attributes it begins with.

    Raises:
        AttributeError: there is no such attribute.
        Exception: whatever a call raises.
    """
    return _evaluated(ast.parse(expression, mode="eval").body, module)


def _evaluated(node: ast.expr, module: object) -> object:
    if isinstance(node, ast.Name):
        return getattr(module, node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_evaluated(node.value, module), node.attr)
    assert isinstance(node, ast.Call)  # noqa: S101 -- `place_of` has read it
    positional, keywords = _arguments(node)
    function = _evaluated(node.func, module)
    return function(*positional, **keywords)  # type: ignore[operator]
