"""New findings as the first screen tells them."""

from __future__ import annotations

from dataclasses import replace

from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.findings import Alarm, together
from lossdiff.reports.survey import Asked

ROW = VerdictRow(
    "softmax/float16/4x10/normal/-/0", "softmax", None, "normal", "4x10", "float16", {},
    "torch.softmax", "torch", "native", "eager", "cpu", "value", "nonfinite",
    exact="0.5", got="nan",
)  # fmt: skip


def alarm(
    name: str, row: VerdictRow = ROW, dtype: str = "float16", column: str = "normal"
) -> Alarm:
    asked = Asked(row.framework, "softmax", name, "native")
    return Alarm(asked, row.verdict, (column,), 2, replace(row, implementation=name), (dtype,))


def test_functions_with_the_same_answer_to_one_question_are_one_alarm() -> None:
    (joined,) = together([
        alarm("torch.softmax"),
        alarm("torch.nn.Softmax", column="large"),
        alarm("torch.nn.functional.softmax", dtype="float32"),
    ])  # fmt: skip

    assert joined.names == ("torch.softmax", "torch.nn.Softmax", "torch.nn.functional.softmax")
    assert joined.count == 6
    assert joined.columns == ("normal", "large")
    assert joined.dtypes == ("float16", "float32")


def test_another_answer_question_or_framework_is_another_alarm() -> None:
    one = alarm("torch.softmax")
    others = [
        alarm("torch.nn.Softmax", replace(ROW, got="inf")),
        alarm("torch.nn.Softmax", replace(ROW, case="softmax/float16/4x10/large/-/0")),
        alarm("torch.nn.Softmax", replace(ROW, framework="jax")),
        alarm("torch.nn.Softmax", replace(ROW, quantity="gradient_logits")),
    ]

    assert together([one, *others]) == [one, *others]
