"""What ONNX itself answers is judged like everybody's answers, and the oracle decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.ledger import ledger
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.onnx_suite import OPERATORS, collected
from lossdiff.cases.operations import Options
from lossdiff.cases.suites import Suite, suite
from lossdiff.harness.engine.flow import Flow
from lossdiff.harness.engine.onnx import _claim, answer_onnx, asks_onnx, claims, evaluated
from lossdiff.harness.engine.plan import Plan
from lossdiff.harness.engine.scheduler import Engine
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow, WorkerRow
from lossdiff.harness.verdicts import is_finding

pytestmark = pytest.mark.onnx

AGREES = {"exact", "faithful", "within bound"}
FAR = "log_softmax/float32/4x10/normal_100/-/0"
IGNORED = "nll_loss/index.some_ignored/float32/4x10/log_probs/{}/0"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "run.sqlite") as created:
        yield created


def answered(run: RunFile, *cases: Case) -> list[VerdictRow]:
    """Return the verdicts on what ONNX answers to some cases."""
    flow = Flow(run, "onnx", "cpu")
    answer_onnx(cases, flow, lambda *_: None)
    flow.flush()
    return list(run.rows(VerdictRow))


def verdict_on(run: RunFile, text: str) -> VerdictRow:
    (row,) = answered(run, Case.parse(text))
    return row


def test_what_the_node_cases_expect_is_right(run: RunFile) -> None:
    cases = [node.case for node in collected().cases]

    rows = answered(run, *cases)

    expected = [row for row in rows if row.implementation.startswith("onnx.backend.test.")]
    assert [row.case for row in expected] == [case.id for case in cases]
    assert {row.verdict for row in rows} <= AGREES


def test_the_evaluator_answers_every_node_case(run: RunFile) -> None:
    cases = [node.case for node in collected().cases]

    rows = answered(run, *cases)

    reference = [row for row in rows if row.implementation.startswith("onnx.reference.")]
    assert [row.case for row in reference] == [case.id for case in cases]
    assert {row.implementation for row in reference} == {f"onnx.reference.{op}" for op in OPERATORS}
    assert {(row.framework, row.kind, row.mode, row.quantity) for row in rows} == {
        ("onnx", "native", "eager", "value")
    }


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (FAR, "nonfinite"),
        ("log_softmax/float32/4x10/gap_underflow/-/0", "inaccurate"),
        ("cross_entropy/index.random/float32/4x10/normal_100/-/0", "nonfinite"),
        ("cross_entropy/index.random/float32/4x10/gap_underflow/-/0", "inaccurate"),
    ],
)
def test_the_logarithm_of_a_rounded_softmax_is_a_known_finding(
    run: RunFile, case: str, verdict: str
) -> None:
    row = verdict_on(run, case)

    assert (row.verdict, row.ledger) == (verdict, "onnx-logarithm-of-a-rounded-softmax")


def test_the_label_minus_one_is_taken_for_none(run: RunFile) -> None:
    """The same rows count whatever the label that says so; with -1 the evaluator counts all."""
    rows = answered(run, *(Case.parse(IGNORED.format(text)) for text in ("-", "ignore_index=-1")))

    assert rows[0].verdict in AGREES
    assert rows[1].verdict == "convention:mean_over_rows"


def test_a_row_of_minus_infinity_has_no_agreed_answer(run: RunFile) -> None:
    row = verdict_on(run, "logsumexp/float32/4x10/all_neg_inf/-/0")

    assert row.verdict == "convention:undefined_nan"


def test_every_entry_of_the_suite_names_a_finding(run: RunFile) -> None:
    rows = [row for row in answered(run, *suite("onnx").cases) if is_finding(row.verdict)]

    assert {row.ledger for row in rows} == {e.id for e in ledger() if e.suite == "onnx"}


def test_what_the_operator_cannot_say_is_unsupported(run: RunFile) -> None:
    row = verdict_on(run, "cross_entropy/index.random/float32/4x10/normal/label_smoothing=0.1/0")

    assert (row.verdict, row.note) == ("unsupported", "has no label_smoothing")


def test_operations_without_an_operator_are_passed_over(run: RunFile) -> None:
    assert answered(run, Case.parse("sigmoid/float32/4x10/normal/-/0")) == []


def test_an_error_of_the_evaluator_is_its_answer(run: RunFile) -> None:
    text = "nll_loss/index.too_large/float32/4x10/log_probs/reduction=sum/0"

    assert verdict_on(run, text).verdict == "refused"


def test_attributes_and_inputs_reach_the_evaluator() -> None:
    values = FORMATS["float64"].round(-np.arange(24.0).reshape(2, 3, 4))
    labels, weight = np.array([[0, 1, 2, 1], [1, 1, 0, 2]]), np.array([0.5, 1.0, 2.0])
    options = Options(weight="given", ignore_index=1, reduction="sum")
    case = Case("nll_loss", "file:x", (2, 3, 4), "float64", "index", "some_ignored", options,
                given=Inputs(values, labels, weight))  # fmt: skip

    answer = evaluated(_claim("onnx.reference.NegativeLogLikelihoodLoss", "nll_loss"), case)

    picked = np.take_along_axis(values, labels[:, None], 1)[:, 0]
    assert answer.answers["value"] == -(weight[labels] * picked)[labels != 1].sum()


def test_names_are_those_of_the_operators() -> None:
    names = {claim.name for claim in claims()}

    assert len(names) == len(claims()) == 2 * len(OPERATORS) + 1
    assert "onnx.backend.test.SoftmaxCrossEntropyLoss.log_prob" in names


def test_the_engine_asks_onnx_beside_the_frameworks(run: RunFile) -> None:
    plan = Plan(Suite("onnx", (Case.parse(FAR),)), ("numpy",), jobs=1)

    findings = Engine(plan, run, lambda *_: None).execute()

    rows = list(run.rows(VerdictRow))
    assert {"onnx", "numpy"} == {row.framework for row in rows}
    workers = {row.framework: row for row in run.rows(WorkerRow)}
    assert set(workers["onnx"].environment["versions"]) == {"onnx", "numpy"}
    assert findings.unknown == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"modes": ("eager", "jit")}, True),
        ({"modes": ("jit",)}, False),
        ({"device": "gpu"}, False),
        ({"suite": Suite("quick", ())}, False),
    ],
)
def test_onnx_answers_its_own_suite_eagerly_on_the_cpu(
    changes: dict[str, object], expected: bool
) -> None:
    given: dict[str, object] = {"suite": Suite("onnx", ()), "frameworks": ("numpy",), **changes}

    assert asks_onnx(Plan(**given)) is expected  # type: ignore[arg-type]
