"""The program text of implementations, read from their files."""

from __future__ import annotations

import ast
import builtins

import pytest
from lossdiff.backends import FRAMEWORKS, load_backend
from lossdiff.backends.texts import text_of

FRAMEWORK_NAMES = [pytest.param(it, marks=pytest.mark.framework(it)) for it in FRAMEWORKS]


@pytest.mark.parametrize("framework", FRAMEWORK_NAMES)
def test_every_implementation_has_a_text_that_defines_all_it_uses(framework: str) -> None:
    for name, implementation in load_backend(framework).implementations.items():
        text = text_of(framework, name)
        assert text is not None, name
        assert text.function == implementation.function.__name__, name
        assert undefined(text.code) == set(), name


def undefined(code: str) -> set[str]:
    """Return the names that a module uses at its top level and defines nowhere."""
    tree = ast.parse(code)
    used = {it.id for it in ast.walk(tree) if isinstance(it, ast.Name)}
    bound = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
    return used - bound


def test_a_hand_written_gradient_belongs_to_the_text() -> None:
    text = text_of("numpy", "numpy.recipes.sigmoid")
    assert text is not None
    assert "def sigmoid_vjp(" in text.code


@pytest.mark.parametrize(("framework", "name"), [("numpy", "numpy.none"), ("none", "none.f")])
def test_what_is_not_defined_has_no_text(framework: str, name: str) -> None:
    assert text_of(framework, name) is None
