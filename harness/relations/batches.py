"""Transform the rows of a batch: its parts, their order, one row alone, rows added to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import Array
from ...cases.model import Case
from ...cases.stream import Stream
from ..bounds import counting_rows
from ..oracle import Floats
from .forms import OVER_ROWS, Answered, AnswerPair, Form, pairwise, same, summed

_ADDED = 3  # rows of padding
Change = Callable[[Floats], Floats]


def _with_rows(form: Form, change: Callable[[Array], Array]) -> Form:
    """Return the form with other rows: of values and targets, and cotangents of each row."""
    inputs = form.inputs
    target = None if inputs.target is None else change(inputs.target)
    inputs = replace(inputs, values=change(inputs.values), target=target)
    cotangent = change(form.cotangent) if form.cotangent.ndim else form.cotangent
    shape = (len(inputs.values), *form.case.shape[1:])
    return Form(replace(form.case, shape=shape), inputs, cotangent)


def _has_rows(quantity: str, array: Floats) -> bool:
    """Return whether a quantity has a row for each row of the batch."""
    return array.ndim > 0 and quantity not in OVER_ROWS


def _share(part: Form, whole: Form) -> float:
    """Return what the result of a part counts in that of the whole: in a mean, by its rows."""
    if not (whole.case.contract.is_loss and whole.case.options.reduction == "mean"):
        return 1.0
    if not whole.case.contract.reads_classes:
        return part.inputs.values.size / whole.inputs.values.size
    counted = (int(counting_rows(form.case, form.inputs).sum()) for form in (part, whole))
    return next(counted) / max(next(counted), 1)


# --- parts -----------------------------------------------------------------------------------


def halves(form: Form) -> tuple[Form, ...]:
    """Return the two halves of a batch."""
    middle = form.case.shape[0] // 2
    return (
        _with_rows(form, lambda array: array[:middle]),
        _with_rows(form, lambda array: array[middle:]),
    )


def compare_halves(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield every quantity of the batch with those of its halves, joined or added up."""
    case = one.form.case
    # A mean over the batch is the mean of the halves' means, weighted by their numbers of rows.
    shares = [_share(other.form, one.form) for other in others]
    for quantity, left in one.answers.items():
        if any(quantity not in other.answers for other in others):
            continue
        parts = [
            share * other.answers[quantity] for share, other in zip(shares, others, strict=True)
        ]
        # Quantities with rows are joined, a reduced loss is added up.
        is_joined = _has_rows(quantity, left)
        right = np.concatenate(parts) if is_joined else np.asarray(sum(parts))
        terms: list[tuple[Answered, str, Change]] = [(one, quantity, same)]
        for number, (share, other) in enumerate(zip(shares, others, strict=True)):
            before = number * (case.shape[0] // 2)
            place = _at_rows(before, case.shape[0], share) if is_joined else _times(share)
            terms.append((other, quantity, place))
        yield AnswerPair(quantity, left, right, summed(terms))


def _times(factor: float) -> Change:
    """Return a function that multiplies by a number."""
    return lambda array: factor * array


def _at_rows(before: int, rows: int, factor: float = 1.0) -> Change:
    """Return a function that puts the rows of a part at their place among zeros.

    Args:
        before: the number of rows before the part.
        rows: the number of rows in the whole batch.
        factor: what the rows are multiplied by.
    """

    def place(part: Floats) -> Floats:
        widths = [(before, rows - before - len(part)), *[(0, 0)] * (part.ndim - 1)]
        return np.pad(factor * part, widths)

    return place


# --- order -----------------------------------------------------------------------------------


def _order(case: Case) -> NDArray[np.intp]:
    """Return a fixed order of the rows, which is not that of the batch."""
    keys = Stream("rows").integers(2**30, case.shape[0])
    order = np.argsort(keys, kind="stable")
    # Few rows may be drawn in the order that they have.
    return order if (np.diff(order) < 0).any() else order[::-1]


def reordered(form: Form) -> tuple[Form, ...]:
    """Return the form with its rows in another order."""
    order = _order(form.case)
    return (_with_rows(form, lambda array: array[order]),)


def compare_reordered(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield every quantity with that of the other order, whose rows are put back."""
    back = np.argsort(_order(one.form.case))
    change: dict[str, Change] = {
        quantity: lambda array: array[back]
        for quantity, array in one.answers.items()
        if _has_rows(quantity, array)
    }
    yield from pairwise(one, others[0], change)


# --- one row ---------------------------------------------------------------------------------


def last_row(form: Form) -> tuple[Form, ...]:
    """Return the last row that counts as a batch of its own."""
    last = _last_that_counts(form)
    return (_with_rows(form, lambda array: array[last : last + 1]),)


def _last_that_counts(form: Form) -> int:
    """Return the index of the last row that is not ignored; of the last one, if all are."""
    if not (form.case.contract.is_loss and form.case.contract.reads_classes):
        return form.case.shape[0] - 1
    counting = counting_rows(form.case, form.inputs).reshape(form.case.shape[0], -1)
    rows = np.flatnonzero(counting.any(axis=1))
    return int(rows[-1]) if len(rows) else form.case.shape[0] - 1


def compare_last_row(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield that row of every quantity that has rows with that of the row alone."""
    other, last = others[0], _last_that_counts(one.form)

    def row(array: Floats) -> Floats:
        return array[last : last + 1]

    # In a mean the row counts for a part of what it counts alone.
    back = _times(_share(other.form, one.form))
    for quantity, array in one.answers.items():
        if quantity in other.answers and _has_rows(quantity, array):
            limit = summed([(one, quantity, row), (other, quantity, back)])
            yield AnswerPair(quantity, row(array), back(other.answers[quantity]), limit)


# --- padding ---------------------------------------------------------------------------------


def padded(form: Form) -> tuple[Form, ...]:
    """Return the form with rows of padding at the end, which a loss ignores."""
    padding = _with_rows(form, lambda array: np.concatenate([array, array[:1].repeat(_ADDED, 0)]))
    target = padding.inputs.target
    if target is None or form.case.options.reduction == "none":
        return (padding,)
    target = target.copy()
    target[form.case.shape[0] :] = form.case.options.ignore_index
    return (replace(padding, inputs=replace(padding.inputs, target=target)),)


def compare_padded(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield every quantity with that of the padded batch, without the padding."""
    rows, other = one.form.case.shape[0], others[0]
    factor = _factor_of_padding(one, other)

    def without(array: Floats) -> Floats:
        return factor * array[:rows]

    for quantity, left in one.answers.items():
        if quantity in other.answers:
            back = without if _has_rows(quantity, left) else _times(factor)
            limit = summed([(one, quantity, same), (other, quantity, back)])
            yield AnswerPair(quantity, left, back(other.answers[quantity]), limit)


def _factor_of_padding(one: Answered, other: Answered) -> float:
    """Return what a padded result is multiplied by: 1, but where a mean divides by all rows.

    That is a convention, which the verdicts on ignored labels name.
    """
    left, right = one.answers["value"], other.answers["value"]
    factor = other.form.case.shape[0] / one.form.case.shape[0]
    if left.ndim or one.form.case.options.reduction != "mean":
        return 1.0
    return min((1.0, factor), key=lambda it: abs(float(left - it * right)))
