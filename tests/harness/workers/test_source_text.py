"""The text of an implementation: all that it needs, and nothing else."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from lossdiff.harness.workers.source_text import Source, module_and_name, source_of

from lossdiff.errors import SourceError

FILE = '''"""A user's file."""

from __future__ import annotations

import functools
import math
import os
from typing import TYPE_CHECKING

import numpy as np
from numpy import exp, log, sqrt

if TYPE_CHECKING:
    from numpy.typing import NDArray

names = {"softmax": "mine.Softmax"}
np.seterr(over="ignore")
LIMIT: float = 80.0
_TABLE = {}
_TABLE["scale"] = 1.0
UNUSED = os.sep


def _kept(function):
    return functools.wraps(function)(lambda *a, **k: function(*a, **k))


class Unused:
    """Not needed."""


@_kept
def softmax(logits: NDArray, *, axis=-1):
    # A comment that is worth keeping.
    e = exp(np.minimum(logits, LIMIT)) * _TABLE["scale"]
    return e / _total(e, axis)


def softmax_vjp(cotangent, logits, *, axis=-1):
    p = softmax(logits, axis=axis)
    return (p * (cotangent - (p * cotangent).sum(axis, keepdims=True)),)


def _total(e, axis):
    return e.sum(axis, keepdims=True)


def logsumexp(x, *, axis=-1):
    return np.logaddexp.reduce(x, axis=axis, dtype=None)


def exp_by_two(logits):
    return np.exp2(logits)


def exp_scaled(logits):
    return np.exp(logits * math.e)


other = softmax

if __name__ == "__main__":
    print(softmax(np.zeros(3)))
'''


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModuleType]:
    """A user's module, loaded."""
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    spec = importlib.util.spec_from_file_location("mine", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["mine"] = loaded
    with np.errstate():
        spec.loader.exec_module(loaded)
        yield loaded
    del sys.modules["mine"]


def ran(source: Source, **names: Any) -> Any:
    """Run a source's text, and evaluate its call."""
    space: dict[str, Any] = dict(names)
    with np.errstate():
        exec("\n".join([*source.imports, *source.definitions]), space)  # noqa: S102 -- as a script
        return eval(source.gradient or source.call, space)  # noqa: S307


def test_what_a_function_needs_comes_along(module: ModuleType) -> None:
    source = source_of(module, "softmax", ["logits"], {"axis": "0"})
    text = "\n".join(source.definitions)

    assert source.call == "softmax(logits, axis=0)"
    for needed in ("LIMIT: float", '_TABLE["scale"] = 1.0', "def _total", "@_kept", "def _kept"):
        assert needed in text
    for other in ("UNUSED", "class", "softmax_vjp", "__main__", "names", "other"):
        assert other not in text
    assert "# A comment that is worth keeping." in text
    assert "import os" not in source.imports
    assert "from numpy import exp" in source.imports
    np.testing.assert_allclose(ran(source, logits=np.zeros((2, 3))), 0.5)


def test_what_a_file_switches_stays_switched(module: ModuleType) -> None:
    source = source_of(module, "softmax", ["logits"], {})

    assert 'np.seterr(over="ignore")' in source.definitions


def test_a_gradient_by_hand_brings_its_function(module: ModuleType) -> None:
    source = source_of(module, "softmax", ["logits"], {}, "cotangent")

    assert source.gradient == "softmax_vjp(cotangent, logits)"
    (gradient,) = ran(source, logits=np.zeros(2), cotangent=np.array([1.0, 0.0]))
    np.testing.assert_allclose(gradient, [0.25, -0.25])


def test_an_alias_brings_its_function(module: ModuleType) -> None:
    source = source_of(module, "other", ["logits"], {})

    assert source.call == "other(logits)"
    np.testing.assert_allclose(ran(source, logits=np.zeros((2, 4))), 0.25)


def test_one_public_call_is_written_as_such(module: ModuleType) -> None:
    source = source_of(module, "exp_by_two", ["logits"], {})
    reduced = source_of(module, "logsumexp", ["logits"], {})

    assert source == Source(("import numpy as np",), (), "np.exp2(logits)")
    assert reduced.definitions == ()
    assert reduced.call.startswith("np.logaddexp.reduce(logits, axis=-1")


def test_another_expression_keeps_its_function(module: ModuleType) -> None:
    source = source_of(module, "softmax", ["logits"], {})

    assert source.definitions
    assert source_of(module, "exp_scaled", ["x"], {}).call == "np.exp(x * math.e)"


def test_a_function_is_found_by_its_public_name(module: ModuleType) -> None:
    found = module_and_name([module], module.softmax, "mine.Softmax")

    assert found == (module, "softmax")
    with pytest.raises(SourceError, match=r"the source of mine\.softmax cannot be found"):
        module_and_name([module], module.softmax, "mine.softmax")


def test_a_module_without_text_is_refused() -> None:
    with pytest.raises(SourceError, match="the source of math cannot be read"):
        source_of(importlib.import_module("math"), "exp", ["x"], {})
