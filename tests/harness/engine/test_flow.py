"""The flow: answers become verdicts and rows, and the ledger says which findings are known."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.backends.claim import Claim
from lossdiff.cases.ledger import Entry
from lossdiff.cases.model import Case
from lossdiff.cases.stored import worked_examples
from lossdiff.cases.suites import suite
from lossdiff.harness.answers import Failure, Observation, OtherAnswer, ProbeAnswers
from lossdiff.harness.engine import findings as findings_module
from lossdiff.harness.engine import judgement as judgement_module
from lossdiff.harness.engine.flow import Flow
from lossdiff.harness.relations import RelationCheck
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import DomainRow, RelationRow, VerdictRow, WorkedRow
from lossdiff.harness.verdicts import AGAIN, VERDICTS, WITH_GRADIENT, is_finding
from lossdiff.harness.workers.messages import Catalogue

CASE = Case.parse("softmax/float32/4x10/normal/-/0")
CLAIM = Claim("acme.softmax", "torch", "softmax", "user", frozenset(), frozenset({"axis"}))
VERSIONS = {"versions": {"torch": "2.4.0"}}
ENTRY = Entry("wrong", ("acme.*",), ("inaccurate",), "because", "to be reported")


def right() -> Any:
    """Return the right answer to `CASE`."""
    x = CASE.inputs().values.astype(np.float64)
    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


def wrong() -> Any:
    """Return a wrong answer to `CASE`."""
    return right() + np.float32(0.01)


@pytest.fixture(autouse=True)
def _no_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_module, "ledger", tuple)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "run.sqlite") as created:
        yield created


def made_for(run: RunFile, suite_name: str) -> Flow:
    """Return a flow that has met the one implementation."""
    made = Flow(run, suite_name, "cpu")
    made.findings.meet("torch", Catalogue((CLAIM,), VERSIONS))
    return made


@pytest.fixture
def flow(run: RunFile) -> Flow:
    return made_for(run, "tiny")


def observed(value: Any, **answers: Any) -> Observation:
    """Return what an eager call gave."""
    return Observation(CASE.id, CLAIM.name, "eager", {"value": value, **answers}, 0.25)


def rows_of(run: RunFile, flow: Flow) -> list[VerdictRow]:
    """Return what has been recorded."""
    flow.flush()
    return list(run.rows(VerdictRow))


def test_an_answer_becomes_a_row_that_says_who_what_and_how(run: RunFile, flow: Flow) -> None:
    flow.record("torch", [(CASE, observed(right()))])

    (row,) = rows_of(run, flow)

    assert (row.case, row.operation, row.target_kind) == (CASE.id, "softmax", None)
    assert (row.family, row.shape, row.dtype, row.options) == ("normal", "4x10", "float32", {})
    assert (row.implementation, row.framework, row.kind) == ("acme.softmax", "torch", "user")
    assert (row.mode, row.device, row.quantity, row.seconds) == ("eager", "cpu", "value", 0.25)
    assert row.verdict == "exact"
    assert row.fingerprint


def test_each_quantity_has_its_own_row_and_verdict(run: RunFile, flow: Flow) -> None:
    failure = Failure("raised", "RuntimeError: no")

    flow.record("torch", [(CASE, observed(right(), gradient_logits=failure))])

    rows = rows_of(run, flow)

    assert [(row.quantity, row.verdict) for row in rows] == [
        ("value", "exact"), ("gradient_logits", "raised")
    ]  # fmt: skip
    assert rows[1].note == "RuntimeError: no"
    assert flow.findings.verdicts == {"exact": 1, "raised": 1}
    assert flow.findings.unknown == 1


def test_what_is_not_claimed_is_counted_and_no_finding(run: RunFile, flow: Flow) -> None:
    flow.record_unclaimed(CLAIM, CASE, "has no axis")

    (row,) = rows_of(run, flow)

    assert (row.verdict, row.note, row.seconds) == ("unsupported", "has no axis", None)
    assert (flow.findings.verdicts, flow.findings.unknown) == ({"unsupported": 1}, 0)


def test_a_gradient_that_the_contract_does_not_ask_for_is_left_out(
    run: RunFile, flow: Flow
) -> None:
    flow.record("torch", [(CASE, observed(right(), gradient_target=right()))])

    assert [row.quantity for row in rows_of(run, flow)] == ["value"]


@pytest.mark.parametrize("kind", ["raised", "mismatched", "crashed", "timed out"])
def test_a_failure_is_an_unknown_finding(run: RunFile, flow: Flow, kind: Any) -> None:
    flow.record("torch", [(CASE, observed(Failure(kind, "it failed")))])

    (row,) = rows_of(run, flow)

    assert (row.verdict, row.known, row.note) == (kind, False, "it failed")
    assert is_finding(row.verdict)
    assert flow.findings.unknown == 1


def test_an_array_that_is_written_to_is_a_finding_beside_the_answer(
    run: RunFile, flow: Flow
) -> None:
    gradient = Failure("unsupported", "no gradient")
    wrote = replace(observed(right(), gradient_logits=gradient), mutates=("logits", "cotangent"))
    flow.record("torch", [(CASE, wrote)])

    rows = rows_of(run, flow)

    assert [(row.quantity, row.verdict) for row in rows] == [
        ("value", "exact"), ("gradient_logits", "unsupported"),
        ("value", "mutates:logits"), ("gradient_logits", "mutates:cotangent"),
    ]  # fmt: skip
    assert rows[2].note == "it writes to its logits"
    assert flow.findings.unknown == 2


@pytest.mark.parametrize(
    ("first", "other", "found"),
    [
        (right(), None, []),  # the same bits
        (right(), np.nextafter(right(), np.float32(1)), []),  # other bits
        (right(), wrong(), ["relation:with_gradient"]),
        (right(), Failure("raised", "no"), ["relation:with_gradient"]),
        (wrong(), wrong() + np.float32(1), ["inaccurate"]),  # the answer itself is wrong
    ],
)
def test_another_call_is_a_finding_where_it_alone_is_wrong(
    run: RunFile, flow: Flow, first: Any, other: Any, found: list[str]
) -> None:
    others = (OtherAnswer(WITH_GRADIENT, "value", other),)
    flow.record("torch", [(CASE, replace(observed(first), others=others))])

    rows = rows_of(run, flow)

    assert [row.verdict for row in rows if is_finding(row.verdict)] == found
    (tally,) = run.rows(RelationRow)
    assert (tally.relation, tally.cases) == (WITH_GRADIENT, 1)
    assert tally.agrees is ("relation:with_gradient" not in found)


def test_a_call_that_spoils_its_process_is_a_finding_beside_its_answer(
    run: RunFile, flow: Flow
) -> None:
    flow.record("torch", [(CASE, replace(observed(right()), spoils="rounding mode"))])

    rows = rows_of(run, flow)

    assert [(row.quantity, row.verdict) for row in rows] == [
        ("value", "exact"), ("value", "spoils")
    ]  # fmt: skip
    assert rows[1].note == "rounding mode"
    assert flow.findings.unknown == 1


def test_rows_are_written_in_batches_and_the_rest_at_the_flush(run: RunFile, flow: Flow) -> None:
    for _ in range(501):
        flow.record_unclaimed(CLAIM, CASE, "")
    written = len(list(run.rows(VerdictRow)))

    assert written == 500
    assert len(rows_of(run, flow)) == 501
    assert len(rows_of(run, flow)) == 501


# --- the ledger ------------------------------------------------------------------------------


def test_a_finding_that_no_entry_names_is_unknown(run: RunFile, flow: Flow) -> None:
    flow.record("torch", [(CASE, observed(wrong()))])

    (row,) = rows_of(run, flow)

    assert (row.verdict, row.known) == ("inaccurate", False)
    assert (flow.findings.unknown, flow.findings.matched) == (1, set())


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        replace(ENTRY, when={"operation": ("softmax",), "family": ("norm*",), "dtype": ("*32",)}),
        replace(ENTRY, when={"mode": ("eager",), "quantity": ("value",), "shape": ("4x10",)}),
        replace(ENTRY, when={"target": ("",), "reduction": ("mean",), "weight": ("None",)}),
        replace(ENTRY, package="torch", since="2.4", until="2.5"),
    ],
)
def test_a_finding_that_an_entry_names_is_known(
    run: RunFile, flow: Flow, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings_module, "ledger", lambda: (entry,))

    flow.record("torch", [(CASE, observed(wrong()))])

    (row,) = rows_of(run, flow)
    assert (row.verdict, row.known) == ("inaccurate", True)
    assert (flow.findings.unknown, flow.findings.matched) == (0, {"wrong"})
    assert flow.findings.verdicts == {"inaccurate": 1}  # known is not erased


@pytest.mark.parametrize(
    "entry",
    [
        replace(ENTRY, implementations=("torch.*",)),
        replace(ENTRY, verdicts=("nonfinite",)),
        replace(ENTRY, when={"dtype": ("float64",)}),
        replace(ENTRY, when={"operation": ("softmax",), "mode": ("compile",)}),
        replace(ENTRY, package="torch", until="2.3"),
        replace(ENTRY, package="torch", since="2.10"),
    ],
)
def test_an_entry_for_something_else_excuses_nothing(
    run: RunFile, flow: Flow, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings_module, "ledger", lambda: (entry,))

    flow.record("torch", [(CASE, observed(wrong()))])

    (row,) = rows_of(run, flow)
    assert not row.known
    assert (flow.findings.unknown, flow.findings.matched) == (1, set())


def test_an_entry_matches_nothing_that_is_right(
    run: RunFile, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = replace(ENTRY, verdicts=tuple(VERDICTS))
    monkeypatch.setattr(findings_module, "ledger", lambda: (every,))

    flow.record("torch", [(CASE, observed(right()))])
    flow.record_unclaimed(CLAIM, CASE, "")

    assert flow.findings.matched == set()
    assert not any(row.known for row in rows_of(run, flow))


# --- worked examples -------------------------------------------------------------------------


def worked() -> tuple[Case, Any]:
    """Return a case that a tutorial works out, and the digits that it prints."""
    case = next(case for case in suite("worked").cases if case.operation == "softmax")
    return case, worked_examples()[case.family.partition(":")[2]].expected


@pytest.mark.parametrize(
    ("change", "agrees"),
    [
        (lambda printed: printed, True),
        (lambda printed: printed + 0.1, False),
        (lambda printed: printed * np.nan, False),
        (lambda printed: printed[..., :1, None], False),
        (lambda _: np.zeros((2**40, 0)), False),
        (lambda _: Failure("raised", "ValueError: no"), False),
    ],
)
def test_worked_examples_are_compared_with_the_printed_digits(
    run: RunFile, flow: Flow, change: Any, agrees: bool
) -> None:
    case, printed = worked()
    answer = change(printed)

    flow.record("torch", [(case, Observation(case.id, CLAIM.name, "eager", {"value": answer}))])
    flow.flush()

    (row,) = run.rows(WorkedRow)
    assert (row.agrees, row.printed) == (agrees, printed.tolist())
    assert (row.implementation, row.mode, row.dtype) == ("acme.softmax", "eager", "float64")
    if isinstance(answer, Failure):
        assert row.got == "ValueError: no"
    elif answer.shape != printed.shape:
        assert row.got == f"shape {answer.shape}"
    else:
        assert str(row.got) == str(answer.tolist())


def test_other_cases_are_no_worked_examples(run: RunFile, flow: Flow) -> None:
    flow.record("torch", [(CASE, observed(right()))])
    flow.flush()

    assert list(run.rows(WorkedRow)) == []


def test_equivalences_are_written_at_the_end(run: RunFile, flow: Flow) -> None:
    flow.record("torch", [(CASE, observed(right()))])
    flow.flush()
    flow.finish()

    assert list(run.rows(RelationRow)) == []  # softmax alone is one side of an equivalence


# --- relations -------------------------------------------------------------------------------

ASKED_AGAIN = ProbeAnswers({}, {}, {})  # stands for answers that are compared as a test says


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RelationCheck]]:
    """What the comparisons with other forms of a question come to."""
    checks: list[RelationCheck] = []
    monkeypatch.setattr(judgement_module, "check_probe", lambda *_: checks)
    return checks


SHIFT = RelationCheck("shift", "gradient_logits", False, 0.5, 8.0, "[1, 2]", "0.25", "0.75")


def test_a_relation_that_does_not_hold_is_a_finding_of_its_own(
    run: RunFile, flow: Flow, compared: list[RelationCheck]
) -> None:
    compared.append(SHIFT)

    flow.record("torch", [(CASE, replace(observed(right()), probe=ASKED_AGAIN))])

    value, row = rows_of(run, flow)
    assert (value.verdict, row.verdict, row.quantity) == (
        "exact", "relation:shift", "gradient_logits"
    )  # fmt: skip
    assert (row.where, row.exact, row.got) == ("[1, 2]", "0.25", "0.75")
    assert (row.ratio, row.abs_error, row.case) == (8.0, 0.5, CASE.id)
    assert is_finding(row.verdict)
    assert flow.findings.unknown == 1
    assert flow.findings.verdicts == {"exact": 1, "relation": 1}


def test_a_relation_that_holds_is_counted_and_no_verdict(
    run: RunFile, flow: Flow, compared: list[RelationCheck]
) -> None:
    compared += [replace(SHIFT, holds=True, ratio=0.5)] * 2

    flow.record("torch", [(CASE, replace(observed(right()), probe=ASKED_AGAIN))])

    assert [row.verdict for row in rows_of(run, flow)] == ["exact"]
    flow.finish()
    (kept,) = run.rows(RelationRow)
    assert (kept.relation, kept.left, kept.right, kept.cases, kept.agrees) == (
        "shift", "acme.softmax", "acme.softmax", 2, True
    )  # fmt: skip


def test_other_bits_the_second_time_are_told_and_are_no_finding(
    run: RunFile, flow: Flow, compared: list[RelationCheck]
) -> None:
    compared.append(RelationCheck(AGAIN, "value", False, 1e-8, 1.0))

    flow.record("torch", [(CASE, replace(observed(right()), probe=ASKED_AGAIN))])

    _, row = rows_of(run, flow)
    assert (row.verdict, row.abs_error) == ("nondeterministic", 1e-8)
    assert not is_finding(row.verdict)
    assert flow.findings.unknown == 0


def test_a_relation_may_be_known(
    run: RunFile,
    flow: Flow,
    compared: list[RelationCheck],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared.append(SHIFT)
    entry = replace(ENTRY, verdicts=("relation:s*",), when={"quantity": ("gradient_logits",)})
    monkeypatch.setattr(findings_module, "ledger", lambda: (entry,))

    flow.record("torch", [(CASE, replace(observed(right()), probe=ASKED_AGAIN))])

    assert [row.known for row in rows_of(run, flow)] == [False, True]


LARGE = Case.parse("softmax/float32/64x70/grid/-/0")


@pytest.mark.parametrize(("factor", "words"), [(1, []), (2, ["nondeterministic"])])
def test_an_answer_with_one_thread_is_compared_and_not_judged_again(
    run: RunFile, flow: Flow, factor: int, words: list[str]
) -> None:
    x = LARGE.inputs().values.astype(np.float64)
    e = np.exp(x)
    value = (e / e.sum(-1, keepdims=True)).astype(np.float32)
    first = Observation(LARGE.id, CLAIM.name, "eager", {"value": value})

    flow.record("torch", [(LARGE, first)])
    flow.record(
        "torch", [(LARGE, replace(first, answers={"value": value * np.float32(factor)}))], threads=1
    )

    _, *others = rows_of(run, flow)
    assert [row.verdict for row in others] == words
    flow.finish()
    (row,) = run.rows(RelationRow)
    assert (row.relation, row.agrees) == ("threads", factor == 1)


# --- the domain of validity ------------------------------------------------------------------


def test_a_sweep_is_judged_for_its_limit_alone(run: RunFile) -> None:
    case = Case.parse("softmax/float32/4x10/spread@10/-/0")
    nan = np.full((4, 10), np.nan, np.float32)

    flow = made_for(run, "domain")
    list(flow.searches.together([CLAIM], ["eager"]))
    flow.record("torch", [(case, Observation(case.id, CLAIM.name, "eager", {"value": nan}))])
    flow.finish()

    assert list(run.rows(VerdictRow)) == []
    assert (flow.findings.verdicts, flow.findings.unknown) == ({}, 0)
    (row,) = run.rows(DomainRow)
    assert (row.implementation, row.breaks_at, row.broken_by) == (CLAIM.name, 10.0, "nonfinite")


def test_two_frameworks_may_have_a_function_of_the_same_name(run: RunFile, flow: Flow) -> None:
    """One file of a user's own, given for both."""
    other = replace(CLAIM, framework="numpy")
    flow.findings.meet("numpy", Catalogue((other,), VERSIONS))

    flow.record("torch", [(CASE, observed(right()))])
    flow.record("numpy", [(CASE, observed(wrong()))])

    assert [(row.framework, row.verdict) for row in rows_of(run, flow)] == [
        ("torch", "exact"), ("numpy", "inaccurate")
    ]  # fmt: skip
    again = made_for(run, "tiny")
    again.recall()
    assert [again.writer.has(claim, "eager", CASE) for claim in (CLAIM, other)] == [True, True]
    assert not again.writer.has(replace(CLAIM, framework="jax"), "eager", CASE)


def test_the_arrays_of_a_question_that_is_no_longer_kept_are_let_go(
    run: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement_module, "_ELEMENTS", 1)
    made, other = made_for(run, "quick"), Case.parse("softmax/float32/4x10/normal/-/1")
    made.record("torch", [(CASE, Observation(CASE.id, CLAIM.name, "eager", {"value": right()}))])
    drawn = weakref.ref(CASE.inputs().values)

    made.record("torch", [(other, Observation(other.id, CLAIM.name, "eager", {"value": right()}))])

    gc.collect()
    assert drawn() is None


def test_a_finding_of_a_users_function_says_what_it_looks_like(run: RunFile) -> None:
    x = CASE.inputs().values.astype(np.float64)
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    twice = (np.exp(p) / np.exp(p).sum(-1, keepdims=True)).astype(np.float32)
    flow = made_for(run, "quick")

    flow.record("torch", [(CASE, Observation(CASE.id, CLAIM.name, "eager", {"value": twice}))])
    flow.flush()

    (row,) = run.rows(VerdictRow)
    assert (row.verdict, row.looks_like) == ("inaccurate", "softmax applied twice")


@pytest.mark.parametrize(("strict", "unknown"), [(False, 0), (True, 1)])
def test_a_finding_that_the_framework_shares_fails_a_strict_run_only(
    run: RunFile, strict: bool, unknown: int
) -> None:
    flow = made_for(run, "quick")
    found = findings_module.Findings("cpu", strict=strict)
    answered = Observation(CASE.id, CLAIM.name, "eager", {"value": wrong()})

    (row,) = found.rows_of(flow.judge.judge(CLAIM, CASE, answered), {"value": "torch.softmax"})

    assert (row.shared, row.is_settled, found.shared) == ("torch.softmax", True, 1)
    assert found.unknown == unknown
