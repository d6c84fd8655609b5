"""Usual mistakes of a defined operation are told by name, from the answer alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.formula import define, forget
from lossdiff.harness.formula import functions as f
from lossdiff.harness.judging import looks_like, solved_case

A = Any
INDEX = "index.random/float32/4x10/normal"


def _focal(x: A, target: A, gamma: A) -> A:
    log_p = f.take(f.log_softmax(x), target)
    return -0.25 * ((-f.expm1(log_p)) ** gamma) * log_p


def _overlap(p: A, target: A) -> A:
    both = f.sum(p * target)
    return 1.0 - (both + 0.5) / (both + 0.3 * f.sum(p * (1 - target)) + 0.7 * f.sum(target) + 0.5)


def _pair(x: A, target: A) -> A:
    log_p = f.log_softmax(x)
    return -f.take(log_p, target) + f.sum(f.detach(f.exp(log_p)) * log_p, axis=1)


def _margin(x: A, target: A) -> A:
    kept = f.where(x > -0.5, x, 0.25)
    sizes = f.sum(kept * kept, axis=1) ** 0.75
    beside = f.log1p(-f.softmax(f.maximum(x, -0.75)))
    return 0.1 * sizes - f.take(f.log_softmax(3.0 * (x - 0.4 * f.one_hot(target))) + beside, target)


@pytest.fixture(autouse=True, scope="module")
def losses() -> Iterator[None]:
    define(
        "focal",
        _focal,
        options={"weight", "ignore_index"},
        parameters={"gamma": (2, 3)},
        mistakes={"log p squared": lambda x, t, gamma: f.take(f.log_softmax(x), t) ** gamma},
    )
    define("overlap", _overlap, targets={"multi_label"}, domain="probs")
    define("pair", _pair)
    define("margin", _margin)
    yield
    for name in ("focal", "overlap", "pair", "margin"):
        forget(name)


def _log_p(x: A, labels: A) -> A:
    p = np.exp(x - x.max(1, keepdims=True))
    return np.log(p / p.sum(1, keepdims=True))[np.arange(len(x)), labels]


def _wrong_focal(x: A, t: A, w: A = 1.0, factor: float = 0.25, gamma: float = 2.0) -> A:
    log_p = _log_p(x, t)
    return -factor * (-np.expm1(log_p)) ** gamma * log_p * w


def _log2_focal(x: A, t: A) -> A:
    log_p = _log_p(x, t) / np.log(2)
    return -0.25 * (-np.expm1(log_p)) ** 2 * log_p


def _mean_first(x: A, t: A) -> A:
    log_p = _log_p(x, t).mean()
    return -0.25 * (-np.expm1(log_p)) ** 2 * log_p


def _shifted(x: A, t: A) -> A:
    log_p = np.log(np.exp(_log_p(x, t)) + 1e-5)
    return (-0.25 * (-np.expm1(log_p)) ** 2 * log_p).mean()


WRONG: dict[str, tuple[str, A]] = {
    "weight is not applied": ("weight=positive", lambda x, t, _: _wrong_focal(x, t).mean()),
    "the mean divides by the number of rows that count, not by their weights": (
        "weight=positive", lambda x, t, w: _wrong_focal(x, t, w[t]).mean()),
    "gamma is 2, whatever is given": ("gamma=3.0", lambda x, t, _: _wrong_focal(x, t).mean()),
    "without the factor 0.25": ("-", lambda x, t, _: _wrong_focal(x, t, factor=1.0).mean()),
    "without the power 2": ("-", lambda x, t, _: _wrong_focal(x, t, gamma=1.0).mean()),
    "softmax applied twice": ("-", lambda x, t, _: _wrong_focal(np.exp(_rows(x)), t).mean()),
    "the logarithm has base 2": ("-", lambda x, t, _: _log2_focal(x, t).mean()),
    "the mean of the rows is taken before the last steps": (
        "-", lambda x, t, _: _mean_first(x, t)),
    "1e-05 is added in the logarithm": ("-", lambda x, t, _: _shifted(x, t)),
    "a factor is missing": ("-", lambda x, t, _: -0.25 * _log_p(x, t).mean()),
    "labels are counted from 1": ("-", lambda x, t, _: _wrong_focal(x, t - 1).mean()),
    "log p squared": ("-", lambda x, t, _: (_log_p(x, t) ** 2).mean()),
    "the sign is wrong": ("-", lambda x, t, _: -_wrong_focal(x, t).mean()),
}  # fmt: skip


def _rows(x: A) -> A:
    return np.stack([_log_p(x, np.full(len(x), it)) for it in range(x.shape[1])], 1)


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_of_a_loss_is_told_by_its_name(name: str) -> None:
    options, wrong = WRONG[name]
    solved = solved_case(Case.parse(f"focal/{INDEX}/{options}/0"))
    given = solved.inputs
    weight = None if given.weight is None else given.weight.astype(np.float64)
    answer = wrong(given.values.astype(np.float64), given.target, weight)

    assert name in looks_like(solved, "value", np.asarray(answer, np.float32))


def _margin_of(
    x: A,
    t: A,
    power: float = 0.75,
    outer: float = 3.0,
    inner: float = 0.4,
    least: float = -0.75,
    epsilon: float = 0.0,
    chosen: A = True,
    root: float = 1.0,
) -> A:
    kept = np.where((x > -0.5) & chosen, x, 0.25) if chosen is not None else x
    sizes = ((kept**2).sum(1) ** root) ** power
    one_hot = np.arange(x.shape[1]) == t[:, None]
    p = np.exp(_rows(np.maximum(x, least)))
    beside = np.log(np.maximum(1 - p, epsilon))
    log_p = np.log(np.maximum(np.exp(_rows(outer * x - inner * outer * one_hot)), epsilon))
    picked = log_p + beside
    return (0.1 * sizes - picked[np.arange(len(x)), t]).mean()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("the power 1/0.75 in place of 0.75", {"power": 1 / 0.75}),
        ("a square root of the sum of squares is taken", {"root": 0.5}),
        ("the factor 3 is that of one term only", {"inner": 0.4 / 3}),
        ("`where` chooses the first number only", {"chosen": None}),
        ("without the limit 0.75", {"least": -np.inf}),
        ("probabilities below 1e-05 are clipped to it", {"epsilon": 1e-5}),
    ],
)
def test_a_step_that_is_another_one_is_told(name: str, wrong: dict[str, Any]) -> None:
    question = "random/float64/4x10/normal_10" if "clipped" in name else "top/float64/4x10/normal"
    case = Case.parse(f"margin/index.{question}/-/0")
    solved = solved_case(case)
    x, t = case.inputs().values, case.inputs().target

    assert looks_like(solved, "value", np.asarray(_margin_of(x, t))) == ""
    assert name in looks_like(solved, "value", np.asarray(_margin_of(x, t, **wrong)))


def test_a_mistake_that_is_made_twice_is_told() -> None:
    define(
        "twice", lambda x, t: -0.5 * f.take(f.log_softmax(x), t) + 0.5 * f.sum(f.tanh(x), axis=1)
    )
    solved = solved_case(Case.parse(f"twice/{INDEX}/-/0"))
    x, t = (it.astype(np.float64) for it in (solved.inputs.values, solved.inputs.target))
    answer = (np.tanh(x).sum(1) - _log_p(x, t.astype(int))).mean()
    said = looks_like(solved, "gradient_logits", np.zeros((4, 10), np.float32))
    of_value = looks_like(solved, "value", np.asarray(answer, np.float32))
    forget("twice")

    assert "without the factor 0.5" in of_value
    assert "without the factor 0.5" not in said


def _soft(x: A, t: A) -> A:
    def odds(column: A) -> A:
        return f.softplus(column) - f.log1p(-0.5 * f.exp(-abs(column)))

    p = f.sigmoid(x[:, 2]) * f.log_sigmoid(x[:, 3])
    share = f.minimum(x[:, 4], f.softmax(x)[:, 5]) + f.tanh(x[:, 4]) ** 2 / 2 + p**3 / 3
    return (x[:, 6] - 2.0) * f.log_softmax(x)[:, 1] + odds(x[:, 0]) - 3.0 * odds(x[:, 1]) + share


def _soft_of(x: A, **other: A) -> A:
    softplus = other.get("softplus", lambda it: np.logaddexp(0, it))
    sign, least, power = (other.get(it) for it in ("sign", "least", "power"))

    def odds(it: A) -> A:
        beside = np.log1p((sign or -1) * 0.5 * np.exp(-abs(it)))
        return softplus(it) - (0.0 if "term" in other else beside)

    log_p = _rows(x) if "axis" not in other else _rows(x.T).T
    p = -np.logaddexp(0, -x[:, 3]) / (1 + np.exp(-x[:, 2]))
    size, halves = np.tanh(x[:, 4]), other.get("halves", (2, 3))
    share = (least or np.minimum)(x[:, 4], np.exp(log_p)[:, 5])
    share = share + (power or np.square)(size) / halves[0] + p**3 / halves[1]
    first = (x[:, 6] * log_p[:, 1] - 2) if "one" in other else (x[:, 6] - 2) * log_p[:, 1]
    return (first + odds(x[:, 0]) - 3 * odds(x[:, 1]) + share).mean()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("max(x, 0) in place of softplus", {"softplus": lambda it: np.maximum(it, 0)}),
        ("the factor -0.5 has the other sign", {"sign": 1}),
        ("max and min are exchanged", {"least": np.maximum}),
        ("of two numbers always the same one", {"least": lambda _, it: it}),
        ("magnitudes in place of squares", {"power": abs}),
        ("softmax is taken over the rows of the batch", {"axis": 0}),
        ("without its divisors", {"halves": (1, 1)}),
        ("a factor is that of one term only", {"one": True}),
        ("a term is missing", {"term": True}),
    ],
)
def test_another_function_sign_or_term_is_told(name: str, wrong: dict[str, Any]) -> None:
    define("soft", _soft)
    solved = solved_case(Case.parse("soft/index.random/float64/9x9/normal/-/0"))
    x = solved.inputs.values
    said = [looks_like(solved, "value", np.asarray(_soft_of(x, **it))) for it in ({}, wrong)]
    forget("soft")

    assert said[0] == ""
    assert name in said[1]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ((0.5, 4.0, 2.0), "0.5 in place of 0.1"),
        ((0.1, 2 * np.log(100), 2.0), "9.21034 in place of 4"),
        ((0.1, 4.0, 1.5), "1.5 in place of 2"),
    ],
)
def test_a_number_that_is_another_one_is_told(other: A, said: str) -> None:
    def formula(x: A, target: A) -> A:
        log_p = f.take(f.log_softmax(x), target)
        return -0.1 * log_p - 4.0 * f.expm1(log_p) + (-f.expm1(log_p)) ** 2

    def wrong(log_p: A) -> A:
        first, second, power = other
        return -first * log_p - second * np.expm1(log_p) + (-np.expm1(log_p)) ** power

    define("three", formula)
    solved = solved_case(Case.parse(f"three/{INDEX}/-/0"))
    x, t = solved.inputs.values.astype(np.float64), solved.inputs.target
    answer = np.asarray(wrong(_log_p(x, t)).mean(), np.float32)
    found = looks_like(solved, "value", answer)
    again = looks_like(solved, "value", answer, [found], is_all=True)
    forget("three")

    assert found.replace("-", "") == again.replace("-", "") == said


def test_a_gradient_is_that_of_a_mistake_that_gives_the_value() -> None:
    define("terms", lambda x, t: -f.take(f.log_softmax(x), t) + f.sum(f.tanh(x), axis=1))
    solved = solved_case(Case.parse(f"terms/{INDEX}/-/0"))
    x, t = solved.inputs.values.astype(np.float64), solved.inputs.target
    value = solved.solution.quantities["value"].to_float()
    of_one_term = (0.625 / len(x) * (np.exp(_rows(x)) - np.eye(x.shape[1])[t])).astype(np.float32)
    said = [
        looks_like(solved, "gradient_logits", of_one_term, value=np.asarray(it))
        for it in (value, -_log_p(x, t).mean())
    ]
    forget("terms")

    assert "a term is missing" not in said[0]
    assert "a term is missing" in said[1]


def test_an_ignored_row_that_counts_is_told() -> None:
    solved = solved_case(Case.parse("focal/index.some_ignored/float32/4x10/normal/-/0"))
    given = solved.inputs
    counts = given.target != -100
    losses = _wrong_focal(given.values.astype(np.float64), np.where(counts, given.target, 0))
    all_rows = np.where(counts, losses, 0.0).mean()

    said = looks_like(solved, "value", np.asarray(all_rows, np.float32))
    assert said == "the mean divides by the number of all rows"


def test_a_wrong_sign_in_a_sum_is_told() -> None:
    solved = solved_case(Case.parse("overlap/multi_label.fractional/float32/4x10/probs/-/0"))
    p, t = (it.astype(np.float64) for it in (solved.inputs.values, solved.inputs.target))
    both = (p * t).sum()
    answer = 1 - (both + 0.5) / (both + 0.3 * (p * (1 + t)).sum() + 0.7 * t.sum() + 0.5)

    assert looks_like(solved, "value", np.asarray(answer, np.float32)) == "+ in place of −"


def test_two_numbers_in_each_others_places_are_told() -> None:
    solved = solved_case(Case.parse("overlap/multi_label.fractional/float32/4x10/probs/-/0"))
    p, t = (it.astype(np.float64) for it in (solved.inputs.values, solved.inputs.target))
    both = (p * t).sum()
    answer = 1 - (both + 0.5) / (both + 0.7 * (p * (1 - t)).sum() + 0.3 * t.sum() + 0.5)

    said = looks_like(solved, "value", np.asarray(answer, np.float32))
    assert "0.7 and 0.3 are exchanged" in said or "0.3 and 0.7 are exchanged" in said


def test_a_gradient_that_flows_where_it_should_not_is_told() -> None:
    solved = solved_case(Case.parse(f"pair/{INDEX}/-/0"))
    x, t = solved.inputs.values.astype(np.float64), solved.inputs.target
    log_p = _rows(x)
    p = np.exp(log_p)
    entropy = (p * log_p).sum(1, keepdims=True)
    through = 0.625 / len(x) * (p - np.eye(x.shape[1])[t] + p * (log_p - entropy))
    ignored = solved.solution.quantities["gradient_logits"].to_float() / 0.625

    assert looks_like(solved, "gradient_logits", through.astype(np.float32)) == (
        "the gradient flows through what is detached"
    )
    assert looks_like(solved, "gradient_logits", ignored.astype(np.float32)) == (
        "the incoming gradient is ignored"
    )


def test_a_number_that_no_mistake_gives_is_like_nothing() -> None:
    solved = solved_case(Case.parse(f"focal/{INDEX}/reduction=none/0"))
    right = solved.solution.quantities["value"].to_float()

    assert looks_like(solved, "value", (right + np.array([0.1, 0, 0, 0])).astype(np.float32)) == ""
