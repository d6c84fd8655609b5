"""Compute a right answer to any number of digits: built-in operations by their formulas, too.

The oracle's pairs have about 27 digits, which is enough to judge. Whoever compares with another
program of many digits wants more of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Context, Decimal

import numpy as np
from numpy.typing import NDArray

from ...cases.model import Case, Inputs
from ..answers import GRADIENT_LOGITS
from ..oracle import Solution
from .built_in import Form, outputs_of
from .decimals import Decimals, decimals, on_decimals
from .layer import layer_of
from .options import TARGET, VALUES

_GUARD = 20  # digits more than wanted, at first; twice as many each time
_ROUNDS = 8


def in_digits(
    case: Case, inputs: Inputs, solution: Solution, digits: int, written: Mapping[str, Decimals]
) -> dict[str, Decimals]:
    """Return the quantities of a right answer as decimals.

    They are computed with more and more digits, until two results agree in those that are wanted.

    Args:
        case: the question, of an array that is judged as a whole.
        inputs: its arrays.
        solution: its answer by the oracle, which says what is 0, infinite or not agreed on.
        digits: the number of significant digits.
        written: the numbers of `values` and `target`, in their shapes, where float64 does not hold
            them.
    """
    form = Form(case, solution.quantities["value"].shape)
    outputs = outputs_of(form, inputs)
    numbers = dict(_numbers(form, inputs, written))
    known = {name: exact.hi for name, exact in solution.quantities.items()}
    before: dict[str, Decimals] = {}
    work = digits + _GUARD
    layer = layer_of(inputs, numbers[VALUES]) if case.contract.is_linear else None
    for _ in range(_ROUNDS):
        if layer is not None:
            numbers[VALUES] = layer.logits(work)
        values = on_decimals(list(outputs.values()), numbers, work)
        now = {name: form.back(name, values[array]) for name, array in outputs.items()}
        if layer is not None:
            now |= layer.gradients(now.pop(GRADIENT_LOGITS), work)
        if before and all(_agree(now[it], before[it], known[it], digits) for it in known):
            break
        before, work = now, 2 * work
    return {name: _rounded(now[name], known[name], digits) for name in known}


def _numbers(
    form: Form, inputs: Inputs, written: Mapping[str, Decimals]
) -> Iterator[tuple[str, Decimals]]:
    """Yield the arguments of the formula by their names; labels are no numbers of it."""
    for name, array in ((VALUES, inputs.values), (TARGET, inputs.target)):
        if array is None or (name == TARGET and form.case.target_kind == "index"):
            continue
        exact = written[name] if name in written else decimals(array.astype(np.float64))
        # Hidden states are rows as they are.
        is_layer = name == VALUES and form.case.contract.is_linear
        yield name, exact if is_layer else form.rows(exact)
    if form.case.contract.is_defined:  # built-in operations have their weights as constants
        for name in ("weight", "pos_weight"):
            array = getattr(inputs, name)
            if array is not None:
                yield name, decimals(array.astype(np.float64))


def _agree(now: Decimals, before: Decimals, known: NDArray[np.float64], digits: int) -> bool:
    """Return whether two results agree, where the oracle knows of a number that is not 0."""
    context = Context(prec=digits + 2)
    settled = (known == 0) | ~np.isfinite(known)
    pairs = zip(now.ravel().tolist(), before.ravel().tolist(), settled.ravel(), strict=True)
    return all(
        done or (one != 0 and context.plus(one) == context.plus(other))
        for one, other, done in pairs
    )


def _rounded(array: Decimals, known: NDArray[np.float64], digits: int) -> Decimals:
    context = Context(prec=digits)
    found = np.empty(array.shape, object)
    for place in np.ndindex(array.shape):
        high = float(known[place])
        is_number = high != 0 and np.isfinite(high)
        found[place] = context.plus(array.item(place)) if is_number else Decimal(high)
    return found
