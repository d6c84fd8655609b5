"""The run file: everything asked and answered by one command, in one SQLite file.

Whoever shows or compares runs reads them through `RunFile`; `SCHEMA` is the format. Whoever
writes one holds its lock (`harness.runlock`). While it is written it has a write-ahead log
beside it, so that a process that is killed leaves what it had committed, and readers need not
wait; closed, it is one file.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from ..cases.dtypes import FORMATS
from ..cases.model import Case, Inputs
from .progress_rows import PROGRESS_ROWS, ProgressRow

APPLICATION_ID = 0x6C6F7373  # "loss": marks the file as ours
FORMAT = 3


class RunFileError(ValueError):
    """A file that is not a run of ours, or cannot be read or written."""


@dataclass(frozen=True)
class VerdictRow:
    """One judged quantity.

    Attributes:
        case: id of the case.
        operation, target_kind, family, shape, dtype: of the case, for selection.
        options: the options that differ from their default.
        implementation, framework, kind, mode, device: who answered, and how.
        quantity: `value`, `gradient_logits` or `gradient_target`.
        verdict: a word of `harness.verdicts`, or `convention:NAME`.
        known: whether the ledger names this finding.
        ledger: the id of the entry that names it.
        ulp: largest error in ulp of the result's dtype; None where it has no meaning.
        ratio: largest error over the sound bound.
        abs_error: largest absolute error.
        where: index of the worst element.
        exact: what was right there, 17 digits.
        got: what came back there.
        note: the explanation, or the error that was raised.
        fingerprint: digest of the bits of the whole answer.
        seconds: time of the call that gave it, first call included.
    """

    case: str
    operation: str
    target_kind: str | None
    family: str
    shape: str
    dtype: str
    options: dict[str, Any]
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    quantity: str
    verdict: str
    known: bool = False
    ledger: str = ""
    ulp: float | None = None
    ratio: float | None = None
    abs_error: float | None = None
    where: str = ""
    exact: str = ""
    got: str = ""
    note: str = ""
    fingerprint: str = ""
    seconds: float | None = None

    table: ClassVar[str] = "verdicts"


@dataclass(frozen=True)
class WorkedRow:
    """Whether an implementation gives the digits that a tutorial prints."""

    example: str
    source: str
    operation: str
    implementation: str
    framework: str
    kind: str
    mode: str
    dtype: str
    printed: list[Any] | float
    got: list[Any] | float | str
    agrees: bool
    note: str = ""

    table: ClassVar[str] = "worked"


@dataclass(frozen=True)
class RelationRow:
    """Whether two routes to the same quantity agree within the sum of their bounds."""

    relation: str
    left: str
    right: str
    framework: str
    mode: str
    dtype: str
    cases: int
    largest_difference: float
    largest_ratio: float
    agrees: bool
    note: str = ""
    device: str = "cpu"

    table: ClassVar[str] = "relations"
    key: ClassVar[tuple[str, ...]] = (
        "relation", "left", "right", "framework", "mode", "dtype", "device",
    )  # fmt: skip


@dataclass(frozen=True)
class DomainRow:
    """From which magnitude on an implementation is no longer right; see `harness.domain`.

    Attributes:
        sweep: what grows, a name of `cases.sweeps.SWEEPS`.
        leaves_bound_at: the smallest magnitude at which an answer is beyond the sound bound.
        left_by: its verdict.
        breaks_at: the smallest magnitude at which an answer is a finding; None if there is none.
        broken_by, quantity, case: the verdict, whose it is, and of which case.
        asked_to: the largest magnitude that was asked.
    """

    implementation: str
    framework: str
    kind: str
    operation: str
    mode: str
    device: str
    dtype: str
    sweep: str
    leaves_bound_at: float | None
    left_by: str
    breaks_at: float | None
    broken_by: str
    quantity: str
    case: str
    asked_to: float

    table: ClassVar[str] = "domains"


@dataclass(frozen=True)
class TimingRow:
    """One benchmark over all passes; times in seconds, the raw ones in its `PassRow`s.

    Attributes:
        case: id of the case that is timed; its verdicts are in the same run.
        direction: `forward` or `forward+backward`.
        threads: `one` or `all`; how many that were is in the `ProcessRow`s.
        cache: `hot`, the same inputs again and again, or `cold`, inputs from memory.
        median: median over the passes of each pass's median.
        low, high: the smallest and the largest of the passes' medians.
        iqr: interquartile range of the rounds, median over the passes.
        minimum: of all rounds.
        rounds: how many were timed, all passes together.
        passes: how many there were.
        first_call: compilation and first call, median over the passes.
        computes: what comes out, the same for all who are compared.
        moved: bytes that must be moved at least: inputs read once, results written once.
        bandwidth: bytes per second that a copy moved on the same device with as many threads,
            reading and writing counted; median over the passes.
        device_time: seconds on the device by its own events; None where there are none.
        memory: peak bytes beyond the inputs; None where it was not measured.
        memory_of: by what: `process`, `allocator` or `xla`.
        verdict: the worst verdict of the timed quantities on these inputs.
        agrees: whether that verdict is no finding.
    """

    case: str
    operation: str
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    dtype: str
    shape: str
    direction: str
    threads: str
    cache: str
    median: float
    low: float
    high: float
    iqr: float
    minimum: float
    rounds: int
    passes: int
    first_call: float
    computes: str
    moved: int
    bandwidth: float | None
    device_time: float | None
    memory: int | None
    memory_of: str
    verdict: str
    agrees: bool

    table: ClassVar[str] = "timings"

    @property
    def of_copy(self) -> float | None:
        """Bytes over time, as a share of what a copy moves."""
        return self.moved / self.median / self.bandwidth if self.bandwidth else None


@dataclass(frozen=True)
class PassRow:
    """One benchmark in one pass.

    Attributes:
        process: `number` of its `ProcessRow`.
        times: seconds of each round, of one call; in the order in which they were timed.
        iterations: how many calls a round had, in each turn.
        first_call: compilation and first call.
        device_time, memory, memory_of: as in `TimingRow`.
        fingerprints: quantity and digest of the bits that came out while it was timed; of the whole
            array, too, where a part of it is judged (`value:whole`).
        verdict: the worst verdict on what came out.
    """

    process: int
    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    cache: str
    times: list[float]
    iterations: list[int]
    first_call: float
    device_time: float | None
    memory: int | None
    memory_of: str
    fingerprints: dict[str, str]
    verdict: str

    table: ClassVar[str] = "passes"


@dataclass(frozen=True)
class ProcessRow:
    """One process that timed one framework in one pass.

    Attributes:
        number: in the order in which they ran.
        pass_number: from 1.
        threads: `one` or `all`.
        thread_count: how many that were.
        bandwidth: bytes per second that a copy moved on the device, reading and writing counted.
        copies: seconds of each copy.
        compute: seconds of a fixed NumPy kernel: how fast the machine was just then.
        load: load average of the last minute, before the process began.
        started: ISO 8601.
        environment: versions, device and flags of the framework.
        source: the file of pytest-benchmark, beside the run file.
    """

    number: int
    pass_number: int
    framework: str
    device: str
    threads: str
    thread_count: int
    bandwidth: float | None
    copies: list[float]
    compute: list[float]
    load: float | None
    started: str
    environment: dict[str, Any]
    source: str

    table: ClassVar[str] = "processes"


@dataclass(frozen=True)
class MemoryRow:
    """Peak memory of one benchmark on the CPU, in a fresh process.

    Attributes:
        memory: bytes by which the process grew at most during the first call.
    """

    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    memory: int

    table: ClassVar[str] = "memory"


@dataclass(frozen=True)
class WorkerRow:
    """The environment of one worker, or why there was none."""

    framework: str
    device: str
    environment: dict[str, Any]
    absent: str = ""

    table: ClassVar[str] = "workers"


Row = (
    VerdictRow
    | WorkedRow
    | RelationRow
    | DomainRow
    | TimingRow
    | PassRow
    | ProcessRow
    | MemoryRow
    | WorkerRow
    | ProgressRow
)
R = TypeVar("R", bound=Row)
ROWS: tuple[type[Row], ...] = (
    VerdictRow, WorkedRow, RelationRow, DomainRow, TimingRow, PassRow, ProcessRow, MemoryRow,
    WorkerRow, *PROGRESS_ROWS,
)  # fmt: skip
_COLUMNS: dict[type[Row], list[str]] = {row: [field.name for field in fields(row)] for row in ROWS}
_JSON = (
    "options", "environment", "printed", "got", "times", "iterations", "copies",
    "compute", "fingerprints",
)  # fmt: skip
_BOOL = ("known", "agrees")


def _columns(row: type[Any]) -> list[str]:
    return _COLUMNS[row]


def _create(row: type[Row]) -> str:
    columns = ", ".join(map(_quoted, _columns(row)))
    key = ", ".join(map(_quoted, _key(row)))
    unique = f", PRIMARY KEY ({key})) WITHOUT ROWID" if key else ")"
    return f"CREATE TABLE {row.table} ({columns}{unique};"


def _key(row: type[Any]) -> tuple[str, ...]:
    """The columns of which no two rows have the same; a later row replaces an earlier one."""
    return getattr(row, "key", ())


def _quoted(name: str) -> str:
    return f'"{name}"'


SCHEMA = "\n".join(
    [
        f"PRAGMA application_id = {APPLICATION_ID};",
        f"PRAGMA user_version = {FORMAT};",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);",
        'CREATE TABLE given ("case" TEXT PRIMARY KEY, npz BLOB NOT NULL);',
        *map(_create, ROWS),
    ]
)


def _encode(row: Row) -> list[Any]:
    values = [
        value if not isinstance(value, str) or value.isascii() else _storable(value)
        for value in vars(row).values()
    ]
    for place in _JSON_PLACES[type(row)]:
        values[place] = json.dumps(values[place])
    return values


def _is_json(row: type[Any], name: str) -> bool:
    return name in _JSON and not (row is VerdictRow and name == "got")


_JSON_PLACES = {
    row: [place for place, name in enumerate(names) if _is_json(row, name)]
    for row, names in _COLUMNS.items()
}


def _storable(text: str) -> str:
    """Lone surrogates, which an error message may hold, are no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _decode(row: type[R], record: sqlite3.Row) -> R:
    values = {name: record[name] for name in _columns(row)}
    for name, value in values.items():
        if name in _BOOL:
            values[name] = bool(value)
        elif _is_json(row, name):
            values[name] = json.loads(value)
    return row(**values)


def draft_of(path: Path) -> Path:
    """Return where a run stands until its workers have started."""
    return path.with_name(f"{path.name}.new")


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _journal(connection: sqlite3.Connection) -> None:
    """Have commits go to a log: quick, and safe when a process dies."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _opened(path: Path, mode: str = "ro") -> tuple[sqlite3.Connection, int]:
    """Open a run file of any format; returns the format, too."""
    if not path.is_file():
        raise RunFileError(f"there is no run file {path}")
    if path.stat().st_size == 0:
        raise RunFileError(f"{path} is not a lossdiff run file")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True)
    try:
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        connection.close()
        what = "damaged" if "malformed" in str(error) else "not a lossdiff run file"
        raise RunFileError(f"{path} is {what}: {error}") from error
    if mark != APPLICATION_ID:
        connection.close()
        raise RunFileError(f"{path} is not a lossdiff run file")
    return connection, version


class RunFile:
    """A run file, open for reading or for writing; use it in a `with` statement."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self.path = path

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new run file; one of ours at the same place is replaced.

        Raises:
            RunFileError: there is another file, or the place cannot be written.
        """
        made = cls.draft(path)
        made.publish()
        return made

    @classmethod
    def draft(cls, path: Path) -> Self:
        """Make a new run file beside its place; `publish` brings it there.

        Raises:
            RunFileError: there is another file, or the place cannot be written.
        """
        draft = draft_of(path)
        for taken in (path, draft):
            if taken.exists():
                connection, _ = _opened(taken)  # of ours, of whatever format
                connection.close()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove(draft)
            connection = sqlite3.connect(draft)
            _journal(connection)
            connection.executescript(f"BEGIN;\n{SCHEMA}\nCOMMIT;")
        except (OSError, sqlite3.Error) as error:
            raise RunFileError(f"cannot write {path}: {error}") from error
        return cls(connection, path)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Open a run file, or the draft of one, to write more into it.

        Raises:
            RunFileError: the file is missing, damaged, or not a run of this format.
        """
        place = draft_of(path) if draft_of(path).exists() else path
        connection, version = _opened(place)  # looked at first: a damaged file is left alone
        try:
            state = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            state = error
        connection.close()
        if version != FORMAT:
            raise RunFileError(f"{place} has format {version}; this version writes {FORMAT}")
        if state != "ok":
            raise RunFileError(f"{place} is damaged: {' '.join(str(state).split())}")
        connection, _ = _opened(place, "rw")
        _journal(connection)
        return cls(connection, path)

    def publish(self) -> None:
        """Bring a draft to its place, where it replaces an older run.

        Raises:
            RunFileError: the place cannot be written.
        """
        draft = draft_of(self.path)
        if not draft.exists():
            return
        self.close()  # a log belongs to a name
        try:
            _remove(self.path)
            draft.replace(self.path)
            self._connection = sqlite3.connect(self.path)
            self._connection.row_factory = sqlite3.Row
            _journal(self._connection)
        except (OSError, sqlite3.Error) as error:
            raise RunFileError(f"cannot write {self.path}: {error}") from error

    def discard(self) -> None:
        """Close the file, and remove it if it is a draft."""
        self.close()
        _remove(draft_of(self.path))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run file to read it.

        Raises:
            RunFileError: the file is missing, damaged, or not a run of this format.
        """
        connection, version = _opened(path)
        if version != FORMAT:
            connection.close()
            raise RunFileError(f"{path} has format {version}; this version reads {FORMAT}")
        return cls(connection, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, json.JSONDecodeError, IndexError, TypeError) as error:
            raise RunFileError(f"{self.path} is damaged: {error}") from error

    def close(self) -> None:
        """Close the file; what was added is on disk already."""
        with suppress(sqlite3.Error):  # of a reader, or on a full disk: then the log stays
            self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows of any kinds, and commit them together.

        Raises:
            RunFileError: they cannot be written; then none is.
        """
        by_kind: dict[type[Row], list[Row]] = {}
        for row in rows:
            by_kind.setdefault(type(row), []).append(row)
        with self._writing():
            for kind, some in by_kind.items():
                marks = ", ".join("?" * len(_columns(kind)))
                self._connection.executemany(
                    f"INSERT OR REPLACE INTO {kind.table} VALUES ({marks})", map(_encode, some)
                )

    def drop(self, row: type[Row], where: str = "1", arguments: Sequence[Any] = ()) -> None:
        """Remove rows of one kind, and commit that; see `rows`."""
        with self._writing():
            self._connection.execute(f"DELETE FROM {row.table} WHERE {where}", arguments)

    def pack(self) -> None:
        """Give back the room of what was dropped."""
        with self._reading():
            free, pages = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("freelist_count", "page_count")
            )
        if free > pages // 4:
            with suppress(sqlite3.Error):  # a full disk has no room for it, and it is no loss
                self._connection.execute("VACUUM")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._connection:
                yield
        except sqlite3.Error as error:
            raise RunFileError(f"cannot write {self.path}: {error}") from error

    def add_given(self, cases: Iterable[Case]) -> None:
        """Keep the arrays of cases that came with them."""
        with self._writing():
            for case in cases:
                if case.given is not None:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO given VALUES (?, ?)", (case.id, _pack(case.given))
                    )

    def given(self) -> Iterator[Case]:
        """Yield the cases that came with their arrays."""
        with self._reading():
            names = [name for (name,) in self._connection.execute('SELECT "case" FROM given')]
        return map(self.case, names)

    def rows(self, row: type[R], where: str = "1", arguments: Sequence[Any] = ()) -> Iterator[R]:
        """Yield the rows of one kind: in the order in which they were written, or of their keys.

        Args:
            row: the kind.
            where: an SQL condition on its columns, written by this program.
            arguments: for the condition's question marks.

        Raises:
            RunFileError: the file is damaged.
        """
        order = ", ".join(map(_quoted, _key(row))) or "rowid"
        query = f"SELECT * FROM {row.table} WHERE {where} ORDER BY {order}"
        with self._reading():
            for record in self._connection.execute(query, arguments):
                yield _decode(row, record)

    def holds(self, row: Row) -> bool:
        """Whether there is a row of the same key; of a kind that has one."""
        where = " AND ".join(f"{_quoted(name)} = ?" for name in _key(type(row)))
        key = [getattr(row, name) for name in _key(type(row))]
        query = f"SELECT EXISTS (SELECT 1 FROM {row.table} WHERE {where})"
        with self._reading():
            return bool(self._connection.execute(query, key).fetchone()[0])

    def count(self, row: type[Row], where: str = "1", arguments: Sequence[Any] = ()) -> int:
        """Return how many rows of one kind there are; see `rows`."""
        query = f"SELECT count(*) FROM {row.table} WHERE {where}"
        with self._reading():
            return int(self._connection.execute(query, arguments).fetchone()[0])

    def asked_cases(self) -> int:
        """Return how many cases have verdicts."""
        query = f'SELECT count(DISTINCT "case") FROM {VerdictRow.table}'
        with self._reading():
            return int(self._connection.execute(query).fetchone()[0])

    @property
    def meta(self) -> dict[str, str]:
        """What the run is: version, command, suite, seed, times of start and end (ISO 8601)."""
        with self._reading():
            return dict(map(tuple, self._connection.execute("SELECT key, value FROM meta")))

    def set_meta(self, **values: str) -> None:
        """Set entries of `meta`."""
        with self._writing():
            self._connection.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items()
            )

    def case(self, case_id: str) -> Case:
        """Return a case of this run, with its arrays if it came with them."""
        case = Case.parse(case_id)
        query = 'SELECT npz FROM given WHERE "case" = ?'
        with self._reading():
            record = self._connection.execute(query, (case_id,)).fetchone()
        return case if record is None else replace(case, given=_unpack(record["npz"], case))


def _pack(inputs: Inputs) -> bytes:
    stream = io.BytesIO()
    arrays = {name: value for name, value in vars(inputs).items() if value is not None}
    # .npz knows no bfloat16; every format goes into float64 without loss.
    wide = {
        name: value if value.dtype.kind in "iu" else value.astype(np.float64)
        for name, value in arrays.items()
    }
    np.savez_compressed(stream, **wide)
    return stream.getvalue()


def _unpack(npz: bytes, case: Case) -> Inputs:
    with np.load(io.BytesIO(npz), allow_pickle=False) as data:
        return Inputs(
            **{
                name: value if value.dtype.kind in "iu" else FORMATS[case.dtype].round(value)
                for name, value in data.items()
            }
        )
