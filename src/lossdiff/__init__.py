"""Judge softmax, cross-entropy and their relatives against an exact oracle.

`assert_agrees` and `check_implementation` judge a function of yours, `ask` asks every framework on
your own arrays, `exact` gives the right answer and `tolerance` how far a sound computation may be
from it. `define` makes an operation of a formula of yours, written with `lossdiff.formula`.
`LossdiffError` is the base class of all errors. The names are imported when they are first used,
and no framework before it is asked.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .collection import paused
from .errors import ConventionWarning, LossdiffError

if TYPE_CHECKING:
    from ._api.asking import ask
    from ._api.checking import assert_agrees, check_implementation
    from ._api.exactly import exact, tolerance
    from ._api.questions import Question, parametrize
    from ._api.result import Result
    from ._api.runs import open_run
    from .harness.formula import define
    from .harness.own import implements

__all__ = [
    "ConventionWarning",
    "LossdiffError",
    "Question",
    "Result",
    "ask",
    "assert_agrees",
    "check_implementation",
    "define",
    "exact",
    "implements",
    "open_run",
    "parametrize",
    "tolerance",
]

_HOMES = {
    "Question": "._api.questions",
    "Result": "._api.result",
    "ask": "._api.asking",
    "assert_agrees": "._api.checking",
    "check_implementation": "._api.checking",
    "define": ".harness.formula",
    "exact": "._api.exactly",
    "implements": ".harness.own",
    "open_run": "._api.runs",
    "parametrize": "._api.questions",
    "tolerance": "._api.exactly",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with paused():
        found = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
