"""Choose the questions for one function by what it claims.

The covering arrays are made over the options, targets, dtypes and shapes that the function has,
where the suites' arrays would be filtered: a function that takes `label_smoothing` but no weights
would lose each row that also has weights, and with them most pairs. Of each kind of target there
are two arrays: one of plain numbers, in which any two levels of the claimed options meet in a case
that has a finite right answer, and one of the difficulties of the suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...backends.claim import Claim
from ...cases.everyday import EVERYDAY_TARGETS, EVERYDAY_VALUES
from ...cases.existence import exists
from ...cases.factors import BLOCKS, CONSTRAINTS, factors_of, levels_of
from ...cases.lists import PROBED_VALUES, listed
from ...cases.model import Case
from ...cases.operations import (
    DTYPES,
    LANGUAGE_MODELS,
    OPERATIONS,
    Operation,
    Options,
    TargetKind,
)
from ...cases.pairwise import pairwise
from ...cases.suites import case_of, ordered
from ...cases.suites import suite as named_suite
from ..formula import can_be_judged
from .plain_question import HIDDEN

# Families without a difficulty: their answers are finite, whatever the options.
_PLAIN_VALUES = {
    "logits": ("normal", "normal_100"),
    "probs": ("probs", "probs_edge"),
    "log_probs": ("log_probs",),
    "hidden": ("normal", "normal_10"),
}
_PLAIN_TARGETS = {
    "index": ("random", "some_ignored"),
    "one_hot": ("random",),
    "soft": ("soft", "unnormalised"),
    "multi_label": ("binary", "fractional"),
    "real": ("numbers", "numbers_100"),
}
_PLAIN_DTYPES = ("float32", "float64")
# The sizes of the axes besides that of the classes, by the number of axes; the first that fits.
_RANKS: dict[int, tuple[int, ...]] = {2: (4,), 3: (2, 5), 1: (), 4: (2, 3, 2), 5: (2, 2, 2, 2)}
_CLASSES = 10
_PLAIN_RANK = 2
_MANY_ROWS = 65600  # CUDA's grid has at most 65535 blocks on its second and third axis
_FEW_CLASSES = 2  # of so many rows
_EQUAL_ROWS = "ties"  # a family whose rows recur, so that the exact answer takes less
_TRIES = 16
_FLOATS = ("label_smoothing", *LANGUAGE_MODELS)
# Relations are derived for calls with these options only.
_RELATED = {"axis", "reduction", "ignore_index"}


def questions_for(claim: Claim, *, suite: str = "quick", seed: int = 0) -> list[Case]:
    """Return the cases that a function is asked, all within its claim.

    Args:
        claim: what the function says that it can do.
        suite: `quick`, `full`, or another suite, of which the claimed cases are taken.
        seed: number of the draw of the covering arrays.

    Returns:
        The cases, ordered by signature and without repetition.

    >>> claim = Claim("mine.softmax", "numpy", "softmax", "user", frozenset(), frozenset({"axis"}))
    >>> {case.options.axis for case in questions_for(claim)}
    {0, 1, -1}
    """
    found: list[Case] = []
    if suite != "quick":
        whole = named_suite(suite, seed=seed).cases
        found += [case for case in whole if case.operation == claim.operation]
    if suite in ("quick", "full"):
        scope = _Scope(claim, suite)
        drawn = [*scope.plain(), *scope.difficult()]
        found += [replace(case, seed=seed) for case in drawn]
        found += [*scope.listed(), *scope.blocks(), *scope.probed()]
    # Arguments of different dtypes are no part of a claim.
    found = [it for it in found if not (it.mixes_dtypes or claim.unsupported(it))]
    found = [it for it in found if not (it.options.conflict(it.target_kind) or _is_ambiguous(it))]
    if OPERATIONS[claim.operation].is_defined:
        found = [it for it in found if can_be_judged(it.operation, it.shape)]
    found = [it for it in found if not it.contract.is_linear or exists(it, explicit=it.is_given)]
    found = [_with_divisor(case) for case in found]
    return list(ordered(suite, found).cases)


@dataclass(frozen=True)
class _Scope:
    """The levels that a claim leaves.

    Attributes:
        claim: what the function says that it can do.
        suite: `quick` or `full`, which decides how many levels there are.
    """

    claim: Claim
    suite: str

    @property
    def operation(self) -> Operation:
        return OPERATIONS[self.claim.operation]

    @cached_property
    def kinds(self) -> tuple[TargetKind | None, ...]:
        """The kinds of target, an index first."""
        taken = tuple(kind for kind in self.operation.targets if kind in self.claim.targets)
        return taken if self.operation.is_loss else (None,)

    @cached_property
    def dtypes(self) -> list[str]:
        """The dtypes, the plain ones first."""
        taken = self.claim.limits.dtypes or frozenset(DTYPES)
        return sorted(taken, key=lambda dtype: (dtype not in _PLAIN_DTYPES, dtype))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The everyday shape."""
        return self.shape_of(_CLASSES)

    def shape_of(self, classes: int, rows: int = 0) -> tuple[int, ...]:
        """Return a shape with a number of classes.

        Args:
            classes: how many, or as many as the function takes.
            rows: the size of the first other axis; 0 for the everyday one.
        """
        ranks = self.claim.limits.ranks
        rank = next((rank for rank in _RANKS if rank in ranks or not ranks), min(ranks, default=2))
        most = self.claim.limits.max_classes or classes
        others = [min(most, size) for size in _RANKS.get(rank, (2,) * (rank - 1))]
        if rows and others:
            others = [rows, *(1 for _ in others[1:])]
        at = min(1, rank - 1) if self.operation.is_loss else self.call.axis % rank
        return (*others[:at], min(most, classes), *others[at:])

    @cached_property
    def call(self) -> Options:
        """The options of the plainest call."""
        return self._possible(Options())

    def _possible(self, options: Options) -> Options:
        """Return options with those replaced that the function cannot be called with."""
        given = {}
        for name in self.operation.options:
            level = self.operation.level(options, name)
            if name in self._fixed:
                level = self._fixed[name]
            elif not self._takes(name, level):
                levels = [it for it in self._levels(name) if self._takes(name, it)]
                level = levels[0] if levels else level
            given[name] = level
        return self.operation.chosen(given)

    def _levels(self, option: str) -> list[Any]:
        return levels_of(self.operation, option, self.suite)

    def _takes(self, option: str, level: Any) -> bool:
        limits = self.claim.limits
        is_lacking = level is None and option in limits.required
        return not is_lacking and (option, level) not in limits.lacks

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        # An id has one spelling: numbers that may be fractions are written as floats.
        return {
            name: float(value) if name in self._floats and value is not None else value
            for name, value in self.claim.limits.fixed
            if name in self.operation.options
        }

    @property
    def _floats(self) -> set[str]:
        return {*_FLOATS, *dict(self.operation.parameters)}

    @cached_property
    def levels(self) -> dict[str, list[Any]]:
        """The levels of the claimed options, and the one level of those that are fixed."""
        found = {}
        for option in self.operation.options:
            if option in self._fixed:
                found[option] = [self._fixed[option]]
            elif option in self.claim.options:
                found[option] = [it for it in self._levels(option) if self._fits(option, it)]
        # Without labels nothing is ignored. A fixed number is no factor: it meets every target.
        if "index" not in self.kinds or "ignore_index" in self._fixed:
            found.pop("ignore_index", None)
        return found

    def _fits(self, option: str, level: Any) -> bool:
        is_axis = option != "axis" or -len(self.shape) <= level < len(self.shape)
        return is_axis and self._takes(option, level)

    # --- covering arrays

    def plain(self) -> Iterator[Case]:
        """Yield cases of plain numbers, in which any two levels of the options meet."""
        dtypes = [dtype for dtype in self.dtypes if dtype in _PLAIN_DTYPES] or self.dtypes
        for kind in self.kinds:
            factors: dict[str, list[Any]] = {
                "family": list(_PLAIN_VALUES[self.operation.domain]),
                "dtype": dtypes,
            }
            if kind:
                families = _PLAIN_TARGETS[kind]
                if self.operation.is_defined:
                    families = families[: 1 if kind == "soft" else None]
                factors["target"] = self._taken([f"{kind}.{it}" for it in families])
            yield from self._cases(factors)

    def difficult(self) -> Iterator[Case]:
        """Yield cases of the families of the suite, bad targets included."""
        factors = factors_of(self.operation, self.suite)
        chosen = {"family": factors["family"], "dtype": self.dtypes}
        if self.operation.is_loss:
            chosen["target"] = self._taken(factors["target"])
        yield from self._cases(chosen)

    def _taken(self, targets: list[str]) -> list[str]:
        """Return the targets, such as `index.random`, that the claim allows."""
        found = []
        for target in targets:
            kind, _, family = target.partition(".")
            case = self._everyday(self.kinds[0])
            case = replace(case, target_kind=kind, target_family=family)  # type: ignore[arg-type]
            if not self.claim.unsupported(case):
                found.append(target)
        return found

    def _cases(self, factors: dict[str, list[Any]]) -> Iterator[Case]:
        chosen = {**factors, **self.levels}
        if not any(it.startswith("index.") for it in factors.get("target", [])):
            chosen = {it: levels for it, levels in chosen.items() if it not in LANGUAGE_MODELS}
        families = chosen["family"]
        plainest = self._everyday(self.kinds[0])
        chosen["family"] = [
            it for it in families if not self.claim.unsupported(replace(plainest, family=it))
        ]
        if not all(chosen.values()):
            return
        shape = "x".join(map(str, plainest.sizes))
        call = {it: self.operation.level(self.call, it) for it in self.operation.options}
        default = call | {"shape": shape}
        for row in pairwise(chosen, CONSTRAINTS):
            yield case_of(self.operation, default | row)

    # --- lists

    def _everyday(self, kind: TargetKind | None) -> Case:
        return Case(
            self.operation.name,
            EVERYDAY_VALUES[self.operation.domain],
            self.shape,
            self.dtypes[0],
            kind,
            EVERYDAY_TARGETS.get(kind or "", ""),
            self.call,
            hidden=HIDDEN if self.operation.is_linear else 0,
        )

    def listed(self) -> Iterator[Case]:
        """Yield the cases of the suite that are in no array, changed to what is taken."""
        for case in listed(self.suite):
            if case.operation == self.operation.name:
                yield self._fitted(case) if self.claim.unsupported(case) else case

    def _fitted(self, case: Case) -> Case:
        """Return a case with the options that are fixed, in a shape and dtype that are taken."""
        if ":" in case.family:  # the arrays are stored, and belong to their options
            return case
        options = self._possible(case.options)
        fitted = replace(case, options=options)
        if case.is_probed and not options.given().keys() <= _RELATED:
            fitted = replace(fitted, family=EVERYDAY_VALUES[self.operation.domain])
        if case.dtype not in self.dtypes and not case.mixes_dtypes:
            fitted = replace(fitted, dtype=self.dtypes[0])
        return fitted if not self.claim.unsupported(fitted) else replace(fitted, shape=self.shape)

    def probed(self) -> Iterator[Case]:
        """Yield cases of a defined operation whose Hessian-vector product is asked, too.

        Those of built-in operations are listed.
        """
        if not self.operation.is_defined:
            return
        family = PROBED_VALUES[self.operation.domain]
        for kind in self.kinds:
            yield replace(self._everyday(kind), family=family)

    def blocks(self) -> Iterator[Case]:
        """Yield everyday cases at and beside the sizes of blocks, and one of very many rows."""
        for classes, rows in BLOCKS.items():
            yield replace(self._everyday(self.kinds[0]), shape=self.shape_of(classes, rows))
        if not (self.operation.is_defined or self.operation.is_linear):
            yield self._many_rows()

    def _many_rows(self) -> Case:
        """Return a case of very many rows, in which one row that is left out shows."""
        shape = self.shape_of(_FEW_CLASSES, _MANY_ROWS)
        case = replace(self._everyday(self.kinds[0]), shape=shape)
        if self.operation.domain == "logits":
            case = replace(case, family=_EQUAL_ROWS)
        if not self.operation.is_loss:
            return case
        if "reduction" in self.levels and "none" in self.levels["reduction"]:
            return replace(case, options=replace(case.options, reduction="none"))
        # A float32 sum of so many terms, one after another, may be as wrong as a missing row.
        return replace(case, dtype="float64") if "float64" in self.dtypes else case


def _is_ambiguous(case: Case) -> bool:
    """Return whether weights of a binary loss may belong to another axis than the contract's.

    Of three axes, most losses of elements broadcast weights from the last one.
    """
    is_weighted = case.options.weight is not None or case.options.pos_weight is not None
    return is_weighted and not case.contract.reads_classes and len(case.shape) > _PLAIN_RANK


def _with_divisor(case: Case) -> Case:
    """Return a case, drawn anew if every row of a mean has the weight 0, which leaves no answer."""
    if case.target_family not in ("random", "some_ignored") or case.options.weight is None:
        return case
    tried = (replace(case, seed=case.seed + more) for more in range(_TRIES))
    return next((it for it in tried if _weighs(it)), case)


def _weighs(case: Case) -> bool:
    """Return whether a row counts whose class has a weight other than 0."""
    inputs = case.inputs()
    if case.target_kind != "index" or inputs.weight is None or inputs.target is None:
        return True
    labels = inputs.target[inputs.target != case.options.ignore_index]
    return bool(np.any(inputs.weight[labels]))
