"""Find out how far a function goes: which targets, dtypes and numbers of axes it takes.

What a function refuses, or was not written for, is said once and is not asked. An answer that is
wrong without a word is not excused: the question stays, and is judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ...backends.claim import Calling, Limits
from ...cases.operations import OPERATIONS, Options
from ..answers import one_line
from .axes import Axes
from .callables import default_of
from .plain_question import Asker, Guess, Reply

_EVERYDAY: dict[str, Any] = {"weight": "positive", "label_smoothing": 0.1}
_NO_CLASSES = (-100, -1)
# A value of each option that a function may name without having it.
_ASKED: dict[str, Any] = {
    **_EVERYDAY, "pos_weight": "positive", "ignore_index": -1, "logit_scale": 0.25,
    "logit_softcap": 30.0, "z_loss": 0.5, "denominator": 7.0, "linear_bias": "normal",
}  # fmt: skip
_OTHER_CLASSES = 7


@dataclass
class Extent:
    """Asks one function how far it goes.

    Attributes:
        asker: asks the function.
        limits: what is declared of it.
        declared: the kinds of target that are declared; None if none are.
        remarks: sentences about what was found out.
    """

    asker: Asker
    limits: Limits
    declared: frozenset[str] | None
    remarks: list[str] = field(default_factory=list)

    def of(self, guess: Guess) -> tuple[Guess, frozenset[str], Limits]:
        """Return the guess with the place of the classes, the kinds of target, and the limits."""
        guess = self._with_implemented(guess)
        targets = self._targets(guess)
        self._find_target_gradient(guess, targets)
        self._find_ignored(guess, targets)
        self._find_dtypes(guess)
        self._find_classes(guess)
        axes = Axes(self.asker, self.limits)
        guess, self.limits = axes.of(guess)
        self.remarks += axes.remarks
        return guess, targets, self.limits

    def _with_implemented(self, guess: Guess) -> Guess:
        """Return the guess without the options that it says are not implemented."""
        if not self.asker.ask(guess).is_near:
            return guess
        for option, parameter in guess.calling.options:
            if option not in _ASKED or option in self.asker.required:
                continue
            reply = self.asker.ask(guess, self.asker.case(guess, **{option: _ASKED[option]}))
            if isinstance(reply.error, NotImplementedError):
                why = f"it has no {parameter}: {one_line(reply.error)}"
            elif reply.error is not None and self._is_of_rows(guess, option, parameter):
                why = (
                    f"left alone: {parameter}, which has a weight for each row, and not each class"
                )
            else:
                continue
            guess = replace(guess, calling=_without(guess.calling, option, parameter))
            self.remarks.append(why)
        return guess

    def _is_of_rows(self, guess: Guess, option: str, parameter: str) -> bool:
        """Return whether an option refuses a weight for each class unless there are as many rows.

        What is called the weight of classes is none of rows, and its error is a finding.
        """
        if option != "weight" or parameter.lower().startswith(("class", "cls")):
            return False
        square = (self.asker.shape[1],) * 2
        case = self.asker.case(guess, square, weight=_ASKED["weight"])
        return len(self.asker.shape) == len(square) and self.asker.ask(guess, case).error is None

    def _targets(self, guess: Guess) -> frozenset[str]:
        contract = OPERATIONS[guess.operation]
        if not contract.is_loss:
            return frozenset()
        if self.declared is not None:
            return self.declared
        taken = {guess.kind} if guess.kind else set()
        for kind in contract.targets:
            if kind not in taken and self._takes(replace(guess, kind=kind)):
                taken.add(kind)
                if kind == "soft":
                    self.limits = replace(self.limits, targets_sum_to_1=True)
        if taken == {"multi_label"}:
            self._find_hard_labels(guess)
        return frozenset(taken)

    def _takes(self, guess: Guess) -> bool:
        """Return whether it takes a kind of target, with the options that it has as well."""
        if not self.asker.ask(guess).is_near:
            return False
        named = [option for option, _ in guess.calling.options if option in _EVERYDAY]
        cases = [self.asker.case(guess, **{it: _EVERYDAY[it]}) for it in named]
        return all(self.asker.ask(guess, case).error is None for case in cases)

    def _find_hard_labels(self, guess: Guess) -> None:
        between = replace(self.asker.case(guess), target_family="fractional")
        if self.asker.ask(guess).is_near and not self.asker.ask(guess, between).is_near:
            self.limits = replace(self.limits, hard_labels=True)
            self.remarks.append("it is judged with targets of 0 and 1 only")

    def _find_ignored(self, guess: Guess, taken: frozenset[str]) -> None:
        """Find out whether it can ignore labels that are no classes, where its own default is one.

        What ignores a number that is no class by default, as most do, has no such limit: an error
        is a finding.
        """
        parameter = dict(guess.calling.options).get("ignore_index")
        if parameter is None or "index" not in taken or "ignore_index" in dict(guess.fixed):
            return
        own = default_of(self.asker.candidate.function, parameter)
        if not isinstance(own, int) or own < 0:
            return
        asked, errors = replace(guess, kind="index"), dict[int, BaseException]()
        for label in (0, *_NO_CLASSES):
            case = self.asker.case(asked, ignore_index=label)
            reply = self.asker.ask(asked, replace(case, target_family="some_ignored"))
            if reply.error is not None:
                errors[label] = reply.error
        if errors and 0 not in errors:
            lacks = tuple(("ignore_index", label) for label in errors)
            self.limits = replace(self.limits, lacks=(*self.limits.lacks, *lacks))
            names, why = " and ".join(map(str, errors)), one_line(next(iter(errors.values())))
            self.remarks.append(f"it cannot ignore the label {names}: {why}")

    def _find_target_gradient(self, guess: Guess, taken: frozenset[str]) -> None:
        kind = next((it for it in ("multi_label", "soft", "real") if it in taken), None)
        is_by_hand = self.asker.backend.description.has_handwritten_gradients
        if kind is None or is_by_hand or not self.limits.gradient_by_target:
            return
        asked = replace(guess, kind=kind)
        if self.asker.differentiates(asked, ("values", "target")):
            return
        if self.asker.differentiates(asked, ("values",)):
            self.limits = replace(self.limits, gradient_by_target=False)
            self.remarks.append("it has no gradient with respect to the target")

    def _find_dtypes(self, guess: Guess) -> None:
        if self.limits.dtypes:
            return
        dtypes = self.asker.backend.description.dtypes
        replies = {it: self.asker.ask(guess, self.asker.case(guess, dtype=it)) for it in dtypes}
        refused: dict[str, list[str]] = {}
        results: dict[str, str] = {}
        for dtype, reply in replies.items():
            if reply.value is None:
                refused.setdefault(one_line(reply.error), []).append(dtype)
            else:
                results[dtype] = reply.value.dtype.name
        self.remarks += [
            f"it does not take {' and '.join(names)}: {message}"
            for message, names in refused.items()
        ]
        taken = set(results)
        is_float32 = set(results.values()) == {"float32"}
        if is_float32 and "float64" in taken and not self.limits.result_dtype:
            taken.remove("float64")
            self.remarks.append("it gives float32 whatever it is given: float64 is not asked")
        self.limits = replace(self.limits, dtypes=frozenset(taken))

    def _find_classes(self, guess: Guess) -> None:
        """Find out whether it is written for one number of classes, and refuses others."""
        contract = OPERATIONS[guess.operation]
        is_open = not (self.limits.classes or self.limits.max_classes)
        is_loss = contract.is_loss and contract.reads_classes and not contract.is_linear
        if not (is_open and is_loss):
            return
        rows, classes, *others = self.asker.shape
        error = self._ask_shape(guess, (rows, _OTHER_CLASSES, *others)).error
        if error is not None and self.asker.ask(guess).is_near:
            self.limits = replace(self.limits, classes=classes)
            self.remarks.append(f"it takes {classes} classes only: {one_line(error)}")

    def _ask_shape(self, guess: Guess, shape: tuple[int, ...]) -> Reply:
        return self.asker.ask(guess, self.asker.case(guess, shape))


def _without(calling: Calling, option: str, parameter: str) -> Calling:
    """Return a calling in which an option is never given; its parameter keeps doing nothing."""
    options = tuple(it for it in calling.options if it[0] != option)
    if option in ("weight", "pos_weight", "linear_bias"):
        return replace(calling, options=options)
    nothing = calling.spelled(option, getattr(Options(), option))
    return replace(calling, options=options, always=(*calling.always, (parameter, nothing)))
