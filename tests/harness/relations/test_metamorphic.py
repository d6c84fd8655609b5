"""Relations: right answers obey them, and each finds the fault that it is there to find.

The answers come from the sound implementation of `tests/planted`, with some text changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend, Implementation, call_for, result_shape
from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.cases.operations import COVERED, DTYPES, OPERATIONS
from lossdiff.cases.suites import suite
from lossdiff.harness.bounds.algorithms import SOUND
from lossdiff.harness.relations.forms import Answered, AnswerPair, Form, Relation
from lossdiff.harness.relations.metamorphic import RELATIONS
from lossdiff.harness.verdicts import RELATION_MEANINGS
from lossdiff.harness.workers.evaluate import value_and_gradients

from ...planted import sound
from ...planted.altered import altered

NOT_IN_STEPS = {
    "exp": "numpy.exp",
    "linear_cross_entropy": "numpy.recipes.linear_cross_entropy",
}
NAMED = {relation.name: relation for relation in RELATIONS}
PROBED = [case for case in suite("quick").cases if case.is_probed]
LARGE = [
    Case.parse(text)
    for text in (
        "softmax/float32/64x70/grid/-/0",
        "cross_entropy/index.random/float32/65x70/grid/-/0",
        "cross_entropy/soft.soft/float32/64x70/grid/-/0",
        "cross_entropy/index.random/float32/64x70/grid/reduction=sum/0",
        "cross_entropy/index.random/float32/65x70/grid/reduction=none/0",
        "binary_cross_entropy/multi_label.binary/float32/64x70/grid_probs/-/0",
        "logsumexp/float32/64x70/grid/-/0",
        "sigmoid/float32/64x70/grid/-/0",
        "linear_cross_entropy/index.some_ignored/float32/7x5x13/grid/linear_bias=normal/0",
    )
]


@cache
def backend() -> Backend:
    return load_backend("numpy")


def claim_of(operation: str) -> Claim:
    """Return the claim to take every kind of target."""
    taken = frozenset(OPERATIONS[operation].targets)
    options = frozenset({"ignore_index"} & set(OPERATIONS[operation].options))
    return Claim(f"mine.{operation}", "numpy", operation, "user", taken, options)


def implementation(steps: ModuleType, operation: str) -> Implementation:
    """Return one operation of an implementation; of what `steps` does not hold, NumPy's own."""
    if not hasattr(steps, operation):
        return backend().implementations[NOT_IN_STEPS[operation]]
    vjp = getattr(steps, f"{operation}_vjp")
    return Implementation(claim_of(operation), getattr(steps, operation), vjp)


def answered(asked: Implementation, form: Form) -> Answered:
    """Ask a form of a question."""
    call = call_for(asked, form.case, form.inputs)
    found: dict[str, Any] = value_and_gradients(
        backend(), "eager", call, form.inputs, form.cotangent
    )
    return Answered(form, {name: array.astype(np.float64) for name, array in found.items()})


def form_of(case: Case) -> Form:
    """Return the plain form of a question."""
    return Form(case, case.inputs(), case.cotangent(result_shape(case)))


def comparisons(relation: Relation, steps: ModuleType, case: Case) -> Iterator[AnswerPair]:
    """Return what a relation compares in the answers of an implementation."""
    asked = implementation(steps, case.operation)
    plain = answered(asked, form_of(case))
    others = tuple(answered(asked, form) for form in relation.forms(plain.form))
    return relation.compare(plain, others)


def broken(relation: Relation, steps: ModuleType, case: Case) -> set[str]:
    """Return the quantities in which a relation does not hold."""
    return {pair.quantity for pair in comparisons(relation, steps, case) if not agrees(pair)}


def agrees(pair: AnswerPair) -> bool:
    """Return whether two answers are within the sum of their bounds."""
    return bool((np.abs(pair.left - pair.right) <= pair.limit(SOUND)).all())


def is_asked(relation: Relation, case: Case) -> bool:
    """Return whether a relation is asked of a case."""
    return relation.holds_for(case, claim_of(case.operation))


# --- right answers ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("relation", RELATIONS, ids=NAMED)
def test_right_answers_obey_a_relation(relation: Relation, dtype: str) -> None:
    cases = [Case.parse(case.id.replace("float32", dtype)) for case in [*PROBED, *LARGE]]
    asked = [case for case in cases if is_asked(relation, case)]
    compared = [(case, pair) for case in asked for pair in comparisons(relation, sound, case)]

    assert compared
    for case, pair in compared:
        assert agrees(pair), (case.id, pair.quantity)


def test_every_probed_operation_of_logits_has_a_relation() -> None:
    related = {
        case.operation for case in PROBED for relation in RELATIONS if is_asked(relation, case)
    }

    assert related == {it.name for it in COVERED} | {"linear_cross_entropy"}


def test_relations_have_names_and_meanings_of_their_own() -> None:
    assert len(NAMED) == len(set(RELATION_MEANINGS.values())) == len(RELATIONS)


# --- planted faults --------------------------------------------------------------------------


FAULTS = {
    "unshifted": altered(("x.max(-1, keepdims=True)", "np.zeros_like(x[..., :1])")),
    # The first class counts 2^-10 more than its logit says.
    "by position": altered(("e = np.exp(x - m)", "e = np.exp(x - m); e[..., 0] *= 1 + 2.0**-10")),
    "one class dropped": altered(
        ("e.sum(-1, keepdims=True)", "e[..., :-1].sum(-1, keepdims=True)")
    ),
    # The gradient of a softmax alone: p for p − t.
    "no label": altered(("p * w.sum(-1, keepdims=True) - w", "p * w.sum(-1, keepdims=True)")),
    # Each class loses its mean over the batch, as a batch normalisation does it.
    "of the batch": altered(
        ("_, e, s = parts(x)", "_, e, s = parts(x - x.mean(0))"),
        ("(x - m) - np.log(s)", "np.log(probs_of(x))"),
    ),
    "one row less": altered(("(w * q).sum(-1).sum()", "(w * q).sum(-1).sum() - 1")),
    "rows of elements": altered(("q.dtype.type(counts.size)", "q.dtype.type(q.size)")),
    # The gradient of max(x, 0) + log1p(exp(−abs(x))) where 0 counts as positive.
    "step at zero": altered(
        ("wide(cotangent) * sigma(-x)", "wide(cotangent) * np.where(x == 0, 0, sigma(-x))"),
        ("(1 - z) * sigma(x) - p * z * sigma(-x)", "np.where(x == 0, 1 - z, sigma(x) - z)"),
    ),
    "row zero": altered(("e = np.exp(x - m)", "e = np.exp(x - m); e[:1, ..., 0] *= 1 + 2.0**-10")),
    # An ignored row counts half.
    "half counted": altered(
        (
            "divisor = (w * q).sum(-1).sum()",
            "divisor = q.dtype.type((counts.size + counts.sum()) / 2)",
        )
    ),
    "half a sigmoid": altered(
        ("np.where(x >= 0, 1, e) / (1 + e)", "np.where(x > 0, 1 / (1 + e), np.exp(x))")
    ),
}
BOTH = {"value", "gradient_logits"}
FOUND = [
    ("shift", "unshifted", "softmax", BOTH),
    ("shift", "unshifted", "log_softmax", BOTH),
    ("shift", "unshifted", "logsumexp", BOTH),
    ("shift", "unshifted", "cross_entropy/index.random", BOTH),
    ("permutation", "by position", "softmax", BOTH),
    ("permutation", "by position", "cross_entropy/one_hot.random", BOTH),
    ("sums", "one class dropped", "softmax", BOTH),
    ("sums", "one class dropped", "log_softmax", BOTH),
    ("sums", "no label", "cross_entropy/index.random", {"gradient_logits"}),
    ("split", "of the batch", "softmax", BOTH),
    ("split", "of the batch", "cross_entropy/index.random", BOTH),
    ("split", "one row less", "cross_entropy/index.random", BOTH),
    ("rows", "row zero", "softmax", BOTH),
    ("rows", "row zero", "cross_entropy/index.random", BOTH),
    ("alone", "row zero", "softmax", BOTH),
    ("alone", "of the batch", "cross_entropy/index.random", {"gradient_logits"}),
    ("padding", "of the batch", "softmax", BOTH),
    ("padding", "half counted", "cross_entropy/index.random", BOTH),
    ("one_hot", "rows of elements", "cross_entropy/index.random", BOTH),
    ("one_hot", "one row less", "cross_entropy_probs/index.random", BOTH),
    ("reflection", "half a sigmoid", "sigmoid", {"value"}),
    ("reflection", "step at zero", "log_sigmoid", {"gradient_logits"}),
    ("reflection", "step at zero", "binary_cross_entropy_with_logits/multi_label.binary",
     {"gradient_logits"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fault", "asked", "quantities"), FOUND)
def test_a_relation_finds_its_fault(
    name: str, fault: str, asked: str, quantities: set[str]
) -> None:
    family = "grid_probs" if "probs" in asked else "grid"
    shape = "64x70" if name == "split" else "4x10"
    case = Case.parse(f"{asked}/float32/{shape}/{family}/-/0")
    relation = NAMED[name]
    assert is_asked(relation, case)

    assert broken(relation, FAULTS[fault], case) == quantities
    assert broken(relation, sound, case) == set()


@pytest.mark.parametrize(
    ("name", "classes", "rows"), [("permutation", 1, 0), ("rows", 0, 1), ("alone", 0, 1)]
)
def test_a_relation_finds_what_is_by_position_in_a_linear_loss(
    name: str, classes: int, rows: int
) -> None:
    """The first class, or the first row, counts a little more than it should."""
    case = Case.parse("linear_cross_entropy/index.random/float32/4x8x10/grid/-/0")
    recipes = backend().implementations["numpy.recipes.linear_cross_entropy"]

    def changed(hidden: Any, weight: Any) -> tuple[Any, Any]:
        hidden, weight = hidden.copy(), weight.copy()
        hidden[:rows] *= np.float32(1 + 2**-8)
        weight[:classes] *= np.float32(1 + 2**-8)
        return hidden, weight

    faulty = ModuleType("faulty")
    faulty.linear_cross_entropy = lambda hidden, weight, *rest, **options: recipes.function(  # type: ignore[attr-defined]
        *changed(hidden, weight), *rest, **options
    )
    faulty.linear_cross_entropy_vjp = lambda cotangent, hidden, weight, *rest, **options: (  # type: ignore[attr-defined]
        recipes.vjp(cotangent, *changed(hidden, weight), *rest, **options)
    )

    of_rows, of_classes = {"gradient_hidden"}, {"gradient_linear_weight"}
    assert broken(NAMED[name], sound, case) == set()
    assert broken(NAMED[name], faulty, case) >= (of_rows if rows else of_classes)


def test_a_position_dependent_weight_is_found_by_no_other_relation() -> None:
    case = Case.parse("softmax/float32/4x10/grid/-/0")

    found = {
        relation.name
        for relation in RELATIONS
        if is_asked(relation, case) and broken(relation, FAULTS["by position"], case)
    }

    assert found == {"permutation"}


def test_the_probed_logits_have_a_zero_where_gradients_have_a_kink() -> None:
    assert (Case.parse("log_sigmoid/float32/4x10/grid/-/0").inputs().values == 0).any()


# --- forms -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "operation"), [("shift", "softmax"), ("reflection", "sigmoid")])
def test_a_form_can_be_changed_back_without_loss(name: str, operation: str, dtype: str) -> None:
    case = Case.parse(f"{operation}/{dtype}/4x10/grid/-/0")
    x = case.inputs().values.astype(np.float64)

    (form,) = NAMED[name].forms(form_of(case))
    changed = form.inputs.values.astype(np.float64)

    assert form.inputs.values.dtype == case.inputs().values.dtype
    if name == "shift":
        assert np.ptp(changed - x) == 0
        assert (changed > x).all()
    else:
        np.testing.assert_array_equal(-changed, x)


def test_probabilities_are_reflected_at_one_half() -> None:
    case = Case.parse("binary_cross_entropy/multi_label.binary/bfloat16/4x10/grid_probs/-/0")

    (form,) = NAMED["reflection"].forms(form_of(case))

    for now, then in zip(vars(form.inputs).values(), vars(case.inputs()).values(), strict=True):
        if then is not None:
            np.testing.assert_array_equal(now.astype(float) + then.astype(float), 1.0)


def test_a_permutation_takes_labels_and_cotangents_with_it() -> None:
    case = Case.parse("softmax/float32/4x10/grid/-/0")
    loss = Case.parse("cross_entropy/index.random/float32/4x10/grid/-/0")

    (form,) = NAMED["permutation"].forms(form_of(case))
    (of_loss,) = NAMED["permutation"].forms(form_of(loss))

    assert sorted(map(tuple, form.inputs.values.T)) == sorted(map(tuple, case.inputs().values.T))
    assert not np.array_equal(form.inputs.values, case.inputs().values)
    rows, labels = np.arange(4), loss.inputs().target
    np.testing.assert_array_equal(
        of_loss.inputs.values[rows, of_loss.inputs.target], loss.inputs().values[rows, labels]
    )
    pairs = zip(form.inputs.values.T, form.cotangent.T, strict=True)
    before = zip(case.inputs().values.T, form_of(case).cotangent.T, strict=True)
    assert {(*x, *v) for x, v in pairs} == {(*x, *v) for x, v in before}


@pytest.mark.parametrize(("rows", "parts"), [(64, [32, 32]), (65, [32, 33]), (59, [29, 30])])
def test_a_batch_is_split_into_all_of_its_rows(rows: int, parts: list[int]) -> None:
    case = Case.parse(f"cross_entropy/index.random/float32/{rows}x70/grid/reduction=none/0")

    forms = NAMED["split"].forms(form_of(case))

    assert [form.case.shape[0] for form in forms] == parts
    for name in ("values", "target"):
        joined = np.concatenate([getattr(form.inputs, name) for form in forms])
        np.testing.assert_array_equal(joined, getattr(case.inputs(), name))
    np.testing.assert_array_equal(
        np.concatenate([form.cotangent for form in forms]), form_of(case).cotangent
    )


# --- where a relation is asked ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked", "holds"),
    [
        ("shift", "softmax/float32/4x10/grid/-/0", True),
        ("shift", "cross_entropy_probs/index.random/float32/4x10/grid_probs/-/0", False),
        ("shift", "sigmoid/float32/4x10/grid/-/0", False),
        ("permutation", "nll_loss/index.random/float32/4x10/grid_log_probs/-/0", True),
        ("permutation", "sigmoid/float32/4x10/grid/-/0", False),
        ("sums", "logsumexp/float32/4x10/grid/-/0", True),
        ("sums", "nll_loss/index.random/float32/4x10/grid_log_probs/-/0", False),
        ("split", "softmax/float32/4x10/grid/-/0", False),  # a part is computed like the whole
        ("split", "softmax/float32/1x50257/grid/-/0", False),
        ("split", "softmax/float32/4x50257/grid/-/0", True),
        ("rows", "softmax/float32/4x10/grid/axis=0/0", False),
        ("rows", "linear_cross_entropy/index.random/float32/4x8x10/grid/-/0", True),
        ("alone", "softmax/float32/1x10/grid/-/0", False),
        ("padding", "cross_entropy/index.random/float32/4x10/grid/-/0", True),
        ("padding", "cross_entropy/one_hot.random/float32/4x10/grid/-/0", False),
        ("padding", "cross_entropy/one_hot.random/float32/4x10/grid/reduction=none/0", True),
        ("one_hot", "cross_entropy/index.random/float32/4x10/grid/-/0", True),
        ("one_hot", "cross_entropy/one_hot.random/float32/4x10/grid/-/0", False),
        ("one_hot", "nll_loss/index.random/float32/4x10/grid_log_probs/-/0", False),
        ("reflection", "sigmoid/float32/4x10/grid/-/0", True),
        ("reflection", "exp/float32/4x10/grid/-/0", False),
        ("reflection", "softmax/float32/4x10/grid/-/0", False),
    ],
)
def test_a_relation_is_asked_where_it_can_hold(name: str, asked: str, holds: bool) -> None:
    assert is_asked(NAMED[name], Case.parse(asked)) == holds


def test_one_hot_is_not_asked_of_those_who_take_labels_alone() -> None:
    claim = Claim("a.b", "numpy", "cross_entropy", "user", frozenset({"index"}), frozenset())

    assert not NAMED["one_hot"].holds_for(
        Case.parse("cross_entropy/index.random/float32/4x10/grid/-/0"), claim
    )
