"""`lossdiff list`."""

from __future__ import annotations

from typing import Any

import pytest
from lossdiff.cases.ledger import ledger
from lossdiff.cases.operations import OPERATIONS
from lossdiff.cases.suites import SUITES, suite

from lossdiff._cli import list as list_
from lossdiff._cli.status import Status

from .command import GOOD, NUMPY, write


def test_operations_are_listed(lossdiff: Any) -> None:
    ended = lossdiff("list", "operations")

    assert [name for name in OPERATIONS if name not in ended.out] == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.onnx] * (name == "onnx")) for name in SUITES]
)
def test_cases_are_listed_one_a_line(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(list_, "suite", suite)

    ended = lossdiff("list", "cases", "--suite", name, "--operation", "softmax")

    expected = [case.id for case in suite(name).cases if case.operation == "softmax"]
    assert ended.out.splitlines() == expected


def test_the_ledger_is_listed(lossdiff: Any) -> None:
    ended = lossdiff("list", "ledger")

    assert ended.status == Status.OK
    assert [entry.id for entry in ledger() if entry.id not in ended.out] == []


def test_implementations_are_listed_a_users_own_included(lossdiff: Any) -> None:
    impl = write("mine.py", GOOD)

    ended = lossdiff("list", "implementations", *NUMPY, "--impl", f"numpy={impl}")

    assert ended.status == Status.OK
    assert "scipy.special.logsumexp" in ended.out
    assert "mine.logsumexp" in ended.out
    assert "scipy.special.softmax" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        (["--device", "gpu"], GOOD, "numpy: NumPy has no GPU"),
        (["--mode", "jit"], GOOD, "numpy: has no such mode; it has eager"),
        ([], "import os; os._exit(3)", "numpy: its process died at the import"),
    ],
)
def test_where_nobody_offers_anything_the_list_ends_with_3(
    lossdiff: Any, arguments: list[str], text: str, expected: str
) -> None:
    impl = f"numpy={write('mine.py', text)}"

    ended = lossdiff("list", "implementations", *NUMPY, "--impl", impl, *arguments)

    assert ended.status == Status.NOTHING
    assert expected in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("width", [60, 80, 180])
@pytest.mark.parametrize("table", [list_.operations_table, list_.names_table])
def test_no_name_is_cut_however_narrow_the_terminal_is(
    capsys: pytest.CaptureFixture[str], table: Any, width: int
) -> None:
    rows = table()

    list_.print_table(rows, width)

    printed = capsys.readouterr().out
    words = {word for row in rows[1:] for cell in row for word in cell.split(", ")}
    assert [word for word in words if word not in printed] == []
    assert max(map(len, printed.splitlines())) <= width
