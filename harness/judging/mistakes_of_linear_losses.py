"""List the usual mistakes in losses of hidden states: fused, chunked and sharded ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...cases.model import Case
from . import steps as right
from .mistake import Table, of_smoothing
from .problem import Problem
from .steps import Steps, changed
from .traced import Approx, Array, Traced, exp

OF_LINEAR_LOSSES = Table()
_LINEAR = ("gradient_hidden", "gradient_linear_weight", "gradient_linear_bias")
_BLOCKS = (4, 16, 32, 64, 128)  # multiples to which vocabularies are padded


def of_linear(case: Case) -> bool:
    return case.contract.is_linear


def of_biases(case: Case) -> bool:
    return case.options.linear_bias is not None


def _of_class_losses(case: Case) -> bool:
    return case.operation in ("cross_entropy", "linear_cross_entropy")


def _of_many(case: Case) -> bool:
    return of_linear(case) and min(case.shape) > 1


# --- the bias --------------------------------------------------------------------------------


def _times_bias(factor: float) -> Callable[[Problem, Traced], Traced]:
    def step(problem: Problem, x: Traced) -> Traced:
        return x if problem.layer is None else x + problem.layer.bias * factor

    return step


@OF_LINEAR_LOSSES.mistake("the bias is not applied", of_biases, drops=True)
def bias_dropped() -> Steps:
    return changed(bias=_times_bias(0.0))


@OF_LINEAR_LOSSES.mistake("the bias is subtracted", of_biases)
def bias_subtracted() -> Steps:
    return changed(bias=_times_bias(-1.0))


@OF_LINEAR_LOSSES.mistake("the bias is added twice", of_biases)
def bias_twice() -> Steps:
    return changed(bias=_times_bias(2.0))


# --- the classes -----------------------------------------------------------------------------


def _padded_to(block: int) -> Callable[[Case], bool]:
    return lambda case: _of_class_losses(case) and case.shape[case.class_axis] % block != 0


def _with_padding(block: int) -> Callable[[], Steps]:
    """Return steps in which classes of padding have the logit 0, and are summed."""

    def padding(problem: Problem, total: Traced, shift: Array) -> Traced:
        missing = -problem.classes % block
        return total + exp(Traced(Approx.of(-shift))) * float(missing)

    return lambda: changed(padding=padding)


for _block in _BLOCKS:
    OF_LINEAR_LOSSES.mistake(
        f"classes of padding count: with the logit 0, up to a multiple of {_block}",
        _padded_to(_block),
    )(_with_padding(_block))


def _more(amount: float) -> Callable[[], Steps]:
    def log_p(_problem: Problem, _x: Traced, _p: Traced, difference: Traced) -> Traced:
        return difference - amount

    return lambda: changed(log_p=log_p)


for _shards in (2, 4, 8):
    OF_LINEAR_LOSSES.mistake(
        f"log {_shards} is added: {_shards} shards sum the same exponentials", _of_class_losses
    )(_more(float(np.log(_shards))))


def _smoothed_by_shard(shards: int) -> Callable[[], Steps]:
    def weighted(problem: Problem, target: Traced) -> Traced:
        share = problem.smoothing * (shards - 1) / problem.classes
        plain = right.smoothed(problem, target)
        return (plain + share * problem.counts) * problem.weight

    return lambda: changed(weighted=weighted)


for _shards in (2, 4):
    OF_LINEAR_LOSSES.mistake(
        f"smoothing is divided by the classes of one of {_shards} shards",
        lambda case, shards=_shards: (
            of_smoothing(case)  # type: ignore[misc]
            and case.shape[case.class_axis] % shards == 0
        ),
    )(_smoothed_by_shard(_shards))


# --- the gradients ---------------------------------------------------------------------------


def _masked(kept: Callable[[int], slice], axis: int, quantities: tuple[str, ...]) -> Steps:
    """Return steps in which only some rows or classes of g reach some of the gradients."""

    def carried(_: Problem, g: Approx, quantity: str) -> Approx:
        if quantity not in quantities:
            return g
        length = g.value.shape[axis]
        mask = np.zeros(length, np.bool_)
        mask[kept(length)] = True
        shaped = mask[:, None] if axis == 0 else mask
        return Approx(np.where(shaped, g.value, 0), np.where(shaped, g.error, 0))

    return changed(carried=carried)


_HALVES: dict[str, Callable[[int], slice]] = {
    "first": lambda length: slice(0, length // 2),
    "last": lambda length: slice(length // 2, None),
}


def _half(which: str, axis: int, quantities: tuple[str, ...]) -> Callable[[], Steps]:
    return lambda: _masked(_HALVES[which], axis, quantities)


for _which in _HALVES:
    OF_LINEAR_LOSSES.mistake(
        f"the gradients of the layer are those of the {_which} half of the rows",
        _of_many,
        quantities=_LINEAR[1:],
    )(_half(_which, 0, _LINEAR[1:]))
    OF_LINEAR_LOSSES.mistake(
        f"the gradient of the hidden states is that of the {_which} half of the classes",
        _of_many,
        quantities=_LINEAR[:1],
    )(_half(_which, 1, _LINEAR[:1]))
