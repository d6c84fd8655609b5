"""Ask a function one plain question: a few ordinary numbers, compared with the exact answer.

The comparison is rough. A function that is a little wrong is still taken for what it is, and is
judged afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backends.base import Backend, Call, Implementation
from ...backends.claim import Calling, Claim, Fixed
from ...cases.dtypes import FORMATS, format_of
from ...cases.model import Case
from ...cases.operations import OPERATIONS, Reduction, TargetKind
from ..answers import VALUE
from ..judging import SolvedCase, looks_like
from ..oracle import CONTRACT, Convention
from .calling import bound
from .taken import Candidate

Array = NDArray[Any]
HIDDEN = 8  # the size of hidden states in most cases
SHAPE = (4, 10)  # that of most cases: what a compiler compiles for it is used again
REDUCTIONS: tuple[Reduction, ...] = ("mean", "none", "sum")
_EAGER = "eager"
_FAMILY = {"logits": "normal", "probs": "probs", "log_probs": "log_probs", "hidden": "normal"}
_TARGETS: dict[str, str] = {
    "index": "random", "one_hot": "random", "soft": "soft", "multi_label": "binary",
    "real": "numbers",
}  # fmt: skip
# Of the largest exact number; a wrong convention or formula is further away.
NEAR, _NEAR_16_BITS = 1e-3, 0.03
_ITEMS = ("loss", "losses", "value", "result", "output", "out")  # keys of the value
_16_BITS = 11  # bits of precision, at most
_NEEDED = {
    "logit_softcap": 30.0,
    "denominator": 7.0,
    "linear_bias": "normal",
}  # of others a family of weights
_CLIPPED = Convention(clip=1e-7)


@dataclass(frozen=True)
class Guess:
    """What a function may be.

    Attributes:
        operation: the operation.
        kind: the kind of target; None for a function of one array.
        calling: how it is called.
        fixed: the options that have one value in it.
    """

    operation: str
    kind: TargetKind | None
    calling: Calling
    fixed: tuple[tuple[str, Fixed], ...] = ()

    @property
    def options(self) -> frozenset[str]:
        """The options that are passed or fixed."""
        return frozenset(option for option, _ in (*self.calling.options, *self.fixed))


@dataclass(frozen=True)
class Reply:
    """What a function gave for a plain question.

    Attributes:
        value: the array; None where it raised an error.
        error: the error.
        is_near: whether the value is roughly the exact one.
        returns: `value`, `value_and_gradient`, or `value_and_more`.
        item: the key of the value, where it came in a dictionary.
    """

    value: Array | None = None
    error: BaseException | None = None
    is_near: bool = False
    returns: str = "value"
    item: str = ""


@dataclass(frozen=True)
class Asker:
    """Asks one function.

    Attributes:
        candidate: the function.
        backend: its framework.
        required: the options that it cannot be called without.
        dtype: the dtype of most questions.
        shape: the shape of the first argument in most questions.
    """

    candidate: Candidate
    backend: Backend
    required: frozenset[str]
    dtype: str
    shape: tuple[int, ...] = SHAPE

    def case(
        self, guess: Guess, shape: tuple[int, ...] = (), dtype: str = "", **options: Any
    ) -> Case:
        """Return the case of a question.

        Args:
            guess: what the function may be.
            shape: the shape of the first argument; the usual one if empty.
            dtype: its dtype; the usual one if empty.
            options: options of the contract besides those that the function always has.
        """
        fixed = {name: value for name, value in guess.fixed if name not in options}
        needed = {it: _NEEDED.get(it, "positive") for it in self.required - set(fixed)}
        contract = OPERATIONS[guess.operation]
        given = {
            name: value
            for name, value in {**needed, **fixed, **options}.items()
            if name in contract.options and value is not None
        }
        target = _TARGETS[guess.kind] if guess.kind else ""
        family, chosen = _FAMILY[contract.domain], contract.chosen(given)
        shape, dtype = shape or self.shape, dtype or self.dtype
        case = Case(guess.operation, family, shape, dtype, guess.kind, target, chosen)
        return replace(case, hidden=HIDDEN) if contract.is_linear else case

    def ask(
        self, guess: Guess, case: Case | None = None, extra: Mapping[str, Any] | None = None
    ) -> Reply:
        """Ask a question, and compare the answer with every reduction that may be meant.

        Args:
            guess: what the function may be.
            case: the question; the plainest if it is None.
            extra: further keywords for the function.
        """
        case = self.case(guess) if case is None else case
        for mode in self._modes:
            try:
                raw = self._called(guess, case, extra or {}, mode)
                item = _item_of(raw)
                value, returns = self._value_of(raw[item] if item else raw, guess, case)
                break
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 -- whatever it raises is an answer
                failed = Reply(error=error)
        else:
            return failed
        is_open = "reduction" in case.contract.options and "reduction" not in guess.options
        asked = [case]
        if is_open:
            asked = [reduced(case, it) for it in REDUCTIONS]
        return Reply(value, None, any(_is_near(value, it) for it in asked), returns, item)

    def recognises(self, guess: Guess, reply: Reply) -> bool:
        """Return whether an answer that is not near the exact one is that of a usual mistake."""
        case, answer = self.case(guess), reply.value
        if answer is None or format_of(answer.dtype) is None:
            return False
        is_open = "reduction" in case.contract.options and "reduction" not in guess.options
        asked = [reduced(case, it) for it in REDUCTIONS] if is_open else [case]
        solved = (SolvedCase(it, it.inputs()) for it in asked)
        return any(
            answer.shape == it.solution.quantities[VALUE].to_float().shape
            and bool(looks_like(it, VALUE, answer))
            for it in solved
        )

    def differentiates(self, guess: Guess, wrt: tuple[str, ...]) -> bool:
        """Return whether the function can be differentiated with respect to some arguments."""
        case = self.case(guess)
        inputs = case.inputs()
        shape = exact_value(case).shape
        seed = self._array(np.ones(shape, inputs.values.dtype))
        arrays = [self._array(getattr(inputs, name)) for name in case.contract.arrays]
        call = self._call(guess.calling, case, wrt=wrt, shape=shape)
        for mode in self._modes:
            try:
                self.backend.forward_backward(call, mode)(seed, *arrays)
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001, S112 -- whatever it raises is no gradient
                continue
            return True
        return False

    @property
    def _modes(self) -> tuple[str, ...]:
        """The modes to ask in: where compiling fails, the function may still answer eagerly."""
        return tuple(dict.fromkeys((self.backend.description.quickest, _EAGER)))

    def _called(self, guess: Guess, case: Case, extra: Mapping[str, Any], mode: str) -> Any:
        """Return whatever the function returns."""
        inputs = case.inputs()
        calling = replace(guess.calling, always=(*guess.calling.always, *extra.items()))
        if calling.returns == "value_and_gradient" or calling.item:
            calling = replace(calling, returns="value", item="")
        arrays = [self._array(getattr(inputs, name)) for name in case.contract.arrays]
        # The framework's own adapter calls it, with the settings that later calls have.
        return self.backend.forward(self._call(calling, case), mode)(*arrays)

    def _call(
        self,
        calling: Calling,
        case: Case,
        *,
        wrt: tuple[str, ...] = (),
        shape: tuple[int, ...] = (),
    ) -> Call:
        inputs, names = case.inputs(), frozenset(option for option, _ in calling.options)
        given: dict[str, Any] = {
            name: it for name, it in case.options.given().items() if name in names
        }
        for name in ("weight", "pos_weight", "linear_bias"):
            if name in given:
                given[name] = self._array(getattr(inputs, name))
        claim = Claim("", self.backend.framework, case.operation, "user", frozenset(), names)
        function = bound(self.candidate.function, calling, self.backend)
        implementation, arrays = Implementation(claim, function), case.contract.arrays
        return Call(implementation, tuple(given.items()), arrays, wrt, shape)

    def _array(self, array: Array) -> Any:
        return self.backend.to_array(np.array(array))  # a copy: the function may write to it

    def _value_of(self, raw: Any, guess: Guess, case: Case) -> tuple[Array, str]:
        """Return the value among what came back, and what came back besides."""
        if not isinstance(raw, tuple | list) or not raw:
            return self.backend.to_numpy(raw), "value"
        value = self.backend.to_numpy(raw[0])
        try:
            second = self.backend.to_numpy(raw[1])
        except Exception:  # noqa: BLE001 -- anything may come back besides
            return value, "value_and_more"
        if case.contract.is_linear:
            is_gradient = second.shape == case.inputs().values.shape
            return value, "value_and_gradient" if is_gradient else "value_and_more"
        if guess.calling.layout == "classes_last" and second.ndim == len(case.shape):
            second = np.moveaxis(second, -1, min(1, second.ndim - 1))
        is_gradient = second.shape == case.shape and len(raw) == 2
        is_more = not is_gradient or _are_probabilities(second, case)
        return value, "value_and_more" if is_more else "value_and_gradient"


def _item_of(raw: Any) -> str:
    """Return the key of the value in a dictionary; empty for what is none, or has no such key."""
    if not isinstance(raw, Mapping):
        return ""
    named = (it for it in _ITEMS if it in raw)
    only = next(iter(raw)) if len(raw) == 1 else ""
    return next(named, only if isinstance(only, str) else "")


def _are_probabilities(array: Array, case: Case) -> bool:
    """Return whether what came beside a loss is no gradient: the probabilities, or their logs."""
    if not case.contract.reads_classes or not array.size:
        return False
    numbers = array.astype(np.float64)
    with np.errstate(all="ignore"):
        sums = [it.sum(case.class_axis) for it in (numbers, np.exp(numbers))]
    return any(bool((np.abs(it - 1) < _NEAR_16_BITS).all()) for it in sums)


def reduced(case: Case, reduction: Reduction) -> Case:
    """Return a case with another reduction."""
    return replace(case, options=replace(case.options, reduction=reduction))


def exact_value(case: Case, convention: Convention = CONTRACT) -> Array:
    """Return the exact value, rounded to float64."""
    solved = SolvedCase(case, case.inputs())
    return solved.under(convention).quantities["value"].to_float()


def _is_near(value: Array, case: Case) -> bool:
    """Return whether a value is roughly what a case asks."""
    # The formula of an operation that a user has defined says whether it clips.
    for convention in (CONTRACT,) if case.contract.is_defined else (CONTRACT, _CLIPPED):
        exact = exact_value(case, convention)
        if value.shape != exact.shape or value.dtype.kind not in "fiV":
            return False
        near = NEAR if FORMATS[case.dtype].precision > _16_BITS else _NEAR_16_BITS
        with np.errstate(all="ignore"):
            off = np.abs(value.astype(np.float64) - exact)
            if bool((off <= near * max(float(np.abs(exact).max()), near)).all()):
                return True
    return False
