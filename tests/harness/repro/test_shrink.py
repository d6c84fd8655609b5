"""Shrinking, with answers that are made up here: what is kept, and where it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from lossdiff.cases.model import Case, Inputs
from lossdiff.harness.answers import Failure
from lossdiff.harness.judging import DtypeMismatch, ShapeMismatch, Verdict
from lossdiff.harness.repro.session import AnswerSelector, Session
from lossdiff.harness.repro.shrink import Shrunk, is_same, shrink

HOSTILE = Path(__file__).parents[2] / "hostile"
VALUE = AnswerSelector("any", "eager", "value")
BAD = Verdict("nonfinite", got="nan", exact="0.5")
GOOD = Verdict("exact")


def raised(error: str, message: str) -> Verdict:
    """Return the verdict on an exception."""
    return Verdict("raised", detail=Failure("raised", f"{error}: {message}", error))


Rule = Callable[[Inputs], bool]


class MadeUp:
    """Answers by a rule on the arrays of a case."""

    def __init__(self, rule: Rule, seconds: float = 0.0) -> None:
        self.rule, self.seconds = rule, seconds
        self.asked: list[Case] = []

    def verdict(self, case: Case, _: AnswerSelector, __: float) -> Verdict:
        time.sleep(self.seconds)
        self.asked.append(case)
        return BAD if self.rule(case.inputs()) else GOOD


def shrunk(text: str, rule: Rule, **limits: Any) -> Shrunk:
    """Shrink a case that is bad by a rule."""
    case = Case.parse(text)
    assert rule(case.inputs())
    return shrink(cast("Session", MadeUp(rule)), case, VALUE, BAD, **limits)


def target_of(inputs: Inputs) -> np.ndarray:
    assert inputs.target is not None
    return inputs.target


LARGE = "cross_entropy/index.random/float32/64x10/normal_100/weight=positive,reduction=sum/0"


def test_one_number_is_left() -> None:
    found = shrunk(LARGE, lambda inputs: bool((inputs.values > 150).any()))

    assert found.is_minimal
    assert found.case.shape == (1, 1)
    assert found.case.inputs().values.tolist() == [[200.0]]
    assert target_of(found.case.inputs()).tolist() == [0]
    assert found.case.options.given() == {}
    assert found.questions < 50


def test_rows_far_apart_are_found() -> None:
    whole = Case.parse(LARGE).inputs().values
    rare = [whole[7, 3], whole[23, 5], whole[60, 1]]

    found = shrunk(LARGE, lambda inputs: bool(np.isin(rare, inputs.values).all()))

    assert found.is_minimal
    assert found.case.shape == (3, 3)


def test_a_number_of_rows_is_found_exactly() -> None:
    text = "cross_entropy/index.random/float16/41000x5/zeros/-/0"

    found = shrunk(text, lambda inputs: len(inputs.values) >= 40321, questions=150)

    assert found.case.shape == (40321, 1)


def test_what_matters_of_the_options_stays() -> None:
    text = "cross_entropy/index.some_ignored/float32/4x5/normal/ignore_index=-1,reduction=none/0"
    rule: Rule = lambda inputs: bool((target_of(inputs) == -1).any())  # noqa: E731

    found = shrunk(text, rule)

    assert found.case.options.given() == {"ignore_index": -1}
    assert found.case.needs == {"ignore_index"}
    assert target_of(found.case.inputs()).tolist() == [-1]


def test_axes_go_too() -> None:
    text = "nll_loss/index.random/float32/3x5x4/log_probs/-/0"

    found = shrunk(text, lambda inputs: bool((inputs.values < -5).any()))

    assert found.case.shape == (1, 1)
    assert found.case.inputs().values.tolist() == [[-7.0]]


def test_probabilities_remain_probabilities() -> None:
    text = "cross_entropy/soft.soft/float32/4x10/normal/-/0"

    found = shrunk(text, lambda inputs: inputs.values.shape[1] > 2)

    assert found.case.shape == (1, 3)
    assert target_of(found.case.inputs()).tolist() == [[1.0, 0.0, 0.0]]


def test_logarithms_of_probabilities_stay_below_zero() -> None:
    text = "nll_loss/index.random/float32/4x10/log_probs/-/0"

    found = shrunk(text, lambda inputs: bool((inputs.values != 0).all()))

    assert found.case.inputs().values.tolist() == [[-1.0]]


def test_labels_out_of_range_become_the_nearest() -> None:
    text = "cross_entropy/index.too_large/float32/4x10/normal/-/0"

    found = shrunk(text, lambda inputs: bool((target_of(inputs) >= inputs.values.shape[1]).any()))

    assert found.case.shape == (1, 1)
    assert target_of(found.case.inputs()).tolist() == [1]


def test_nothing_can_go() -> None:
    case = Case.parse("softmax/float32/4x10/normal/-/0")
    values = case.inputs().values

    found = shrunk(case.id, lambda inputs: np.array_equal(inputs.values, values))

    assert found.is_minimal
    np.testing.assert_array_equal(found.case.inputs().values, values)


def test_the_same_comes_out_twice() -> None:
    rule: Rule = lambda inputs: bool(inputs.values.max() - inputs.values.min() > 150)  # noqa: E731

    assert shrunk(LARGE, rule) == shrunk(LARGE, rule)


def test_it_ends_in_time() -> None:
    session = MadeUp(lambda inputs: bool((inputs.values > 150).any()), seconds=0.05)

    found = shrink(cast("Session", session), Case.parse(LARGE), VALUE, BAD, timeout=0.3)

    assert len(session.asked) <= 8  # each takes 0.05 s at least
    assert not found.is_minimal
    assert found.case.shape[0] < 64


def test_it_ends_after_so_many_questions() -> None:
    found = shrunk(LARGE, lambda inputs: bool((inputs.values > 150).any()), questions=8)

    assert not found.is_minimal
    assert found.questions == 8
    assert found.verdict == BAD


def test_few_shapes_are_tried_where_each_is_compiled() -> None:
    session = MadeUp(lambda inputs: len(inputs.values) > 4 and bool((inputs.values > 150).any()))

    found = shrink(cast("Session", session), Case.parse(LARGE), VALUE, BAD, signatures=6)

    signatures = [case.signature for case in session.asked]
    assert sum(one != two for one, two in pairwise(signatures)) <= 7  # the way back is free
    assert not found.is_minimal
    # The numbers of the smallest shape so far are simplified all the same.
    assert np.unique(np.abs(found.case.inputs().values)).tolist() == [0.0, 200.0]


@pytest.mark.parametrize(
    ("first", "now", "expected"),
    [
        (BAD, BAD, True),
        (BAD, GOOD, False),
        (BAD, Verdict("nonfinite", got="inf", exact="0.5"), False),
        (BAD, Verdict("nonfinite", got="nan", exact="2.0"), True),
        (Verdict("inaccurate", ratio=1e6), Verdict("inaccurate", ratio=11.0), True),
        (Verdict("inaccurate", ratio=1e6), Verdict("inaccurate", ratio=1.1), False),
        (Verdict("inaccurate", ratio=1.2), Verdict("inaccurate", ratio=1.1), True),
        (raised("IndexError", "a"), raised("IndexError", "b"), True),
        (raised("IndexError", "a"), raised("TypeError", "a"), False),
        (Verdict("convention:promoted"), Verdict("convention:bad_index_wraps"), False),
        (
            Verdict("mismatched", detail=ShapeMismatch((4,), (4, 10))),
            Verdict("mismatched", detail=ShapeMismatch((1,), (1, 2))),
            True,
        ),
        (
            Verdict("mismatched", detail=DtypeMismatch("float64", "float16")),
            Verdict("mismatched", detail=DtypeMismatch("float32", "float16")),
            False,
        ),
    ],
)
def test_what_counts_as_the_same(first: Verdict, now: Verdict, expected: bool) -> None:
    assert is_same(first, now) is expected


def test_what_others_show_is_kept_too() -> None:
    def is_nan_in_two_rows(case: Case) -> bool:
        return int(np.isnan(case.inputs().values).any(axis=1).sum()) > 1

    def is_nan(inputs: Inputs) -> bool:
        return bool(np.isnan(inputs.values).any())

    alone = shrunk("softmax/float32/4x10/nan/-/0", is_nan)
    both = shrunk("softmax/float32/4x10/nan/-/0", is_nan, also=is_nan_in_two_rows)

    assert (alone.case.shape[0], both.case.shape[0]) == (1, 2)


def test_a_crash_is_shrunk_as_well() -> None:
    case = Case.parse("softmax/float32/4x10/normal/-/0")
    selector = AnswerSelector("deadly.softmax_exits", "eager", "value")
    with Session("numpy", extra=(str(HOSTILE / "deadly.py"),)) as session:
        first = session.verdict(case, selector)
        found = shrink(session, case, selector, first, timeout=20)

        assert first == Verdict(
            "crashed", detail=Failure("crashed", "the process died with status 7", status=7)
        )
        assert found.verdict == first
        assert found.case.inputs().values.size == 1
        sound = AnswerSelector("deadly.softmax", "eager", "value")
        assert session.verdict(case, sound).word in ("exact", "faithful", "within bound")
