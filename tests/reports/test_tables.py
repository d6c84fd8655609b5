from __future__ import annotations

import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.runfile.file import RunFile
from lossdiff.reports import numbers
from lossdiff.reports.columns import column_name, column_of
from lossdiff.reports.excerpts import excerpt
from lossdiff.reports.findings import detailed, groups
from lossdiff.reports.legend import mark_of
from lossdiff.reports.survey import survey
from lossdiff.reports.tables import Shares, shares
from lossdiff.reports.textbook import formulas
from lossdiff.reports.timings import timing_tables


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0.0, "0"), (0.31234, "0.312"), (12.345, "12.3"), (81234.5, "81,234"),
        (4.2e6, "4.20×10⁶"), (1e-9, "1.00×10⁻⁹"), (float("inf"), "∞"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert text == numbers.three(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(7.04e-5, "70.4 µs"), (0.4, "400 ms"), (1.04, "1.04 s"), (3e-9, "3 ns"), (250.0, "250 s")],
)
def test_times_have_a_unit(value: float, text: str) -> None:
    assert text == numbers.seconds(value)


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert numbers.percent(9999, 10000) == "99.9%"
    assert numbers.percent(10000, 10000) == "100%"
    assert numbers.percent(1, 100000) == "under 0.1%"
    assert numbers.percent(0, 0) == "–"


def test_a_verdict_that_is_not_known_counts_as_a_finding() -> None:
    assert mark_of("miraculous").group == "finding"
    assert shares([("miraculous", False, 3), ("exact", False, 2)]) == Shares(agree=2, new=3)


@pytest.mark.parametrize(
    ("family", "case", "shape", "name"),
    [
        ("normal", "softmax/float32/4x10/normal/-/0", "4x10", "normal"),
        ("normal", "cross_entropy/index.too_large/float32/4x10/normal/-/0", "4x10",
         "target too_large"),
        ("worked:x", "softmax/float32/5/worked:x/-/0", "5", "worked"),
        ("normal", "softmax/float32/0x10/normal/-/0", "0x10", "empty"),
        ("<b>", "no id at all", "", "<b>"),
    ],
)  # fmt: skip
def test_column_of_a_case(family: str, case: str, shape: str, name: str) -> None:
    assert name == column_name(family, case, shape)
    assert column_of(name).name == name


def test_excerpt_shows_the_row_of_the_worst_element(run: RunFile) -> None:
    case = Case("softmax", "normal", (4, 12), "float32")
    shown = excerpt(run, case.id, "[2, 11]")
    assert shown is not None
    row = case.inputs().values[2]
    assert (shown.start, shown.total, shown.worst) == (4, 12, 11)
    assert [f"{float(x):.9g}" for x in row[4:]] == list(shown.numbers)


def test_excerpt_of_a_loss_takes_the_row_and_its_target(run: RunFile) -> None:
    case = Case("cross_entropy", "normal", (4, 12, 3), "float32", "index", "random")
    shown = excerpt(run, case.id, "[3, 1]")
    inputs = case.inputs()
    assert shown is not None
    assert inputs.target is not None
    assert str(inputs.target[3, 1]) == shown.target
    assert f"{float(inputs.values[3, 0, 1]):.9g}" == shown.numbers[0]
    assert shown.worst is None


@pytest.mark.parametrize("case", ["", "nonsense", "softmax/float32/axb/normal/-/0"])
def test_a_case_that_cannot_be_made_has_no_excerpt(run: RunFile, case: str) -> None:
    assert excerpt(run, case, "[0]") is None


def test_new_findings_come_first_and_each_kind_gives_its_worst(run: RunFile) -> None:
    found = survey([run])
    ordered = groups(found.findings)
    known = [group.kind.known for group in ordered]
    assert sorted(known) == known
    assert sum(group.count for group in ordered) == len(found.findings)
    few = detailed(found, limit=20)
    assert {item.row.known for item in few[:17]} == {False}
    assert len(few) == 20


def test_a_formula_stands_beside_the_native_function_of_its_framework(run: RunFile) -> None:
    by_name = {formula.name: formula for formula in formulas(survey([run]))}
    formula = by_name["softmax_unshifted"]
    natives = {side.framework: side.native for side in formula.parts}
    assert natives["jax"] == "jax.nn.softmax"
    assert [row.column for row in formula.broken] == ["normal_100", "offset_1e7", "exp_overflow"]
    assert formula.native_breaks == ()


def test_timings_rank_right_answers_only(run: RunFile) -> None:
    for table in timing_tables([run]):
        forward = [line for line in table.lines if line.row.direction == "forward"]
        assert [line.rank for line in forward] == [1, 2, 3, None]
        assert not forward[-1].row.agrees
        assert forward[-1].row.median < forward[0].row.median
