"""How the tests ask a backend: everyday questions, and a function of one's own."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
from lossdiff.backends.base import call_for, implementations_of
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lossdiff.backends.base import Backend, Call, Implementation
    from numpy.typing import NDArray

VALUES = {"logits": "normal", "log_probs": "log_probs", "probs": "probs", "hidden": "normal"}
TARGETS = {"index": "random", "one_hot": "random", "soft": "soft", "multi_label": "binary"}
DTYPES = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "float64": np.float64,
    "int64": np.int64,
}

# x, cotangent v, direction t, and the derivative of v·f′ along t. σ(log 3) = 3/4, where σ″ is
# −3/32; softmax([0, log 3]) = [1/4, 3/4], where it is p (c − Σ p c), c = (t − Σ p t)(v − Σ p v).
BY_HAND = {
    "sigmoid": ([[0.0, np.log(3)]], [[1.0, 0.5]], [[1.0, 4.0]], [[0.0, -3 / 16]]),
    "softmax": ([[0.0, np.log(3)]], [[1.0, 0.0]], [[0.0, 1.0]], [[-3 / 32, 3 / 32]]),
}

Answer = tuple["NDArray[Any]", "list[NDArray[Any] | None]"]  # the value, and the gradients
Answers = dict[tuple[str, str], Answer]  # by implementation and case


def simple_questions(
    backend: Backend, dtype: str = "float32"
) -> Iterator[tuple[Implementation, Case]]:
    """Yield each implementation with each kind of target that it claims."""
    for implementation in backend.implementations.values():
        for kind in sorted(implementation.targets) or [""]:
            target = f"/{kind}.{TARGETS[kind]}" if kind else ""
            is_linear = OPERATIONS[implementation.operation].is_linear
            sizes = "4x8x10" if is_linear else "4x10"
            bare = f"{implementation.operation}{target}/{dtype}/{sizes}"
            family = VALUES[Case.parse(f"{bare}/normal/-/0").contract.domain]
            yield implementation, Case.parse(f"{bare}/{family}/-/0")


def simple_answers(backend: Backend) -> Answers:
    """Ask all of these questions."""
    return {
        (implementation.name, case.id): ask(backend, implementation, case)
        for implementation, case in simple_questions(backend)
    }


def own(backend: Backend, operation: str, function: Callable[..., Any]) -> Implementation:
    """Return a function as an implementation of an operation."""
    module = ModuleType("mine")
    setattr(module, operation, function)
    return next(implementations_of(module, backend.framework))


def call_of(implementation: Implementation, case: Case) -> Call:
    return call_for(implementation, case, case.inputs())


def arrays_of(backend: Backend, call: Call, case: Case, *, cotangent: bool = False) -> list[Any]:
    """Return the arrays that a call takes, behind a cotangent if one is wanted."""
    given = [getattr(case.inputs(), name) for name in call.arguments]
    if cotangent:
        given.insert(0, case.cotangent(call.shape).astype(case.inputs().values.dtype))
    # Copies, as in a worker: nobody may write to the arrays of a case.
    return [backend.to_array(np.array(array)) for array in given]


def ask(
    backend: Backend, implementation: Implementation, case: Case, mode: str = "eager"
) -> Answer:
    """Return the value and the gradients; None where there is no gradient."""
    call = call_of(implementation, case)
    try:
        run = backend.forward_backward(call, mode)
        value, gradients = run(*arrays_of(backend, call, case, cotangent=True))
    except Exception as error:
        error.add_note(f"{implementation.name} was asked {case.id} in mode {mode}")
        raise
    found = [None if gradient is None else backend.to_numpy(gradient) for gradient in gradients]
    return backend.to_numpy(value), found


def given(answer: Answer) -> list[NDArray[Any]]:
    """Return the value, and the gradients that there are."""
    return [array for array in (answer[0], *answer[1]) if array is not None]


def shapes_of_gradients(backend: Backend, name: str, case_id: str) -> list[tuple[int, ...]]:
    """Return the shapes that the gradients of an answer have: those of what they are taken by."""
    case = Case.parse(case_id)
    call = call_of(backend.implementations[name], case)
    return [getattr(case.inputs(), argument).shape for argument in call.wrt]


def second_of(
    backend: Backend, implementation: Implementation, values: Any, *seeds: Any, mode: str
) -> Any:
    """Return the second derivative for a cotangent along a direction, the framework's own array."""
    case = Case(implementation.operation, "file:made", np.shape(values), "float64")
    call = call_for(implementation, case, Inputs(np.array(values)))
    arrays = [backend.to_array(np.array(array)) for array in (*seeds, values)]
    return backend.second(call, mode)(*arrays)


def assert_nan_in_ignored_rows_spoils_nothing(backend: Backend, name: str, options: str) -> None:
    """Ask a loss whose ignored rows hold NaN: it and its gradient in the other rows are finite."""
    case = Case.parse(
        f"cross_entropy/index.some_ignored/float32/4x10/nan_where_ignored/{options}/0"
    )
    target = case.inputs().target
    assert target is not None

    value, (gradient,) = ask(backend, backend.implementations[name], case)

    assert gradient is not None
    assert np.isfinite(value)
    np.testing.assert_array_equal(gradient.any(axis=1), target != -100)
    assert np.isfinite(gradient).all()
