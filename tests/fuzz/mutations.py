"""Random changes of a run file and of a case file: one a time, the same for the same number."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import sqlite3
import struct
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

COUNT = int(os.environ.get("LOSSDIFF_FUZZ", "300"))  # of changes of each kind of file
CANARY = "lossdiff_fuzz_canary"  # a module that leaves a mark where it is imported


class Loaded:
    """An object that leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def pickled(mark: Path) -> bytes:
    """Return an `.npy` of an object that leaves a mark where it is loaded."""
    stream = io.BytesIO()
    array = np.empty(1, object)
    array[0] = Loaded(mark)
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npy(header: str, content: bytes = b"") -> bytes:
    text = header.encode(errors="surrogateescape") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def npz(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


HEADERS = [
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (2415919104,), }",
    f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**30},), }}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1000000000000), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<U1000000', 'fortran_order': False, 'shape': (), }",
    "{'descr': [('a', '<f8')], 'fortran_order': True, 'shape': (1,), }",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': 'zz', 'shape': (", "__import__('os')", "", "(" * 1000,
]  # fmt: skip
TEXTS = [
    "", " ", "zzz", "0", "-1", "nan", "null", "true", "[]", "{}", "[[]]", "[null]", '["a"]', "NaN",
    "[NaN]", "[1e999]", "[0]", "[-1]", "[1.0]", '{"a": 1}', '{"versions": 1}',
    '{"versions": {"a": 1}}', '{"cpu": [1], "cores": {}}', '{"numpy": ["mine.py"]}', '"\\ud800"',
    "{" * 50, "[" * 5000, "9" * 400, "\x1b[2J\x1b]0;title\x07", "\x00", "a\nb", "\r", "\u202e",
    "<script>alert(1)</script>", "[/red]", "]]>", "&#0;", "|", "%s%n", "../../etc/passwd",
    "x" * 9999, "y" * 20_000, "1/1", "2/1", "0/0", "1+2/3",
    "softmax/float32/40000x40000/normal/-/0", "softmax/float32/4x10/normal/-/0",
    "softmax/float32/2x3/file:abc/-/0",
    "softmax/float64/6x3/worked:note-6x3-softmax/-/0", "softmax/float16/1x0/normal/-/0",
    "cross_entropy/index.given/float32/4x10/shrunk:a/-/0", "exact", "inaccurate", "crashed",
    "relation:shift", "relation:", "convention:zzz", "unsupported", "eager", "jit", "gpu", "torch",
    "value", "hvp_logits", "user", "textbook", CANARY, f"{CANARY}.py", "os.path", "lossdiff",
    json.dumps({"numpy": [CANARY]}), json.dumps({"numpy": [f"{CANARY}.py"]}),
]  # fmt: skip
NUMBERS = [
    0, 1, 2, -1, 7, 2**31, 2**63 - 1, -(2**63), 0.0, -0.0, 0.5, -1.5, 1e-320, 1e308, float("inf"),
    float("-inf"), 1e18,
]  # fmt: skip


def value(draw: random.Random, mark: Path) -> Any:
    """Return any value that a cell of SQLite may hold."""
    kind = draw.randrange(8)
    if kind == 0:
        return None
    if kind == 1:
        return draw.choice(NUMBERS)
    if kind == 2:
        return draw.randbytes(draw.choice([0, 1, 2, 50, 200, 3000]))
    if kind == 3:
        return draw.choice(
            [
                npy(draw.choice(HEADERS), draw.randbytes(48)),
                pickled(mark),
                pickle.dumps(Loaded(mark)),
            ]
        )
    if kind == 4:
        inner = draw.choice([npy(draw.choice(HEADERS), draw.randbytes(48)), pickled(mark)])
        return npz(**{draw.choice(["values.npy", "target.npy", "x"]): inner})
    return draw.choice(TEXTS)


def change_run(path: Path, draw: random.Random, mark: Path) -> str:
    """Change one thing of a run file; return what was changed, for the message of a failure."""
    how = draw.randrange(20)
    if how == 0:
        return _change_bytes(path, draw)
    with closing(sqlite3.connect(path)) as connection, connection:
        if how == 1:
            pragma = draw.choice(["user_version", "application_id"])
            number = draw.choice([0, 1, 2, 3, 4, -1, 2**31 - 1])
            connection.execute(f"PRAGMA {pragma} = {number}")
            return f"{pragma} = {number}"
        tables = [name for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )]  # fmt: skip
        if how == 2:
            table = draw.choice(tables)
            script = draw.choice([f"DROP TABLE {table}", f"DELETE FROM {table}",
                                  f"ALTER TABLE {table} RENAME TO other"])  # fmt: skip
            connection.execute(script)
            return script
        if how in (3, 4, 5):
            key = draw.choice([key for (key,) in connection.execute("SELECT key FROM meta")])
            return _update(connection, "meta", "value", "key = ?", (key,), value(draw, mark))
        return _change_cell(connection, draw.choice(tables), draw, mark)


def _change_cell(
    connection: sqlite3.Connection, table: str, draw: random.Random, mark: Path
) -> str:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    if not rows:
        return f"{table} is empty"
    row, place = draw.choice(rows), draw.randrange(len(columns))
    # A cell of another column of the same table is of a right kind, at a wrong place.
    new = draw.choice(row) if draw.random() < 0.2 else value(draw, mark)
    where, known = "1", ()
    if draw.random() < 0.7:
        names = [name for name, cell in zip(columns, row, strict=True) if cell is not None]
        where = " AND ".join(f'"{name}" = ?' for name in names)
        known = tuple(cell for cell in row if cell is not None)
    return _update(connection, table, columns[place], where, known, new)


def _update(
    connection: sqlite3.Connection, table: str, column: str, where: str, known: Any, new: Any
) -> str:
    # Where several rows would get the same key, all but one vanish.
    form = "?"
    if isinstance(new, bytes) and len(new) < 100:  # a text that is no UTF-8
        form = "CAST(? AS TEXT)"
    statement = f'UPDATE OR REPLACE {table} SET "{column}" = {form} WHERE {where}'
    try:
        connection.execute(statement, (new, *known))
    except sqlite3.IntegrityError:  # a key must not be empty
        return "nothing"
    return f"{table}.{column} = {new!r:.200}"


def _change_bytes(path: Path, draw: random.Random) -> str:
    content = bytearray(path.read_bytes())
    if draw.random() < 0.3:
        path.write_bytes(content[: draw.randrange(len(content))])
        return "cut"
    for _ in range(draw.choice([1, 10, 1000])):
        content[draw.randrange(len(content))] = draw.randrange(256)
    path.write_bytes(content)
    return "overwritten"


# --- case files -------------------------------------------------------------------------------

SPECS = [
    {"operation": "softmax"}, {"operation": "cross_entropy", "target_kind": "index"},
    {"operation": "cross_entropy", "target_kind": "soft", "dtype": "bfloat16"},
    {"operation": "binary_cross_entropy_with_logits", "target_kind": "multi_label"},
    {"operation": "nll_loss", "target_kind": "index", "options": {"ignore_index": 1}},
]  # fmt: skip
JSON_VALUES: list[Any] = [
    None, True, 0, -1, 10**30, -(10**30), 0.5, 1e308, float("nan"), float("inf"), "", "sum",
    "index", "float16", "\x1b[2J", "\ud800", [], [1], {}, {"a": 1}, "softmax", 2**63, "x" * 10_000,
]  # fmt: skip
SHAPES = [(), (0,), (3,), (2, 3), (3, 2), (2, 0), (0, 3), (2, 3, 4), (1,) * 32, (2, 1)]
DTYPES = [
    "f2", "f4", "f8", ">f4", "f16", "i1", "u1", "i4", "i8", "u8", "c16", "?", "S3", "U2", "U0",
    "V4", "M8[s]", "m8[D]",
]  # fmt: skip


def case_file(draw: random.Random, mark: Path) -> bytes:
    """Return a case file of which some members are not what they have to be."""
    spec = json.loads(json.dumps(draw.choice(SPECS)))
    domain = {"nll_loss": "log_probs"}.get(spec["operation"], "logits")
    good: dict[str, Any] = {domain: np.ones((2, 3), np.float32)}
    if spec.get("target_kind") == "index":
        good["target"] = np.array([0, 1])
    elif "target_kind" in spec:
        good["target"] = np.full((2, 3), 0.5)
    for _ in range(draw.randrange(3)):
        _spoil_spec(spec, draw)
    text = json.dumps(spec)
    if draw.random() < 0.2:
        text = draw.choice([*TEXTS, text[: draw.randrange(len(text))]])
    members = {f"{name}.npy": _saved(array) for name, array in good.items()}
    members["spec.npy"] = _saved(np.array(text))
    for _ in range(draw.randrange(3)):
        name = draw.choice([*members, "weight.npy", "pos_weight.npy", "x.npy", "spec", "../a.npy"])
        members[name] = _member(draw, mark)
    content = bytearray(npz(**members))
    if draw.random() < 0.15:
        for _ in range(draw.choice([1, 5, 100])):
            content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content)


def _spoil_spec(spec: dict[str, Any], draw: random.Random) -> None:
    place = draw.choice([spec, spec.setdefault("options", {})])
    if not isinstance(place, dict):
        return
    names = ["axis", "ignore_index", "label_smoothing", "reduction", "weight", "x"]
    names = names if place is not spec else ["operation", "options", "target_kind", "dtype", "x"]
    place[draw.choice(names)] = draw.choice(JSON_VALUES)


def _saved(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _member(draw: random.Random, mark: Path) -> bytes:
    kind = draw.randrange(6)
    if kind == 0:
        return draw.randbytes(draw.choice([0, 5, 200]))
    if kind == 1:
        return npy(draw.choice(HEADERS), draw.randbytes(draw.choice([0, 8, 48])))
    if kind == 2:
        return pickled(mark)
    if kind == 3:
        return npz(**{"logits.npy": pickled(mark)})
    dtype = np.dtype(draw.choice(DTYPES))
    shape = draw.choice(SHAPES)
    size = int(np.prod(shape)) * dtype.itemsize
    content = draw.randbytes(size) if draw.random() < 0.5 else bytes(size)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "shape": shape}
    return npy(repr({**header, "fortran_order": draw.random() < 0.2}), content)
