"""A function is asked about all that it claims, and about nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from lossdiff.backends.claim import Claim, Limits
from lossdiff.cases.factors import OPTIONS
from lossdiff.cases.model import Case
from lossdiff.cases.operations import LANGUAGE_MODELS, OPERATIONS, Options, TargetKind
from lossdiff.harness.formula import define, forget
from lossdiff.harness.judging import solved_case
from lossdiff.harness.own import questions_for

EACH = [
    (operation.name, kind)
    for operation in OPERATIONS.values()
    for kind in operation.targets or [None]
]
PLAIN = ("float32", "float64")


def claim(
    operation: str,
    targets: tuple[TargetKind | None, ...] = (None,),
    options: tuple[str, ...] = (),
    **limits: Any,
) -> Claim:
    """Return a user's claim."""
    kinds = frozenset(kind for kind in targets if kind)
    taken = frozenset(options)
    return Claim("mine.f", "numpy", operation, "user", kinds, taken, Limits(**limits))


@cache
def is_finite(case: Case) -> bool:
    """Whether the right answer is numbers throughout."""
    solution = solved_case(case).solution
    return not solution.refusal and all(
        bool(np.isfinite(answer.hi).all()) for answer in solution.quantities.values()
    )


def subsets(options: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield all sets of options, those of language models all or none, which keeps them few."""
    others = tuple(it for it in options if it not in LANGUAGE_MODELS)
    for size in range(len(others) + 1):
        yield from combinations(others, size)
    if others != options:
        yield options


def levels_of(option: str, kind: TargetKind | None) -> list[Any]:
    """Return the levels that make a difference: only labels can be ignored."""
    if option in ("ignore_index", *LANGUAGE_MODELS) and kind != "index":
        return [getattr(Options(), option)]
    return OPTIONS[option].of("quick")


@pytest.mark.parametrize(("operation", "kind"), EACH)
def test_any_two_levels_of_claimed_options_meet_in_a_case_with_a_finite_answer(
    operation: str, kind: TargetKind | None
) -> None:
    for options in subsets(OPERATIONS[operation].options):
        asked = questions_for(claim(operation, (kind,), options))
        small = [case for case in asked if case.dtype in PLAIN and np.prod(case.shape) <= 100]
        judged = [vars(case.options) for case in small if is_finite(case)]

        pairs = [
            dict(zip(names, found, strict=True))
            for names in [*combinations(options, 2), *((name,) for name in options)]
            for found in product(*(levels_of(name, kind) for name in names))
        ]
        pairs = [pair for pair in pairs if not Options(**pair).conflict(kind)]
        met = [pair for pair in pairs if any(pair.items() <= given.items() for given in judged)]
        assert met == pairs


@pytest.mark.parametrize(("operation", "kind"), EACH)
def test_ignored_rows_meet_every_level_of_the_other_options(
    operation: str, kind: TargetKind | None
) -> None:
    options = OPERATIONS[operation].options
    if kind != "index" or "ignore_index" not in options:
        return
    asked = questions_for(claim(operation, (kind,), options))
    ignoring = [case for case in asked if case.target_family == "some_ignored" and is_finite(case)]

    for option in options:
        assert {getattr(case.options, option) for case in ignoring} >= set(levels_of(option, kind))


def limits_of(operation: str) -> list[dict[str, Any]]:
    """Return limits that an operation may have."""
    options = OPERATIONS[operation].options
    fixed = {
        "reduction": "none",
        "label_smoothing": 0.1,
        "ignore_index": 255,
        "axis": 0,
        "weight": None,
    }
    found: list[dict[str, Any]] = [
        {"fixed": ((name, value),)} for name, value in fixed.items() if name in options
    ]
    found += [
        {"required": frozenset({name})} for name in ("weight", "pos_weight") if name in options
    ]
    is_linear = OPERATIONS[operation].is_linear  # hidden states have two axes
    return [
        *found,
        {},
        *([] if is_linear else [{"ranks": frozenset({1})}, {"ranks": frozenset({3})}]),
        {"max_classes": 2},
        {"dtypes": frozenset({"float16"})},
        {"finite_logits_only": True, "hard_labels": True, "targets_sum_to_1": True},
    ]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_case_is_within_the_claim_and_exists(operation: str) -> None:
    contract = OPERATIONS[operation]
    for limits in limits_of(operation):
        for options in (tuple(limits.get("required", ())), contract.options):
            mine = claim(operation, contract.targets or (None,), options, **limits)
            asked = questions_for(mine)

            assert asked
            assert [case.id for case in asked if mine.unsupported(case)] == []
            assert [Case.parse(case.id) for case in asked] == asked
            assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("level", [("reduction", "none"), ("reduction", "sum")])
def test_a_fixed_option_has_its_one_level_in_every_case(level: tuple[str, str]) -> None:
    mine = claim("cross_entropy", ("index",), ("reduction", "label_smoothing"), fixed=(level,))

    assert {case.options.reduction for case in questions_for(mine)} == {level[1]}


def test_a_value_that_an_option_does_not_have_is_not_asked() -> None:
    mine = claim("nll_loss", ("index",), ("reduction",), lacks=(("reduction", "mean"),))

    assert {case.options.reduction for case in questions_for(mine)} == {"none", "sum"}


def test_a_fixed_ignore_index_is_asked_with_labels_that_it_ignores() -> None:
    mine = claim("cross_entropy", ("index",), (), fixed=(("ignore_index", 255),))

    ignoring = [case for case in questions_for(mine) if case.target_family == "some_ignored"]

    assert any(is_finite(case) and (case.inputs().target == 255).any() for case in ignoring)


def test_a_whole_number_that_is_fixed_for_the_smoothing_names_existing_cases() -> None:
    mine = claim("cross_entropy", ("index",), (), fixed=(("label_smoothing", 1),))

    assert all(Case.parse(case.id) == case for case in questions_for(mine))


def test_numbers_and_targets_that_a_function_does_not_take_are_not_asked() -> None:
    mine = claim("cross_entropy", ("soft",), (), finite_logits_only=True, targets_sum_to_1=True)

    asked = questions_for(mine)

    assert {case.target_family for case in asked} == {"soft"}
    assert all(np.isfinite(case.inputs().values.astype(np.float64)).all() for case in asked)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sizes_beside_blocks_and_very_many_rows_are_asked(operation: str) -> None:
    targets = OPERATIONS[operation].targets or (None,)

    shapes = [case.shape for case in questions_for(claim(operation, targets))]

    classes = {shape[1] for shape in shapes if len(shape) == 2}
    assert classes >= {31, 32, 33, 127, 128, 129, 255, 257, 1000, 1025}
    assert max(shape[0] for shape in shapes) > 65535 or OPERATIONS[operation].is_linear


def test_another_seed_draws_other_inputs_of_the_arrays() -> None:
    mine = claim("softmax", (None,), ("axis",))

    seeds = {case.seed for case in questions_for(mine, seed=7) if case.family == "far_tail"}

    assert 7 in seeds


def test_a_full_suite_has_the_suites_cases_too_and_a_worked_one_only_these() -> None:
    mine = claim("sigmoid")

    quick, full = questions_for(mine), questions_for(mine, suite="full")
    worked = questions_for(mine, suite="worked")

    assert len(full) > len(quick)
    assert worked
    assert all(case.family.startswith("worked:") for case in worked)


def test_a_formula_of_two_classes_is_not_asked_of_one() -> None:
    define("two_classes", lambda x, target: (x[:, 1] - target[:, 1]) ** 2, targets={"real"})
    asked = questions_for(claim("two_classes", ("real",), ("reduction",)), suite="full")
    forget("two_classes")

    assert asked
    assert min(case.shape[-1] for case in asked) > 1
    assert {case.target_family for case in asked} == {"numbers", "numbers_100"}
