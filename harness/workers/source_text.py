"""Extract the program text of one implementation: its function, and what that needs to run.

This runs in a worker, where the module is loaded. The text that it returns imports no module of
lossdiff.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ...errors import SourceError

_OURS = __name__.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """The parts of a program that runs without the module that they come from.

    Attributes:
        imports: import statements.
        definitions: functions and constants, in their original order and wording.
        call: the expression of the value.
        gradient: the expression of a hand-written gradient; empty for none.
        folders: where modules that the user has beside the file are.
    """

    imports: tuple[str, ...]
    definitions: tuple[str, ...]
    call: str
    gradient: str = ""
    folders: tuple[str, ...] = ()


def source_of(
    module: ModuleType,
    name: str,
    positional: list[str],
    keywords: dict[str, str],
    gradient: str = "",
) -> Source:
    """Return the text of a function of a module and of the call of it.

    Args:
        module: the module that defines the function.
        name: name of the function in it.
        positional: the expressions of the positional arguments.
        keywords: the expressions of the keyword arguments.
        gradient: the expression of the cotangent, if `NAME_vjp` is to be called too.

    Raises:
        SourceError: the source of the module cannot be read.
    """
    tops = _Tops.of(module)
    arguments = [*positional, *(f"{key}={value}" for key, value in keywords.items())]
    if not gradient:
        # A wrapper of a single call is replaced by that call: this is how a user would write it.
        plain = tops.inlined(name, positional, keywords)
        if plain:
            return Source(tops.imports(_names(ast.parse(plain))), (), plain)
    call, wanted, by_hand = f"{name}({', '.join(arguments)})", {name}, ""
    if gradient:
        by_hand, wanted = f"{name}_vjp({', '.join([gradient, *arguments])})", {f"{name}_vjp"}
    needed = tops.needed(wanted)
    return Source(tops.imports(needed), tuple(tops.definitions(needed)), call, by_hand)


def source_of_expressions(
    module: ModuleType, call: str, gradient: str, arrays: Collection[str]
) -> Source:
    """Return the text that the expression of a call needs, with the expression.

    Args:
        module: the module whose names it uses.
        call: the expression of the value.
        gradient: that of the gradients; empty for none.
        arrays: names in them that are not the module's.

    Raises:
        SourceError: the source of the module cannot be read.
    """
    tops = _Tops.of(module)
    wanted = _names(ast.parse(call)) | (_names(ast.parse(gradient)) if gradient else set())
    needed = tops.needed(wanted - {*arrays, "cotangent"})
    return Source(tops.imports(needed), tuple(tops.definitions(needed)), call, gradient)


class _Tops:
    """The top-level statements of a module, by the names that they bind."""

    def __init__(self, module: ModuleType, text: str) -> None:
        self._module = module
        self._lines = text.splitlines()
        nodes = [node for node in ast.parse(text).body if not _is_for_scripts(node)]
        self._nodes = _without_declarations(nodes)
        self._bound = [(node, _bound_by(node)) for node in self._nodes]

    @classmethod
    def of(cls, module: ModuleType) -> _Tops:
        """Return the statements of a module.

        Raises:
            SourceError: its source cannot be read.
        """
        try:
            return cls(module, inspect.getsource(module))
        except (OSError, TypeError) as error:
            raise SourceError(f"the source of {module.__name__} cannot be read") from error

    def needed(self, wanted: set[str]) -> set[str]:
        """Return all names that some names depend on, these included."""
        found: set[str] = set()
        queue = set(wanted)
        # Statements that bind no name, such as setting a flag of the framework, are kept too.
        for node in self._nodes:
            if isinstance(node, ast.Expr):
                queue |= _names(node)
        # The closure of "needs": names of the statements that bind a needed name are needed too.
        while queue:
            found |= queue
            queue = {
                name
                for node, bound in self._bound
                if bound & found and not _is_import(node)
                for name in _names(node)
            } - found
        return found

    def definitions(self, needed: set[str]) -> Iterator[str]:
        """Yield the text of the statements that bind needed names, or none, without the imports."""
        for node, bound in self._bound:
            if not _is_import(node) and (bound & needed or isinstance(node, ast.Expr)):
                yield self._text(node)

    def _text(self, node: ast.stmt) -> str:
        # Lines of decorators that are dropped lie between those that are kept.
        decorators = [
            line
            for item in getattr(node, "decorator_list", [])
            for line in self._lines[item.lineno - 1 : item.end_lineno]
        ]
        return "\n".join([*decorators, *self._lines[node.lineno - 1 : node.end_lineno]])

    def imports(self, needed: set[str]) -> tuple[str, ...]:
        """Return the import statements that bind needed names, each reduced to these names."""
        is_defined = any(self._is_annotated(text) for text in self.definitions(needed))
        lines = []
        for node in self._nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                # `from __future__ import annotations` decides whether the names in annotations
                # have to exist, so it is kept where a definition is annotated.
                taken = needed | {"*"} | ({"annotations"} if is_defined else set())
                names = [alias for alias in node.names if _alias(alias) in taken]
                if names:
                    lines.append(self._import(node, names))
        return tuple(lines)

    def _import(self, node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> str:
        if isinstance(node, ast.Import):
            return ast.unparse(ast.Import(names))
        module = node.module
        if node.level:  # a relative import becomes absolute: the script is in no package
            parents = (self._module.__package__ or "").split(".")
            parents = parents[: len(parents) - node.level + 1]
            module = ".".join([*parents, *filter(None, [node.module])])
        return ast.unparse(ast.ImportFrom(module, names, 0))

    @staticmethod
    def _is_annotated(text: str) -> bool:
        return any(
            getattr(node, "annotation", None) or getattr(node, "returns", None)
            for node in ast.walk(ast.parse(text))
        )

    def inlined(self, name: str, positional: list[str], keywords: dict[str, str]) -> str:
        """Return the single call that a function consists of, with its arguments filled in.

        Returns:
            The expression; empty if the function is not one call of an imported function on its
            parameters.
        """
        found = [node for node, bound in self._bound if name in bound]
        call = _only_call(found[0]) if len(found) == 1 else None
        if call is None or not isinstance(found[0], ast.FunctionDef):
            return ""
        # The call is only inlined if it uses nothing but imports and parameters: any other name
        # would have to be defined, and the function itself is then the better text.
        signature = found[0].args
        imported = {bound for node, names in self._bound if _is_import(node) for bound in names}
        parameters = [item.arg for item in (*signature.args, *signature.kwonlyargs)]
        if _root(call) not in imported or _names(call) - imported - set(parameters):
            return ""
        given = dict(zip(parameters, positional, strict=False)) | keywords
        defaults = _defaults(signature)
        if set(parameters) - set(given) - set(defaults):
            return ""
        self._drop_defaults(call, {key: defaults[key] for key in parameters if key not in given})
        parsed = {key: ast.parse(value, mode="eval").body for key, value in given.items()}
        return ast.unparse(_Filled(defaults | parsed).visit(call))

    def _drop_defaults(self, call: ast.Call, left: dict[str, ast.expr]) -> None:
        """Drop the keywords of a call that pass a default which the called function has itself."""
        for part in ast.walk(call):
            if isinstance(part, ast.Call):
                callee = _resolved(self._module, part.func)
                part.keywords = [
                    item for item in part.keywords if not _says_nothing(callee, item, left)
                ]


def _without_declarations(nodes: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements without what they import of this program: it declares, and computes none.

    Decorators and calls that use a name of it are dropped, too.
    """
    ours: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            ours |= {_alias(it) for it in node.names if it.name.partition(".")[0] == _OURS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == _OURS:
            ours |= set(map(_alias, node.names))
    if not ours:
        return nodes
    kept = []
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = [it for it in node.decorator_list if not _names(it) & ours]
        is_declaration = isinstance(node, ast.Expr) and bool(_names(node) & ours)
        if not is_declaration and not (_is_import(node) and _bound_by(node) & ours):
            kept.append(node)
    return kept


class _Filled(ast.NodeTransformer):
    """Replaces names by expressions."""

    def __init__(self, given: dict[str, ast.expr]) -> None:
        self._given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._given.get(node.id, node)


def _is_for_scripts(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return "__name__" in _names(node.test)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _alias(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _bound_by(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds, or whose objects it changes."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {_alias(alias) for alias in node.names}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    bound = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store | ast.Del):
            bound.add(part.id)
        elif isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store):
            bound.add(_root(part))
        elif isinstance(part, ast.FunctionDef | ast.ClassDef):
            bound.add(part.name)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            bound |= _bound_by(part)
    return bound


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _only_call(node: ast.stmt) -> ast.Call | None:
    if not isinstance(node, ast.FunctionDef) or node.decorator_list or node.args.vararg:
        return None
    body = [item for item in node.body if not _is_for_scripts(item)]
    if len(body) != 1 or not isinstance(body[0], ast.Return) or node.args.kwarg:
        return None
    return body[0].value if isinstance(body[0].value, ast.Call) else None


def _defaults(signature: ast.arguments) -> dict[str, ast.expr]:
    last = signature.args[len(signature.args) - len(signature.defaults) :]
    found = {item.arg: value for item, value in zip(last, signature.defaults, strict=True)}
    for item, value in zip(signature.kwonlyargs, signature.kw_defaults, strict=True):
        if value is not None:
            found[item.arg] = value
    return found


def _resolved(module: ModuleType, node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return getattr(module, node.id, None)
    return (
        getattr(_resolved(module, node.value), node.attr, None)
        if isinstance(node, ast.Attribute)
        else None
    )


def _says_nothing(callee: Any, keyword: ast.keyword, left: dict[str, ast.expr]) -> bool:
    # Many C functions have no signature that Python can inspect; their keywords are kept.
    if not isinstance(keyword.value, ast.Name) or keyword.value.id not in left:
        return False
    try:
        due = inspect.signature(callee).parameters[keyword.arg or ""].default
        return bool(repr(due) == ast.unparse(left[keyword.value.id]))
    except (KeyError, TypeError, ValueError):
        return False


def module_and_name(modules: list[ModuleType], function: Any, name: str) -> tuple[ModuleType, str]:
    """Return the module that defines a function, and the function's name in it.

    Args:
        modules: the modules to search.
        function: the function.
        name: name of the implementation, such as `torch.nn.functional.cross_entropy`. It decides
            where a module has one function under several names.

    Raises:
        SourceError: none of the modules defines it.
    """
    for module in modules:
        names = getattr(module, "names", {})
        namespace = getattr(module, "namespace", module.__name__.rpartition(".")[2])
        for key, value in vars(module).items():
            if value is function and names.get(key, f"{namespace}.{key}") == name:
                return module, key
    raise SourceError(f"the source of {name} cannot be found")


def loaded(names: list[str]) -> list[ModuleType]:
    """Return the modules of some names, as far as they are loaded."""
    return [sys.modules[name] for name in names if name in sys.modules]
