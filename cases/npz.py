"""Read an archive of arrays (`.npz`) from outside: nothing is executed, and every size is checked.

NumPy's own reader allocates what the header of an array declares, which may be more memory than the
machine has. Here the declared size has to be that of the member, before anything is allocated.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from ..errors import SchemaError
from .dtypes import Array

LARGEST = 2**30  # bytes of all arrays of an archive together
GIB = 2**30
_AXES = 32  # NumPy 1 has no array of more
NOT_ARRAYS = "is not an .npz file of plain arrays"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# Other methods decompress a few bytes to any number of them at once.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_arrays(stream: IO[bytes], largest: int = LARGEST) -> dict[str, Array]:
    """Return the arrays of an `.npz` file by their names.

    Args:
        stream: the content of the file; it must be seekable.
        largest: the number of bytes that all arrays together may take.

    Raises:
        SchemaError: it is not an archive of plain arrays, or they are too large.
    """
    try:
        # NumPy warns of old headers, which are no concern of whoever reads the message.
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream) as archive:
            return _members(archive, largest)
    except SchemaError:
        raise
    except MemoryError:
        raise SchemaError("", "needs more memory than there is") from None
    except Exception as error:  # the parsers raise a dozen kinds for a file that is damaged
        raise SchemaError("", NOT_ARRAYS) from error


def plain_array(content: bytes) -> Array:
    """Return the array of an `.npy` file, of any dtype.

    Args:
        content: the file.

    Raises:
        SchemaError: it is not an array of plain numbers, or not as large as it declares.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            stream = io.BytesIO(content)
            return _content(stream, *_header(stream))
    except Exception as error:  # as above
        raise SchemaError("", "is not an array of plain numbers") from error


def read_array(content: bytes) -> Array:
    """Return the array of an `.npy` file of float64.

    Args:
        content: the file.

    Raises:
        SchemaError: it is not an array of float64, or not as large as it declares.
    """
    try:
        array = plain_array(content)
    except SchemaError as error:
        raise SchemaError("", "is not an array of float64") from error
    if array.dtype != np.float64:
        raise SchemaError("", "is not an array of float64")
    return array


def is_array(content: bytes) -> bool:
    """Return whether `read_array` can read a content."""
    try:
        read_array(content)
    except SchemaError:
        return False
    return True


def _members(archive: zipfile.ZipFile, largest: int) -> dict[str, Array]:
    members = archive.infolist()
    names = [item.filename.removesuffix(".npy") for item in members]
    plain = all(item.filename.endswith(".npy") for item in members)
    if not plain or len(set(names)) < len(names):
        raise SchemaError("", NOT_ARRAYS)
    arrays: dict[str, Array] = {}
    left = largest
    for name, item in zip(names, members, strict=True):
        if item.compress_type not in _METHODS:
            raise SchemaError("", NOT_ARRAYS)
        with archive.open(item) as member:
            shape, by_columns, dtype = _header(member)
            # Empty axes count as 1: NumPy refuses a shape whose other axes are too long.
            if math.prod(filter(None, shape)) * max(dtype.itemsize, 1) > left:
                large = f"shape {shape} of dtype {dtype}"[:120]
                limit = f"all arrays together may take {largest / GIB:g} GiB"
                raise SchemaError(f"`{name[:40]}`", f"has {large}; {limit}")
            arrays[name] = _content(member, shape, by_columns, dtype)
        left -= arrays[name].nbytes
    return arrays


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, Any]:
    """Return the shape of an array, whether it is stored by columns, and its dtype."""
    reader = _HEADERS.get(npy.read_magic(member))
    if reader is None:
        raise SchemaError("", NOT_ARRAYS)
    shape, by_columns, dtype = reader(member)
    # An array of objects is a pickle, which could run code while it is loaded.
    if dtype.hasobject or not _is_shape(shape):
        raise SchemaError("", NOT_ARRAYS)
    return shape, by_columns, dtype


def _content(member: IO[bytes], shape: tuple[int, ...], by_columns: bool, dtype: Any) -> Array:
    size = math.prod(shape) * dtype.itemsize
    content = member.read(size)
    # The read beyond the last byte checks the checksum of a member, too.
    if len(content) < size or member.read(1):
        raise SchemaError("", NOT_ARRAYS)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")


def _is_shape(shape: Any) -> bool:
    return len(shape) <= _AXES and all(type(axis) is int and axis >= 0 for axis in shape)
