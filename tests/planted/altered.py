"""Functions made by changing the text of the sound implementation."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from lossdiff.backends.base import operation_of
from lossdiff.harness.own.declaration import REGISTER, Declaration, Declared
from scipy import special

from . import sound, steps

_SOUND = inspect.getsource(sound)
# What an edit may call, besides what sound.py itself holds.
_NAMES = {name: it for name, it in vars(steps).items() if not name.startswith("_")}

Edit = tuple[str, str]


class Row(NamedTuple):
    """A row of a table: a function and how its text differs from the sound one.

    Attributes:
        name: of the function; it begins with that of the operation.
        why: the mistake, and where it was made; or what is different, and sound.
        edits: what stands in `sound.py` exactly once, and what stands there instead.
        expect: the verdict that catches a fault where that is no finding.
        full: if the `quick` suite does not show a fault, the part of an id by which cases of the
            `full` suite are chosen, and why `quick` does not.
    """

    name: str
    why: str
    edits: tuple[Edit, ...]
    expect: str = ""
    full: tuple[str, str] | None = None


def row(
    name: str, why: str, *edits: Edit, expect: str = "", full: tuple[str, str] | None = None
) -> Row:
    return Row(name, why, edits, expect, full)


@cache
def altered(*edits: Edit) -> ModuleType:
    """Return the sound implementation with some of its text changed.

    Raises:
        ValueError: a text does not stand there exactly once, or does not change.
    """
    text = _SOUND
    for old, new in edits:
        if text.count(old) != 1 or old == new:
            raise ValueError(f"{old!r} stands {text.count(old)} times in sound.py; once is needed")
        text = text.replace(old, new)
    module = ModuleType(f"{sound.__name__} with {edits}")
    vars(module).update(_NAMES, math=math, special=special)
    exec(compile(text, module.__name__, "exec"), vars(module))  # noqa: S102 -- the text is ours
    return module


def functions_of(table: Iterable[Row]) -> dict[str, Any]:
    """Return what a module of implementations holds: functions, gradients, `targets`, claims."""
    declared: list[Declared] = []  # their names would say otherwise of a few
    made: dict[str, Any] = {"targets": {}, REGISTER: declared}
    for name, _, edits, *_ in table:
        operation = operation_of(name)
        if operation is None or name in made:
            raise ValueError(f"{name} begins with no operation, or is there twice")
        module = altered(*edits)
        made[name] = getattr(module, operation.name)
        targets = frozenset(sound.targets.get(operation.name, operation.targets))
        declared.append(Declared(made[name], Declaration(operation.name, targets)))
        made[f"{name}_vjp"] = getattr(module, f"{operation.name}_vjp")
        if operation.name in sound.targets:
            made["targets"][name] = sound.targets[operation.name]
    return made
