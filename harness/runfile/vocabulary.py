"""The words that columns of a run file may hold; equal names mean the same in every table.

Names of implementations, relations and frameworks are free, because other installations have
others. What is a key of a table of this program, or decides what it does, is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, get_args

from ...backends import FRAMEWORKS
from ...backends.claim import Kind
from ...cases.dtypes import FORMATS
from ...cases.model import Case, shape_text
from ...cases.npz import is_array
from ...cases.operations import OPERATIONS, TargetKind
from ...cases.sweeps import SWEEPS
from ..answers import Quantity
from ..verdicts import VERDICTS

LONGEST = 10_000  # characters of a text that is no JSON
_THREADS = ("one", "all")
_REMEMBERED = 256  # ids of cases and shapes: rows of one case lie close together
_MODES = {mode for framework in FRAMEWORKS.values() for mode in framework.mode_names}

Check = Callable[[Any], bool]


@lru_cache(maxsize=_REMEMBERED)
def is_case(text: str) -> bool:
    """Return whether a text is the id of a case; it is empty where a row is about none."""
    # Whether there is a case does not depend on its seed, and runs have many that differ in it.
    questions, _, seed = text.rpartition("/")
    try:
        return not text or (str(int(seed)) == seed and _has_seeds(questions))
    except ValueError:
        return False


@lru_cache(maxsize=_REMEMBERED)
def _has_seeds(questions: str) -> bool:
    """Return whether the beginning of an id is one of a case, which its seed completes.

    Raises:
        ValueError: it is not.
    """
    return bool(Case.parse(f"{questions}/0"))


def is_mode(framework: str, mode: str) -> bool:
    """Return whether there is a mode; those of a framework that is not installed here are free."""
    return mode in _MODES or not mode or framework not in FRAMEWORKS


def _is_verdict(word: str) -> bool:
    return not word or word.partition(":")[0] in VERDICTS


@lru_cache(maxsize=_REMEMBERED)
def _is_shape(text: str) -> bool:
    sizes = text.split("x")
    is_plain = all(size.isascii() and size.isdigit() for size in sizes) and len(text) < 200
    return is_plain or text == shape_text(())


# By column: what a value has to be, and whether it is that.
CHECKS: dict[str, tuple[str, Check]] = {
    "case": ("the id of a case", is_case),
    "found": ("the id of a case", is_case),
    "operation": ("an operation", OPERATIONS.__contains__),
    "target_kind": ("a kind of target", {None, *get_args(TargetKind)}.__contains__),
    "dtype": ("a dtype", FORMATS.__contains__),
    "shape": ("a shape", _is_shape),
    "kind": ("a kind of implementation", frozenset(get_args(Kind)).__contains__),
    "device": ("a device", {"cpu", "gpu"}.__contains__),
    "quantity": ("a quantity", {"", *get_args(Quantity)}.__contains__),
    "sweep": ("a sweep", SWEEPS.__contains__),
    "direction": ("a direction", {"forward", "forward+backward"}.__contains__),
    "threads": ("a number of threads", lambda value: isinstance(value, int) or value in _THREADS),
    "cache": ("a state of the cache", {"hot", "cold"}.__contains__),
    "verdict": ("a verdict", _is_verdict),
    "left_by": ("a verdict", _is_verdict),
    "broken_by": ("a verdict", _is_verdict),
    "value": ("an array", is_array),
    "bound": ("an array", is_array),
    "array": ("an array", is_array),
}
