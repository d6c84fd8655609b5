"""Archives of arrays: what a header declares is compared with what there is, before it is used."""

from __future__ import annotations

import io
import resource
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.npz import LARGEST, read_arrays

from lossdiff.errors import SchemaError

NOT_ARRAYS = "is not an .npz file of plain arrays"
HEADER = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }"
ARRAYS: dict[str, Any] = {
    "no element": np.zeros((0, 3)),
    "no axis": np.array(2.5),
    "stored by columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.arange(3, dtype=">f4"),
    "half precision": np.arange(3, dtype=np.float16),
    "labels": np.array([[1, 2]]),
    "a text": np.array("spec"),
    "truth": np.array([True, False]),
}


def member(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return an `.npy` with any header."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content


def archive(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_writes_them(save: Callable[..., None]) -> None:
    stream = io.BytesIO()
    save(stream, **ARRAYS)

    arrays = read_arrays(stream)

    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype, name
        np.testing.assert_array_equal(array, ARRAYS[name])


TOO_LARGE = {
    "10^9 by 10^9": (HEADER % "(1000000000, 1000000000)", "(1000000000, 1000000000)"),
    "18 GiB": (HEADER % "(2415919104,)", "shape (2415919104,) of dtype float64"),
    "beyond int64": (HEADER % f"({10**30},)", str(10**30)),
    "beside an empty axis": (HEADER % "(0, 1000000000, 1000000000)", "(0, 1000000000, "),
    "of nothing": (HEADER.replace("<f8", "<U0") % "(10000000000,)", "of dtype <U0"),
    "one element": (HEADER.replace("<f8", "S2000000000") % "()", "dtype |S2000000000"),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_what_a_header_declares_is_not_allocated(kind: str) -> None:
    header, expected = TOO_LARGE[kind]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(SchemaError) as raised:
        read_arrays(archive(logits=member(header)))

    assert str(raised.value).startswith("`logits` has shape ")
    assert expected in str(raised.value)
    assert str(raised.value).endswith("; all arrays together may take 1 GiB")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB


def test_the_arrays_are_limited_together() -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, a=np.zeros(60), b=np.zeros(60))

    assert len(read_arrays(stream, 2 * 480)) == 2
    with pytest.raises(SchemaError, match=r"^`b` has shape \(60,\) of dtype float64; "):
        read_arrays(stream, 2 * 480 - 1)


def test_a_bomb_is_not_decompressed_beyond_what_it_declares() -> None:
    bomb = archive(logits=member(HEADER % "(2,)", bytes(2**26)))

    with pytest.raises(SchemaError, match=NOT_ARRAYS):
        read_arrays(bomb)


BROKEN = {
    "nothing": io.BytesIO(),
    "a text": io.BytesIO(b"logits"),
    "an empty member": archive(logits=b""),
    "fewer numbers than declared": archive(logits=member(HEADER % "(3,)", bytes(16))),
    "more numbers than declared": archive(logits=member(HEADER % "(1,)", bytes(16))),
    "a negative axis": archive(logits=member(HEADER % "(-1,)", bytes(8))),
    "an axis that is true": archive(logits=member(HEADER % "(True,)", bytes(8))),
    "an axis that is a float": archive(logits=member(HEADER % "(1.0,)", bytes(8))),
    "too many axes": archive(logits=member(HEADER % f"({'1,' * 100})", bytes(8))),
    "a header that calls": archive(logits=member("__import__('os').getcwd()")),
    "a header without end": archive(logits=member("{'descr': [")),
    "a nested header": archive(logits=member("(" * 5000)),
    "another version": archive(logits=member(HEADER % "(1,)", bytes(8), b"\x09\x00")),
    "an unknown dtype": archive(logits=member(HEADER.replace("<f8", "zz") % "(1,)", bytes(8))),
    "objects": archive(logits=member(HEADER.replace("<f8", "|O") % "(1,)", bytes(8))),
    "objects in fields": archive(
        logits=member(HEADER.replace("'<f8'", "[('a', '|O')]") % "(1,)", bytes(8))
    ),
    "an archive in it": archive(logits=archive(logits=b"").getvalue()),
    "another method": archive(zipfile.ZIP_LZMA, logits=member(HEADER % "(1,)", bytes(8))),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_archive_of_arrays_is_refused(kind: str) -> None:
    with pytest.raises(SchemaError) as raised:
        read_arrays(BROKEN[kind])

    assert str(raised.value) == NOT_ARRAYS


def test_two_arrays_of_one_name_are_refused() -> None:
    stream = archive(a=member(HEADER % "(1,)", bytes(8)))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(stream, "a") as made:
        made.writestr("a.npy", member(HEADER % "(1,)", bytes(8)))

    with pytest.raises(SchemaError, match=NOT_ARRAYS):
        read_arrays(stream)


def test_the_limit_holds_what_a_case_may_need() -> None:
    assert LARGEST == 2**30
