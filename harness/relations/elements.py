"""Transform the elements of a question: x to −x, by the symmetry of sigmoid and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ..oracle import Floats
from .forms import Answered, AnswerPair, Form, same, summed


def reflected(form: Form) -> tuple[Form, ...]:
    """Return the form with x replaced by −x, probabilities p by 1 − p, and targets z by 1 − z."""
    inputs, one = form.inputs, form.inputs.values.dtype.type(1)
    # The subtraction from 1 is exact for the numbers of probed cases.
    is_probs = form.case.contract.domain == "probs"
    values = one - inputs.values if is_probs else -inputs.values
    target = None if inputs.target is None else one - inputs.target
    return (replace(form, inputs=replace(inputs, values=values, target=target)),)


def compare_reflected(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield the pairs: σ(x) = 1 − σ(−x), log σ(x) = x + log σ(−x), BCE(x, z) = BCE(−x, 1 − z).

    The gradients are those of both sides.
    """
    operation, x = one.form.case.operation, one.form.inputs.values.astype(np.float64)
    cotangent = one.form.cotangent
    # What transforms each quantity back: d/dx of f(−x) is −f'(−x), and log σ has slope 1 more.
    change: dict[str, Callable[[Floats], Floats]] = {"gradient_logits": np.negative}
    if operation == "sigmoid":
        change = {"value": lambda y: 1 - y}
    elif operation == "log_sigmoid":
        change = {"value": lambda y: x + y, "gradient_logits": lambda y: cotangent - y}
    else:
        change["gradient_target"] = np.negative
    for quantity in one.answers:
        if quantity in others[0].answers:
            back = change.get(quantity, same)
            limit = summed([(one, quantity, same), (others[0], quantity, same)])
            right = back(others[0].answers[quantity])
            yield AnswerPair(quantity, one.answers[quantity], right, limit)
