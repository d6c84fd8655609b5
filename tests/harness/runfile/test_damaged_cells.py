"""Cells of a run file that do not fit: each is named by table, column and row, in one line."""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case, Inputs
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.resume_rows import AnswerRow, CompletedRow
from lossdiff.harness.runfile.rows import VerdictRow, WorkedRow, WorkerRow
from lossdiff.harness.runfile.schema import packed
from lossdiff.harness.runfile.timing_rows import PassRow, ProcessRow
from lossdiff.harness.runfile.untrusted import why_unread
from lossdiff.harness.runfile.views import VerdictView
from lossdiff.harness.runfile.vocabulary import is_case

from lossdiff.errors import RunFileError

CASE = "softmax/float32/2x3/normal/-/0"
GIVEN = Case.parse("softmax/float32/2x3/file:abc/-/0")
VERDICT = VerdictRow(
    CASE, "softmax", None, "normal", "2x3", "float32", {}, "scipy.special.softmax", "numpy",
    "native", "eager", "cpu", "value", "exact", ulp=0.5,
)  # fmt: skip
PASS = PassRow(
    1, CASE, "scipy.special.softmax", "numpy", "eager", "cpu", "forward", "one", "hot", [1e-6],
    [1], None, None, None, "", {"value": "ab"}, "exact",
)  # fmt: skip
PROCESS = ProcessRow(1, 1, "numpy", "cpu", "one", 1, 1e9, [0.1], [0.1], 0.5, "now", {}, "a.json")
WORKER = WorkerRow("numpy", "cpu", {"versions": {"numpy": "2"}})
WORKED = WorkedRow(
    "note", "a tutorial", "softmax", "scipy.special.softmax", "numpy", "native", "eager", "float32",
    [0.5], [float("nan"), float("inf")], False,
)  # fmt: skip
ANSWER = AnswerRow(
    "scipy.special.softmax", "numpy", "native", "eager", "cpu", CASE, packed(np.zeros(2)),
    packed(np.ones(2)),
)  # fmt: skip
DONE = CompletedRow("numpy", "scipy.special.softmax", "eager", CASE, "cpu", 1)
SEEDS = ("", "+1", "01", "-0", "1_0", "٣", "x", "0x1", "1.0", " 1", "9" * 5000)
ROWS = (VERDICT, PASS, PROCESS, WORKER, WORKED, ANSWER, DONE)


@pytest.mark.parametrize(
    "text",
    [
        CASE, GIVEN.id, "softmax/float32/2x3/normal/-/-7", f"{CASE}7", "",
        "softmax/float32/2x3/normal/-", f"{CASE}/0", "0", "/", "/0", f"{CASE} ",
        *(f"softmax/float32/2x3/normal/-/{seed}" for seed in SEEDS),
        "softmax/float32/2x3/abnormal/-/1", "softmax/float32/2x03/normal/-/1",
    ],
)  # fmt: skip
def test_an_id_is_one_whatever_its_seed(text: str) -> None:
    try:
        expected = bool(not text or Case.parse(text))
    except ValueError:
        expected = False

    assert is_case(text) is expected


def test_records_are_rows_that_fit_and_no_others(tmp_path: Path) -> None:
    other = replace(VERDICT, mode="jit", framework="jax", verdict="inaccurate")
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([other, VERDICT, PASS])
        rows = [
            tuple(getattr(row, it.name) for it in fields(VerdictView))
            for row in run.rows(VerdictView)
        ]
        assert list(run.records(VerdictView)) == rows
        assert len(rows) == 2
        assert len(list(run.records(PassRow))) == 1
        run._connection.execute("UPDATE verdicts SET known = 'x'")
        with pytest.raises(RunFileError, match=r"is damaged: verdicts\.known of"):
            list(run.records(VerdictView))


def npy(**changed: Any) -> bytes:
    header = {"descr": "<f8", "fortran_order": False, "shape": (2,), **changed}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A run with one row of each of several kinds."""
    path = tmp_path / "run.sqlite"
    with RunFile.create(path) as run:
        run.add(ROWS)
        run.add_given([Case(GIVEN.operation, GIVEN.family, GIVEN.shape, GIVEN.dtype,
                            given=Inputs(np.zeros((2, 3), np.float32)))])  # fmt: skip
        run.set_meta(seed="0", implementations='{"numpy": ["mine.py"]}')
    return path


def changed(path: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(path)
    with connection:
        assert connection.execute(statement, values).rowcount
    connection.close()


def _read(path: Path) -> None:
    with RunFile.open(path) as run:
        for kind in map(type, ROWS):
            list(run.rows(kind))
        list(run.given())
        assert run.meta


def refusal(path: Path) -> str:
    """Read all of a run, and return the line that says what is wrong with it."""
    with pytest.raises(RunFileError) as raised:
        _read(path)
    line = str(raised.value)
    assert line.startswith(f"{path} is damaged: ")
    assert line.isprintable()
    assert len(line.removeprefix(str(path))) < 400
    return line.removeprefix(f"{path} is damaged: ")


def test_what_was_written_is_read(path: Path) -> None:
    with RunFile.open(path) as run:
        assert [next(run.rows(kind)) for kind in (VerdictRow, PassRow, ProcessRow, AnswerRow)] == [
            VERDICT, PASS, PROCESS, ANSWER,
        ]  # fmt: skip
        assert next(run.given()).given is not None
        assert run.meta["seed"] == "0"


WHO = f"{CASE}, scipy.special.softmax"
CELLS: dict[str, tuple[str, Any, str]] = {
    "a text for a number": ("verdicts.ulp", "much", f"of {WHO} is text, a number is due"),
    "a negative error": ("verdicts.ulp", -1.0, f"of {WHO} is out of range, a number >= 0.0 is due"),
    "nothing for a text": ("verdicts.note", None, f"of {WHO} is empty, text is due"),
    "bytes for a text": ("verdicts.mode", b"\xff\xfe", f"of {WHO} is bytes, text is due"),
    "a number for a text": ("verdicts.got", 7, f"of {WHO} is a whole number, text is due"),
    "a third truth value": ("verdicts.known", 2, f"of {WHO} is a whole number, true or false is"),
    "an unknown verdict": ("verdicts.verdict", "zzz", "is 'zzz', which is not a verdict"),
    "an unknown mode": ("verdicts.mode", "egar", "is 'egar', which is not a mode"),
    "an unknown dtype": ("verdicts.dtype", "int4", "is 'int4', which is not a dtype"),
    "an unknown operation": ("verdicts.operation", "add", "is 'add', which is not an operation"),
    "an unknown quantity": ("verdicts.quantity", "sum", "is 'sum', which is not a quantity"),
    "an unknown kind": ("verdicts.kind", "own", "is 'own', which is not a kind of implementation"),
    "an unknown device": ("verdicts.device", "tpu", "is 'tpu', which is not a device"),
    "an impossible case": ("verdicts.case", "softmax/x", "is 'softmax/x', which is not the id of"),
    "a shape of words": ("verdicts.shape", "2xmany", "is '2xmany', which is not a shape"),
    "an escape sequence": ("verdicts.mode", "\x1b[2J", r"is '\x1b[2J', which is not a mode"),
    "a huge text": ("verdicts.note", "x" * 10_001, f"of {WHO} has 10001 characters, more than"),
    "no JSON": ("verdicts.options", "{", f"of {WHO} is not JSON: Input data was truncated"),
    "bytes for JSON": ("verdicts.options", b"\xff", f"of {WHO} is b'\\xff', JSON is due"),
    "a list of options": ("verdicts.options", "[1]", f"of {WHO} is a list, an object is due"),
    "a nested option": ("verdicts.options", "[" * 9999, f"of {WHO} is not JSON: "),
    "no rounds": ("passes.times", "[]", "is out of range, a list of length >= 1 is due"),
    "NaN among the rounds": ("passes.times", "[NaN]", "is not JSON: JSON is malformed"),
    "a text among the rounds": ("passes.times", '[1, "a"]', "is text, a number is due"),
    "a time of nothing": ("passes.times", "[0.0]", "is out of range, a number > 0.0 is due"),
    "half a process": ("passes.process", 1.5, f"of {WHO} is a number, a whole number is due"),
    "digests in a list": ("passes.fingerprints", "[]", "is a list, an object is due"),
    "an endless load": ("processes.load", float("inf"), "of numpy, 1 is out of range"),
    "a count of threads": ("processes.threads", "three", "'three', which is not a number of th"),
    "versions in a list": ("workers.environment", '{"versions": []}', "a list, an object is due"),
    "a version that is a number": ("workers.environment", '{"versions": {"a": 1}}', "text is due"),
    "no environment": ("workers.environment", "null", "of numpy is empty, an object is due"),
    "an empty array": ("answers.value", b"", "is b'', which is not an array"),
    "an array of 8 EB": ("answers.value", npy(shape=(10**9, 10**9)), "which is not an array"),
    "an array of objects": ("answers.bound", npy(descr="|O"), "which is not an array"),
    "an array of float16": ("answers.bound", npy(descr="<f2") + b"1234", "which is not an array"),
    "a text for an array": ("answers.bound", "array", "is text, bytes is due"),
    "an empty archive": ("given.npz", b"", f"of {GIVEN.id} is not an .npz file of plain arrays"),
    "a text for an archive": ("given.npz", "zip", f"of {GIVEN.id} is no archive of arrays"),
    "an entry that is bytes": ("meta.value", b"\x00", "is b'\\x00', text is due"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_that_does_not_fit_is_named(path: Path, kind: str) -> None:
    place, value, expected = CELLS[kind]
    table, column = place.split(".")
    changed(path, f'UPDATE {table} SET "{column}" = ?', value)

    line = refusal(path)

    assert line.startswith("meta." if table == "meta" else place)
    assert expected in line


ARCHIVES: dict[str, tuple[dict[str, Any], str]] = {
    "another shape": ({"values": np.zeros((3, 2))}, "`values` has shape (3, 2), (2, 3) is due"),
    "no values": ({"weight": np.zeros(3)}, "has the arrays weight"),
    "another array": ({"values": np.zeros((2, 3)), "x": np.zeros(3)}, "has the arrays values, x"),
    "a target": ({"values": np.zeros((2, 3)), "target": np.zeros(2)}, "does not suit the target"),
    "weights": (
        {"values": np.zeros((2, 3)), "weight": np.zeros(2)},
        "shape (2,); it must have (3,)",
    ),
    "words": ({"values": np.full((2, 3), "a")}, "`values` has dtype <U1, float64 is due"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_arrays_that_are_not_those_of_the_case_are_refused(path: Path, kind: str) -> None:
    arrays, expected = ARCHIVES[kind]
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    changed(path, "UPDATE given SET npz = ?", stream.getvalue())

    assert expected in refusal(path)


META: dict[str, tuple[str, str]] = {
    "implementations": ('{"numpy": "mine.py"}', "is text, a list is due"),
    "parts": ('{"numpy": ["1"]}', "is text, a whole number is due"),
    "spent": ("[]", "is a list, an object is due"),
    "digests": ("{", "is not JSON"),
    "seed": ("first", "is 'first', a whole number is due"),
    "shard": ("1/", "is '1/', I/N is due"),
    "device": ("tpu", "is 'tpu', cpu or gpu is due"),
    "label": ("x" * 10_001, "has 10001 characters"),
}


@pytest.mark.parametrize("key", META)
def test_an_entry_of_meta_that_does_not_fit_is_named(path: Path, key: str) -> None:
    value, expected = META[key]
    changed(path, "INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    line = refusal(path)

    assert line.startswith(f"meta.{key}")
    assert expected in line


def test_an_entry_of_meta_that_is_missing_is_named(path: Path) -> None:
    with RunFile.open(path) as run, pytest.raises(RunFileError, match="damaged: meta has no suite"):
        _ = run.meta["suite"]


def test_worked_examples_may_have_nan(path: Path) -> None:
    with RunFile.open(path) as run:
        assert str(next(run.rows(WorkedRow)).got) == "[nan, inf]"


TABLES: dict[str, tuple[str, str]] = {
    "a view": ("DROP TABLE verdicts; CREATE VIEW verdicts AS SELECT * FROM passes", "verdicts has"),
    "fewer columns": ("ALTER TABLE verdicts DROP COLUMN note", "its table verdicts has other col"),
    "more columns": ("ALTER TABLE passes ADD COLUMN more", "its table passes has other columns"),
    "a trigger": (
        "CREATE TRIGGER t AFTER INSERT ON verdicts BEGIN DELETE FROM verdicts; END",
        "it has a trigger 't'",
    ),
    "no table": ("DROP TABLE worked", "no such table: worked"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_tables_that_are_not_ours_are_not_read(path: Path, kind: str) -> None:
    script, expected = TABLES[kind]
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()

    assert expected in refusal(path)


# --- what keeps a file from being read --------------------------------------------------------


@pytest.fixture
def lock(path: Path) -> Iterator[Callable[[], None]]:
    connection = sqlite3.connect(path)
    yield lambda: connection.execute("BEGIN EXCLUSIVE") and None
    connection.close()


def test_of_a_locked_file_it_is_said_that_it_is_locked(
    path: Path, lock: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **named: connect(*args, 0.1, **named))
    lock()

    with pytest.raises(RunFileError, match=r"^.*run.sqlite is locked by another program$"):
        RunFile.open(path)


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(RunFileError, match="is not a lossdiff run file"):
        RunFile.open(tmp_path / "pipe")


def test_a_cell_without_end_is_not_read(path: Path) -> None:
    changed(path, "UPDATE verdicts SET note = zeroblob(300000000)")

    assert refusal(path) == "string or blob too big"


REASONS = {
    "SQLITE_BUSY_SNAPSHOT": "is locked by another program",
    "SQLITE_NOTADB": "is not a lossdiff run file",
    "SQLITE_CANTOPEN": "cannot be read: disk I/O error",
    "SQLITE_READONLY_RECOVERY": "cannot be read: disk I/O error",
    "SQLITE_IOERR_READ": "cannot be read: disk I/O error",
    "SQLITE_CORRUPT": "is damaged: disk I/O error",
}


@pytest.mark.parametrize("name", REASONS)
def test_each_reason_of_sqlite_gets_its_sentence(path: Path, name: str) -> None:
    error = sqlite3.OperationalError("disk I/O\nerror")
    error.sqlite_errorname = name

    assert why_unread(error, path) == REASONS[name]


@pytest.mark.parametrize("name", ["SQLITE_CANTOPEN", "SQLITE_READONLY_CANTINIT"])
def test_a_log_that_cannot_be_read_is_said_to_be_the_reason(path: Path, name: str) -> None:
    """So it is in a folder that cannot be written, after a writer was killed."""
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorname = name
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")

    line = why_unread(error, path)
    connection.close()

    assert line.startswith("was left with a log by a run that was killed, and its folder cannot be")
    assert "copy it, and run.sqlite-wal if there is one, into another folder" in line
