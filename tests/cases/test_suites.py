"""Suites: what is asked together covers what there is to ask."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from lossdiff.cases.factors import families_of
from lossdiff.cases.families import VALUES
from lossdiff.cases.model import Case
from lossdiff.cases.operations import COVERED, DTYPES, Operation, Options
from lossdiff.cases.stored import DIGITS_STAGES, worked_examples
from lossdiff.cases.suites import SUITES, Suite, selected, suite

SMALL = {"fuzz": {"count": 200}}
LISTED = [name for name in SUITES if name != "domain"]  # whose questions follow from the answers
EVERY = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.onnx] * (name == "onnx")) for name in LISTED]
)
COVERING = pytest.mark.parametrize("name", ["quick", "full"])


@cache
def made(name: str, **options: int) -> Suite:
    """Return a suite, not larger than it must be."""
    return suite(name, **{**SMALL.get(name, {}), **options})


@EVERY
def test_no_case_is_asked_twice(name: str) -> None:
    ids = [case.id for case in made(name).cases]

    assert len(ids) == len(set(ids)) > 20


@EVERY
def test_cases_come_ordered_by_what_a_compiler_can_share(name: str) -> None:
    keys = [(case.dtype, case.sizes, str(case.signature), case.id) for case in made(name).cases]

    assert keys == sorted(keys)


@EVERY
def test_cases_of_one_signature_stand_together(name: str) -> None:
    signatures = [str(case.signature) for case in made(name).cases]
    changes = sum(a != b for a, b in pairwise(signatures))

    assert changes == len(set(signatures)) - 1


@EVERY
def test_the_same_seed_gives_the_same_cases(name: str) -> None:
    options = {"seed": 4, **SMALL.get(name, {})}

    assert suite(name, **options).cases == suite(name, **options).cases


@pytest.mark.parametrize("name", ["quick", "full", "fuzz"])
def test_another_seed_gives_other_draws(name: str) -> None:
    assert made(name, seed=1).cases != made(name, seed=2).cases


@COVERING
@pytest.mark.parametrize("operation", COVERED, ids=lambda it: it.name)
def test_every_family_meets_every_dtype_that_can_hold_it(operation: Operation, name: str) -> None:
    met = {
        (case.family, case.dtype) for case in made(name).cases if case.operation == operation.name
    }
    families = families_of(operation, name)

    assert {(family, dtype) for family in families for dtype in VALUES[family].dtypes} <= met


@EVERY
def test_every_case_has_inputs_that_fit_its_dtype(name: str) -> None:
    for case in made(name).cases[::25]:
        inputs = case.inputs()

        assert inputs.values.shape == (case.sizes[:2] if case.hidden else case.shape)
        assert inputs.values.dtype.name == case.dtype


def test_the_worked_suite_asks_every_example_in_float64() -> None:
    cases = made("worked").cases

    assert {case.family for case in cases} == {f"worked:{name}" for name in worked_examples()}
    assert len(cases) == len(worked_examples())
    assert {case.dtype for case in cases} == {"float64"}


@COVERING
def test_the_digits_are_asked_at_every_stage_of_training(name: str) -> None:
    asked = {case.family for case in made(name).cases if case.family.startswith("digits:")}

    assert asked == {f"digits:{stage}" for stage in DIGITS_STAGES}


@COVERING
def test_every_operation_target_and_option_is_asked(name: str) -> None:
    for operation in COVERED:
        cases = [case for case in made(name).cases if case.operation == operation.name]

        assert {case.dtype for case in cases} == set(DTYPES)
        assert {case.target_kind for case in cases} == set(operation.targets or (None,))
        for option in operation.options:
            assert any(option in case.options.given() for case in cases), option


@COVERING
def test_targets_and_weights_of_other_dtypes_are_asked(name: str) -> None:
    mixed = [case for case in made(name).cases if case.mixes_dtypes]
    labels = {case.target_dtype for case in mixed if case.target_kind == "index"}
    others = {
        (case.dtype, case.target_dtype)
        for case in mixed
        if case.target_kind in ("one_hot", "soft", "multi_label") and case.target_dtype
    }
    weights = {(case.dtype, case.options.weight) for case in mixed if case.options.weight}

    assert labels >= {"int32", "uint8", ""}
    assert others >= {("float32", "float64")}
    assert weights >= {("bfloat16", "positive:float32")}
    if name == "full":
        assert labels >= {"int8", "int16"}
        assert weights == {(dtype, f"positive:{other}") for dtype, other in others}


@COVERING
def test_every_operation_is_probed_with_every_kind_of_target(name: str) -> None:
    probed = [case for case in made(name).cases if case.is_probed]
    dtypes = {"quick": {"float32"}, "full": set(DTYPES)}[name]

    for operation in COVERED:
        asked = {
            (case.target_kind, case.dtype) for case in probed if case.operation == operation.name
        }
        kinds = operation.targets or (None,)
        assert asked == {(kind, dtype) for kind in kinds for dtype in dtypes}
    assert {VALUES[case.family].domain for case in probed} == {"logits", "probs", "log_probs"}


@COVERING
def test_what_is_probed_has_no_options_but_a_bias(name: str) -> None:
    options = {case.options for case in made(name).cases if case.is_probed}

    assert {replace(it, linear_bias=None) for it in options} == {Options()}


def test_full_probes_arrays_that_frameworks_split() -> None:
    shapes = {case.shape for case in made("full").cases if case.is_probed}

    assert max(rows * classes for rows, classes in shapes) > 100_000
    assert max(rows for rows, _ in shapes) > 1000


def test_the_questions_of_the_domain_are_not_listed() -> None:
    assert made("domain").cases == ()


@EVERY
def test_no_suite_lists_a_sweep(name: str) -> None:
    assert not any(case.is_swept for case in made(name).cases)


def test_full_asks_more_than_quick() -> None:
    assert len(made("full").cases) > len(made("quick").cases)


def test_compilers_see_plain_signatures_in_quick_and_those_of_every_dtype_in_full() -> None:
    plain = Case.parse("softmax/float32/4x10/normal/-/0")
    double = Case.parse("softmax/float64/4x10/normal/-/0")
    special = Case.parse("softmax/float32/4x10/normal/axis=0/0")
    laid_out = Case.parse("softmax/float32/4x10~stepped/normal/-/0")
    quick, full, slow = made("quick"), made("full"), ("float16", "float32")

    assert quick.is_compiled(plain)
    assert not quick.is_compiled(double)
    assert full.is_compiled(double)
    assert not full.is_compiled(double, slow)
    assert full.is_compiled(plain, slow)
    assert not any(full.is_compiled(case) for case in (special, laid_out))


def test_fuzz_draws_as_many_cases_as_were_asked_for() -> None:
    cases = suite("fuzz", seed=1, count=300).cases

    assert len(cases) == 300
    assert {case.operation for case in cases} == {it.name for it in COVERED}


def test_a_selection_keeps_the_operations_that_were_named_and_adds_cases() -> None:
    whole = made("quick")
    extra = Case("softmax", "normal", (7, 9), "float32", options=Options(axis=0))
    some = selected(whole, ["logsumexp"], [extra])

    assert {case.operation for case in some.cases} == {"logsumexp", "softmax"}
    assert extra in some.cases
    assert selected(whole).cases == whole.cases


def test_a_selection_remembers_the_operations_for_those_who_list_no_cases() -> None:
    assert selected(made("domain"), ["softmax"]).operations == ("softmax",)
    assert selected(made("domain")).operations == ()
