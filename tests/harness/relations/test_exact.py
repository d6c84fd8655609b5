"""Relations of operations that users define hold as far as their formulas have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Implementation, result_shape
from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Observation
from lossdiff.harness.relations import RELATIONS, Form, RelationCheck, check_probe
from lossdiff.harness.relations.exact import exact_pairs
from lossdiff.harness.workers.evaluate import evaluate
from lossdiff.harness.workers.probe import probe

from ..formula.formulas import FORMULAS, TARGETS, defined

A = Any
# What each formula keeps, of the relations that its kind of target and result may have.
KEPT = {
    "my_cross_entropy": {"shift", "permutation", "sums", "rows", "alone", "one_hot"},
    "my_focal": {"shift", "permutation", "sums", "rows", "alone"},
    "my_softcap": {"permutation", "rows", "alone"},
    "my_binary": {"permutation", "rows", "alone", "reflection"},
    "my_dice": {"permutation", "rows"},
    "my_distillation": {"shift", "permutation", "sums", "rows", "alone"},
    "my_preference": set(),
    "my_contrast": {"permutation", "rows"},
}


def _case(name: str) -> Case:
    _, kinds, domain = FORMULAS[name]
    target = f"/{kinds[0]}.{TARGETS[kinds[0]]}" if kinds else ""
    family = "grid" if domain == "logits" else "grid_probs"
    return Case.parse(f"{name}{target}/float32/4x10/{family}/-/0")


def _claim(case: Case) -> Claim:
    kinds = frozenset(case.contract.targets)
    return Claim("mine.it", "numpy", case.operation, "user", kinds, frozenset())


@pytest.mark.parametrize("name", KEPT)
def test_a_formula_says_which_relations_hold(name: str) -> None:
    with defined(name):
        case = _case(name)
        plain = Form(case, case.inputs(), case.cotangent(result_shape(case)))
        kept = {
            it.name
            for it in RELATIONS
            if it.holds_for(case, _claim(case)) and exact_pairs(it, plain, it.forms(plain))
        }

    assert kept == KEPT[name]


def _checks(function: Callable[..., Any]) -> list[RelationCheck]:
    with defined("my_focal"):
        case = _case("my_focal")
        backend = load_backend("numpy")
        claim = _claim(case)
        backend.extra.append(Implementation(claim, function))
        seen: Observation = evaluate(backend, "mine.it", "eager", case)
        found = probe(backend, "eager", case, seen).probe
        assert found is not None
        return check_probe(case, claim, found)


def _focal(x: A, target: A) -> A:
    d = x - x.max(axis=1, keepdims=True)
    log_p = (d - np.log(np.exp(d).sum(axis=1, keepdims=True)))[np.arange(len(x)), target]
    return (-(np.expm1(log_p) ** 2) * log_p).mean().astype(x.dtype)


def _of_first_rows(x: A, target: A) -> A:
    return _focal(x[:2], target[:2])


def _far(x: A, target: A) -> A:
    return np.float32(3.0) * _focal(x, target) if x.max() > 1e3 else _focal(x, target)


def test_a_sound_function_keeps_them() -> None:
    found = _checks(_focal)

    assert {it.relation for it in found} >= {"shift", "permutation", "rows"}
    assert all(it.holds for it in found)


@pytest.mark.parametrize(("function", "broken"), [(_of_first_rows, "rows"), (_far, "shift")])
def test_one_that_breaks_a_relation_is_found(function: Callable[..., Any], broken: str) -> None:
    assert {it.relation for it in _checks(function) if not it.holds} == {broken}
