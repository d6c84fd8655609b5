"""The examples in docstrings are executed."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from .test_layers import FILES, owner_of

EXAMPLES = [name for name, path in FILES.items() if ">>> " in path.read_text(encoding="utf-8")]


def _with_its_framework(name: str) -> object:
    """A module of a backend is imported only where its framework is installed."""
    owner = owner_of(name)
    return pytest.param(name, marks=pytest.mark.framework(owner)) if owner else name


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("name", [_with_its_framework(name) for name in EXAMPLES])
def test_examples_give_what_they_show(name: str) -> None:
    failed, tried = doctest.testmod(import_module(name))

    assert tried
    assert failed == 0
