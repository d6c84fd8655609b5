"""The run file: what is written comes back, and what is not a run is refused and left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from lossdiff.cases.model import Case, Inputs
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import (
    DomainRow,
    ExampleAnswerRow,
    ExampleRow,
    RelationRow,
    VerdictRow,
    WorkedRow,
    WorkerRow,
)
from lossdiff.harness.runfile.schema import (
    APPLICATION_ID,
    BOOL_COLUMNS,
    FORMAT,
    JSON_COLUMNS,
    ROWS,
    Row,
)
from lossdiff.harness.runfile.timing_rows import PassRow, ProcessRow, TimingRow
from lossdiff.harness.runfile.views import VerdictView, WordView

from lossdiff.errors import RunFileError

CASE = "softmax/float32/4x10/normal/-/0"
VERDICT = VerdictRow(
    CASE, "softmax", None, "normal", "4x10", "float32", {"axis": 0}, "torch.softmax", "torch",
    "native", "eager", "cpu", "value", "inaccurate", known=True, ulp=3.5, ratio=1.25,
    abs_error=5e-324, where="(1, 3)", exact="0.1", got="0.2", note="", fingerprint="ab",
    seconds=0.25,
)  # fmt: skip
TIMING = TimingRow(
    CASE, "softmax", "torch.softmax", "torch", "native", "eager", "cpu", "float32", "4x10",
    "forward", "one", "cold", 1e-6, 9e-7, 2e-6, 1e-8, 9e-7, 120, 3, 0.5, "value", 320, 1.2e10,
    None, None, "", "faithful", agrees=True,
)  # fmt: skip
PASS = PassRow(
    3, CASE, "torch.softmax", "torch", "eager", "cpu", "forward", "one", "cold",
    [1e-6, 2e-6], [100, 100], 0.5, None, 12, "xla", {"value": "ab"}, "faithful",
)  # fmt: skip
PROCESS = ProcessRow(
    3, 1, "torch", "cpu", "one", 1, 1.2e10, [0.1], [0.2], None, "2026-11-22", {"gpu": None}, "b",
)  # fmt: skip
RELATION = RelationRow("a = b", "a", "b", "torch", "eager", "float32", 4, 1e-7, 0.5, agrees=False)
WORKED = WorkedRow(
    "pytorch", "a tutorial", "softmax", "torch.softmax", "torch", "native", "eager", "float64",
    [[0.1, 0.2]], [[0.1, 0.3]], agrees=False,
)  # fmt: skip
DOMAIN = DomainRow(
    "torch.softmax", "torch", "native", "softmax", "eager", "cpu", "bfloat16", "spread",
    leaves_bound_at=1.5, left_by="order", breaks_at=88.75, broken_by="nonfinite",
    quantity="value", case="softmax/bfloat16/4x10/spread@88.75/-/0", asked_to=1e30,
)  # fmt: skip
WORKER = WorkerRow("torch", "cpu", {"versions": {"torch": "2.4"}, "gpu": None, "threads": 8})

# Texts that break what joins strings instead of binding them, or guesses types from them.
HOSTILE = ("'; DROP TABLE verdicts; --", "\0after", "null", "1e5", "NaN", "[1]", '"', "é∂😀", "")


def written(path: Path, *rows: Row) -> Path:
    """Write rows into a new run file, each on its own."""
    with RunFile.create(path) as run:
        for row in rows:
            run.add([row])
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.sqlite"


@pytest.mark.parametrize(
    "row",
    [VERDICT, TIMING, PASS, PROCESS, RELATION, DOMAIN, WORKED, WORKER],
    ids=lambda row: row.table,
)
def test_a_row_of_each_kind_comes_back(path: Path, row: Any) -> None:
    with RunFile.open(written(path, row)) as run:
        assert [row] == list(run.rows(type(row)))


def test_lists_and_dicts_are_stored_as_json_and_bools_as_numbers() -> None:
    """The format of the file: another set of columns would need another `FORMAT`."""
    assert {
        row.__name__: names for row, names in JSON_COLUMNS.items() if names and row in ROWS
    } == {
        "VerdictRow": ("options",),
        "WorkedRow": ("printed", "got"),
        "PassRow": ("times", "iterations", "fingerprints"),
        "ProcessRow": ("copies", "compute", "environment"),
        "WorkerRow": ("environment",),
        "ExampleRow": ("inputs",),
    }
    assert {
        row.__name__: names for row, names in BOOL_COLUMNS.items() if names and row in ROWS
    } == {
        "VerdictRow": ("known",),
        "WorkedRow": ("agrees",),
        "RelationRow": ("agrees",),
        "TimingRow": ("agrees",),
    }


def without_examples(path: Path) -> Path:
    """Write a run as a version did that had no tables of examples yet."""
    written(path, VERDICT)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE examples; DROP TABLE example_answers;")
    return path


EXAMPLE = ExampleRow(
    "a-cause", VERDICT.case, VERDICT.case, "torch.x", "torch", "native", "eager", "cpu", "value",
    "inaccurate", {"logits": "[0]"}, "[1]",
)  # fmt: skip


def test_a_run_without_examples_is_read_as_if_there_were_none(path: Path) -> None:
    before = without_examples(path).read_bytes()

    with RunFile.open(path) as run:
        assert list(run.rows(ExampleRow)) == list(run.rows(ExampleAnswerRow)) == []
        assert list(run.rows(VerdictRow)) == [VERDICT]

    assert path.read_bytes() == before


def test_what_is_sorted_goes_into_files_however_many_tables_are_missing(path: Path) -> None:
    """SQLite sorts the verdicts of a large run by their keys, which memory need not hold."""
    in_memory = 2
    with RunFile.open(without_examples(path)) as run:
        assert run._connection.execute("PRAGMA temp_store").fetchone()[0] != in_memory


def test_a_run_without_examples_gets_them_when_it_is_gone_on_with(path: Path) -> None:
    with RunFile.reopen(without_examples(path)) as run:
        run.add([EXAMPLE])

    with RunFile.open(path) as run:
        assert list(run.rows(ExampleRow)) == [EXAMPLE]


@pytest.mark.parametrize(
    ("column", "value"),
    [("found", "no case"), ("case", "no case"), ("inputs", "[1]"), ("quantity", "all")],
)
def test_an_example_that_does_not_fit_is_damage(path: Path, column: str, value: str) -> None:
    written(path, EXAMPLE)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f'UPDATE examples SET "{column}" = ?', (value,))

    with RunFile.open(path) as run, pytest.raises(RunFileError, match=f"examples.{column}"):
        list(run.rows(ExampleRow))


def test_what_is_unknown_comes_back_as_unknown(path: Path) -> None:
    row = VerdictRow(*list(vars(VERDICT).values())[:14])

    with RunFile.open(written(path, row)) as run:
        (back,) = run.rows(VerdictRow)

    assert row == back
    assert (back.ulp, back.ratio, back.seconds, back.known) == (None, None, None, False)


def test_who_never_breaks_comes_back_without_a_limit(path: Path) -> None:
    row = replace(DOMAIN, leaves_bound_at=None, breaks_at=None)

    with RunFile.open(written(path, row)) as run:
        assert [row] == list(run.rows(DomainRow, "breaks_at IS NULL"))


@pytest.mark.parametrize("number", [float("inf"), 5e-324, 1.7976931348623157e308, -0.0, 0.1])
def test_numbers_come_back_bit_for_bit(path: Path, number: float) -> None:
    row = VerdictRow(*list(vars(VERDICT).values())[:14], ulp=number)

    with RunFile.open(written(path, row)) as run:
        (back,) = run.rows(VerdictRow)

    assert back.ulp is not None
    assert number.hex() == back.ulp.hex()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_come_back_as_they_are(path: Path, text: str) -> None:
    verdict = VerdictRow(*list(vars(VERDICT).values())[:14], got=text, note=text)
    worked = WorkedRow(*list(vars(WORKED).values())[:9], text, agrees=False, note=text)
    worker = WorkerRow(text, "cpu", {text: text}, absent=text)

    with RunFile.open(written(path, verdict, worked, worker)) as run:
        assert [verdict] == list(run.rows(VerdictRow))
        assert [worked] == list(run.rows(WorkedRow))
        assert [worker] == list(run.rows(WorkerRow, "framework = ?", (text,)))


def test_a_lone_surrogate_does_not_stop_a_run(path: Path) -> None:
    text = "bad \ud800 name"
    worker = WorkerRow("torch", "cpu", {}, absent=text)
    worked = WorkedRow(*list(vars(WORKED).values())[:9], text, agrees=False)

    with RunFile.open(written(path, worker, worked)) as run:
        absent = [row.absent for row in run.rows(WorkerRow)]
        got = [row.got for row in run.rows(WorkedRow)]

    assert absent == got == [r"bad \ud800 name"]


def test_rows_come_in_the_order_in_which_they_were_written(path: Path) -> None:
    names = ["c", "a", "b"]
    rows = [WorkerRow(name, "cpu", {}) for name in names]

    with RunFile.create(path) as run:
        run.add(rows)
        run.add([])
        assert names == [row.framework for row in run.rows(WorkerRow)]
        assert [row.framework for row in run.rows(WorkerRow, "framework = ?", ("a",))] == ["a"]


def test_what_was_added_is_on_disk_before_the_file_is_closed(path: Path) -> None:
    with RunFile.create(path) as run:
        run.add([WORKER])

        with RunFile.open(path) as other:
            assert list(other.rows(WorkerRow)) == [WORKER]


def test_meta_is_kept_and_may_change(path: Path) -> None:
    with RunFile.create(path) as run:
        run.set_meta(suite="quick", seed="0")
        run.set_meta(seed="7")

    with RunFile.open(path) as run:
        assert run.meta == {"suite": "quick", "seed": "7"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_given_cases_come_back_bit_for_bit(path: Path, dtype: str) -> None:
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    values = np.array([[0.1, -0.0, np.inf], [np.nan, 1e-7, -3.0]]).astype(kind)
    weight = np.array([1.0, 0.3, 2.0]).astype(kind)
    given = Inputs(values, np.array([2, -100]), weight)
    case_id = f"cross_entropy/index.given/{dtype}/2x3/file:0123456789ab/weight=given/0"
    case = replace(Case.parse(case_id), given=given)

    with RunFile.create(path) as run:
        run.add_given([case, Case.parse(CASE)])
    with RunFile.open(path) as run:
        back = run.case(case_id).inputs()

    assert back.pos_weight is None
    for name in ("values", "target", "weight"):
        one, other = getattr(given, name), getattr(back, name)
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def test_a_drawn_case_needs_no_arrays_in_the_file(path: Path) -> None:
    with RunFile.create(path) as run:
        run.add_given([Case.parse(CASE)])
        assert run.case(CASE) == Case.parse(CASE)
        assert run.case(CASE).given is None


def test_a_new_run_replaces_an_old_one(path: Path) -> None:
    written(path, WORKER)

    with RunFile.create(path) as run:
        assert list(run.rows(WorkerRow)) == []


def test_a_name_that_looks_like_an_address_is_a_name(tmp_path: Path) -> None:
    odd = written(tmp_path / "a b?mode=rw#c%20.sqlite", WORKER)

    with RunFile.open(odd) as run:
        assert list(run.rows(WorkerRow)) == [WORKER]


def _sqlite(path: Path, application: int, version: int) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA application_id = {application}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()


FOREIGN = {
    "of text": lambda path: path.write_text("precious notes\n"),
    "of bytes": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "that is empty": lambda path: path.write_bytes(b""),
    "of another program": lambda path: _sqlite(path, 0, FORMAT),
}
OTHER_FORMATS = pytest.mark.parametrize("version", [FORMAT - 1, FORMAT + 1])


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_refused_in_one_line_and_left_alone(path: Path, kind: str) -> None:
    FOREIGN[kind](path)
    before = path.read_bytes()

    for use in (RunFile.open, RunFile.create):
        with pytest.raises(RunFileError) as refusal:
            use(path)
        assert str(path) in str(refusal.value)
        assert "\n" not in str(refusal.value)

    assert before == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


@OTHER_FORMATS
def test_a_run_of_another_format_is_not_read_and_says_which(path: Path, version: int) -> None:
    _sqlite(path, APPLICATION_ID, version)
    before = path.read_bytes()

    with pytest.raises(RunFileError, match=f"has format {version}; this version reads {FORMAT}"):
        RunFile.open(path)

    assert before == path.read_bytes()


@OTHER_FORMATS
def test_of_a_run_of_another_format_it_is_said_which_version_reads_it(
    path: Path, version: int
) -> None:
    with RunFile.create(path) as run:
        run.set_meta(version="0.0.7")
        run._connection.execute(f"PRAGMA user_version = {version}")
    reader = "; lossdiff 0.0.7, which wrote it, reads it$"

    with pytest.raises(RunFileError, match=f"this version reads {FORMAT}{reader}"):
        RunFile.open(path)
    with pytest.raises(RunFileError, match=f"this version writes {FORMAT}{reader}"):
        RunFile.reopen(path)


@OTHER_FORMATS
def test_a_run_of_another_format_is_ours_to_replace(path: Path, version: int) -> None:
    _sqlite(path, APPLICATION_ID, version)

    with RunFile.create(path) as run:
        run.add([WORKER])
    with RunFile.open(path) as run:
        assert list(run.rows(WorkerRow)) == [WORKER]
        with pytest.raises(RunFileError, match="no such table: theirs"):
            list(run.rows(type("Theirs", (WorkerRow,), {"table": "theirs"})))


def test_a_file_that_is_missing_is_said_to_be_missing(path: Path) -> None:
    with pytest.raises(RunFileError, match="there is no run file"):
        RunFile.open(path)

    assert not path.exists()


@pytest.mark.parametrize("how", ["cut", "overwritten"])
def test_a_damaged_file_is_refused_in_one_line(path: Path, how: str) -> None:
    with RunFile.create(path) as run:
        run.add([VERDICT] * 500)
    whole = path.read_bytes()
    damaged = whole[:30000] if how == "cut" else whole[:30000] + b"\xff" * (len(whole) - 30000)
    path.write_bytes(damaged)

    with pytest.raises(RunFileError, match="malformed") as refusal, RunFile.open(path) as run:
        list(run.rows(VerdictRow))

    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert damaged == path.read_bytes()


def test_a_file_without_our_tables_is_damaged(path: Path) -> None:
    _sqlite(path, APPLICATION_ID, FORMAT)

    with RunFile.open(path) as run:
        with pytest.raises(RunFileError, match="is damaged: no such table: verdicts"):
            list(run.rows(VerdictRow))
        with pytest.raises(RunFileError, match="is damaged: no such table: meta"):
            _ = run.meta
        with pytest.raises(RunFileError, match="is damaged: no such table: given"):
            run.case(CASE)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RunFileError, match="cannot write"):
        RunFile.create(tmp_path / "file" / "run.sqlite")


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    path = written(tmp_path / "a" / "b" / "run.sqlite", WORKER)

    assert path.is_file()


def test_a_run_that_is_open_for_reading_cannot_be_changed(path: Path) -> None:
    with (
        RunFile.open(written(path, WORKER)) as run,
        pytest.raises(RunFileError, match=r"cannot write .*readonly"),
    ):
        run.add([WORKER])


# --- views -----------------------------------------------------------------------------------


def test_a_view_is_sorted_by_the_answer_and_then_as_written(tmp_path: Path) -> None:
    a, b = "softmax/float32/4x10/grid/-/0", "softmax/float32/4x10/normal/-/0"
    written = [replace(VERDICT, case=case, verdict=word)
               for case, word in ((b, "raised"), (a, "raised"), (b, "exact"))]  # fmt: skip
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add(written)

        rows = list(run.rows(VerdictView))

    assert [(row.case, row.verdict, row.rowid) for row in rows] == [
        (a, "raised", 2), (b, "raised", 1), (b, "exact", 3),
    ]  # fmt: skip
    assert rows[0].known == 1


def test_a_view_of_a_table_without_its_columns_is_damage(tmp_path: Path) -> None:
    """SQLite takes a name in quotes that is no column for a text, unless the table is named."""
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([VERDICT])
    connection = sqlite3.connect(tmp_path / "run.sqlite")
    connection.execute("ALTER TABLE verdicts RENAME COLUMN ledger TO lodger")
    connection.close()

    with (
        RunFile.open(tmp_path / "run.sqlite") as run,
        pytest.raises(RunFileError, match="damaged: its table verdicts has other columns"),
    ):
        list(run.rows(VerdictView))


def test_equal_rows_of_a_view_are_counted(tmp_path: Path) -> None:
    words = ("raised", "exact", "raised", "raised")
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([replace(VERDICT, verdict=word, known=n == 3) for n, word in enumerate(words)])

        whole = dict(run.counts(WordView))
        some = list(run.counts(WordView, "known = ?", (0,), limit=1))

    assert whole == {
        WordView("exact", known=False): 1, WordView("raised", known=False): 2,
        WordView("raised", known=True): 1,
    }  # fmt: skip
    assert some == [(WordView("exact", known=False), 1)]
